"""The last runs of a lake, as pipeline_runs has them, and which of them loaded a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from rich.table import Table as RichTable

from common.contract import RUNS
from common.errors import NoLakeError
from common.lake.lake import Lake
from common.spark.times import instant_of
from common.words import ID_SHOWN, counted

# What the ledgers of a run's feeds are added up to.
_COUNTS = ("rows_read", "new", "corrected", "unchanged", "duplicate", "rejected")


@dataclass(frozen=True)
class FileLoaded:
    """A file that a run loaded: its feed, its path as the run was given it, and what the file was then."""

    feed: str
    path: str
    size: int
    modified_at: datetime


@dataclass(frozen=True)
class PastRun:
    """A run that did its work. The counts are of rows, all feeds together; `files` are those that it loaded, of
    which `files_named` are the ones that were asked for.
    """

    run_id: str
    job: str
    started_at: datetime
    seconds: float
    files: int
    rows_read: int
    new: int
    corrected: int
    unchanged: int
    duplicate: int
    rejected: int
    hours_touched: int
    rejected_by_reason: dict[str, int]
    rows_removed: dict[str, int]
    files_named: list[FileLoaded]

    @property
    def when(self) -> str:
        """When it started, as a person reads it, in UTC."""
        return f"{self.started_at:%Y-%m-%d %H:%M:%S}"


@dataclass
class RunHistory:
    """The last runs, the newest first; only those that loaded the file, where one is asked for."""

    job: str
    started_at: datetime
    file: str | None = None
    runs_recorded: int = 0
    runs: list[PastRun] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """The report for machines."""
        return dataclasses.asdict(self)

    @property
    def title(self) -> str:
        if self.file is None:
            return f"{self.job}: the last {len(self.runs):,} of {counted(self.runs_recorded, 'run')}"
        return f"{self.job}: runs that loaded {self.file}"

    def table(self) -> RichTable | None:
        if not self.runs:
            return None
        table = RichTable()
        table.add_column("started (UTC)")
        table.add_column("job")
        for name in ("files", "read", "new", "corrected", "rejected", "hours", "seconds"):
            table.add_column(name, justify="right")
        table.add_column("run")
        for run in self.runs:
            numbers = (run.files, run.rows_read, run.new, run.corrected, run.rejected, run.hours_touched)
            cells = [f"{number:,}" for number in numbers]
            table.add_row(run.when, run.job, *cells, f"{run.seconds:.1f}", run.run_id[:ID_SHOWN])
        return table

    def lines(self) -> Iterator[str]:
        for run in self.runs:
            for file in run.files_named:
                yield f"{file.path}: loaded as {file.feed} by the run of {run.when}"
            for reason, rows in sorted(run.rejected_by_reason.items()):
                yield f"{run.when}: {counted(rows, 'row')} rejected by {reason}"
            for table, rows in sorted(run.rows_removed.items()):
                yield f"{run.when}: {counted(rows, 'row')} removed from {table}"
        if self.file is not None and not self.runs:
            yield (
                f"None of {counted(self.runs_recorded, 'run')} loaded a file of this name. A run that was refused "
                "loads nothing and is not recorded."
            )


def read_history(lake: Lake, history: RunHistory, *, last: int) -> None:
    """Look up the last runs. Raises NoLakeError where there is none."""
    version = lake.version(RUNS)
    if version is None:
        raise NoLakeError(lake.folder or lake.place(RUNS))
    recorded = lake.read(RUNS, version)
    history.runs_recorded = recorded.count()
    runs = recorded.withColumn("files_named", F.filter("files", lambda file: _is_named(file, history.file)))
    if history.file is not None:
        runs = runs.where(F.size("files_named") > 0)
    newest_first = runs.orderBy(F.desc("started_at"), "run_id").limit(last)
    history.runs = [_past_run(row.asDict(recursive=True)) for row in _without_zones(newest_first).collect()]


def _is_named(file: Column, name: str | None) -> Column:
    """Whether a file has this path, or this name in any folder."""
    if name is None:
        return F.lit(False)
    return (file["path"] == name) | file["path"].endswith(f"/{name}")


def _without_zones(runs: DataFrame) -> DataFrame:
    """What is shown of runs, with times in microseconds, which no zone of a driver changes."""
    named = F.transform(
        "files_named",
        lambda file: F.struct(file["feed"], file["path"], file["size"], F.unix_micros(file["modified_at"]).alias("at")),
    )
    return runs.select(
        "run_id",
        "job",
        F.unix_micros("started_at").alias("started"),
        F.unix_micros("finished_at").alias("finished"),
        F.size("files").alias("files"),
        "feeds",
        "hours_touched",
        "rejected_by_reason",
        "rows_removed",
        named.alias("files_named"),
    )


def _past_run(row: dict[str, Any]) -> PastRun:
    counts = {name: sum(feed[name] for feed in row["feeds"]) for name in _COUNTS}
    return PastRun(
        run_id=row["run_id"],
        job=row["job"],
        started_at=instant_of(row["started"]),
        seconds=round((row["finished"] - row["started"]) / 1_000_000, 3),
        files=row["files"],
        **counts,
        hours_touched=row["hours_touched"],
        rejected_by_reason=row["rejected_by_reason"],
        rows_removed=row["rows_removed"],
        files_named=[
            FileLoaded(file["feed"], file["path"], file["size"], instant_of(file["at"])) for file in row["files_named"]
        ],
    )
