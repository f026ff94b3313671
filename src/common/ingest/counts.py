"""How many rows have which outcome, and what they touch."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import HOUR
from common.ingest.batch import ROW, Batch
from common.ingest.ledger import RuleCount
from common.spark.times import hour_at


@dataclass
class Counts:
    """Rows by outcome, and by the rules that they broke together; the hours are those that changes touch."""

    by_outcome: dict[str, int] = field(default_factory=dict)
    broken: dict[str, RuleCount] = field(default_factory=dict)
    changes: int = 0
    replaced: int = 0
    moved: int = 0
    unknown_customer_rows: int = 0
    hours: set[datetime] = field(default_factory=set)


def count_outcomes(outcomes: DataFrame, is_of_sales: bool, batch: Batch) -> Counts:
    """Counts by outcome and broken rule; for sales, also the hours that changes touch. In one pass, whose result has
    as many rows as there are hours, or a few times that; in a second one where rules are broken.
    """
    is_held = F.col("current_values").isNotNull().alias("is_held")
    columns = [F.col("outcome"), F.col("is_change"), is_held, F.col("broken_rules")]
    if is_of_sales:
        columns += [
            F.unix_seconds(HOUR).alias("hour"),
            F.unix_seconds(f"current_values.{HOUR}").alias("held_hour"),
            (F.col("is_last") & ~F.col("is_known_customer")).alias("is_unknown"),
        ]
    counts = Counts()
    by_rules: dict[tuple[str, ...], int] = {}
    for row in outcomes.groupBy(*columns).agg(F.count(F.lit(1)).alias("rows")).collect():
        rows, rules = row["rows"], tuple(row["broken_rules"])
        counts.by_outcome[row["outcome"]] = counts.by_outcome.get(row["outcome"], 0) + rows
        by_rules[rules] = by_rules.get(rules, 0) + rows
        if is_of_sales and row["is_unknown"]:
            counts.unknown_customer_rows += rows
        if not row["is_change"]:
            continue
        counts.changes += rows
        counts.replaced += rows if row["is_held"] else 0
        if is_of_sales:
            counts.hours |= {hour_at(second) for second in (row["hour"], row["held_hour"]) if second is not None}
            counts.moved += rows if row["held_hour"] not in (None, row["hour"]) else 0
    if any(by_rules):
        counts.broken = _broken_rules(outcomes, by_rules, batch)
    return counts


def _broken_rules(outcomes: DataFrame, by_rules: dict[tuple[str, ...], int], batch: Batch) -> dict[str, RuleCount]:
    """The rules that rows broke, each with its count and the first place; `by_rules` counts rows by all they broke.

    A pass of its own, since Spark sorts all rows to find the first of each group.
    """
    breaking = outcomes.where(F.size("broken_rules") > 0).groupBy("broken_rules")
    firsts = breaking.agg(F.min(F.struct(*ROW)).alias("first")).collect()
    broken: dict[str, RuleCount] = {}
    for row in sorted(firsts, key=lambda row: tuple(row["first"])):
        for rule in row["broken_rules"]:
            before = broken.get(rule)
            place = before.first_place if before else batch.place(*row["first"])
            broken[rule] = RuleCount(by_rules[tuple(row["broken_rules"])] + (before.rows if before else 0), place)
    return broken
