"""What is popular now, with everybody and in each group of customers; and the best of a list that somebody lacks."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.offers.purchases import Keeps, is_recent

# As if so many more customers of a group had bought as everybody does: what a few bought is no fashion.
_SHRINK = 50
# The group that everybody is in.
_EVERYBODY = "everybody"
_OF_CUSTOMER = ["AS_OF", "CUSTOMER_ID", "group"]


@dataclass(frozen=True)
class Popularity:
    """`overall`: one row per AS_OF and product that was ever bought, with its `buyers` in the last 28 days, those
    `ever`, and all `customers`.

    `in_group`: one row per AS_OF, group and product that enough of its customers bought in those days, with their
    number (`group_buyers`). `lists`: the products of both by `place`, the best first, one row per AS_OF, `list` and
    product.
    """

    overall: DataFrame
    in_group: DataFrame
    lists: DataFrame


def popularity(owned: DataFrame, kept: Keeps, *, least: int) -> Popularity:
    """From what every customer owns, with the `group` to look at. What fewer than `least` customers of a group bought
    counts for nothing in it.
    """
    by_product = owned.groupBy("AS_OF", "PRODUCT_ID").agg(
        F.count_if(is_recent()).alias("buyers"), F.count(F.lit(1)).alias("ever")
    )
    customers = owned.groupBy("AS_OF").agg(F.countDistinct("CUSTOMER_ID").alias("customers"))
    overall = kept(by_product.join(F.broadcast(customers), on="AS_OF", how="inner"))
    recent = owned.where(is_recent()).groupBy("AS_OF", "group", "PRODUCT_ID")
    in_group = recent.agg(F.count(F.lit(1)).alias("group_buyers"))
    in_group = kept(in_group.where(F.col("group_buyers") >= least))
    of_group = in_group.join(overall, on=["AS_OF", "PRODUCT_ID"], how="inner")
    of_all = overall.withColumns({"group": F.lit(_EVERYBODY), "group_buyers": F.lit(0).cast("bigint")})
    columns = [F.col("AS_OF"), F.col("group").alias("list"), F.col("PRODUCT_ID"), F.col("ever"), _popular()]
    place = F.row_number().over(Window.partitionBy("AS_OF", "list").orderBy(*most_popular_first()))
    lists = of_group.select(*columns).union(of_all.select(*columns))
    return Popularity(overall, in_group, kept(lists.select("AS_OF", "list", "PRODUCT_ID", place.alias("place"))))


def most_popular_first() -> list[Column]:
    """The order of the lists. What nobody bought in those days comes last, by how many ever did."""
    before = F.when(F.col("popular") == 0, F.col("ever"))
    return [F.desc("popular"), F.desc(before), F.col("PRODUCT_ID")]


def with_popularity(popular: Popularity, offers: DataFrame) -> DataFrame:
    """Offers, with AS_OF, `group` and PRODUCT_ID, and beside them how `popular` each is in its group."""
    return (
        offers.join(popular.in_group, on=["AS_OF", "group", "PRODUCT_ID"], how="left")
        .join(popular.overall, on=["AS_OF", "PRODUCT_ID"], how="left")
        .withColumn("popular", _popular())
    )


def with_buyers(popular: Popularity, offers: DataFrame) -> DataFrame:
    """Offers, with AS_OF and PRODUCT_ID, and beside them the `buyers` of each now, and the `most_buyers` that any
    product has, 1 at least.
    """
    buyers = popular.overall.select("AS_OF", "PRODUCT_ID", "buyers")
    most = buyers.groupBy("AS_OF").agg(F.greatest(F.max("buyers"), F.lit(1)).alias("most_buyers"))
    beside = offers.join(buyers, on=["AS_OF", "PRODUCT_ID"], how="inner")
    return beside.join(F.broadcast(most), on="AS_OF", how="inner")


def best_of(lists: DataFrame, people: DataFrame, most: int) -> DataFrame:
    """One row per AS_OF, customer of `people` and product: the `most` best of the list of its group, and of that of
    everybody.
    """
    best = lists.where(F.col("place") <= most).drop("place")
    wanted = people.select(*_OF_CUSTOMER, _both_lists())
    return wanted.join(best, on=["AS_OF", "list"], how="inner").select(*_OF_CUSTOMER, "PRODUCT_ID").distinct()


def best_lacking(lists: DataFrame, people: DataFrame, owned: DataFrame, most: int) -> DataFrame:
    """One row per AS_OF, customer of `people` and product: the `most` best that the customer does not own, of the list
    of its group and of that of everybody. It looks at places in lists alone: no customer meets every product.
    """
    both = _both_lists()
    places = owned.select(*_OF_CUSTOMER, "PRODUCT_ID", both).join(
        lists, on=["AS_OF", "list", "PRODUCT_ID"], how="inner"
    )
    no_place = people.select(*_OF_CUSTOMER, both, F.lit(None).cast("int").alias("place"))
    by_list = no_place.union(places.select(*_OF_CUSTOMER, "list", "place")).groupBy(*_OF_CUSTOMER, "list")
    taken = by_list.agg(F.collect_list("place").alias("taken"))
    looked_at = F.sequence(F.lit(1), F.size("taken") + most)
    free = F.slice(F.array_except(looked_at, F.col("taken")), 1, most)
    return (
        taken.select(*_OF_CUSTOMER, "list", F.explode(free).alias("place"))
        .join(lists, on=["AS_OF", "list", "place"], how="inner")
        .select(*_OF_CUSTOMER, "PRODUCT_ID")
        .distinct()
    )


def _both_lists() -> Column:
    return F.explode(F.array("group", F.lit(_EVERYBODY))).alias("list")


def _popular() -> Column:
    """How popular a product is in a group, a whole number: to compare products of one group, no more."""
    of_group = F.coalesce("group_buyers", F.lit(0)) * F.col("customers")
    return (of_group + _SHRINK * F.col("buyers")).alias("popular")
