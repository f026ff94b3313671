"""What each customer has bought so far, a row for each product: all that offers to a customer rest on."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import GUEST
from common.contract.gold import AGE_BAND
from common.offers.purchases import weight

# Days after which a purchase counts half: for buying it again, and for what goes with it.
AGAIN_HALF_LIFE = 180
NEW_HALF_LIFE = 60
# The group of customers of whom nothing is known.
NO_GROUP = "{}"


def groups_of(customers: DataFrame, bought: DataFrame) -> DataFrame:
    """One row per customer who is in `customers` or bought something: the `group` of those of the same age band and
    country, and that of those of the same `country`.
    """
    age_band, country = F.expr(AGE_BAND).alias("age_band"), F.col("COUNTRY").alias("country")
    known = customers.where(F.col("CUSTOMER_ID") != GUEST).select(
        "CUSTOMER_ID",
        F.to_json(F.struct(age_band, country)).alias("group"),
        F.to_json(F.struct(country)).alias("country"),
    )
    everyone = known.join(bought.select("CUSTOMER_ID").distinct(), on="CUSTOMER_ID", how="full")
    return everyone.withColumns({name: F.coalesce(name, F.lit(NO_GROUP)) for name in ("group", "country")})


def owned_by(bought: DataFrame, groups: DataFrame) -> DataFrame:
    """One row per AS_OF, customer (with both groups) and product that was bought before: what its purchases count for
    by now (`again`, `leading`), on how many `days` it was bought, and the `age` of the last of them.
    """
    purchases = bought.repartition("CUSTOMER_ID").groupBy("AS_OF", "CUSTOMER_ID", "PRODUCT_ID")
    owned = purchases.agg(
        F.sum(weight(AGAIN_HALF_LIFE)).alias("again"),
        F.sum(weight(NEW_HALF_LIFE)).alias("leading"),
        F.count(F.lit(1)).alias("days"),
        F.min("age").alias("age"),
    )
    return owned.join(groups, on="CUSTOMER_ID", how="inner")
