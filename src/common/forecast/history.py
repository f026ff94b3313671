"""From sales to series: the days of the business, and how much was sold in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.contract.forecast import ALL_PRODUCTS, AMOUNT, DAY, HOUR_OF_DAY, PRODUCT, TOTAL, UNITS

# What tells one series from the others.
SERIES = ("SERIES_KIND", "PRODUCT_ID", "GRAIN", "MEASURE")
HOURS_OF_DAY = 24
_SECONDS = {DAY: 86_400, HOUR_OF_DAY: 3_600}
# Series are spread over so many tasks, on however many cores: each has enough to do, and none too much to hold.
_TASKS = 16


@dataclass(frozen=True)
class Days:
    """The days that count: by the clocks of a time zone, and by number, from 1970-01-01 up to the last that is whole.

    An hour that clocks show twice, in autumn, is one hour.
    """

    zone: str
    last: int

    def number(self, instant: Column, grain: str) -> Column:
        """Of the day or hour that an instant is in."""
        return F.floor(F.unix_seconds(F.from_utc_timestamp(instant, self.zone)) / _SECONDS[grain])

    def start(self, number: Column, grain: str) -> Column:
        """The instant at which a day or hour begins."""
        return F.to_utc_timestamp(F.timestamp_seconds(number.cast("bigint") * _SECONDS[grain]), self.zone)

    def exists(self, number: Column, grain: str) -> Column:
        """Whether clocks show it at all: where they are set forward, they leave one out."""
        return self.number(self.start(number, grain), grain) == number

    def last_period(self, grain: Column) -> Column:
        """When the last one that counts begins."""
        last_hour = F.lit(self.last * HOURS_OF_DAY + HOURS_OF_DAY - 1)
        return F.when(grain == DAY, self.start(F.lit(self.last), DAY)).otherwise(self.start(last_hour, HOUR_OF_DAY))


def series(sales: DataFrame, days: Days, only: DataFrame | None) -> DataFrame:
    """One row per series: the numbers of the days or hours in which something was sold or returned, and how much net.

    Sums are exact before they become floating-point numbers, so that no order of adding changes them.
    """
    hour = days.number(F.col("TRANSACTION_DATE"), HOUR_OF_DAY)
    sums = (
        sales.select("PRODUCT_ID", hour.alias("hour"), "QUANTITY", "PRICE")
        .where(F.col("hour") < (days.last + 1) * HOURS_OF_DAY)
        .groupBy("PRODUCT_ID", "hour")
        .agg(
            F.sum(F.col("QUANTITY").cast("bigint")).alias(UNITS),
            F.sum(F.col("QUANTITY") * F.col("PRICE")).cast("decimal(38,2)").alias(AMOUNT),
        )
        .withColumn("day", F.floor(F.col("hour") / HOURS_OF_DAY))
    )
    of_products = sums if only is None else sums.join(only, on="PRODUCT_ID", how="left_semi")
    points = [
        _points(of_products, PRODUCT, "day", UNITS),
        _points(of_products, PRODUCT, "day", AMOUNT),
        _points(sums.withColumn("PRODUCT_ID", F.lit(ALL_PRODUCTS)), TOTAL, "day", AMOUNT),
        _points(sums.withColumn("PRODUCT_ID", F.lit(ALL_PRODUCTS)), TOTAL, "hour", AMOUNT),
    ]
    together = reduce(DataFrame.unionByName, points)
    listed = together.groupBy(*SERIES).agg(F.collect_list(F.struct("period", "value")).alias("points"))
    return listed.select(
        *SERIES, F.col("points.period").alias("periods"), F.col("points.value").alias("values")
    ).repartition(_TASKS, "PRODUCT_ID")


def _points(sums: DataFrame, kind: str, grain: str, measure: str) -> DataFrame:
    """One row per series and period with something in it."""
    summed = sums.groupBy("PRODUCT_ID", F.col(grain).cast("int").alias("period")).agg(F.sum(measure).alias("value"))
    return summed.select(
        F.lit(kind).alias("SERIES_KIND"),
        "PRODUCT_ID",
        F.lit(grain).alias("GRAIN"),
        F.lit(measure).alias("MEASURE"),
        "period",
        F.col("value").cast("double").alias("value"),
    )
