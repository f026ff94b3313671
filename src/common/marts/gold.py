"""The gold tables as functions of sales and customers: their only definition.

What each column means is in contract/gold.py; docs/explanation/gold.md says why.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.contract import GUEST, HOUR
from common.contract.gold import AGE_BAND, CUSTOMER_SEGMENTS, CUSTOMER_SUMMARY, PRODUCT_PERFORMANCE, SALES_HOURLY

_AMOUNT = "decimal(38,2)"
# What sales are summed up to; what is net follows from it.
_SUMS = ("GROSS_UNITS", "GROSS_AMOUNT", "RETURNED_UNITS", "RETURNED_AMOUNT", "ORDERS", "RETURNS")
_TREND = "decimal(38,6)"
_HOURS_OF_7_DAYS = 7 * 24
_WHOLE_DAYS = "CAST((unix_micros(newest_sale) - unix_micros(LAST_PURCHASE)) DIV 86400000000 AS INT)"


def sales_hourly(sales: DataFrame) -> DataFrame:
    """One row per UTC hour in which something was sold or returned."""
    buyer = F.when(_is_sale() & ~_is_guest(), F.col("CUSTOMER_ID"))
    hours = sales.groupBy(HOUR).agg(*_sums(), F.countDistinct(buyer).alias("BUYERS"))
    return hours.withColumns(_net()).select(*SALES_HOURLY.column_names)


def purchases(sales: DataFrame) -> DataFrame:
    """One row per customer, or the guest, and product: what the tables of customers and of products have in common,
    from one pass over the sales.
    """
    hour = F.unix_seconds(HOUR)
    newest = sales.agg(F.max(hour).alias("newest_hour"))
    hours_ago = (F.col("newest_hour") - hour) / 3600
    is_last = hours_ago < _HOURS_OF_7_DAYS
    is_before = ~is_last & (hours_ago < 2 * _HOURS_OF_7_DAYS)
    nothing = F.lit(0).cast(_AMOUNT)
    sold_at = F.when(_is_sale(), F.col("TRANSACTION_DATE"))
    return (
        sales.crossJoin(F.broadcast(newest))
        .groupBy("CUSTOMER_ID", "PRODUCT_ID")
        .agg(
            *_sums(),
            F.min(sold_at).alias("first_sale"),
            F.max(sold_at).alias("last_sale"),
            F.max("TRANSACTION_DATE").alias("newest"),
            F.sum(F.when(is_last, _amount()).otherwise(nothing)).cast(_AMOUNT).alias("amount_last"),
            F.sum(F.when(is_before, _amount()).otherwise(nothing)).cast(_AMOUNT).alias("amount_before"),
        )
    )


def product_performance(bought: DataFrame) -> DataFrame:
    """One row per product that was ever sold or returned, from `purchases`."""
    products = bought.groupBy("PRODUCT_ID").agg(
        *_sums_of_sums(),
        F.count_if((F.col("ORDERS") > 0) & ~_is_guest()).alias("BUYERS"),
        F.min("first_sale").alias("FIRST_SALE"),
        F.max("last_sale").alias("LAST_SALE"),
        F.sum("amount_last").cast(_AMOUNT).alias("AMOUNT_LAST_7_DAYS"),
        F.sum("amount_before").cast(_AMOUNT).alias("AMOUNT_7_DAYS_BEFORE"),
    )
    last, before = F.col("AMOUNT_LAST_7_DAYS"), F.col("AMOUNT_7_DAYS_BEFORE")
    by_amount = Window.orderBy(F.desc("AMOUNT"), "PRODUCT_ID")
    return (
        products.withColumns(_net())
        .withColumns(
            {
                "SALES_RANK": F.row_number().over(by_amount),
                "TREND": F.when(before > 0, ((last - before) / before).cast(_TREND)),
            }
        )
        .select(*PRODUCT_PERFORMANCE.column_names)
    )


def customer_summary(bought: DataFrame, customers: DataFrame) -> DataFrame:
    """One row per customer who is in `customers` or in the sales, but the guest; from `purchases` and `customers`."""
    known = customers.select("CUSTOMER_ID", "AGE", "COUNTRY", F.lit(True).alias("is_in_customers"))
    totals = bought.groupBy("CUSTOMER_ID").agg(
        *_sums_of_sums(),
        F.count_if(F.col("ORDERS") > 0).alias("products"),
        F.min("first_sale").alias("FIRST_PURCHASE"),
        F.max("last_sale").alias("LAST_PURCHASE"),
    )
    everyone = known.join(totals, on="CUSTOMER_ID", how="full").where(~_is_guest())
    none = {name: F.coalesce(name, F.lit(0).cast(_AMOUNT if "AMOUNT" in name else "bigint")) for name in _SUMS}
    return (
        everyone.withColumns(none)
        .withColumns(_net())
        .withColumns(
            {
                "IS_KNOWN": F.coalesce("is_in_customers", F.lit(False)),
                "TOTAL_UNIQUE_PRODUCTS": F.coalesce("products", F.lit(0).cast("bigint")),
                "TOTAL_ORDERS": F.col("ORDERS"),
                "TOTAL_RETURNS": F.col("RETURNS"),
                "TOTAL_QUANTITY": F.col("UNITS"),
                "TOTAL_SPENT": F.col("AMOUNT"),
            }
        )
        .select(*CUSTOMER_SUMMARY.column_names)
    )


def customer_segments(bought: DataFrame, customers: DataFrame) -> DataFrame:
    """One row per customer, from `purchases` and `customers`."""
    summary = customer_summary(bought, customers)
    # Of whoever it is, and a return too.
    newest_sale = F.broadcast(bought.agg(F.max("newest").alias("newest_sale")))
    is_buyer = F.col("FREQUENCY") > 0
    buyers = Window.partitionBy(is_buyer)
    customers = (
        summary.select(
            "CUSTOMER_ID",
            F.expr(AGE_BAND).alias("AGE_BAND"),
            "COUNTRY",
            "LAST_PURCHASE",
            F.col("TOTAL_ORDERS").alias("FREQUENCY"),
            F.col("TOTAL_SPENT").alias("MONETARY"),
        )
        .crossJoin(newest_sale)
        .withColumn("RECENCY", F.expr(_WHOLE_DAYS))
    )

    def score(worst_first: Column) -> Column:
        worse = F.rank().over(buyers.orderBy(worst_first)) - 1
        fifths = F.floor(worse * 5 / F.count(F.lit(1)).over(buyers))
        return F.when(is_buyer, (fifths + 1).cast("int"))

    scored = customers.withColumns(
        {
            "R_SCORE": score(F.col("LAST_PURCHASE").asc()),
            "F_SCORE": score(F.col("FREQUENCY").asc()),
            "M_SCORE": score(F.col("MONETARY").asc()),
        }
    )
    recent, frequent, spent = F.col("R_SCORE"), F.col("F_SCORE"), F.col("M_SCORE")
    segment = (
        F.when(~is_buyer, "no purchases")
        .when((recent >= 4) & (frequent >= 4) & (spent >= 4), "champions")
        .when((recent >= 3) & (frequent >= 3), "loyal")
        .when(recent >= 4, "promising")
        .when(recent == 3, "needs attention")
        .when(frequent >= 3, "at risk")
        .otherwise("hibernating")
    )
    return scored.withColumn("SEGMENT", segment).select(*CUSTOMER_SEGMENTS.column_names)


def _sums() -> list[Column]:
    """The columns of `_SUMS`, from sales."""
    units, is_sale = F.col("QUANTITY").cast("bigint"), _is_sale()
    gross = (
        F.sum(F.when(is_sale, units).otherwise(0)),
        F.sum(F.when(is_sale, _amount()).otherwise(0)).cast(_AMOUNT),
    )
    returned = (
        F.sum(F.when(is_sale, 0).otherwise(-units)),
        F.sum(F.when(is_sale, 0).otherwise(-_amount())).cast(_AMOUNT),
    )
    sums = (*gross, *returned, F.count_if(is_sale), F.count_if(~is_sale))
    return [each.alias(name) for name, each in zip(_SUMS, sums, strict=True)]


def _sums_of_sums() -> list[Column]:
    """The same, from rows that have them."""
    return [F.sum(name).cast(_AMOUNT if "AMOUNT" in name else "bigint").alias(name) for name in _SUMS]


def _net() -> dict[str, Column]:
    """What is left of them."""
    return {
        "UNITS": F.col("GROSS_UNITS") - F.col("RETURNED_UNITS"),
        "AMOUNT": (F.col("GROSS_AMOUNT") - F.col("RETURNED_AMOUNT")).cast(_AMOUNT),
    }


def _is_sale() -> Column:
    """Of a row of sales: that it is no return."""
    return F.col("QUANTITY") > 0


def _is_guest() -> Column:
    return F.col("CUSTOMER_ID") == GUEST


def _amount() -> Column:
    return F.col("QUANTITY") * F.col("PRICE")
