"""Jobs in a process of their own, with a Spark of their own that stays warm: for tests that need several, or that kill.

The process takes one JSON list a line (the job and its arguments) and answers each with one JSON object, its exit code
and what it printed.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from support.project import ROOT

_PROGRAM = f"""
import sys
sys.path[:0] = {[str(ROOT / "src"), str(ROOT / "tests")]}
from support.worker import serve
serve()
"""
# What Java itself has to say stays out of the report.
_JAVA = "-XX:+UseSerialGC -XX:+DisplayVMOutputToStderr"
# As for small runs of the script: the quick compiler alone.
_FEW_RUNS = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
# A process that runs hundreds of jobs is worth compiling well: after ten loads, each takes two thirds of the time. What
# is compiled so has to run three times as often as Java would have it, which takes a tenth less work in the first
# twenty loads. With all the memory from the start, garbage is collected less often.
MANY_RUNS = (
    "-Xms2g -Xmn800m -XX:MetaspaceSize=512m -XX:ReservedCodeCacheSize=480m -XX:Tier4InvocationThreshold=15000 "
    "-XX:Tier4MinInvocationThreshold=2000 -XX:Tier4CompileThreshold=40000 -XX:Tier4BackEdgeThreshold=120000"
)


def submit_arguments(warehouse: Path, *more: str, java: str = _FEW_RUNS) -> str:
    """PYSPARK_SUBMIT_ARGS for a session as spark-submit.sh starts it, but sized for tables of a few rows: few tasks,
    and expressions interpreted, since to compile them takes longer than to run them (the tests of the script compile).
    """
    jars = f"{os.environ['LOCAL_FILES']}:{os.environ['DELTA_JARS'].replace(',', ':')}"
    settings = {
        "spark.hadoop.fs.file.impl": "saleslakehouse.LocalFiles",
        "spark.hadoop.fs.AbstractFileSystem.file.impl": "saleslakehouse.LocalFilesOfLog",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.driver.memory": "2g",
        "spark.driver.defaultJavaOptions": f"{_JAVA} {java}",
        "spark.sql.warehouse.dir": str(warehouse),
    }
    options = [f"--conf {shlex.quote(f'{key}={value}')}" for key, value in settings.items()]
    properties = f"--properties-file {ROOT}/conf/spark-local.conf --driver-class-path {jars}"
    return " ".join([properties, *options, *more, "pyspark-shell"])


class Worker:
    """Such a process, from its parent's side. `environment` is added to the parent's."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            cwd=folder,
            env={**os.environ, "PYSPARK_SUBMIT_ARGS": submit_arguments(folder / "warehouse"), **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def begin(self, job: str, *arguments: str) -> None:
        """Have it run a job; `result` waits for its end."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([job, *arguments]) + "\n")
        self.process.stdin.flush()

    def result(self) -> tuple[int, str]:
        """The exit code of the job that was begun, and all it printed."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the worker died"
        answer = json.loads(line)
        return answer["exit_code"], answer["printed"]

    def run(self, job: str, *arguments: str) -> tuple[int, str]:
        self.begin(job, *arguments)
        return self.result()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def serve() -> None:
    """What that process does until its standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    # Java, which starts later, prints a line at each VACUUM, and would print it among the answers.
    os.dup2(2, 1)
    for line in sys.stdin:
        job, *arguments = json.loads(line)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                exit_code = importlib.import_module(f"jobs.{job}").main(arguments)
            except SystemExit as stop:
                exit_code = stop.code
        answers.write(json.dumps({"exit_code": exit_code, "printed": printed.getvalue()}) + "\n")
        answers.flush()


# As in a run of the script: to interpret expressions takes longer where rows are many.
COMPILED = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}


def on_cores(cores: int, folder: Path) -> dict[str, str]:
    """The environment of a worker on so many cores, with its warehouse in the folder: compiled, adaptive, and in other
    parts, as larger runs are.
    """
    more = {
        "spark.master": f"local[{cores}]",
        "spark.sql.shuffle.partitions": str(3 + 4 * cores),
        "spark.sql.adaptive.enabled": "true",
        **COMPILED,
    }
    options = [f"--conf {key}={value}" for key, value in more.items()]
    return {"PYSPARK_SUBMIT_ARGS": submit_arguments(folder / "warehouse", *options)}
