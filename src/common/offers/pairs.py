"""Which products are bought together: counted by baskets, and ranked by how much more than by chance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.contract.offers import LARGEST_BASKET, LEAST_BASKETS, LEAST_CUSTOMERS, NEIGHBOURS
from common.offers.purchases import at_each

# Baskets that a score is short of: so two products that were together three times in three are not near 1.
_SHRINK = 10
_MILLION = 1_000_000
# Two numbers of products in one: a pair of numbers is counted in a third of the time that two names take.
_HALF = 1 << 32


def product_pairs(bought: DataFrame, moments: Sequence[date]) -> DataFrame:
    """One row per AS_OF, product and neighbour, the best of each product: the columns of product_pairs. From purchases,
    one row per customer, product and day, as far as they were known at each moment.
    """
    by_id = Window.orderBy("PRODUCT_ID")
    numbers = bought.select("PRODUCT_ID").distinct().withColumn("number", F.row_number().over(by_id))
    baskets = _baskets(bought.join(F.broadcast(numbers), on="PRODUCT_ID", how="inner"))
    known = at_each(baskets, moments).where(F.col("day") < F.col("AS_OF"))
    of_product = known.select("AS_OF", F.explode("numbers").alias("number")).groupBy("AS_OF", "number").count()
    in_all = known.groupBy("AS_OF").agg(F.count(F.lit(1)).alias("all_baskets"))
    together = _together(baskets, moments)
    there = together.select("*", F.col("low").alias("number"), F.col("high").alias("other_number"))
    back = together.select("*", F.col("high").alias("number"), F.col("low").alias("other_number"))
    this = of_product.join(F.broadcast(numbers), on="number", how="inner").withColumnRenamed("count", "baskets")
    other = this.select("AS_OF", *[F.col(name).alias(f"other_{name}") for name in ("number", "baskets", "PRODUCT_ID")])
    counted = (
        there.union(back)
        .join(this, on=["AS_OF", "number"], how="inner")
        .join(other, on=["AS_OF", "other_number"], how="inner")
        .join(F.broadcast(in_all), on="AS_OF", how="inner")
        .withColumn("millionths", _millionths())
    )
    best_first = Window.partitionBy("AS_OF", "number").orderBy(F.desc("millionths"), "other_number")
    return (
        counted.withColumn("RANK", F.row_number().over(best_first))
        .where(F.col("RANK") <= NEIGHBOURS)
        .select(
            "AS_OF",
            "PRODUCT_ID",
            F.col("other_PRODUCT_ID").alias("OTHER_PRODUCT_ID"),
            "RANK",
            "BASKETS_TOGETHER",
            "CUSTOMERS",
            _ratio("BASKETS_TOGETHER", "all_baskets").alias("SUPPORT"),
            _ratio("BASKETS_TOGETHER", "baskets").alias("CONFIDENCE"),
            _lift().alias("LIFT"),
            (F.col("millionths").cast("decimal(18,0)") / _MILLION).cast("decimal(9,6)").alias("SCORE"),
        )
    )


def baskets_passed_over(bought: DataFrame) -> int:
    """How many baskets have so many products that they do not tell what goes with what."""
    sizes = bought.groupBy("CUSTOMER_ID", "day").agg(F.count(F.lit(1)).alias("products"))
    return sizes.where(F.col("products") > LARGEST_BASKET).count()


def _baskets(bought: DataFrame) -> DataFrame:
    """One row per customer and day: the numbers of the products in order. All of a customer are in one task from here
    on, so that nothing is moved to count pairs by customer.
    """
    baskets = bought.repartition("CUSTOMER_ID").groupBy("CUSTOMER_ID", "day")
    return baskets.agg(F.sort_array(F.collect_list("number")).alias("numbers")).where(
        F.size("numbers") <= LARGEST_BASKET
    )


def _together(baskets: DataFrame, moments: Sequence[date]) -> DataFrame:
    """One row per AS_OF and two products, `low` and `high`, that enough baskets and customers have. All moments are
    counted in one pass.
    """
    first = baskets.select("CUSTOMER_ID", "day", "numbers", F.posexplode("numbers").alias("at", "low"))
    after = F.slice("numbers", F.col("at") + 2, F.size("numbers"))
    both = first.select("CUSTOMER_ID", "day", "low", F.explode(after).alias("high"))
    known = {f"baskets_{at}": F.count_if(F.col("day") < F.lit(moment)) for at, moment in enumerate(moments)}
    by_customer = both.groupBy((F.col("low") * F.lit(_HALF) + F.col("high")).alias("pair"), "CUSTOMER_ID").agg(
        *[count.alias(name) for name, count in known.items()]
    )
    sums = [F.sum(name).alias(name) for name in known]
    customers = [F.count_if(F.col(name) > 0).alias(f"customers_of_{name}") for name in known]
    counts = [
        F.struct(
            F.lit(moment).alias("AS_OF"),
            F.col(name).alias("BASKETS_TOGETHER"),
            F.col(f"customers_of_{name}").alias("CUSTOMERS"),
        )
        for moment, name in zip(moments, known, strict=True)
    ]
    return (
        by_customer.groupBy("pair")
        .agg(*sums, *customers)
        .select("pair", F.inline(F.array(*counts)))
        .where((F.col("BASKETS_TOGETHER") >= LEAST_BASKETS) & (F.col("CUSTOMERS") >= LEAST_CUSTOMERS))
        .withColumns(
            {"low": F.floor(F.col("pair") / _HALF).cast("int"), "high": F.pmod("pair", F.lit(_HALF)).cast("int")}
        )
        .drop("pair")
    )


def _millionths() -> Column:
    """The score as a whole number. One root and one division of whole numbers: the same on every machine."""
    alike = F.col("BASKETS_TOGETHER") * _MILLION / (F.sqrt(F.col("baskets") * F.col("other_baskets")) + _SHRINK)
    return F.floor(alike + 0.5)


def _lift() -> Column:
    expected = F.col("baskets").cast("decimal(18,0)") * F.col("other_baskets")
    return (F.col("BASKETS_TOGETHER").cast("decimal(20,0)") * F.col("all_baskets") / expected).cast("decimal(18,6)")


def _ratio(part: str, whole: str) -> Column:
    return (F.col(part).cast("decimal(18,0)") / F.col(whole).cast("decimal(18,0)")).cast("decimal(9,6)")
