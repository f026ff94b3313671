"""Rows, units and money of every hour: what a table of sums must have of the sales."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import HOUR
from common.spark.times import hour_at

# By hour: sales, units, and money. A sum that is too large is None.
Totals = dict[datetime, list[Any]]


@dataclass(frozen=True)
class HourlyTotals:
    """How the totals of a table are computed: from its rows, and from the sales, one row per hour of each."""

    of_table: Callable[[DataFrame], DataFrame]
    of_sales: Callable[[DataFrame], DataFrame]

    def of_sales_by_hour(self, sales: DataFrame) -> Totals:
        return by_hour(self.of_sales(sales))

    def of_table_by_hour(self, rows: DataFrame) -> tuple[dict[datetime, int], Totals]:
        """The rows of the table in each hour, and the totals, from one pass."""
        counted = self.of_table(rows)
        found = by_hour(counted)
        return {hour: sums[-1] for hour, sums in found.items()}, {hour: sums[:-1] for hour, sums in found.items()}


def totals_of_sales(sales: DataFrame) -> DataFrame:
    """One row per hour with sales; a sum that is too large is null."""
    return sales.groupBy(HOUR).agg(
        F.count(F.lit(1)).alias("rows"),
        F.try_sum("QUANTITY").alias("units"),
        F.try_sum(F.col("QUANTITY") * F.col("PRICE")).cast("decimal(38,2)").alias("amount"),
    )


def totals_of_aggregate(aggregate: DataFrame) -> DataFrame:
    """The same of the aggregate, and after it the number of its rows, `groups`."""
    return aggregate.groupBy(HOUR).agg(
        F.try_sum("TRANSACTION_COUNT").alias("rows"),
        F.try_sum("QUANTITY").alias("units"),
        F.try_sum("AMOUNT").cast("decimal(38,2)").alias("amount"),
        F.count(F.lit(1)).alias("groups"),
    )


def by_hour(rows: DataFrame) -> dict[datetime, list[Any]]:
    """The other columns of each row, by its hour; for rows of which there is one an hour."""
    others = [name for name in rows.columns if name != HOUR]
    return {hour_at(second): values for second, *values in rows.select(F.unix_seconds(HOUR), *others).collect()}
