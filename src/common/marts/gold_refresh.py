"""Bring the gold tables in step with sales and customers: of each, only rows that differ are written, in one commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import CUSTOMERS, HOUR, SALES, Table
from common.contract.gold import CUSTOMER_SUMMARY, GOLD_TABLES, PRODUCT_PERFORMANCE, SALES_HOURLY
from common.lake.commits import TableChange, change_of
from common.lake.lake import Lake
from common.lake.provenance import (
    UNREADABLE_CHANGES,
    Sources,
    is_in_step,
    pin_sources,
    recorded_sources,
    why_not_incremental,
)
from common.marts.differences import differing_rows
from common.marts.gold import customer_segments, customer_summary, product_performance, purchases, sales_hourly
from common.marts.plan import files_holding
from common.spark.failures import SPARK_ERRORS
from common.spark.session import give_back, keep, kept
from common.spark.sql import hours_condition
from common.spark.times import hours_in


@dataclass(frozen=True)
class Pending:
    """What a gold table lacks: the rows to write. `whole` says why these are all of its rows; None where they are
    those that differ, as `differing_rows` gives them, which are in `hours` where these are known.
    """

    rows: DataFrame
    whole: str | None = None
    hours: list[datetime] | None = None


class Gold:
    """The rows that the gold tables should have, from sales and customers at pinned versions."""

    def __init__(self, lake: Lake, sources: Sources) -> None:
        self.lake = lake
        self.sources = sources
        self.sales = lake.read(SALES, sources.sales_version)
        self._customers = lake.read(CUSTOMERS, sources.customers_version)
        # Read by three tables; kept, it costs one pass over the sales.
        self._bought = purchases(self.sales)
        keep(self._bought)

    def release(self) -> None:
        give_back(self._bought)

    def rows(self, table: Table) -> DataFrame:
        """All rows that the table should have."""
        if table is SALES_HOURLY:
            return sales_hourly(self.sales)
        if table is PRODUCT_PERFORMANCE:
            return product_performance(self._bought)
        summary = customer_summary(self._bought, self._customers)
        return summary if table is CUSTOMER_SUMMARY else customer_segments(summary)

    def pending(self, table: Table) -> Pending | None:
        """What is to be written to the table; None where it is in step."""
        recorded = recorded_sources(self.lake, table)
        if isinstance(recorded, str):
            return Pending(self.rows(table), whole=recorded)
        recorded = recorded.seen_by(table, self.sources)
        if is_in_step(self.lake, recorded, self.sources):
            return None
        if table is SALES_HOURLY:
            return self._pending_hours(recorded)
        return Pending(differing_rows(self._held(table), self.rows(table), table))

    def _pending_hours(self, recorded: Sources) -> Pending | None:
        """Of the hours in which sales came or went since the recorded versions, those that differ; no other is read."""
        reason = why_not_incremental(self.lake, recorded, self.sources)
        if reason:
            return Pending(self.rows(SALES_HOURLY), whole=reason)
        try:
            hours = hours_in(self.lake.changes(SALES, recorded.sales_version, self.sources.sales_version))
        except SPARK_ERRORS:
            return Pending(self.rows(SALES_HOURLY), whole=UNREADABLE_CHANGES)
        touched = hours_condition(HOUR, hours)
        recomputed = sales_hourly(self.sales.where(touched))
        return Pending(differing_rows(self._held(SALES_HOURLY).where(touched), recomputed, SALES_HOURLY), hours=hours)

    def _held(self, table: Table) -> DataFrame:
        return self.lake.read(table, self.lake.version(table))


@contextmanager
def pinned_gold(lake: Lake) -> Iterator[Gold]:
    """The gold tables as they should be by the newest versions of their sources."""
    gold = Gold(lake, pin_sources(lake))
    try:
        yield gold
    finally:
        gold.release()


@dataclass(frozen=True)
class GoldChange:
    """What one gold table got, or would get; `whole` says why it was written whole, None where it was not."""

    change: TableChange
    whole: str | None


def plan_gold(gold: Gold, table: Table) -> GoldChange | None:
    """What `refresh_gold` would do."""
    pending = gold.pending(table)
    if pending is None:
        return None
    with kept(pending.rows) as rows:
        if pending.whole:
            keys = gold.lake.read(table, gold.lake.version(table)).select(*table.key)
            files, size = files_holding(gold.lake, table, keys, F.lit(True))
            return GoldChange(TableChange(table.name, rows.count(), 0, 0, files, size), pending.whole)
        counts = rows.agg(F.count_if("is_new"), F.count_if("is_gone"), F.count(F.lit(1))).collect()[0]
        new, gone, all_ = counts[0], counts[1], counts[2]
        if not all_:
            return None
        files, size = files_holding(gold.lake, table, rows.select(*table.key), F.lit(True))
        return GoldChange(TableChange(table.name, new, all_ - new - gone, gone, files, size), None)


def refresh_gold(gold: Gold, table: Table, note: Mapping[str, object]) -> GoldChange | None:
    """Make a gold table what a full recompute would be, in one commit or none; it carries the sources' versions."""
    pending = gold.pending(table)
    if pending is None:
        return None
    with_sources = {**note, **gold.sources.as_note(table)}
    if pending.whole:
        commit = gold.lake.replace(table, pending.rows, note=with_sources)
        return GoldChange(change_of(table, commit), pending.whole)
    with kept(pending.rows) as rows:
        if rows.isEmpty():
            return None
        commit = gold.lake.merge(table, rows, hours=pending.hours, note=with_sources, delete_when="source.is_gone")
        return GoldChange(change_of(table, commit), None)


def gold_tables_of(lake: Lake) -> Sequence[Table]:
    """The gold tables that the lake has."""
    return [table for table in GOLD_TABLES if lake.version(table) is not None]
