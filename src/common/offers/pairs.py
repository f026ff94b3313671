"""Which products are bought together: counted by baskets, and ranked by how much more than by chance."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.contract.offers import LEAST_BASKETS, LEAST_CUSTOMERS, NEIGHBOURS

# A basket of more is an order of a shop, or an error: it would tie everything with everything.
LARGEST_BASKET = 100
# Baskets that a score is short of: so two products that were together three times in three are not near 1.
_SHRINK = 10
_MILLION = 1_000_000


def product_pairs(bought: DataFrame) -> DataFrame:
    """One row per `AS_OF`, product and neighbour, the best of each product: the columns of product_pairs."""
    baskets = _baskets(bought).where(F.size("products") <= LARGEST_BASKET)
    counts = baskets.select("AS_OF", F.explode("products").alias("PRODUCT_ID")).groupBy("AS_OF", "PRODUCT_ID")
    of_product = counts.agg(F.count(F.lit(1)).alias("baskets"))
    in_all = baskets.groupBy("AS_OF").agg(F.count(F.lit(1)).alias("all_baskets"))
    together = _together(baskets)
    there_and_back = together.union(
        together.select("AS_OF", "OTHER_PRODUCT_ID", "PRODUCT_ID", "BASKETS_TOGETHER", "CUSTOMERS")
    )
    of_other = of_product.select(
        "AS_OF", F.col("PRODUCT_ID").alias("OTHER_PRODUCT_ID"), F.col("baskets").alias("other_baskets")
    )
    counted = (
        there_and_back.join(of_product, on=["AS_OF", "PRODUCT_ID"], how="inner")
        .join(of_other, on=["AS_OF", "OTHER_PRODUCT_ID"], how="inner")
        .join(F.broadcast(in_all), on="AS_OF", how="inner")
        .withColumn("millionths", _millionths())
    )
    best_first = Window.partitionBy("AS_OF", "PRODUCT_ID").orderBy(F.desc("millionths"), "OTHER_PRODUCT_ID")
    return (
        counted.withColumn("RANK", F.row_number().over(best_first))
        .where(F.col("RANK") <= NEIGHBOURS)
        .select(
            "AS_OF",
            "PRODUCT_ID",
            "OTHER_PRODUCT_ID",
            "RANK",
            "BASKETS_TOGETHER",
            "CUSTOMERS",
            _ratio("BASKETS_TOGETHER", "all_baskets", "decimal(9,6)").alias("SUPPORT"),
            _ratio("BASKETS_TOGETHER", "baskets", "decimal(9,6)").alias("CONFIDENCE"),
            _lift().alias("LIFT"),
            (F.col("millionths").cast("decimal(18,0)") / _MILLION).cast("decimal(9,6)").alias("SCORE"),
        )
    )


def passed_over(bought: DataFrame) -> int:
    """How many baskets are too large to tell what goes with what."""
    return _baskets(bought).where(F.size("products") > LARGEST_BASKET).count()


def _baskets(bought: DataFrame) -> DataFrame:
    """One row per AS_OF, customer and day: the products in order. All of a customer are in one task from here on."""
    return (
        bought.repartition("CUSTOMER_ID")
        .groupBy("AS_OF", "CUSTOMER_ID", "day")
        .agg(F.sort_array(F.collect_list("PRODUCT_ID")).alias("products"))
    )


def _together(baskets: DataFrame) -> DataFrame:
    """One row per AS_OF and two products, the lower PRODUCT_ID first, that enough baskets and customers have."""
    first = baskets.select("AS_OF", "CUSTOMER_ID", "products", F.posexplode("products").alias("at", "PRODUCT_ID"))
    after = F.slice("products", F.col("at") + 2, F.size("products"))
    both = first.select("AS_OF", "CUSTOMER_ID", "PRODUCT_ID", F.explode(after).alias("OTHER_PRODUCT_ID"))
    key = ["AS_OF", "PRODUCT_ID", "OTHER_PRODUCT_ID"]
    by_customer = both.groupBy(*key, "CUSTOMER_ID").agg(F.count(F.lit(1)).alias("baskets"))
    return (
        by_customer.groupBy(*key)
        .agg(F.sum("baskets").alias("BASKETS_TOGETHER"), F.count(F.lit(1)).alias("CUSTOMERS"))
        .where((F.col("BASKETS_TOGETHER") >= LEAST_BASKETS) & (F.col("CUSTOMERS") >= LEAST_CUSTOMERS))
    )


def _millionths() -> Column:
    """The score as a whole number. One root and one division of whole numbers: the same on every machine."""
    alike = F.col("BASKETS_TOGETHER") * _MILLION / (F.sqrt(F.col("baskets") * F.col("other_baskets")) + _SHRINK)
    return F.floor(alike + 0.5)


def _lift() -> Column:
    return (
        F.col("BASKETS_TOGETHER").cast("decimal(20,0)")
        * F.col("all_baskets")
        / (F.col("baskets").cast("decimal(18,0)") * F.col("other_baskets"))
    ).cast("decimal(18,6)")


def _ratio(part: str, whole: str, kind: str) -> Column:
    return (F.col(part).cast("decimal(18,0)") / F.col(whole).cast("decimal(18,0)")).cast(kind)
