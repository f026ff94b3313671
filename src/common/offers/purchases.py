"""What customers bought on each day of the business, as far as it was known at a moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.contract import GUEST

# What a purchase of age 0 counts for; it halves with each half-life, and falls evenly in between.
_FRESH = 1 << 16
# After so many half-lives nothing is left of it.
_MOST_HALVINGS = 30
# The days in which what is popular now was bought.
RECENT_DAYS = 28


@dataclass(frozen=True)
class SalesByDay:
    """From sales, one row per customer (guests too), product and day in a time zone; `is_bought` where one was bought:
    to bring something back, or to get it for nothing, is not to buy it.
    """

    zone: str

    def __call__(self, sales: DataFrame) -> DataFrame:
        is_bought = (F.col("QUANTITY") > 0) & (F.col("PRICE") > 0) & (F.col("CUSTOMER_ID") != GUEST)
        day = F.to_date(F.from_utc_timestamp("TRANSACTION_DATE", self.zone))
        return sales.groupBy("CUSTOMER_ID", "PRODUCT_ID", day.alias("day")).agg(F.max(is_bought).alias("is_bought"))


# From the newest day of the sales, as a column, to an array of days: the sales before each are looked at.
Moments = Callable[[Column], Column]


def now(newest_day: Column) -> Column:
    """All that is known by now: the sales before the day after the newest."""
    return F.array(F.date_add(newest_day, 1))


def seen_at(by_day: DataFrame, moments: Moments, left_out: str) -> DataFrame:
    """One row per moment `AS_OF`, customer, product and day on which it was bought, be it before that moment or later;
    without the products of `left_out`, with commas between.
    """
    newest_day = by_day.agg(F.max("day").alias("newest_day"))
    is_product = ~F.col("PRODUCT_ID").isin(left_out.split(","))
    return (
        by_day.crossJoin(F.broadcast(newest_day))
        .where(F.col("is_bought") & is_product)
        .select("CUSTOMER_ID", "PRODUCT_ID", "day", F.explode(moments(F.col("newest_day"))).alias("AS_OF"))
    )


def bought_before(seen: DataFrame) -> DataFrame:
    """What was bought before each moment; `age` counts days back from the day before it, which has age 0."""
    age = F.datediff("AS_OF", "day") - 1
    return seen.where(F.col("day") < F.col("AS_OF")).withColumn("age", age)


def weight(half_life: int) -> Column:
    """What a purchase of some `age` counts for, a whole number, `fresh(half_life)` at age 0."""
    left = F.lit(2 * half_life) - F.pmod("age", F.lit(half_life))
    halvings = F.least(F.floor(F.col("age") / half_life), F.lit(_MOST_HALVINGS)).cast("int")
    return F.call_function("shiftright", left.cast("bigint") * _FRESH, halvings)


def fresh(half_life: int) -> int:
    """The weight of a purchase of age 0."""
    return 2 * half_life * _FRESH


def is_recent() -> Column:
    return F.col("age") < RECENT_DAYS
