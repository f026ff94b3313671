"""What Spark says of an application in its event log: jobs, stages, tasks, what they read, shuffled and spilled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_MB = 1e6
_FILES_READ = "number of files read"
_START, _END = "SparkListenerJobStart", "SparkListenerJobEnd"
_EXECUTION = "SparkListenerSQLExecutionStart"
_ADAPTED = "SparkListenerSQLAdaptiveExecutionUpdate"
_FROM_DRIVER = "SparkListenerDriverAccumUpdates"


@dataclass
class Figures:
    """What Spark did in some time. Seconds of tasks are summed over the cores; megabytes are 1,000,000 bytes."""

    jobs: int
    stages: int
    tasks: int
    task_seconds: float
    seconds_with_jobs: float
    read_mb: float
    shuffled_mb: float
    spilled_mb: float
    files_read: int


@dataclass
class _Stage:
    at: float
    tasks: int
    task_seconds: float
    read: float
    shuffled: float
    spilled: float


@dataclass
class EventLog:
    """An application's jobs, stages and files read, each with when it began, in seconds since 1970."""

    jobs: list[tuple[float, float]] = field(default_factory=list)
    stages: list[_Stage] = field(default_factory=list)
    files_read: list[tuple[float, int]] = field(default_factory=list)

    def between(self, begin: float = 0.0, end: float = float("inf")) -> Figures:
        """The figures of what began in a span of time."""
        jobs = [(start, min(stop, end)) for start, stop in self.jobs if begin <= start < end]
        stages = [stage for stage in self.stages if begin <= stage.at < end]
        return Figures(
            jobs=len(jobs),
            stages=len(stages),
            tasks=sum(stage.tasks for stage in stages),
            task_seconds=sum(stage.task_seconds for stage in stages),
            seconds_with_jobs=_covered(jobs),
            read_mb=sum(stage.read for stage in stages) / _MB,
            shuffled_mb=sum(stage.shuffled for stage in stages) / _MB,
            spilled_mb=sum(stage.spilled for stage in stages) / _MB,
            files_read=sum(files for at, files in self.files_read if begin <= at < end),
        )


def read_event_log(folder: Path) -> EventLog:
    """The log of the one application that wrote into a folder. Empty where none did."""
    log, running, executions, metrics = EventLog(), dict[int, float](), dict[int, float](), set[int]()
    for event in _events(folder):
        kind = event["Event"].rpartition(".")[2]
        if kind == _START:
            running[event["Job ID"]] = event["Submission Time"] / 1000
        elif kind == _END:
            log.jobs.append((running.pop(event["Job ID"]), event["Completion Time"] / 1000))
        elif kind == "SparkListenerStageCompleted":
            log.stages.append(_stage(event["Stage Info"]))
        elif kind in (_EXECUTION, _ADAPTED):
            executions.setdefault(event["executionId"], event.get("time", 0) / 1000)
            metrics |= set(_metrics(event["sparkPlanInfo"], _FILES_READ))
        elif kind == _FROM_DRIVER:
            files = sum(value for metric, value in event["accumUpdates"] if metric in metrics)
            log.files_read.append((executions.get(event["executionId"], 0.0), files))
    return log


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith((".", "appstatus")):
            with path.open() as lines:
                yield from map(json.loads, lines)


def _stage(info: dict[str, Any]) -> _Stage:
    sums = {metric["Name"]: metric.get("Value") for metric in info["Accumulables"]}

    def total(name: str) -> float:
        return float(sums.get(f"internal.metrics.{name}", 0))

    return _Stage(
        at=info["Submission Time"] / 1000,
        tasks=info["Number of Tasks"],
        task_seconds=total("executorRunTime") / 1000,
        read=total("input.bytesRead"),
        shuffled=total("shuffle.write.bytesWritten"),
        spilled=total("diskBytesSpilled"),
    )


def _metrics(plan: dict[str, Any], name: str) -> Iterator[int]:
    """The ids of a metric in a plan and in all below it."""
    yield from (metric["accumulatorId"] for metric in plan["metrics"] if metric["name"] == name)
    for child in plan["children"]:
        yield from _metrics(child, name)


def _covered(spans: list[tuple[float, float]]) -> float:
    """How many seconds lie in at least one of the spans."""
    seconds, reached = 0.0, 0.0
    for begin, end in sorted(spans):
        seconds += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return seconds
