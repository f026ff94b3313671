"""What to offer to a customer: what is bought again, and what is new and goes with it or is popular.

All that ranks are whole numbers and exact sums, so that no order of addition, and no number of tasks, changes a rank.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.contract.offers import (
    AGAIN,
    BOUGHT_WITH,
    BUY_AGAIN,
    NEW,
    OFFERS,
    POPULAR,
    POPULAR_WITH_PEOPLE_LIKE_YOU,
)
from common.offers.owned import AGAIN_HALF_LIFE, NO_GROUP
from common.offers.popularity import Popularity, best_lacking, most_popular_first, with_buyers, with_popularity
from common.offers.purchases import Keeps, fresh

# Of a customer, so many products lead to others. A place among them is kept in as many bits as it takes.
_LEADING = 50
_PLACES = 64
_MILLION = 1_000_000
# How much what goes with purchases counts beside what is popular.
_OF_PAIRS, _OF_POPULARITY = 5, 2
_OF_CUSTOMER = ["AS_OF", "CUSTOMER_ID"]


def recommendations(
    owned: DataFrame, pairs: DataFrame, popular: Popularity, people: DataFrame, kept: Keeps
) -> DataFrame:
    """One row per AS_OF, customer of `people`, kind and rank: the columns of customer_recommendations.

    `people` has one row per AS_OF and customer, with `group`; `owned` are the products of these.
    """
    return _again(owned, popular).union(_new(owned, pairs, popular, people, kept))


def _again(owned: DataFrame, popular: Popularity) -> DataFrame:
    """What the customer bought, the best first. The most popular product has half a day added, others less."""
    half_a_day = fresh(AGAIN_HALF_LIFE) // 2
    points = F.expr(f"again + {half_a_day} * buyers DIV most_buyers")
    scored = with_buyers(popular, owned).withColumn("points", points)
    return ranked(scored, F.desc("points"), F.desc("buyers"), F.col("PRODUCT_ID")).select(
        *_OF_CUSTOMER,
        F.lit(AGAIN).alias("KIND"),
        "RANK",
        "PRODUCT_ID",
        _score(fresh(AGAIN_HALF_LIFE)),
        F.lit(BUY_AGAIN).alias("REASON"),
        F.lit(None).cast("string").alias("BECAUSE_PRODUCT_ID"),
    )


def _new(owned: DataFrame, pairs: DataFrame, popular: Popularity, people: DataFrame, kept: Keeps) -> DataFrame:
    """What the customer never bought: what goes with what was, and what is popular, as shares of the best of each."""
    leading = kept(_leading(owned))
    candidates = _candidates(owned, _going_with(leading, pairs), best_lacking(popular.lists, people, owned, OFFERS))
    of_customer = Window.partitionBy(*_OF_CUSTOMER)
    largest = {f"largest_{name}": F.max(name).over(of_customer) for name in ("going_with", "popular")}
    # Where nothing goes with what was bought, or nothing is popular, its largest is 0.
    shares = {
        f"{name}_share": F.expr(f"{name} * {_MILLION} DIV greatest(largest_{name}, 1)")
        for name in ("going_with", "popular")
    }
    of_pairs, of_popularity = _OF_PAIRS * F.col("going_with_share"), _OF_POPULARITY * F.col("popular_share")
    points = of_pairs + of_popularity
    scored = with_popularity(popular, candidates).withColumns(largest).withColumns(shares).withColumn("points", points)
    best = ranked(scored, F.desc("points"), *most_popular_first())
    is_with = (F.col("going_with") > 0) & (of_pairs >= of_popularity)
    is_alike = (F.col("group") != NO_GROUP) & F.col("group_buyers").isNotNull()
    reason = F.when(is_with, BOUGHT_WITH).when(is_alike, POPULAR_WITH_PEOPLE_LIKE_YOU).otherwise(POPULAR)
    place = F.when(is_with, (_PLACES - 1 - F.pmod("because", F.lit(_PLACES))).cast("int")).alias("place")
    because = leading.select(*_OF_CUSTOMER, "place", F.col("PRODUCT_ID").alias("BECAUSE_PRODUCT_ID"))
    offers = best.select(
        *_OF_CUSTOMER, "RANK", "PRODUCT_ID", _score(_OF_PAIRS * _MILLION), reason.alias("REASON"), place
    ).join(because, on=[*_OF_CUSTOMER, "place"], how="left")
    return offers.select(
        *_OF_CUSTOMER, F.lit(NEW).alias("KIND"), "RANK", "PRODUCT_ID", "SCORE", "REASON", "BECAUSE_PRODUCT_ID"
    )


def _leading(owned: DataFrame) -> DataFrame:
    """What the customer bought that counts most for what goes with it, by `place`."""
    most_first = Window.partitionBy(*_OF_CUSTOMER).orderBy(F.desc("leading"), "PRODUCT_ID")
    return owned.withColumn("place", F.row_number().over(most_first)).where(F.col("place") <= _LEADING)


def _going_with(leading: DataFrame, pairs: DataFrame) -> DataFrame:
    """One row per AS_OF, customer, leading product and one that goes with it: the `part` that it adds."""
    scores = pairs.select(
        "AS_OF", "PRODUCT_ID", "OTHER_PRODUCT_ID", (F.col("SCORE") * _MILLION).cast("bigint").alias("millionths")
    )
    part = (F.col("leading") * F.col("millionths")).alias("part")
    return leading.join(scores, on=["AS_OF", "PRODUCT_ID"], how="inner").select(
        *_OF_CUSTOMER, "group", F.col("OTHER_PRODUCT_ID").alias("PRODUCT_ID"), part, "place"
    )


def _candidates(owned: DataFrame, going_with: DataFrame, lacking: DataFrame) -> DataFrame:
    """One row per AS_OF, customer and product to offer: the sum of its parts, `going_with`, and `because`, the largest
    of them and the place of the product that it comes from in one number, the first of equal ones. What the customer
    owns is counted along, and left out then: that is less work than to look for it afterwards.
    """
    columns = [*_OF_CUSTOMER, "group", "PRODUCT_ID"]
    because = (F.col("part") * _PLACES + (_PLACES - 1 - F.col("place"))).alias("because")
    nothing = (F.lit(0).cast("bigint").alias("part"), F.lit(0).cast("bigint").alias("because"))
    rows = (
        going_with.select(*columns, "part", because, F.lit(False).alias("is_owned"))
        .union(lacking.select(*columns, *nothing, F.lit(False)))
        .union(owned.select(*columns, *nothing, F.lit(True)))
    )
    return (
        rows.groupBy(*columns)
        .agg(
            F.sum("part").cast("decimal(30,0)").alias("going_with"),
            F.max("because").alias("because"),
            F.max("is_owned").alias("is_owned"),
        )
        .where(~F.col("is_owned"))
    )


def ranked(offers: DataFrame, *best_first: Column) -> DataFrame:
    """The best of each customer, ten at most, with their RANK in this order."""
    in_order = Window.partitionBy(*_OF_CUSTOMER).orderBy(*best_first)
    return offers.withColumn("RANK", F.row_number().over(in_order)).where(F.col("RANK") <= OFFERS)


def _score(whole: int) -> Column:
    """The points as parts of so many."""
    return (
        (F.col("points").cast("decimal(20,0)") / F.lit(whole).cast("decimal(18,0)"))
        .cast("decimal(18,6)")
        .alias("SCORE")
    )
