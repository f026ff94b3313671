"""The frame of every job: its lock, its named steps, and a new start where another writer came between."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Generic

from pyspark.sql import SparkSession

from common.contract import LOGIC_VERSION, OPTIONAL_TABLES, TABLES, Table
from common.errors import LakeConflictError
from common.ingest.changes import Decision
from common.lake.commit_note import CommitNote
from common.lake.commits import TableChange
from common.lake.file_checks import check_is_writable
from common.lake.lake import Lake
from common.lake.lock import lock_lake
from common.lake.upgrade import bring_up_to_date, check_format, tables_of_loads, upgrades
from common.marts.mart import Inputs, Mart, pinned_inputs, plan_refresh, refresh
from common.marts.plan import Plan
from common.marts.registry import check_extras, marts_kept_by
from common.run.configuration import AnySettings
from common.run.console import Console, Report
from common.run.record import record_run, versions_of_existing
from common.run.report import RunReport
from common.spark.paths import is_on_this_disk
from common.spark.session import check_session
from common.words import counted

# One more than the commits of another run that this one may meet: rejected rows, customers, sales, aggregate.
_ATTEMPTS = 5


@dataclass(frozen=True)
class Step:
    """A part of a run, as a person sees it: `do` returns what is said when it is done."""

    description: str
    do: Callable[[], str]


class Run(ABC, Generic[AnySettings]):
    """One run of a job on a lake: what its steps need, and what they hand on.

    A job is a subclass. `begin` looks before anything is done, `steps` are done in order, `conclude` follows the
    report. What `cleanup` holds is closed at the end, however it ends.
    """

    report: Report

    def __init__(self, job: str, run_id: str, lake: Lake, settings: AnySettings, console: Console) -> None:
        self.job = job
        self.run_id = run_id
        self.lake = lake
        self.settings = settings
        self.console = console
        self.started_at = datetime.now(timezone.utc)
        self.cleanup = ExitStack()

    def begin(self) -> None:
        """Look at the lake before the first step; raises where the job cannot be done on it."""

    @abstractmethod
    def steps(self) -> Iterator[Step]:
        """The parts of this run, by its settings."""

    def conclude(self) -> None:
        """Follow the report, which is printed by then."""


class LakeRun(Run[AnySettings]):
    """A run that writes tables, or with a dry run says what it would write, and is recorded in pipeline_runs.

    `note` goes into each of its commits; `before` has the versions of the tables that it began with, by table.
    """

    report: RunReport

    def __init__(self, job: str, run_id: str, lake: Lake, settings: AnySettings, console: Console) -> None:
        super().__init__(job, run_id, lake, settings, console)
        self.note = CommitNote(run_id, job, LOGIC_VERSION)
        self.report = RunReport(
            run_id=run_id,
            job=job,
            dry_run=not settings.writes,
            started_at=self.started_at,
            settings_hash=settings.hash(),
        )
        self.before: dict[str, int | None] = {}
        self.decisions: Sequence[Decision] = ()

    def begin(self) -> None:
        self.lake.check_files((*TABLES, *OPTIONAL_TABLES))
        check_format(self.lake, TABLES)
        if self.report.dry_run:
            self.report.upgrades = upgrades(self.lake, tables_of_loads(self.lake))

    def begin_on_existing(self, more: Sequence[Table] = (), *, makes_them: bool = False) -> None:
        """Look at a lake that has to be there. `more` are the tables that the run writes beside those of every load:
        all of them where it `makes_them`, else those that are there.
        """
        self.lake.check_files(more)
        check_format(self.lake, more)
        written = more if makes_them else [table for table in more if self.lake.version(table) is not None]
        self.before = versions_of_existing(self.lake, written)

    def prepare_tables(self) -> None:
        """Have the tables that every load keeps be there, of the lake format of now: the first thing that writes."""
        self.upgrade_tables()
        self.lake.create(TABLES)

    def upgrade_tables(self) -> None:
        """Bring those of them that are there to the lake format of now."""
        self.report.upgrades += bring_up_to_date(self.lake, tables_of_loads(self.lake), self.note)

    def refresh_aggregate(self) -> None:
        """Bring the tables up to date that every load keeps: the aggregate."""
        self.refresh_marts(marts_kept_by("load_sales"))

    def refresh_marts(self, some: Sequence[Mart]) -> None:
        """Bring computed tables up to date, all by the same versions of sales and customers."""
        with pinned_inputs(self.lake) as inputs:
            for mart in some:
                self.refresh_mart(mart, inputs)

    def refresh_mart(self, mart: Mart, inputs: Inputs) -> TableChange | None:
        """Bring one computed table up to date, of the lake format of now; what its commit changed, None without one."""
        self.report.upgrades += bring_up_to_date(self.lake, [mart.table], self.note)
        refreshed = refresh(mart, inputs, self.note)
        change = self.report.take_refresh(mart.table, refreshed)
        return change if refreshed.commit else None

    def record(self) -> str:
        """The last step: the run's own row, by which its files are known."""
        record_run(self.lake, self.report, self.before, self.decisions)
        return ""


class BuildRun(LakeRun[AnySettings]):
    """A run of a job that keeps computed tables, those that name it in `kept_by`: it writes the rows that are not as
    sales and customers have them now; with a dry run, it counts them.
    """

    def begin(self) -> None:
        super().begin()
        self.marts = marts_kept_by(self.job)
        check_extras(self.marts)
        tables = [mart.table for mart in self.marts]
        self.begin_on_existing(tables, makes_them=True)
        if self.report.dry_run:
            self.report.plan = Plan()
            self.report.upgrades += upgrades(self.lake, tables)
        else:
            self.upgrade_tables()
            self.lake.create(tables)
        told = {name: self.told(name) for mart in self.marts for name in mart.settings}
        self.inputs = self.cleanup.enter_context(pinned_inputs(self.lake, told))

    def told(self, name: str) -> str:
        """A setting that says what the rows of a table are."""
        value = getattr(self.settings, name)
        return "" if value is None else str(value)

    def steps(self) -> Iterator[Step]:
        do = self.plan_one if self.report.dry_run else self.refresh_one
        for mart in self.marts:
            yield Step(f"Bring {mart.table.name} up to date", partial(do, mart))
        yield from self.more_steps()
        if not self.report.dry_run:
            yield Step("Record the run", self.record)

    def more_steps(self) -> Iterator[Step]:
        """What comes after the tables."""
        yield from ()

    def refresh_one(self, mart: Mart) -> str:
        change = self.refresh_mart(mart, self.inputs)
        if change is None:
            return "as it should be"
        return f"{counted(change.inserted + change.updated, 'row')} written, {change.deleted:,} removed"

    def plan_one(self, mart: Mart) -> str:
        planned = plan_refresh(mart, self.inputs)
        if planned is None:
            return "as it should be"
        change, whole = planned
        self.report.take_planned(change, whole)
        return (
            f"{counted(change.inserted + change.updated, 'row')} would be written, {change.deleted:,} would be removed"
        )


@dataclass(frozen=True)
class Job(Generic[AnySettings]):
    """A command: its name, what it does in a sentence, its settings, and what a run of it is."""

    name: str
    description: str
    settings: type[AnySettings]
    run: type[Run[AnySettings]]


def run_job(job: Job[AnySettings], spark: SparkSession, settings: AnySettings) -> Report:
    """Do the work of a job, under the lake's lock where it writes, and print its report.

    Where someone else writes a table meanwhile, which the lock of a local lake prevents, the steps start again from the
    newest versions: each compares before it writes.
    """
    check_session(spark)
    run_id = uuid.uuid4().hex
    with Console(as_json=settings.json_) as console:
        if settings.lake and settings.writes and is_on_this_disk(settings.lake):
            check_is_writable(settings.lake)
        with lock_lake(spark, settings.lake, run_id) if settings.writes else nullcontext():
            run = _done(job, spark, settings, run_id, console)
    console.finish(run.report)
    run.conclude()
    return run.report


def _done(
    job: Job[AnySettings], spark: SparkSession, settings: AnySettings, run_id: str, console: Console
) -> Run[AnySettings]:
    """A run that has done its steps, at the first attempt or a later one."""
    for attempt in range(1, _ATTEMPTS + 1):
        lake = Lake(spark, settings.lake, settings.catalog, settings.schema_)
        run = job.run(job.name, run_id, lake, settings, console)
        try:
            with run.cleanup:
                run.begin()
                steps = list(run.steps())
                console.begin(len(steps))
                for step in steps:
                    with console.step(step.description) as details:
                        details.append(step.do())
            return run
        except LakeConflictError as error:
            if attempt == _ATTEMPTS:
                raise
            console.say(f"{error} Starting again ({attempt + 1} of {_ATTEMPTS}).")
    raise AssertionError("unreachable")
