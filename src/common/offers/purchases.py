"""What customers bought on each day of the business, as far as it was known at a moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.contract import GUEST

# What a purchase of age 0 counts for; it halves with each half-life, and falls evenly in between.
_FRESH = 1 << 16
# After so many half-lives nothing is left of it.
_MOST_HALVINGS = 30
# The days in which what is popular now was bought.
RECENT_DAYS = 28
# Before any sale.
NO_DAY = date(1970, 1, 1)


# Has rows that are read several times computed once: else the plan of each reader would grow by all of theirs.
Keeps = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class SalesByDay:
    """From sales, one row per customer (guests too), product and day in a time zone; `is_bought` where one was bought:
    to bring something back, or to get it for nothing, is not to buy it.
    """

    zone: str

    def __call__(self, sales: DataFrame) -> DataFrame:
        is_bought = (F.col("QUANTITY") > 0) & (F.col("PRICE") > 0) & (F.col("CUSTOMER_ID") != GUEST)
        key = ("CUSTOMER_ID", "PRODUCT_ID", day_of_sale(self.zone).alias("day"))
        return sales.groupBy(*key).agg(F.max(is_bought).alias("is_bought"))


def day_of_sale(zone: str) -> Column:
    """The day of a sale in a time zone. The session keeps UTC."""
    return F.to_date(F.from_utc_timestamp("TRANSACTION_DATE", zone))


def now(by_day: DataFrame) -> date:
    """The moment at which all is known: the day after that of the newest sale, whoever's."""
    newest: date = by_day.agg(F.coalesce(F.max("day"), F.lit(NO_DAY))).collect()[0][0]
    return newest + timedelta(days=1)


def bought_by(by_day: DataFrame, left_out: str) -> DataFrame:
    """One row per customer, product and day on which it was bought, without the products of `left_out`, with commas
    between.
    """
    is_product = ~F.col("PRODUCT_ID").isin(left_out.split(","))
    return by_day.where(F.col("is_bought") & is_product).select("CUSTOMER_ID", "PRODUCT_ID", "day")


def known_at(bought: DataFrame, moments: Sequence[date]) -> DataFrame:
    """What was bought before each of some days, `AS_OF`; `age` counts days back from the day before it, which has 0."""
    age = F.datediff("AS_OF", "day") - 1
    return at_each(bought, moments).where(F.col("day") < F.col("AS_OF")).withColumn("age", age)


def at_each(rows: DataFrame, moments: Sequence[date]) -> DataFrame:
    """The rows once for each of some days, `AS_OF`."""
    days = F.array(*[F.lit(moment) for moment in moments]).cast("array<date>")
    return rows.withColumn("AS_OF", F.explode(days))


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
