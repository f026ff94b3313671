"""Bring customer_aggregated_data in step with sales and customers: recompute the groups that changed, never add deltas.

The source versions that a computed table belongs to are recorded in its own commits, so there is no state that a crash
could leave behind. Where its past is not clearly ours, the table is recomputed whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import AGGREGATE, CUSTOMERS, HOUR, SALES
from common.errors import LakeError
from common.lake.commits import Commit
from common.lake.lake import Lake
from common.lake.provenance import UNREADABLE_CHANGES, Sources, pin_sources, recorded_sources, why_not_incremental
from common.marts.aggregate import aggregate_sales
from common.marts.differences import differing_rows
from common.marts.hourly_totals import by_hour, sums_of_aggregate, sums_of_sales
from common.spark.failures import SPARK_ERRORS
from common.spark.parallel import side_by_side
from common.spark.session import give_back, keep, kept
from common.spark.sql import hours_condition


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did. `whole` says why all was recomputed, None where only `groups` in `hours` were."""

    whole: str | None
    hours: list[datetime]
    groups: int
    commit: Commit | None


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
