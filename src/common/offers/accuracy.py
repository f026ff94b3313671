"""How good recommendations have been at days of the past, beside what anyone could have offered without them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.contract.offers import (
    AGAIN,
    LEAST_CUSTOMERS,
    MIXED,
    MOST_POPULAR,
    NEW,
    OFFERS,
    OURS,
    OWN_FREQUENCY,
    POPULAR_IN_COUNTRY,
    RECOMMENDATION_ACCURACY,
)
from common.offers.popularity import Popularity, best_lacking, best_of, popularity, with_buyers, with_popularity
from common.offers.purchases import NO_DAY, Keeps, at_each
from common.offers.recommendations import ranked, recommendations

# What is offered is compared with what is bought in so many days.
AHEAD_DAYS = 28
_CUTS = 3
# Cuts are Mondays, every fourth of them counted from this one.
_FIRST_CUT = date(1970, 1, 5)
# The value of a hit by its rank, 1 / log2(rank + 1), as a whole number; and the sums of the first of them.
_GAINS = [round(10**12 / math.log2(rank + 1)) for rank in range(1, OFFERS + 1)]
_BEST_GAINS = [sum(_GAINS[:hits]) for hits in range(1, OFFERS + 1)]
# A multiple of every rank, so that shares of ranks are whole numbers.
_OF_RANKS = math.lcm(*range(1, OFFERS + 1))
_MEANS = ("HIT_RATE", "RECALL", "NDCG", "MAP")
_OF_CUSTOMER = ["AS_OF", "CUSTOMER_ID"]
_OF_OFFER = [*_OF_CUSTOMER, "PRODUCT_ID"]
_KEY = ["AS_OF", "KIND", "METHOD"]


def cuts(now: date, told: str) -> list[date]:
    """The days to measure at: those that were told (with commas between), or else the last three of every fourth
    Monday; as far as they have 28 complete days from them on, which the day before `now` is not.
    """
    latest = now - timedelta(days=AHEAD_DAYS + 1)
    if told:
        return [cut for cut in map(date.fromisoformat, told.split(",")) if cut <= latest] or [NO_DAY]
    spans = (latest - _FIRST_CUT).days // AHEAD_DAYS
    return [_FIRST_CUT + timedelta(days=AHEAD_DAYS * (spans - back)) for back in range(_CUTS)]


def end_of(at: Sequence[date]) -> date:
    """The first day that none of the cuts looks at."""
    return max(at) + timedelta(days=AHEAD_DAYS)


def recommendation_accuracy(
    purchases: DataFrame, owned: DataFrame, pairs: DataFrame, at: Sequence[date], kept: Keeps
) -> DataFrame:
    """One row per cut, kind and method: the columns of recommendation_accuracy. From purchases, one row per customer,
    product and day, and what was owned and went together at each cut.
    """
    truth = kept(_bought_next(at_each(purchases, at), owned))
    measured = truth.select(*_OF_CUSTOMER).distinct()
    theirs = kept(owned.join(measured, on=_OF_CUSTOMER, how="left_semi"))
    people = kept(theirs.select(*_OF_CUSTOMER, "group", "country").distinct())
    by_country = {"group": F.col("country")}
    popular = popularity(owned, kept, least=LEAST_CUSTOMERS)
    in_country = popularity(owned.withColumns(by_country), kept, least=1)
    ours = kept(recommendations(theirs, pairs, popular, people, kept))
    nobody = {"group": F.lit(None).cast("string")}
    offers = [
        _ours_mixed(ours).withColumns({"METHOD": F.lit(OURS), "KIND": F.lit(MIXED)}),
        ours.where(F.col("KIND") == NEW).withColumn("METHOD", F.lit(OURS)),
        *_popular(popular, people.withColumns(nobody), theirs.withColumns(nobody), MOST_POPULAR),
        *_popular(in_country, people.withColumns(by_country), theirs.withColumns(by_country), POPULAR_IN_COUNTRY),
        _own_frequency(popular, people.withColumns(nobody), theirs),
    ]
    columns = [*_OF_OFFER, "KIND", "METHOD", "RANK"]
    offered = kept(reduce(DataFrame.union, [each.select(*columns) for each in offers]))
    products = popular.overall.groupBy("AS_OF").agg(F.count(F.lit(1)).alias("products"))
    return _figures(offered, truth, products)


def _bought_next(purchases: DataFrame, owned: DataFrame) -> DataFrame:
    """One row per AS_OF, KIND, customer and product: what was bought in the days from then on, of customers and
    products that were known by then.
    """
    ahead = F.col("day").between(F.col("AS_OF"), F.date_add("AS_OF", AHEAD_DAYS - 1))
    held = owned.select(*_OF_OFFER, F.lit(True).alias("is_held"))
    truth = (
        purchases.where(ahead)
        .select(*_OF_OFFER)
        .distinct()
        .join(held.select(*_OF_CUSTOMER).distinct(), on=_OF_CUSTOMER, how="left_semi")
        .join(held.select("AS_OF", "PRODUCT_ID").distinct(), on=["AS_OF", "PRODUCT_ID"], how="left_semi")
        .join(held, on=_OF_OFFER, how="left")
    )
    kinds = F.when(F.col("is_held"), F.array(F.lit(MIXED))).otherwise(F.array(F.lit(MIXED), F.lit(NEW)))
    return truth.select(*_OF_OFFER, F.explode(kinds).alias("KIND"))


def _ours_mixed(ours: DataFrame) -> DataFrame:
    """What is offered to buy again, and below it what is new, ten in all."""
    return ranked(ours, F.col("KIND") != AGAIN, F.col("RANK"))


def _popular(popular: Popularity, people: DataFrame, owned: DataFrame, method: str) -> list[DataFrame]:
    """Offers of what is popular, of both kinds: whether it was bought or not, and what was not."""
    best = {
        MIXED: best_of(popular.lists, people, OFFERS),
        NEW: best_lacking(popular.lists, people, owned, OFFERS),
    }
    return [
        ranked(
            with_popularity(popular, rows).where(F.col("popular") > 0), F.desc("popular"), F.col("PRODUCT_ID")
        ).withColumns({"METHOD": F.lit(method), "KIND": F.lit(kind)})
        for kind, rows in best.items()
    ]


def _own_frequency(popular: Popularity, people: DataFrame, owned: DataFrame) -> DataFrame:
    """Offers of what the customer bought on the most days; the most popular has half a day added, others less."""
    best = best_of(popular.lists, people, OFFERS)
    days = owned.select(*_OF_OFFER, "days").union(best.select(*_OF_OFFER, F.lit(0).cast("bigint")))
    by_product = days.groupBy(*_OF_OFFER).agg(F.max("days").alias("days"))
    points = 2 * F.col("days") * F.col("most_buyers") + F.col("buyers")
    scored = with_buyers(popular, by_product).withColumn("points", points).where(F.col("points") > 0)
    best_first = (F.desc("points"), F.col("PRODUCT_ID"))
    return ranked(scored, *best_first).withColumns({"METHOD": F.lit(OWN_FREQUENCY), "KIND": F.lit(MIXED)})


def _figures(offered: DataFrame, truth: DataFrame, products: DataFrame) -> DataFrame:
    """The figures of each key, from the offers and what was bought; sums are of exact decimals, in any order."""
    of_customer = ["AS_OF", "KIND", "CUSTOMER_ID"]
    sizes = truth.groupBy(*of_customer).agg(F.least(F.count(F.lit(1)), F.lit(OFFERS)).cast("int").alias("possible"))
    customers = sizes.groupBy("AS_OF", "KIND").agg(F.count(F.lit(1)).alias("CUSTOMERS"))
    offered = offered.join(sizes, on=of_customer, how="inner")
    so_far = F.row_number().over(Window.partitionBy(*_KEY, "CUSTOMER_ID").orderBy("RANK"))
    hits = offered.join(truth, on=[*of_customer, "PRODUCT_ID"], how="left_semi").withColumn("so_far", so_far)
    by_customer = hits.groupBy(*_KEY, "CUSTOMER_ID", "possible").agg(
        F.count(F.lit(1)).alias("hits"),
        F.sum(_at(_GAINS, F.col("RANK"))).alias("gain"),
        F.sum(F.expr(f"so_far * {_OF_RANKS} DIV RANK")).alias("precision"),
    )
    possible = F.col("possible")
    by_key = by_customer.groupBy(*_KEY).agg(
        F.count(F.lit(1)).alias("HIT_RATE"),
        F.sum(_ratio(F.col("hits"), possible)).alias("RECALL"),
        F.sum(_ratio(F.col("gain"), _at(_BEST_GAINS, possible))).alias("NDCG"),
        F.sum(_ratio(F.col("precision"), possible * _OF_RANKS)).alias("MAP"),
    )
    means = {name: _mean(F.coalesce(name, F.lit(0)), F.col("CUSTOMERS")) for name in _MEANS}
    return (
        offered.groupBy(*_KEY)
        .agg(F.countDistinct("PRODUCT_ID").alias("offered"))
        .join(F.broadcast(products), on="AS_OF", how="inner")
        .join(F.broadcast(customers), on=["AS_OF", "KIND"], how="inner")
        .where(F.col("CUSTOMERS") >= LEAST_CUSTOMERS)
        .join(by_key, on=_KEY, how="left")
        .withColumns({**means, "COVERAGE": _mean(F.col("offered"), F.col("products"))})
        .withColumnRenamed("AS_OF", "CUT")
        .select(*RECOMMENDATION_ACCURACY.column_names)
    )


def _at(numbers: Sequence[int], place: Column) -> Column:
    """The number at a place, of which 1 is the first."""
    return F.element_at(F.array(*[F.lit(number).cast("bigint") for number in numbers]), place)


def _ratio(part: Column, whole: Column) -> Column:
    return (part.cast("decimal(18,0)") / whole.cast("decimal(18,0)")).cast("decimal(18,12)")


def _mean(total: Column, count: Column) -> Column:
    return (total.cast("decimal(24,12)") / count.cast("decimal(12,0)")).cast("decimal(9,6)")
