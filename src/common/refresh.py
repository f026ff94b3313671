"""Bring customer_aggregated_data in step with sales and customers: recompute the groups that changed, never add deltas.

The source versions that a computed table belongs to are recorded in its own commits, so there is no state that a crash
could leave behind. Where its past is not clearly ours, the table is recomputed whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.aggregate import aggregate_sales
from common.commits import Commit
from common.contract import AGGREGATE, CUSTOMERS, HOUR, SALES, Table
from common.errors import LakeError
from common.spark.failures import SPARK_ERRORS
from common.spark.parallel import side_by_side
from common.spark.session import give_back, keep, kept
from common.spark.sql import hours_condition
from common.sums import by_hour, sums_of_aggregate, sums_of_sales
from common.tables import Lake

# Commits that move rows between files, or drop old files, and change no row.
_MAINTENANCE = {"OPTIMIZE", "VACUUM START", "VACUUM END"}
UNREADABLE_CHANGES = "the changes since the last run can no longer be read"
# How far back the last commit that is no maintenance is looked for: a little at first, since each step costs a read.
_LOOK_BACK = (1, 32, 1024)


@dataclass(frozen=True)
class Sources:
    """The versions of the two source tables that a computed table belongs to, and when they were committed: a table
    that was dropped and made anew has another commit under the same version.
    """

    sales_version: int
    sales_at: str
    customers_version: int
    customers_at: str

    @property
    def in_words(self) -> str:
        return f"{SALES.name} {self.sales_version}, {CUSTOMERS.name} {self.customers_version}"

    def as_note(self, table: Table) -> dict[str, object]:
        """What a commit of the computed table says of where its rows come from."""
        return {
            "logic_version": table.logic_version,
            "sales_version": self.sales_version,
            "sales_at": self.sales_at,
            "customers_version": self.customers_version,
            "customers_at": self.customers_at,
        }

    def seen_by(self, table: Table, newest: Sources) -> Sources:
        """These versions, but the newest of a source that the table is not computed from: it cannot be behind there."""
        if CUSTOMERS.name in table.computed_from:
            return self
        return replace(self, customers_version=newest.customers_version, customers_at=newest.customers_at)


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did. `whole` says why all was recomputed, None where only `groups` in `hours` were."""

    whole: str | None
    hours: list[datetime]
    groups: int
    commit: Commit | None


def pin_sources(lake: Lake) -> Sources:
    """The newest versions of the source tables; everything else in a refresh reads just these."""
    sales, customers = lake.newest(SALES), lake.newest(CUSTOMERS)
    if sales is None or customers is None:
        raise LakeError("The lake lacks sales_data_partitioned or customers; load_sales makes them.")
    return Sources(sales.version, sales.at.isoformat(), customers.version, customers.at.isoformat())


def refresh_aggregate(lake: Lake, note: Mapping[str, object]) -> Refreshed:
    """Make customer_aggregated_data what a full recompute would be, in one commit or none."""
    sources = pin_sources(lake)
    recorded = recorded_sources(lake, AGGREGATE)
    if isinstance(recorded, str):
        return _refresh_whole(lake, sources, note, reason=recorded)
    if recorded == sources:
        return Refreshed(None, [], 0, None)
    reason = why_not_incremental(lake, recorded, sources)
    if reason:
        return _refresh_whole(lake, sources, note, reason=reason)
    try:
        groups = changed_groups(lake, recorded, sources)
        keep(groups)
        per_hour = _per_hour(groups)
    except SPARK_ERRORS:
        return _refresh_whole(lake, sources, note, reason=UNREADABLE_CHANGES)
    hours = sorted(per_hour)
    if not hours:
        return Refreshed(None, [], 0, None)
    condition = hours_condition(HOUR, hours)
    commit, sold = side_by_side(
        partial(_merge_groups, lake, sources, groups, hours, note), partial(_sums_of_sales, lake, sources, condition)
    )
    give_back(groups)
    if _groups_by_hour(lake, condition, sold) is None:
        return _refresh_whole(lake, sources, note, reason="its sums did not agree with those of the sales")
    return Refreshed(None, hours, sum(per_hour.values()), commit)


def restate_groups(lake: Lake, note: Mapping[str, object], condition: str) -> Refreshed:
    """Compute anew every group in the hours for which the SQL `condition` is true, and write those that differ.

    The aggregate must be up to date: the commit says that it belongs to the newest versions of its sources.
    """
    sources = pin_sources(lake)
    with kept(differing_groups(lake, sources, condition)) as differing:
        per_hour = _per_hour(differing)
        commit = _merge_recomputed(lake, sources, differing, sorted(per_hour), note) if per_hour else None
    return Refreshed(None, sorted(per_hour), sum(per_hour.values()), commit)


def differing_groups(lake: Lake, sources: Sources, condition: str) -> DataFrame:
    """The groups in the hours for which `condition` is true that are not what a recompute gives, as it gives them."""
    sales = lake.read(SALES, sources.sales_version).where(condition)
    recomputed = aggregate_sales(sales, lake.read(CUSTOMERS, sources.customers_version))
    return differing_rows(lake.read(AGGREGATE, lake.version(AGGREGATE)).where(condition), recomputed, AGGREGATE)


def differing_rows(held: DataFrame, recomputed: DataFrame, table: Table) -> DataFrame:
    """The recomputed rows of a table that it does not hold so, cell by cell; `is_new` says that it holds none of that
    key, `is_gone` that it holds a key which the recomputed rows do not have.
    """
    row = F.struct(*table.column_names)
    left, right = held.select(*table.key, row.alias("held")), recomputed.select(*table.key, row.alias("recomputed"))
    both = left.join(right, on=list(table.key), how="full")
    return both.where(~F.col("held").eqNullSafe(F.col("recomputed"))).select(
        *[F.col(name if name in table.key else f"recomputed.{name}").alias(name) for name in table.column_names],
        F.col("recomputed").isNull().alias("is_gone"),
        F.col("held").isNull().alias("is_new"),
    )


def recorded_sources(lake: Lake, table: Table) -> Sources | str:
    """The source versions in the last commit of a computed table, or why they cannot be relied on."""
    last = last_of_a_run(lake, table)
    if isinstance(last, str):
        return last
    return Sources(
        sales_version=int(str(last.note["sales_version"])),
        sales_at=str(last.note["sales_at"]),
        customers_version=int(str(last.note["customers_version"])),
        customers_at=str(last.note["customers_at"]),
    )


def last_of_a_run(lake: Lake, table: Table) -> Commit | str:
    """The last commit of a computed table that is no maintenance, or why it is not clearly that of a run of ours."""
    last = None
    for limit in _LOOK_BACK:
        history = lake.history(table, limit)
        last = next((commit for commit in history if commit.operation not in _MAINTENANCE), None)
        if last or len(history) < limit:
            break
    if last is None or last.operation == "CREATE TABLE":
        return "it is new"
    if last.note.get("logic_version") is None or last.operation == "RESTORE":
        return f"its version {last.version} ({last.operation}) is not a run's"
    if last.note.get("follows") != last.version - 1:
        return f"someone else wrote it just before version {last.version}"
    if last.note["logic_version"] != table.logic_version:
        return f"it was computed by logic version {last.note['logic_version']}, this is {table.logic_version}"
    return last


def changed_groups(lake: Lake, recorded: Sources, sources: Sources) -> DataFrame:
    """The keys of the aggregate that may have changed between two pairs of source versions, one row per key."""
    groups = lake.read(AGGREGATE, None).select(*AGGREGATE.key)
    if sources.sales_version > recorded.sales_version:
        changes = lake.changes(SALES, recorded.sales_version, sources.sales_version)
        groups = groups.union(changes.select(*AGGREGATE.key))
    if sources.customers_version > recorded.customers_version:
        changes = lake.changes(CUSTOMERS, recorded.customers_version, sources.customers_version)
        held = lake.read(AGGREGATE, lake.version(AGGREGATE)).select(*AGGREGATE.key)
        groups = groups.union(groups_of_customers(held, changes))
    return groups.distinct()


def groups_of_customers(groups: DataFrame, customers: DataFrame) -> DataFrame:
    """Those of the groups that belong to one of the customers."""
    return groups.join(customers.select("CUSTOMER_ID").distinct(), on="CUSTOMER_ID", how="left_semi").select(
        *AGGREGATE.key
    )


def recompute_groups(sales: DataFrame, customers: DataFrame, groups: DataFrame, condition: str) -> DataFrame:
    """One row per group, all in hours for which the SQL `condition` is true: its recomputed columns, or `is_gone` where
    it has no sale any more.
    """
    in_hours = sales.where(condition)
    of_groups = in_hours.join(groups, on=list(AGGREGATE.key), how="left_semi")
    recomputed = aggregate_sales(of_groups, customers)
    return groups.join(recomputed, on=list(AGGREGATE.key), how="left").select(
        *AGGREGATE.column_names, F.col("TRANSACTION_COUNT").isNull().alias("is_gone")
    )


def _merge_groups(
    lake: Lake, sources: Sources, groups: DataFrame, hours: list[datetime], note: Mapping[str, object]
) -> Commit | None:
    recomputed = recompute_groups(
        lake.read(SALES, sources.sales_version),
        lake.read(CUSTOMERS, sources.customers_version),
        groups,
        hours_condition(HOUR, hours),
    )
    return _merge_recomputed(lake, sources, recomputed, hours, note)


def _merge_recomputed(
    lake: Lake, sources: Sources, recomputed: DataFrame, hours: list[datetime], note: Mapping[str, object]
) -> Commit | None:
    return lake.merge(
        AGGREGATE, recomputed, hours=hours, note={**note, **sources.as_note(AGGREGATE)}, delete_when="source.is_gone"
    )


def _refresh_whole(lake: Lake, sources: Sources, note: Mapping[str, object], *, reason: str) -> Refreshed:
    rows = aggregate_sales(lake.read(SALES, sources.sales_version), lake.read(CUSTOMERS, sources.customers_version))
    commit = lake.replace(AGGREGATE, rows, note={**note, **sources.as_note(AGGREGATE)})
    per_hour = _groups_by_hour(lake, "true", _sums_of_sales(lake, sources, "true"))
    if per_hour is None:
        raise LakeError(
            f"{lake.place(AGGREGATE)} does not add up: its rows, units or amount are not those of {lake.place(SALES)}, "
            "even recomputed whole. Please report this."
        )
    return Refreshed(reason, sorted(per_hour), sum(per_hour.values()), commit)


def why_not_incremental(lake: Lake, recorded: Sources, sources: Sources) -> str | None:
    """Why what changed between two pairs of source versions cannot be told from the tables alone; None where it can."""
    return why_unclear(lake, SALES, recorded.sales_version, recorded.sales_at, sources.sales_version) or why_unclear(
        lake, CUSTOMERS, recorded.customers_version, recorded.customers_at, sources.customers_version
    )


def why_unclear(lake: Lake, table: Table, version: int, at: str, now: int) -> str | None:
    """Why the change feed of a source, from the version that was committed `at` a time to the version `now`, does not
    say all that changed; None where it does.
    """
    since = _commits_since(lake, table, version, at, now)
    if isinstance(since, str):
        return since
    for commit in since:
        if "run_id" not in commit.note or commit.operation == "RESTORE":
            return f"version {commit.version} of {table.name} ({commit.operation}) is not a run's"
    return None


def is_in_step(lake: Lake, recorded: Sources, sources: Sources) -> bool:
    """Whether both pairs of source versions have the same rows: there was nothing but maintenance in between."""
    of_sales = _commits_since(lake, SALES, recorded.sales_version, recorded.sales_at, sources.sales_version)
    of_customers = _commits_since(
        lake, CUSTOMERS, recorded.customers_version, recorded.customers_at, sources.customers_version
    )
    return of_sales == of_customers == []


def _commits_since(lake: Lake, table: Table, version: int, at: str, now: int) -> list[Commit] | str:
    """The commits after a version that may have changed rows, newest first, or why they are not known."""
    if version > now:
        return f"{table.name} was made anew"
    *since, last = lake.history(table, limit=now - version + 1)
    if last.version != version:
        return f"the log of {table.name} does not reach back to version {version}"
    if last.at.isoformat() != at:
        return f"{table.name} was made anew"
    return [commit for commit in since if commit.operation not in _MAINTENANCE]


def _sums_of_sales(lake: Lake, sources: Sources, condition: str) -> dict[datetime, list[Any]]:
    return by_hour(sums_of_sales(lake.read(SALES, sources.sales_version).where(condition)))


def _groups_by_hour(lake: Lake, condition: str, sold: dict[datetime, list[Any]]) -> dict[datetime, int] | None:
    """How many groups the aggregate has in each of the hours for which the SQL `condition` is true; None where the
    sums of one of them are not those of the sales, `sold`.
    """
    held = by_hour(sums_of_aggregate(lake.read(AGGREGATE, lake.version(AGGREGATE)).where(condition)))
    if {hour: sums for hour, (*sums, _) in held.items()} != sold:
        return None
    return {hour: groups for hour, (*_, groups) in held.items()}


def _per_hour(groups: DataFrame) -> dict[datetime, int]:
    return {hour: rows for hour, (rows,) in by_hour(groups.groupBy(HOUR).count()).items()}
