"""What a run will touch, and why, before it touches anything; and what its commits did, in the same figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import AGGREGATE, CUSTOMERS, HOUR, SALES
from common.lake.commits import TableChange
from common.lake.data_files import files_holding
from common.lake.lake import Lake
from common.lake.provenance import UNREADABLE_CHANGES, Unclear, pin_sources, recorded_sources, why_not_incremental
from common.marts.aggregate_refresh import changed_groups, groups_of_customers
from common.spark.failures import SPARK_ERRORS
from common.spark.session import keep, unpersist
from common.spark.sql import hours_condition
from common.spark.times import hour_at

# Of the keys that a run would recompute, so many are named.
_KEYS_NAMED = 100


@dataclass(frozen=True)
class HourPlan:
    """One hour of the aggregate: its groups that would be recomputed, in all and by reason; one may have several."""

    hour: datetime
    groups: int
    by_reason: dict[str, int]


@dataclass(frozen=True)
class Plan:
    """What a run would change. `whole` says why all of the aggregate would be recomputed, None where it would not."""

    tables: list[TableChange] = field(default_factory=list)
    hours: list[HourPlan] = field(default_factory=list)
    first_keys: list[str] = field(default_factory=list)
    first_customers: list[str] = field(default_factory=list)
    whole: str | None = None

    @property
    def groups(self) -> int:
        return sum(hour.groups for hour in self.hours)


def plan_run(
    lake: Lake,
    sales: DataFrame,
    customers: DataFrame,
    removed: DataFrame | None = None,
    removed_customers: DataFrame | None = None,
) -> Plan:
    """What a run would change that merges these rows (as ingest/outcomes.py makes them) and takes `removed` sales and
    customers away.

    The reasons: new, late (new, in an hour before the last one that the lake has), corrected, moved to or from another
    hour, removed, customer changed or removed, and left over by a run that died.
    """
    before = lake.read(SALES, lake.version(SALES))
    removed = before.limit(0) if removed is None else removed
    if removed_customers is None:
        removed_customers = lake.read(CUSTOMERS, None)
    groups = _groups_of_sales(before, sales, removed, has_lake=lake.version(SALES) is not None)
    aggregate = lake.read(AGGREGATE, lake.version(AGGREGATE))
    of_customers = groups_of_customers(aggregate.select(*AGGREGATE.key), customers)
    groups = groups.union(of_customers.withColumn("reason", F.lit("customer changed")))
    of_removed = groups_of_customers(aggregate.select(*AGGREGATE.key), removed_customers)
    groups = groups.union(of_removed.withColumn("reason", F.lit("customer removed")))

    left_over = _left_over(lake)
    whole = left_over.reason if isinstance(left_over, Unclear) else None
    after = _sales_after(before, sales, removed)
    if isinstance(left_over, Unclear):
        keys = before.select(*AGGREGATE.key).distinct()
        groups = groups.union(keys.withColumn("reason", F.lit("recomputed whole")))
        # What such a run writes and counts are the groups that there are in the end.
        groups = groups.join(after.select(*AGGREGATE.key), on=list(AGGREGATE.key), how="left_semi")
    else:
        groups = groups.union(left_over.withColumn("reason", F.lit("left over")))
    groups = groups.groupBy(*AGGREGATE.key).agg(F.array_sort(F.collect_set("reason")).alias("reasons"))
    keep(groups)
    hours = _by_hour(groups)
    plan = Plan(
        tables=[
            _change_of_customers(lake, customers, removed_customers),
            _change_of_sales(lake, sales, removed),
            _whole_change(lake, aggregate, after)
            if whole
            else _change_of_aggregate(lake, aggregate, after, groups, [hour.hour for hour in hours]),
        ],
        hours=hours,
        first_keys=_first_keys(groups),
        first_customers=_first_customers(customers, removed_customers),
        whole=whole,
    )
    unpersist(groups)
    return plan


def _groups_of_sales(before: DataFrame, sales: DataFrame, removed: DataFrame, *, has_lake: bool) -> DataFrame:
    """The groups that the sales come to, and those that they leave, one row per sale and group, with the reason."""
    gone = removed.select(*AGGREGATE.key).withColumn("reason", F.lit("removed"))
    if not has_lake:
        return sales.select(*AGGREGATE.key).withColumn("reason", F.lit("new")).union(gone)
    newest = before.agg(F.max(HOUR).alias("newest_hour"))
    is_new = F.col("current_values").isNull()
    reason = (
        F.when(is_new & (F.col(HOUR) < F.col("newest_hour")), "late")
        .when(is_new, "new")
        .when(F.col(f"current_values.{HOUR}") != F.col(HOUR), "moved")
        .otherwise("corrected")
    )
    with_reason = sales.crossJoin(F.broadcast(newest)).withColumn("reason", reason)
    left = with_reason.where(~is_new).select(*[f"current_values.{name}" for name in AGGREGATE.key], "reason")
    return with_reason.select(*AGGREGATE.key, "reason").union(left).union(gone)


def _left_over(lake: Lake) -> DataFrame | Unclear:
    """The groups that earlier runs changed and did not recompute, or why the aggregate has to be recomputed whole."""
    recorded = recorded_sources(lake, AGGREGATE)
    if isinstance(recorded, Unclear):
        return recorded
    sources = pin_sources(lake)
    unclear = why_not_incremental(lake, recorded, sources)
    if unclear:
        return unclear
    try:
        groups = changed_groups(lake, recorded, sources)
        groups.isEmpty()
        return groups
    except SPARK_ERRORS:
        return Unclear(UNREADABLE_CHANGES)


def _sales_after(before: DataFrame, sales: DataFrame, removed: DataFrame) -> DataFrame:
    """The sales as the run would leave them."""
    gone = sales.select("TRANSACTION_ID").union(removed.select("TRANSACTION_ID"))
    kept = before.join(gone, on="TRANSACTION_ID", how="left_anti").select(*SALES.column_names)
    return kept.union(sales.select(*SALES.column_names))


def _change_of_customers(lake: Lake, customers: DataFrame, removed: DataFrame) -> TableChange:
    counts = _counts(customers)
    ids = customers.select("CUSTOMER_ID").union(removed.select("CUSTOMER_ID"))
    files, size = files_holding(lake, CUSTOMERS, ids, F.lit(True))
    return TableChange(CUSTOMERS.name, counts["inserted"], counts["updated"], removed.count(), files, size)


def _change_of_sales(lake: Lake, sales: DataFrame, removed: DataFrame) -> TableChange:
    counts = _counts(sales)
    ids = sales.select("TRANSACTION_ID").union(removed.select("TRANSACTION_ID"))
    files, size = files_holding(lake, SALES, ids, F.lit(True))
    return TableChange(SALES.name, counts["inserted"], counts["updated"], removed.count(), files, size)


def _counts(changes: DataFrame) -> dict[str, int]:
    is_new = F.col("current_values").isNull()
    counted = changes.agg(F.count_if(is_new).alias("inserted"), F.count_if(~is_new).alias("updated")).collect()
    return counted[0].asDict()


def _change_of_aggregate(
    lake: Lake, aggregate: DataFrame, after: DataFrame, groups: DataFrame, hours: list[datetime]
) -> TableChange:
    in_hours = hours_condition(HOUR, hours)
    held = aggregate.where(in_hours).select(*AGGREGATE.key, F.lit(True).alias("is_held"))
    sold = after.where(in_hours).select(*AGGREGATE.key).distinct().withColumn("is_sold", F.lit(True))
    key = list(AGGREGATE.key)
    fates = groups.select(*key).join(held, on=key, how="left").join(sold, on=key, how="left")
    is_held, is_sold = F.coalesce("is_held", F.lit(False)), F.coalesce("is_sold", F.lit(False))
    counts = fates.agg(
        F.count_if(~is_held & is_sold), F.count_if(is_held & is_sold), F.count_if(is_held & ~is_sold)
    ).collect()[0]
    files, size = files_holding(lake, AGGREGATE, groups.select(*key), F.expr(in_hours))
    return TableChange(AGGREGATE.name, counts[0], counts[1], counts[2], files, size)


def _whole_change(lake: Lake, aggregate: DataFrame, after: DataFrame) -> TableChange:
    rows = after.select(*AGGREGATE.key).distinct().count()
    files, size = files_holding(lake, AGGREGATE, aggregate.select(*AGGREGATE.key), F.lit(True))
    return TableChange(AGGREGATE.name, rows, 0, 0, files, size)


def _by_hour(groups: DataFrame) -> list[HourPlan]:
    second = F.unix_seconds(HOUR).alias("second")
    counts = groups.groupBy(second, "reasons").count().collect()
    hours: dict[int, HourPlan] = {}
    for row in counts:
        before = hours.get(row["second"], HourPlan(hour_at(row["second"]), 0, {}))
        by_reason = dict(before.by_reason)
        for reason in row["reasons"]:
            by_reason[reason] = by_reason.get(reason, 0) + row["count"]
        hours[row["second"]] = HourPlan(before.hour, before.groups + row["count"], dict(sorted(by_reason.items())))
    return [hours[second] for second in sorted(hours)]


def _first_keys(groups: DataFrame) -> list[str]:
    keys = groups.select(*AGGREGATE.key, "reasons", F.unix_seconds(HOUR).alias("second"))
    first = keys.orderBy("second", "CUSTOMER_ID", "PRODUCT_ID").limit(_KEYS_NAMED).collect()
    return [
        f"{key['CUSTOMER_ID']} {key['PRODUCT_ID']} {hour_at(key['second']):%Y-%m-%d %H:%M} "
        f"({', '.join(key['reasons'])})"
        for key in first
    ]


def _first_customers(customers: DataFrame, removed: DataFrame) -> list[str]:
    state = F.when(F.col("current_values").isNull(), "new").otherwise("changed").alias("state")
    states = customers.select("CUSTOMER_ID", state).union(removed.select("CUSTOMER_ID", F.lit("removed")))
    first = states.orderBy("CUSTOMER_ID").limit(_KEYS_NAMED).collect()
    return [f"{row['CUSTOMER_ID']} ({row['state']})" for row in first]
