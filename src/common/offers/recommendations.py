"""What to offer to a customer: what is bought again, and what is new and goes with it or is popular.

All that ranks are whole numbers and exact sums, so that no order of addition, and no number of tasks, changes a rank.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.contract import GUEST
from common.contract.gold import AGE_BAND
from common.contract.offers import (
    AGAIN,
    BOUGHT_WITH,
    BUY_AGAIN,
    LEAST_CUSTOMERS,
    NEW,
    OFFERS,
    POPULAR,
    POPULAR_WITH_PEOPLE_LIKE_YOU,
)
from common.offers.popularity import Popularity, best_lacking, most_popular_first, with_popularity
from common.offers.purchases import fresh, weight

# Days after which a purchase counts half: for buying it again, and for what goes with it.
_AGAIN_HALF_LIFE = 180
_NEW_HALF_LIFE = 60
# Of a customer, so many products lead to others.
_LEADING = 50
_MILLION = 1_000_000
# The group of customers of whom neither age nor country is known.
_NO_GROUP = "{}"
# What an offer of something new is scored by.
_PARTS = ("going_with", "popular")
_OF_CUSTOMER = ["AS_OF", "CUSTOMER_ID"]
_OF_OFFER = [*_OF_CUSTOMER, "PRODUCT_ID"]


def groups_of(customers: DataFrame, bought: DataFrame, *alike: Column) -> DataFrame:
    """One row per customer who is in `customers` or bought something: the `group` of those who have it in common."""
    known = customers.where(F.col("CUSTOMER_ID") != GUEST).select(
        "CUSTOMER_ID", F.to_json(F.struct(*alike)).alias("group")
    )
    everyone = known.join(bought.select("CUSTOMER_ID").distinct(), on="CUSTOMER_ID", how="full")
    return everyone.withColumn("group", F.coalesce("group", F.lit(_NO_GROUP)))


def age_band_and_country() -> list[Column]:
    """What people like you have in common with you."""
    return [F.expr(AGE_BAND).alias("age_band"), F.col("COUNTRY")]


def recommendations(bought: DataFrame, pairs: DataFrame, popular: Popularity, people: DataFrame) -> DataFrame:
    """One row per AS_OF, customer of `people`, kind and rank: the columns of customer_recommendations.

    `people` has one row per AS_OF and customer, with `group`.
    """
    own = (
        bought.join(people, on=_OF_CUSTOMER, how="inner")
        .groupBy(*_OF_OFFER, "group")
        .agg(F.sum(weight(_AGAIN_HALF_LIFE)).alias("to_buy_again"), F.sum(weight(_NEW_HALF_LIFE)).alias("leading"))
    )
    return _again(own, popular).unionByName(_new(own, pairs, popular, people))


def _again(own: DataFrame, popular: Popularity) -> DataFrame:
    """What the customer bought, the best first. The most popular product has half a day added, others less."""
    half_a_day = fresh(_AGAIN_HALF_LIFE) // 2
    most = popular.overall.groupBy("AS_OF").agg(F.greatest(F.max("buyers"), F.lit(1)).alias("most_buyers"))
    points = F.expr(f"to_buy_again + {half_a_day} * buyers DIV most_buyers")
    scored = (
        own.join(popular.overall.select("AS_OF", "PRODUCT_ID", "buyers"), on=["AS_OF", "PRODUCT_ID"], how="inner")
        .join(F.broadcast(most), on="AS_OF", how="inner")
        .withColumn("points", points)
        .withColumn("SCORE", _exact("points", fresh(_AGAIN_HALF_LIFE)))
    )
    return _best(scored, F.desc("buyers"), F.col("PRODUCT_ID")).select(
        *_OF_OFFER,
        F.lit(AGAIN).alias("KIND"),
        "RANK",
        "SCORE",
        F.lit(BUY_AGAIN).alias("REASON"),
        F.lit(None).cast("string").alias("BECAUSE_PRODUCT_ID"),
    )


def _new(own: DataFrame, pairs: DataFrame, popular: Popularity, people: DataFrame) -> DataFrame:
    """What the customer never bought: what goes with what was, and what is popular, as shares of the best of each."""
    going_with = _going_with(own, pairs)
    lacking = best_lacking(popular.lists, people, own, OFFERS)
    none = {"going_with": F.lit(0).cast("decimal(38,0)"), "because": F.lit(None).cast("string")}
    candidates = (
        going_with.unionByName(lacking.withColumns(none))
        .groupBy(*_OF_OFFER)
        .agg(F.max("going_with").alias("going_with"), F.max("because").alias("because"))
        .join(own.select(*_OF_OFFER), on=_OF_OFFER, how="left_anti")
        .join(people, on=_OF_CUSTOMER, how="inner")
    )
    of_customer = Window.partitionBy(*_OF_CUSTOMER)
    largest = {f"largest_{name}": F.greatest(F.max(name).over(of_customer), F.lit(1)) for name in _PARTS}
    scored = (
        with_popularity(popular, candidates)
        .withColumns(largest)
        .withColumns({"with_share": _share("going_with"), "popular_share": _share("popular")})
        .withColumn("points", 2 * F.col("with_share") + F.col("popular_share"))
        .withColumn("SCORE", _exact("points", 2 * _MILLION))
    )
    is_with = (F.col("with_share") > 0) & (2 * F.col("with_share") >= F.col("popular_share"))
    is_alike = (F.col("group") != _NO_GROUP) & (F.col("group_buyers") >= LEAST_CUSTOMERS)
    reason = F.when(is_with, BOUGHT_WITH).when(is_alike, POPULAR_WITH_PEOPLE_LIKE_YOU).otherwise(POPULAR)
    return _best(scored, *most_popular_first()).select(
        *_OF_OFFER,
        F.lit(NEW).alias("KIND"),
        "RANK",
        "SCORE",
        reason.alias("REASON"),
        F.when(is_with, F.col("because")).alias("BECAUSE_PRODUCT_ID"),
    )


def _going_with(own: DataFrame, pairs: DataFrame) -> DataFrame:
    """One row per AS_OF, customer and product that goes with what the customer bought, by the latest and most frequent
    of that; `because` is the one that counts most.
    """
    most_first = Window.partitionBy(*_OF_CUSTOMER).orderBy(F.desc("leading"), "PRODUCT_ID")
    leading = own.withColumn("place", F.row_number().over(most_first)).where(F.col("place") <= _LEADING)
    part = F.col("leading").cast("decimal(18,0)") * (F.col("SCORE") * _MILLION).cast("decimal(7,0)")
    neighbours = pairs.select("AS_OF", "PRODUCT_ID", "OTHER_PRODUCT_ID", "SCORE")
    return (
        leading.join(neighbours, on=["AS_OF", "PRODUCT_ID"], how="inner")
        .withColumn("part", part)
        .groupBy(*_OF_CUSTOMER, F.col("OTHER_PRODUCT_ID"))
        .agg(
            F.sum("part").cast("decimal(38,0)").alias("going_with"),
            F.min(F.struct(-F.col("part"), "PRODUCT_ID"))["PRODUCT_ID"].alias("because"),
        )
        .withColumnRenamed("OTHER_PRODUCT_ID", "PRODUCT_ID")
    )


def _share(name: str) -> Column:
    """A number as a share of the customer's largest, in millionths, rounded down."""
    return F.expr(f"CAST({name} AS DECIMAL(31, 0)) * {_MILLION} DIV largest_{name}")


def _best(scored: DataFrame, *then: Column) -> DataFrame:
    """The best of each customer by `points`, of equal ones by what comes `then`, with their RANK."""
    best_first = Window.partitionBy(*_OF_CUSTOMER).orderBy(F.desc("points"), *then)
    return scored.withColumn("RANK", F.row_number().over(best_first)).where(F.col("RANK") <= OFFERS)


def _exact(name: str, whole: int) -> Column:
    return (F.col(name).cast("decimal(20,0)") / F.lit(whole).cast("decimal(18,0)")).cast("decimal(18,6)")
