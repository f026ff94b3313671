"""The command ./spark-submit.sh load_sales as processes that are killed, and what must be true of a lake afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from support.lakes import Workbench, arrow
from support.project import ROOT
from support.worker import Worker, submit_arguments

# These differ between two runs that refuse the same row.
_OF_THE_RUN = {"run_id", "rejected_at"}
# A run that lost a process of its own, and what is left of a killed one, is gone within so many seconds.
_PATIENCE = 120.0

Rows = Counter[tuple[str, ...]]


def deliver_the_first(bench: Workbench) -> None:
    """What a lake holds before the run that is killed: four customers, sales of three hours, refused rows."""
    bench.people("c1,Ann,30,Mali", "c2,Bob,40,Peru", "c3,Cy,50,Chad", "c4,Di,60,Oman", "c5,Ed,130,Fiji")
    bench.sales(
        *[f"t{n},c{n % 4 + 1},p{n % 3},{n + 1},1.{n:02},2025-02-22 {9 + n % 2:02}:15:00" for n in range(10)],
        "t10,c9,p1,2,7.00,2025-02-22 10:30:00",
        "t11,c1,p9,1,3.00,2025-02-22 11:30:00",
        "t12,c1,p1,none,3.00,2025-02-22 11:30:00",
    )


def deliver_the_rest(bench: Workbench) -> None:
    """All that a delivery can bring: new, late, corrected, moved, duplicate, contradictory, malformed and refused rows,
    an hour that is emptied, customers who are new, changed, unchanged, refused, and one who completes a sale.
    """
    bench.people("c1,Ann,31,Mali", "c2,Bob,40,Peru", "c6,Flo,20,Cuba", "c9,Ida,70,Iran", "c7,Gus,-1,Togo")
    bench.sales(
        "t20,c1,p1,1,2.50,2025-02-22 12:15:00",  # a new hour
        "t21,c6,p1,1,0.10,2025-02-22 08:15:00",  # late
        "t1,c2,p1,9,1.01,2025-02-22 10:15:00",  # corrected
        "t2,c3,p2,3,1.02,2025-02-22 12:45:00",  # moved
        "t11,c1,p9,1,3.00,2025-02-22 09:30:00",  # moved, and its hour has no other sale
        "t3,c4,p0,4,1.03,2025-02-22 10:15:00",  # unchanged
        "t4,c1,p1,5,8.00,2025-02-22 09:15:00",  # contradicted by the next
        "t4,c1,p1,5,9.00,2025-02-22 09:15:00",
        "t22,c1,p1,0,2.50,2025-02-22 12:15:00",
        "t23,c1,p1",
    )
    bench.sales(
        "t20,c1,p1,1,2.50,2025-02-22 12:15:00",  # a duplicate
        "t1,c2,p1,8,1.01,2025-02-22 10:15:00",  # corrected once more
        "t24,c8,p2,2,4.00,2025-02-22 13:15:00",  # of an unknown customer
        "t25,c6,p2,2,free,2025-02-22 13:15:00",
    )


def contents(lake: Path) -> dict[str, Rows]:
    """Each table that exists as delta-rs reads it, and how often it has each row; without what differs by run."""
    return {
        log.parent.name: Counter(_rows(str(log.parent)))
        for log in sorted(lake.glob("*/_delta_log"))
        if log.parent.name != "pipeline_runs" and any(log.glob("*.json"))
    }


def _rows(path: str) -> Iterator[tuple[str, ...]]:
    for row in arrow(path).to_pylist():
        yield tuple(f"{column}: {value}" for column, value in row.items() if column not in _OF_THE_RUN)


def assert_whole(lake: Path, before: dict[str, Rows], after: dict[str, Rows]) -> None:
    """Every table that exists is as it was before the run or as it is after it: each gets one commit."""
    for name, rows in contents(lake).items():
        assert rows in (before.get(name, Counter()), after[name]), f"{name} is half done"


def assert_same(lake: Path, expected: dict[str, Rows]) -> None:
    """The tables have just these rows; the message names those that differ."""
    found = contents(lake)
    assert found.keys() == expected.keys()
    for name, rows in found.items():
        assert rows == expected[name], f"{name}: too much {rows - expected[name]}, missing {expected[name] - rows}"


def versions(lake: Path) -> dict[str, int]:
    """The newest version of each table, by the names of its commits."""
    logs = {log.parent.name: [int(path.stem) for path in log.glob("*.json")] for log in lake.glob("*/_delta_log")}
    return {name: max(found) for name, found in logs.items() if found}


def number_of_files(lake: Path) -> int:
    """How many files there are, the lock aside."""
    return sum(len(files) for folder, _, files in os.walk(lake) if Path(folder) != lake)


def quick_worker(folder: Path) -> Worker:
    """A process for small jobs, whose JVM takes less memory than the usual one."""
    arguments = submit_arguments(folder / "warehouse", "--driver-memory 1g")
    return Worker(folder, {"PYSPARK_SUBMIT_ARGS": arguments})


@dataclass
class Traces:
    """What a run has left so far, by which one sees how far it came."""

    versions: dict[str, int]
    files: int
    lock: str

    @classmethod
    def of(cls, lake: Path) -> Traces:
        lock = lake / ".lock"
        return cls(versions(lake), number_of_files(lake), lock.read_text() if lock.exists() else "")

    def phase_since(self, earlier: Traces) -> str:
        """The phase in which a run died that found the `earlier` traces."""
        if self.versions.get("pipeline_runs", 0) > earlier.versions.get("pipeline_runs", 0):
            return "after the last commit"
        if self.files != earlier.files:
            return "writing"
        return "reading" if self.lock != earlier.lock else "starting"


@dataclass
class Command:
    """The real command as a person starts it, with `options` of Spark among its own."""

    bench: Workbench
    options: list[str]

    def __post_init__(self) -> None:
        self.scratch = self.bench.folder / "scratch"
        self.output = self.bench.folder / "output.txt"

    def start(self, lake: Path) -> Run:
        """Start it on a lake."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        command = [
            f"{ROOT}/spark-submit.sh",
            "load_sales",
            *self.options,
            f"--driver-java-options=-Djava.io.tmpdir={self.scratch}",
            f"--transactions={self.bench.transactions}",
            f"--customers={self.bench.customers}",
            f"--lake={lake}",
            "--max-rejected-share=1",
            "--json",
        ]
        ours = ("SALES_", "PYSPARK", "SPARK")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        environment |= {"TMPDIR": str(self.scratch)}
        with self.output.open("w") as output:
            return Run(lake, self.output, _popen(command, self.bench.folder, environment, output))


def _popen(command: list[str], folder: Path, environment: dict[str, str], output: IO[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@dataclass
class Run:
    """The command at work: a process group of the script, which becomes the JVM, of Python, and of Spark's workers."""

    lake: Path
    output: Path
    process: subprocess.Popen[bytes]

    def __post_init__(self) -> None:
        self.found = Traces.of(self.lake)

    def phase(self) -> str:
        """How far the run had come when it was killed."""
        return Traces.of(self.lake).phase_since(self.found)

    def is_over(self) -> bool:
        return self.process.poll() is not None

    def wait_until_it_writes(self) -> None:
        """Until the run has made its first file in a table, or has ended."""
        while not self.is_over() and number_of_files(self.lake) == self.found.files:
            time.sleep(0.02)

    def ends_within(self, seconds: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.is_over()

    def must_end_well(self) -> str:
        """Wait for the end of a run that is not killed; returns what it printed."""
        exit_code = self.process.wait()
        assert exit_code == 0, f"exit code {exit_code}: {self.output.read_text()}"
        return self.output.read_text()

    def kill(self, which: str) -> str:
        """Kill the `group`, or only the `python` or the `java` in it where there is one yet; returns which it was."""
        victims = [] if which == "group" else [pid for pid, kind in _members_of(self.process.pid) if kind == which]
        with suppress(ProcessLookupError):
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            if not victims:
                os.killpg(self.process.pid, signal.SIGKILL)
        assert self.ends_within(_PATIENCE), f"the JVM lives on {_PATIENCE:.0f} s after its {which} was killed"
        return which if victims else "group"


def assert_nothing_lives_on(group: int) -> None:
    """Wait until each process of a killed group is gone: a JVM takes a while; Python ends by itself without its own."""
    deadline = time.monotonic() + _PATIENCE
    while members := list(_members_of(group)):
        assert time.monotonic() < deadline, f"left over {_PATIENCE:.0f} s after the kill: {members}"
        time.sleep(0.1)


def _members_of(group: int) -> Iterator[tuple[int, str]]:
    """The living processes of a group: java, python (the job itself) or other."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,pgid=,stat=,args="], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        pid, group_of_it, state, arguments = line.split(maxsplit=3)
        if int(group_of_it) == group and not state.startswith("Z"):
            yield int(pid), _kind(arguments)


def _kind(arguments: str) -> str:
    if "org.apache.spark.deploy.SparkSubmit" in arguments:
        return "java"
    program, *rest = arguments.split()
    is_job = "python" in Path(program).name and any(argument.endswith("jobs/load_sales.py") for argument in rest)
    return "python" if is_job else "other"
