"""Which groups of customer_aggregated_data change with the sales and customers, and these groups computed anew."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import AGGREGATE, CUSTOMERS, HOUR, SALES
from common.lake.commit_note import CommitNote
from common.lake.lake import Lake
from common.lake.provenance import Sources, Unclear, pin_sources, why_not_incremental
from common.marts.aggregate import aggregate_sales
from common.marts.differences import differing_rows
from common.marts.hourly_totals import by_hour
from common.marts.mart import Inputs, Mart, Pending, Refreshed
from common.spark.session import keep, kept
from common.spark.sql import hours_condition


def touched_groups(mart: Mart, inputs: Inputs, recorded: Sources) -> Pending | Unclear:
    """The groups that sales came to or left, and those of changed customers, computed anew."""
    unclear = why_not_incremental(inputs.lake, recorded, inputs.sources)
    if unclear:
        return unclear
    groups = changed_groups(inputs.lake, recorded, inputs.sources)
    keep(groups)
    per_hour = _per_hour(groups)
    hours = sorted(per_hour)
    rows = recompute_groups(inputs.sales, inputs.customers, groups, hours_condition(HOUR, hours))
    return Pending(rows, hours=hours, groups=sum(per_hour.values()), kept=[groups])


def restate_groups(lake: Lake, note: CommitNote, condition: str) -> Refreshed:
    """Compute anew every group in the hours for which the SQL `condition` is true, and write those that differ.

    The aggregate must be up to date: the commit says that it belongs to the newest versions of its sources.
    """
    sources = pin_sources(lake)
    with kept(differing_groups(lake, sources, condition)) as differing:
        per_hour = _per_hour(differing)
        if not per_hour:
            return Refreshed(None, [], 0, None)
        hours, noted = sorted(per_hour), sources.noted_in(note, AGGREGATE)
        commit = lake.merge(AGGREGATE, differing, hours=hours, note=noted, delete_when="source.is_gone")
    return Refreshed(None, hours, sum(per_hour.values()), commit)


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


def _per_hour(groups: DataFrame) -> dict[datetime, int]:
    return {hour: rows for hour, (rows,) in by_hour(groups.groupBy(HOUR).count()).items()}
