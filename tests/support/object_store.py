"""An S3 server on this machine for the tests, and a gate before it that can hold a commit or lose the answer to it."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

import pyarrow as pa
from deltalake import DeltaTable
from pyarrow.fs import FileInfo, FileSelector, FileType, S3FileSystem

from support.project import ROOT

BUCKET = "sales-lake"
_PATIENCE = 600.0


@dataclass(frozen=True)
class Jars:
    """Class paths, with colons: of a job that works on s3a://, and of the server."""

    of_jobs: str
    of_server: str

    @classmethod
    def fetched(cls) -> Jars:
        """Have setup.sh fetch what is not there yet."""
        script = (
            f"source {shlex.quote(str(ROOT / 'setup.sh'))} requirements-dev.lock && setup_s3 && "
            f"setup_jars {shlex.quote(str(ROOT / 'tests' / 'support' / 's3proxy.lock'))} s3proxy-jars && "
            'echo "$LOCAL_FILES,$DELTA_JARS,$S3_JARS,$S3_LOG_STORE" && echo "$SETUP_JARS,$SPARK_HOME/jars/*"'
        )
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        of_jobs, of_server = done.stdout.replace(",", ":").split()
        return cls(of_jobs, of_server)


class S3Server:
    """S3Proxy over a folder, on a free port of 127.0.0.1, with credentials of its own that nobody else knows."""

    def __init__(self, jars: Jars, folder: Path) -> None:
        self.key_id, self.secret = f"AK{secrets.token_hex(9).upper()}", secrets.token_urlsafe(30)
        self.port = _free_port()
        objects = folder / "objects"
        (objects / BUCKET).mkdir(parents=True)
        properties = folder / "s3proxy.conf"
        properties.touch(mode=0o600)
        properties.write_text(
            "\n".join(
                [
                    f"s3proxy.endpoint=http://127.0.0.1:{self.port}",
                    "s3proxy.authorization=aws-v4",
                    f"s3proxy.identity={self.key_id}",
                    f"s3proxy.credential={self.secret}",
                    "jclouds.provider=filesystem-nio2",
                    f"jclouds.filesystem.basedir={objects}",
                ]
            )
        )
        java = Path(os.environ["JAVA_HOME"]) / "bin" / "java"
        main = ["-cp", jars.of_server, "org.gaul.s3proxy.Main", "--properties", str(properties)]
        self.log = folder / "s3proxy.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([str(java), "-Xmx512m", *main], stdout=log, stderr=log)

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(f"the S3 server did not start: {self.log.read_text()}")

    def __enter__(self) -> S3Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def environment(self, port: int | None = None) -> dict[str, str]:
        """What a person sets to work with this server, at another port where something stands before it."""
        return {
            "AWS_ACCESS_KEY_ID": self.key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.port}",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def files(self) -> S3FileSystem:
        """The store as Arrow's own S3 client sees it."""
        return S3FileSystem(
            access_key=self.key_id,
            secret_key=self.secret,
            endpoint_override=f"127.0.0.1:{self.port}",
            scheme="http",
            region="us-east-1",
        )

    def put(self, key: str, content: bytes) -> str:
        """Write an object; returns its name for Spark."""
        with self.files.open_output_stream(f"{BUCKET}/{key}", compression=None) as stream:
            stream.write(content)
        return f"s3a://{BUCKET}/{key}"

    def objects(self, prefix: str) -> list[FileInfo]:
        """The objects under a prefix."""
        found = self.files.get_file_info(FileSelector(f"{BUCKET}/{prefix}", recursive=True))
        return [info for info in found if info.type == FileType.File]

    def content(self, info: FileInfo) -> bytes:
        with self.files.open_input_stream(info.path, compression=None) as stream:
            return bytes(stream.read())

    def delta_table(self, lake: str, table: str) -> DeltaTable:
        """A table as delta-rs opens it in the store."""
        options = {**self.environment(), "AWS_ALLOW_HTTP": "true"}
        return DeltaTable(f"s3://{BUCKET}/{lake}/{table}", storage_options=options)

    def table(self, lake: str, table: str) -> pa.Table:
        return self.delta_table(lake, table).to_pyarrow_table()


@dataclass
class Gate:
    """Hands every request on to a server. While `holds` is set, the first PUT of such a key waits for `released`; while
    `loses_answer` is, the first PUT of such a key is handed on, and the connection cut instead of an answer.
    """

    server_port: int
    holds: re.Pattern[str] | None = None
    loses_answer: re.Pattern[str] | None = None
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    lost: list[str] = field(default_factory=list)
    # Status of each PUT that was answered, by key.
    answers: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Gate:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def hold_first(self, key: str) -> None:
        """From now on, hold the first PUT of a key that the pattern is found in."""
        self.held.clear()
        self.released.clear()
        self.holds = re.compile(key)

    def lose_first_answer(self, key: str) -> None:
        """From now on, cut the connection instead of the answer to the first PUT of such a key."""
        self.loses_answer = re.compile(key)

    def wait_until_held(self) -> None:
        assert self.held.wait(_PATIENCE), "no such object was written"

    def pass_through(self, method: str, path: str, forward: Callable[[], int]) -> bool:
        """Hand a request on, when its time has come; whether it is to be answered."""
        key = path.partition("?")[0]
        with self._lock:
            is_held = method == "PUT" and self.holds is not None and self.holds.search(key) is not None
            is_lost = method == "PUT" and self.loses_answer is not None and self.loses_answer.search(key) is not None
            if is_held:
                self.holds = None
            if is_lost:
                self.loses_answer = None
        if is_held:
            self.held.set()
            assert self.released.wait(_PATIENCE), "nobody opened the gate"
        status = forward()
        if method == "PUT":
            self.answers.append((key, status))
        if is_lost:
            self.lost.append(key)
        return not is_lost


def _handler(gate: Gate) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = HTTPConnection("127.0.0.1", gate.server_port)
            answer: list[tuple[int, list[tuple[str, str]], bytes]] = []

            def forward() -> int:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in ("connection", "expect"):
                        connection.putheader(name, value)
                connection.endheaders(body)
                response = connection.getresponse()
                answer.append((response.status, response.getheaders(), response.read()))
                return response.status

            is_answered = gate.pass_through(self.command, self.path, forward)
            connection.close()
            if not is_answered:
                self.close_connection = True
                return
            status, headers, content = answer[0]
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                    self.send_header(name, value)
            # That of a HEAD is the object's, which does not come.
            length = next((value for name, value in headers if name.lower() == "content-length"), str(len(content)))
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _hand_on  # noqa: N815

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    return Handler


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
