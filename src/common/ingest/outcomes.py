"""Rows of one feed looked at together: which of them contradict each other, repeat each other, or change the lake."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from common.contract import GUEST, Feed
from common.lake.id_index import id_hash

NEW, CORRECTED, UNCHANGED, DUPLICATE, REJECTED = "new", "corrected", "unchanged", "duplicate", "rejected"
# Up to so many keys are sent to every task instead of sorting what they are looked for in.
MOST_BROADCAST = 200_000


def repeated_keys(rows: DataFrame, feed: Feed) -> DataFrame | None:
    """The hashes of keys that more than one row has, None where each has its own; two keys may share a hash, and seem
    to be repeated.
    """
    hashes = rows.select(id_hash(feed.key)).groupBy("id_hash").agg(F.count(F.lit(1)).alias("rows"))
    repeated = hashes.where("rows > 1").select("id_hash")
    times = repeated.count()
    if not times:
        return None
    return F.broadcast(repeated) if times <= MOST_BROADCAST else repeated


def with_relations(rows: DataFrame, feed: Feed, *, is_alone: bool, last_counts: bool = False) -> DataFrame:
    """Add is_unambiguous (no other values under the same key in the same file) and is_duplicate (the same values as
    the row before under that key, in order of arrival). `is_alone`: no two rows have the same key. `last_counts`: of
    those with one key in one file, the last one is meant.
    """
    if is_alone:
        return rows.withColumns({"is_unambiguous": F.lit(True), "is_duplicate": F.lit(False)})
    content = F.struct(*feed.values)
    in_file = Window.partitionBy(feed.key, "file")
    by_arrival = Window.partitionBy(feed.key).orderBy("file", "block", "position")
    earlier = by_arrival.rowsBetween(Window.unboundedPreceding, -1)
    is_unambiguous = (
        F.lit(True) if last_counts else F.min(content).over(in_file).eqNullSafe(F.max(content).over(in_file))
    )
    rows = rows.withColumn("is_unambiguous", is_unambiguous)
    previous = F.last(F.when(F.col("is_unambiguous"), content), ignorenulls=True).over(earlier)
    return rows.withColumn("is_duplicate", previous.isNotNull() & previous.eqNullSafe(content))


def with_known_customer(sales: DataFrame, *customers: DataFrame) -> DataFrame:
    """Add is_known_customer: whether any of the customer tables (small ones) holds the sale's CUSTOMER_ID. A sale
    without a customer is not waiting for one.
    """
    known = customers[0].select("CUSTOMER_ID")
    for others in customers[1:]:
        known = known.union(others.select("CUSTOMER_ID"))
    known = known.distinct().withColumn("is_known", F.lit(True))
    joined = sales.join(F.broadcast(known), on="CUSTOMER_ID", how="left")
    is_known = F.coalesce("is_known", F.col("CUSTOMER_ID") == GUEST)
    return joined.withColumn("is_known_customer", is_known).drop("is_known")


def with_outcome(rows: DataFrame, current: DataFrame, feed: Feed, *, is_alone: bool) -> DataFrame:
    """Add what becomes of each row, against the rows `current` that the lake holds under the same keys.

    `outcome`: rejected (as `is_rejected` says), new, corrected, unchanged or duplicate. `is_last`: the accepted row
    that its key ends with. `is_change`: that row, where it differs from what the lake holds. `current_values`: what
    the lake holds, null where nothing. `is_alone`: no two rows have the same key.
    """
    content = F.struct(*feed.values)
    groups = [feed.key, "is_rejected", *(["is_outdated"] if "is_outdated" in rows.columns else [])]
    by_arrival = Window.partitionBy(*groups).orderBy("file", "block", "position")
    held = current.select(feed.key, F.struct(*[c for c in current.columns if c != feed.key]).alias("current_values"))
    held_content = F.struct(*[F.col(f"current_values.{name}").alias(name) for name in feed.values])
    is_held = F.col("current_values").isNotNull()
    is_as_held = is_held & held_content.eqNullSafe(content)
    is_accepted = ~F.col("is_rejected")
    is_outdated = F.col("is_outdated") if "is_outdated" in rows.columns else F.lit(False)
    is_first = F.lit(True) if is_alone else F.row_number().over(by_arrival) == 1
    has_no_next = F.lit(True) if is_alone else F.lead(F.lit(1)).over(by_arrival).isNull()

    outcome = (
        F.when(F.col("is_rejected"), REJECTED)
        .when(is_outdated, UNCHANGED)
        .when(F.col("is_duplicate"), DUPLICATE)
        .when(~is_first, CORRECTED)
        .when(~is_held, NEW)
        .when(is_as_held, UNCHANGED)
        .otherwise(CORRECTED)
    )
    is_last = is_accepted & ~is_outdated & has_no_next
    return (
        rows.join(held, on=feed.key, how="left")
        .withColumns({"outcome": outcome, "is_last": is_last})
        .withColumn("is_change", F.col("is_last") & ~is_as_held)
    )
