"""A computed table and how it is kept in step with sales and customers: recompute what changed, never add deltas.

The source versions that the rows of a table belong to are in its own commits, so there is no state that a crash could
leave behind. Where the past of a table is not clearly ours, the table is computed whole.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import Any, TypeVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import CUSTOMERS, HOUR, SALES, Table
from common.errors import LakeError
from common.lake.commit_note import CommitNote
from common.lake.commits import Commit, TableChange
from common.lake.data_files import files_holding
from common.lake.lake import Lake
from common.lake.provenance import (
    UNREADABLE_CHANGES,
    Sources,
    Unclear,
    is_in_step,
    pin_sources,
    recorded_settings,
    recorded_sources,
    why_not_incremental,
)
from common.marts.differences import differing_rows
from common.marts.hourly_totals import HourlyTotals, Totals
from common.spark.failures import SPARK_ERRORS
from common.spark.parallel import side_by_side
from common.spark.session import cut_off, keep, unpersist
from common.spark.sql import hours_condition
from common.spark.times import hours_in

T = TypeVar("T")


class Inputs:
    """Sales and customers at pinned versions, and what several tables compute from them.

    `settings` are those that the job was given, by name, of those that say what the rows of a table are.
    """

    def __init__(self, lake: Lake, sources: Sources, settings: Mapping[str, str] | None = None) -> None:
        self.lake = lake
        self.sources = sources
        self.settings = settings or {}
        # Rows of files that the job was given, by the setting that names the file.
        self.given: dict[str, DataFrame] = {}
        self._shared: dict[Callable[[DataFrame], DataFrame], DataFrame] = {}
        self._made: dict[Hashable, Any] = {}

    @cached_property
    def sales(self) -> DataFrame:
        return self.lake.read(SALES, self.sources.sales_version)

    @cached_property
    def customers(self) -> DataFrame:
        return self.lake.read(CUSTOMERS, self.sources.customers_version)

    def where(self, condition: str) -> Inputs:
        """The same, of the sales alone for which the SQL `condition` is true."""
        some = Inputs(self.lake, self.sources, self.settings)
        some.sales = self.sales.where(condition)
        return some

    def told(self, mart: Mart) -> Inputs:
        """The same, with every setting that a table has: as the job was given it, else as the table was last made, else
        the default. So a job that is about something else keeps what a table is.
        """
        if not mart.settings:
            return self
        told = copy(self)
        told.settings = {**mart.settings, **recorded_settings(self.lake, mart.table)} | dict(self.settings)
        told.settings = {name: told.settings[name] for name in mart.settings}
        return told

    def shared(self, of_sales: Callable[[DataFrame], DataFrame]) -> DataFrame:
        """What a function makes of the sales: computed once, however many tables read it."""
        if of_sales not in self._shared:
            self._shared[of_sales] = of_sales(self.sales)
            keep(self._shared[of_sales])
        return self._shared[of_sales]

    def once(self, what: Hashable, compute: Callable[[], T]) -> T:
        """What is computed under a name, and once, however many tables read it. Where it is rows, plans end there."""
        if what not in self._made:
            made = compute()
            self._made[what] = cut_off(made) if isinstance(made, DataFrame) else made
        found: T = self._made[what]
        return found

    def unpersist(self) -> None:
        for rows in self._shared.values():
            unpersist(rows)


@contextmanager
def pinned_inputs(lake: Lake, settings: Mapping[str, str] | None = None) -> Iterator[Inputs]:
    """The newest versions of sales and customers; all that is computed meanwhile reads just these."""
    inputs = Inputs(lake, pin_sources(lake), settings)
    try:
        yield inputs
    finally:
        inputs.unpersist()


@dataclass(frozen=True)
class Pending:
    """What a table lacks: rows to write, or, where `is_gone` is true, to take away.

    `hours` are all those in which the keys may be, None where they are not known; `groups` counts the rows where they
    were counted. `kept` are frames that Spark keeps until `unpersist` is called.
    """

    rows: DataFrame
    hours: list[datetime] | None = None
    groups: int | None = None
    kept: list[DataFrame] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return self.rows.isEmpty() if self.groups is None else self.groups == 0

    def unpersist(self) -> None:
        for rows in self.kept:
            unpersist(rows)


# Finds what a table lacks beside the sources that it was made of. Unclear where the change feed does not tell; may
# raise an error of Spark where it cannot be read.
FindsPending = Callable[["Mart", Inputs, Sources], "Pending | Unclear"]


@dataclass(frozen=True)
class Mart:
    """One computed table. `rows` gives all rows that it should have: its only definition.

    `pending` finds what it lacks beside what it was made of, without a look at all of it where it can. The `totals` of
    each hour that was written are compared with those of the sales, where a table has such totals. `settings` are the
    names and defaults of those that say what its rows are. `extra` names the packages that these are computed with,
    where not every job needs them.
    """

    table: Table
    rows: Callable[[Inputs], DataFrame]
    pending: FindsPending
    totals: HourlyTotals | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    extra: str = ""


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did. `whole` says why all was computed, None where only `groups` rows in `hours` were."""

    whole: str | None
    hours: list[datetime]
    groups: int
    commit: Commit | None


def refresh(mart: Mart, inputs: Inputs, note: CommitNote) -> Refreshed:
    """Make the table what a full recompute gives, in one commit or none; it carries the versions of the inputs."""
    inputs = inputs.told(mart)
    pending = _pending(mart, inputs)
    if isinstance(pending, Unclear):
        return _refresh_whole(mart, inputs, note, pending.reason)
    if pending is None:
        return Refreshed(None, [], 0, None)
    try:
        if pending.is_empty:
            return Refreshed(None, [], 0, None)
        commit, totals_agree = _merge(mart, inputs, pending, note)
    finally:
        pending.unpersist()
    if not totals_agree:
        return _refresh_whole(mart, inputs, note, "its sums did not agree with those of the sales")
    return Refreshed(None, pending.hours or [], pending.groups or 0, commit)


def plan_refresh(mart: Mart, inputs: Inputs) -> tuple[TableChange, str | None] | None:
    """What `refresh` would change, and why all would be computed (None: not all). None where nothing would be done."""
    table, lake, inputs = mart.table, inputs.lake, inputs.told(mart)
    pending = _pending(mart, inputs)
    if pending is None:
        return None
    held = lake.read(table, lake.version(table)).select(*table.key)
    if isinstance(pending, Unclear):
        files, size = files_holding(lake, table, held, F.lit(True))
        return TableChange(table.name, mart.rows(inputs).count(), 0, 0, files, size), pending.reason
    try:
        rows = pending.rows.join(held.withColumn("is_held", F.lit(True)), on=list(table.key), how="left")
        is_new = F.col("is_held").isNull()
        counts = rows.agg(
            F.count_if(is_new & ~F.col("is_gone")), F.count_if(~is_new & ~F.col("is_gone")), F.count_if("is_gone")
        ).collect()[0]
        if not any(counts):
            return None
        files, size = files_holding(lake, table, pending.rows.select(*table.key), F.lit(True))
        return TableChange(table.name, counts[0], counts[1], counts[2], files, size), None
    finally:
        pending.unpersist()


def compare_all(mart: Mart, inputs: Inputs, recorded: Sources) -> Pending | Unclear:
    """The rows that differ, from a look at all of them: for a table in which one sale may change any row."""
    held = inputs.lake.read(mart.table, inputs.lake.version(mart.table))
    return differing(mart, held, mart.rows(inputs))


def compare_touched_hours(mart: Mart, inputs: Inputs, recorded: Sources) -> Pending | Unclear:
    """The rows that differ in the hours in which sales came or went, and no other is read: for a table of which a row
    is about the sales of one hour.
    """
    unclear = why_not_incremental(inputs.lake, recorded, inputs.sources)
    if unclear:
        return unclear
    hours = hours_in(inputs.lake.changes(SALES, recorded.sales_version, inputs.sources.sales_version))
    touched = hours_condition(HOUR, hours)
    held = inputs.lake.read(mart.table, inputs.lake.version(mart.table)).where(touched)
    return differing(mart, held, mart.rows(inputs.where(touched)), hours)


def differing(mart: Mart, held: DataFrame, recomputed: DataFrame, hours: list[datetime] | None = None) -> Pending:
    """The recomputed rows that are not `held` so: of the whole table, or of that part of it which both are."""
    rows = differing_rows(held, recomputed, mart.table)
    keep(rows)
    return Pending(rows, hours=hours, kept=[rows])


def _pending(mart: Mart, inputs: Inputs) -> Pending | Unclear | None:
    """What the table lacks, or why all of it has to be computed; None where it is in step."""
    recorded = recorded_sources(inputs.lake, mart.table)
    if isinstance(recorded, Unclear):
        return recorded
    made_by = recorded_settings(inputs.lake, mart.table)
    others = [name for name in mart.settings if made_by.get(name) != inputs.settings[name]]
    if others:
        return Unclear(f"it was computed with another {' and '.join(others)}")
    recorded = recorded.seen_by(mart.table, inputs.sources)
    if is_in_step(inputs.lake, recorded, inputs.sources):
        return None
    try:
        return mart.pending(mart, inputs, recorded)
    except SPARK_ERRORS:
        return Unclear(UNREADABLE_CHANGES)


def _merge(mart: Mart, inputs: Inputs, pending: Pending, note: CommitNote) -> tuple[Commit | None, bool]:
    """Write what is pending; returns the commit, and whether the totals are those of the sales after it."""

    def merge() -> Commit | None:
        noted = inputs.sources.noted_in(note, mart.table, inputs.settings)
        return inputs.lake.merge(
            mart.table, pending.rows, hours=pending.hours, note=noted, delete_when="source.is_gone"
        )

    if mart.totals is None:
        return merge(), True
    condition = hours_condition(HOUR, pending.hours) if pending.hours is not None else "true"
    commit, sold = side_by_side(merge, partial(mart.totals.of_sales_by_hour, inputs.sales.where(condition)))
    return commit, _groups_by_hour(mart, mart.totals, inputs, condition, sold) is not None


def _refresh_whole(mart: Mart, inputs: Inputs, note: CommitNote, reason: str) -> Refreshed:
    lake, table = inputs.lake, mart.table
    commit = lake.overwrite(table, mart.rows(inputs), note=inputs.sources.noted_in(note, table, inputs.settings))
    if mart.totals is None:
        return Refreshed(reason, [], 0, commit)
    groups = _groups_by_hour(mart, mart.totals, inputs, "true", mart.totals.of_sales_by_hour(inputs.sales))
    if groups is None:
        raise LakeError(
            f"{lake.place(table)} does not add up: its rows, units or amount are not those of {lake.place(SALES)}, "
            "even recomputed whole. Please report this."
        )
    return Refreshed(reason, sorted(groups), sum(groups.values()), commit)


def _groups_by_hour(
    mart: Mart, totals: HourlyTotals, inputs: Inputs, condition: str, sold: Totals
) -> dict[datetime, int] | None:
    """How many rows the table has in each of the hours for which the SQL `condition` is true; None where the totals of
    one of them are not those of the sales, `sold`.
    """
    held = inputs.lake.read(mart.table, inputs.lake.version(mart.table)).where(condition)
    groups, found = totals.of_table_by_hour(held)
    return groups if found == sold else None
