"""What is popular now, with everybody and in each group of customers; and the best of a list that somebody lacks."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.offers.purchases import is_recent

# As if so many more customers of a group had bought as everybody does: what a few bought is no fashion.
SHRINK = 50
# The group that everybody is in.
_EVERYBODY = "everybody"


@dataclass(frozen=True)
class Popularity:
    """`overall`: one row per AS_OF and product that was ever bought, with the customers (`buyers`) of the last 28 days.

    `in_group`: one row per AS_OF, group and product that somebody in it bought in those days, with these customers
    (`group_buyers`). `lists`: the products of both by rank, the best first, one row per AS_OF, `list`, `place`.
    """

    overall: DataFrame
    in_group: DataFrame
    lists: DataFrame


def popularity(bought: DataFrame, groups: DataFrame) -> Popularity:
    """From purchases, and the group of each customer: one row per CUSTOMER_ID, with `group`."""
    by_product = bought.groupBy("AS_OF", "PRODUCT_ID").agg(
        F.countDistinct(F.when(is_recent(), F.col("CUSTOMER_ID"))).alias("buyers"),
        F.countDistinct("CUSTOMER_ID").alias("ever"),
    )
    customers = bought.groupBy("AS_OF").agg(F.countDistinct("CUSTOMER_ID").alias("customers"))
    overall = by_product.join(F.broadcast(customers), on="AS_OF", how="inner")
    in_group = (
        bought.where(is_recent())
        .join(groups, on="CUSTOMER_ID", how="inner")
        .groupBy("AS_OF", "group", "PRODUCT_ID")
        .agg(F.countDistinct("CUSTOMER_ID").alias("group_buyers"))
    )
    of_group = in_group.join(overall, on=["AS_OF", "PRODUCT_ID"], how="inner")
    of_all = overall.withColumns({"group": F.lit(_EVERYBODY), "group_buyers": F.lit(0).cast("bigint")})
    columns = (*(F.col(name) for name in ("AS_OF", "group", "PRODUCT_ID", "ever")), popular_in_group().alias("popular"))
    best_first = Window.partitionBy("AS_OF", "list").orderBy(*most_popular_first())
    lists = (
        of_group.select(*columns)
        .union(of_all.select(*columns))
        .withColumnRenamed("group", "list")
        .withColumn("place", F.row_number().over(best_first))
    )
    return Popularity(overall, in_group, lists)


def popular_in_group() -> Column:
    """How popular a product is in a group, a whole number: to compare products of one group, no more."""
    return F.coalesce("group_buyers", F.lit(0)) * F.col("customers") + SHRINK * F.coalesce("buyers", F.lit(0))


def most_popular_first() -> list[Column]:
    """The order of the lists. What nobody bought in those days comes last, by how many ever did."""
    before = F.when(F.col("popular") == 0, F.col("ever"))
    return [F.desc("popular"), F.desc(before), F.col("PRODUCT_ID")]


def with_popularity(popular: Popularity, offers: DataFrame) -> DataFrame:
    """Offers, with AS_OF, `group` and PRODUCT_ID, and beside them how `popular` each is in its group."""
    return (
        offers.join(popular.in_group, on=["AS_OF", "group", "PRODUCT_ID"], how="left")
        .join(popular.overall, on=["AS_OF", "PRODUCT_ID"], how="left")
        .withColumn("popular", popular_in_group())
    )


def best_lacking(lists: DataFrame, people: DataFrame, own: DataFrame, most: int) -> DataFrame:
    """One row per AS_OF, customer of `people` and product: the `most` best that the customer does not own, of the list
    of its group and of that of everybody. It looks at places in lists alone: no customer meets every product.
    """
    of_customer = ["AS_OF", "CUSTOMER_ID"]
    wanted = people.select(*of_customer, F.explode(F.array("group", F.lit(_EVERYBODY))).alias("list"))
    places = lists.select("AS_OF", "list", "place", "PRODUCT_ID")
    owned = (
        own.select(*of_customer, "PRODUCT_ID")
        .join(wanted, on=of_customer, how="inner")
        .join(places, on=["AS_OF", "list", "PRODUCT_ID"], how="inner")
        .groupBy(*of_customer, "list")
        .agg(F.collect_list("place").alias("owned"))
    )
    owned_places = F.coalesce("owned", F.array().cast("array<int>"))
    looked_at = F.sequence(F.lit(1), F.size(owned_places) + most)
    free = F.slice(F.array_except(looked_at, owned_places), 1, most)
    return (
        wanted.join(owned, on=[*of_customer, "list"], how="left")
        .select(*of_customer, "list", F.explode(free).alias("place"))
        .join(places, on=["AS_OF", "list", "place"], how="inner")
        .select(*of_customer, "PRODUCT_ID")
        .distinct()
    )
