"""Clusters on this machine, of real processes that listen on 127.0.0.1 alone: Spark standalone, and Hadoop's YARN."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.project import ROOT

# What a cluster waits for is there within so many seconds, or something is wrong.
_PATIENCE = 300.0
_SPARK = Path(os.environ["SPARK_HOME"])
_JAVA = f"{os.environ['JAVA_HOME']}/bin/java"
_NODE_MEMORY = 4096
# Tables of a few rows need few tasks.
_SMALL = ["--conf", "spark.sql.shuffle.partitions=4", "--conf", "spark.databricks.delta.snapshotPartitions=2"]
_YARN = "org.apache.hadoop.yarn.server"


@dataclass
class Server:
    """A process that heads a group of its own, in which those are that it starts in turn."""

    name: str
    process: subprocess.Popen[bytes]

    def programs(self) -> list[str]:
        """The command lines of the living processes of the group."""
        listed = subprocess.run(["ps", "-A", "-ww", "-o", "pgid=,args="], capture_output=True, text=True, check=True)
        split = [line.split(maxsplit=1) for line in listed.stdout.splitlines()]
        return [line[1] for line in split if int(line[0]) == self.process.pid and len(line) == 2]

    def kill(self) -> None:
        """SIGKILL to all of the group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Servers:
    """Servers that are stopped for certain."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[Server] = []

    def start(self, name: str, command: list[str], **environment: str) -> Server:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**without_ours(), "SPARK_LOCAL_IP": "127.0.0.1", **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.running.append(Server(name, process))
        return self.running[-1]

    def wait_until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Fails with the logs where a server has ended, or it takes too long."""
        wait_until(
            f"{what}; logs are in {self.folder}", is_so, lambda: all(s.process.poll() is None for s in self.running)
        )

    def stop(self) -> None:
        for server in self.running:
            server.kill()


def wait_until(what: str, is_so: Callable[[], bool], is_possible: Callable[[], bool] = lambda: True) -> None:
    """Wait for a condition, up to a deadline, as long as it can still come true."""
    deadline = time.monotonic() + _PATIENCE
    while not is_so():
        assert is_possible(), f"will never be: {what}"
        assert time.monotonic() < deadline, f"not within {_PATIENCE:.0f} s: {what}"
        time.sleep(0.05)


def without_ours() -> dict[str, str]:
    """The environment without any variable of the project's or of Spark's."""
    ours = ("SALES_", "PYSPARK", "SPARK", "PYTHONPATH", "DELTA_JARS", "LOCAL_FILES")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours)}


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(held.getsockname()[1]) for held in sockets]
    for held in sockets:
        held.close()
    return ports


def get(url: str) -> Any:
    """A JSON answer; None where there is none yet."""
    with suppress(OSError, ValueError), urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)
    return None


@dataclass
class Cluster:
    """Where ./spark-submit.sh sends jobs: its master, and what it needs to know of it."""

    servers: Servers
    options: list[str]
    environment: dict[str, str]

    def start(self, output: Path, job: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a job; what it prints goes to the file."""
        with output.open("wb") as printed:
            return subprocess.Popen(
                [f"{ROOT}/spark-submit.sh", job, *self.options, *arguments],
                cwd=output.parent,
                env={**without_ours(), "SPARK_LOCAL_IP": "127.0.0.1", **self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )

    def run(self, output: Path, job: str, *arguments: str, **environment: str) -> str:
        """Run a job that has to end well; returns what it printed."""
        exit_code = self.start(output, job, *arguments, **environment).wait()
        assert exit_code == 0, f"exit code {exit_code}: {output.read_text()}"
        return output.read_text()


@contextmanager
def standalone(
    folder: Path,
    python: str,
    *,
    workers: int = 2,
    memory: str = "1g",
    settings: Sequence[str] = _SMALL,
    holds_to_core: bool = False,
) -> Iterator[Cluster]:
    """A master and workers with a core and so much memory each. `python` is that of the executors.

    To Spark, a core is a task at a time: what Java does beside takes others. With `holds_to_core` (on Linux), a worker
    and all that it starts has one processor of the machine and no other, as in a container of that size.
    """
    servers = Servers(folder)
    port, page = free_ports(2)
    master = f"spark://127.0.0.1:{port}"
    spark_class = str(_SPARK / "bin" / "spark-class")
    quiet = {"SPARK_CONF_DIR": f"{ROOT}/conf", "SPARK_DAEMON_MEMORY": "256m"}
    try:
        address = ["--host", "127.0.0.1", "--port", str(port), "--webui-port", str(page)]
        servers.start("master", [spark_class, "org.apache.spark.deploy.master.Master", *address], **quiet)
        servers.wait_until("the master answers", lambda: get(f"http://127.0.0.1:{page}/json/") is not None)
        for number in range(workers):
            name = f"worker_{number + 1}"
            work = ["--work-dir", str(folder / name), "--cores", "1", "--memory", memory, "--webui-port", "0"]
            worker = [spark_class, "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", *work, master]
            held = ["taskset", "--cpu-list", str(number)] if holds_to_core else []
            servers.start(name, [*held, *worker], **quiet)
        servers.wait_until(
            "all workers are there",
            lambda: (get(f"http://127.0.0.1:{page}/json/") or {}).get("aliveworkers") == workers,
        )
        options = ["--master", master, "--driver-memory", "1g", "--executor-memory", memory]
        options += ["--conf", f"spark.pyspark.python={python}", *settings]
        yield Cluster(servers, options, {})
    finally:
        servers.stop()


@contextmanager
def yarn(folder: Path, jars: str) -> Iterator[Cluster]:
    """Hadoop's ResourceManager and one NodeManager, of `jars` (with colons between them) and Spark's own."""
    servers = Servers(folder)
    scheduler, tracker, manager, admin, page, localizer = free_ports(6)
    settings = {
        "hadoop.tmp.dir": folder / "tmp",
        "yarn.resourcemanager.hostname": "127.0.0.1",
        "yarn.resourcemanager.scheduler.class": f"{_YARN}.resourcemanager.scheduler.fifo.FifoScheduler",
        "yarn.resourcemanager.scheduler.address": f"127.0.0.1:{scheduler}",
        "yarn.resourcemanager.resource-tracker.address": f"127.0.0.1:{tracker}",
        "yarn.resourcemanager.address": f"127.0.0.1:{manager}",
        "yarn.resourcemanager.admin.address": f"127.0.0.1:{admin}",
        "yarn.resourcemanager.webapp.address": f"127.0.0.1:{page}",
        "yarn.scheduler.minimum-allocation-mb": 128,
        "yarn.nodemanager.hostname": "127.0.0.1",
        "yarn.nodemanager.address": "127.0.0.1:0",
        "yarn.nodemanager.localizer.address": f"127.0.0.1:{localizer}",
        "yarn.nodemanager.webapp.address": "127.0.0.1:0",
        "yarn.nodemanager.local-dirs": folder / "local",
        "yarn.nodemanager.log-dirs": folder / "logs",
        "yarn.nodemanager.resource.memory-mb": _NODE_MEMORY,
        "yarn.nodemanager.vmem-check-enabled": "false",
        "yarn.nodemanager.disk-health-checker.enable": "false",
    }
    conf = folder / "conf"
    conf.mkdir()
    lines = [f"<property><name>{name}</name><value>{value}</value></property>" for name, value in settings.items()]
    for file in ("core-site.xml", "yarn-site.xml"):
        (conf / file).write_text("\n".join(["<configuration>", *lines, "</configuration>"]))
    class_path = f"{conf}:{jars}:{_SPARK}/jars/*"

    def has_a_node() -> bool:
        metrics = get(f"http://127.0.0.1:{page}/ws/v1/cluster/metrics") or {"clusterMetrics": {}}
        return bool(metrics["clusterMetrics"].get("activeNodes") == 1)

    try:
        for name in ("resourcemanager.ResourceManager", "nodemanager.NodeManager"):
            servers.start(name, [_JAVA, "-Xmx512m", "-XX:+UseSerialGC", "-cp", class_path, f"{_YARN}.{name}"])
        servers.wait_until("the node is there", has_a_node)
        memory = ["--driver-memory", "1g", "--executor-memory", "1g", "--num-executors", "1", *_SMALL]
        yield Cluster(servers, ["--master", "yarn", *memory], {"HADOOP_CONF_DIR": str(conf)})
    finally:
        servers.stop()


def yarn_printed(cluster: Cluster) -> str:
    """What the drivers and executors of all applications so far have printed."""
    return "\n".join(file.read_text() for file in sorted((cluster.servers.folder / "logs").rglob("stdout")))
