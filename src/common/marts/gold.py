"""The gold tables as functions of sales and customers: their only definition.

What each column means is in contract/gold.py; docs/explanation/gold.md says why.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.contract import HOUR
from common.contract.gold import CUSTOMER_SEGMENTS, CUSTOMER_SUMMARY, PRODUCT_PERFORMANCE, SALES_HOURLY

_AMOUNT = "decimal(38,2)"
_TREND = "decimal(38,6)"
_HOURS_OF_7_DAYS = 7 * 24
_WHOLE_DAYS = "CAST((unix_micros(newest_sale) - unix_micros(LAST_PURCHASE)) DIV 86400000000 AS INT)"
# The last age of each band but the last.
_AGE_BANDS = ((17, "0-17"), (24, "18-24"), (34, "25-34"), (44, "35-44"), (54, "45-54"), (64, "55-64"))


def sales_hourly(sales: DataFrame) -> DataFrame:
    """One row per UTC hour in which something was sold."""
    hours = sales.groupBy(HOUR).agg(
        F.sum(F.col("QUANTITY").cast("bigint")).alias("UNITS"),
        F.sum(_amount()).cast(_AMOUNT).alias("AMOUNT"),
        F.count(F.lit(1)).alias("ORDERS"),
        F.countDistinct("CUSTOMER_ID").alias("BUYERS"),
    )
    return hours.select(*SALES_HOURLY.column_names)


def purchases(sales: DataFrame) -> DataFrame:
    """One row per customer and product: what the tables of customers and of products have in common, from one pass over
    the sales.
    """
    hour = F.unix_seconds(HOUR)
    newest = sales.agg(F.max(hour).alias("newest_hour"))
    hours_ago = (F.col("newest_hour") - hour) / 3600
    is_last = hours_ago < _HOURS_OF_7_DAYS
    is_before = ~is_last & (hours_ago < 2 * _HOURS_OF_7_DAYS)
    nothing = F.lit(0).cast(_AMOUNT)
    return (
        sales.crossJoin(F.broadcast(newest))
        .groupBy("CUSTOMER_ID", "PRODUCT_ID")
        .agg(
            F.sum(F.col("QUANTITY").cast("bigint")).alias("units"),
            F.sum(_amount()).cast(_AMOUNT).alias("amount"),
            F.count(F.lit(1)).alias("orders"),
            F.min("TRANSACTION_DATE").alias("first_sale"),
            F.max("TRANSACTION_DATE").alias("last_sale"),
            F.sum(F.when(is_last, _amount()).otherwise(nothing)).cast(_AMOUNT).alias("amount_last"),
            F.sum(F.when(is_before, _amount()).otherwise(nothing)).cast(_AMOUNT).alias("amount_before"),
        )
    )


def product_performance(bought: DataFrame) -> DataFrame:
    """One row per product that was ever sold, from `purchases`."""
    products = bought.groupBy("PRODUCT_ID").agg(
        F.sum("units").alias("UNITS"),
        F.sum("amount").cast(_AMOUNT).alias("AMOUNT"),
        F.sum("orders").alias("ORDERS"),
        F.count(F.lit(1)).alias("BUYERS"),
        F.min("first_sale").alias("FIRST_SALE"),
        F.max("last_sale").alias("LAST_SALE"),
        F.sum("amount_last").cast(_AMOUNT).alias("AMOUNT_LAST_7_DAYS"),
        F.sum("amount_before").cast(_AMOUNT).alias("AMOUNT_7_DAYS_BEFORE"),
    )
    last, before = F.col("AMOUNT_LAST_7_DAYS"), F.col("AMOUNT_7_DAYS_BEFORE")
    by_amount = Window.orderBy(F.desc("AMOUNT"), "PRODUCT_ID")
    return products.withColumns(
        {
            "SALES_RANK": F.row_number().over(by_amount),
            "TREND": F.when(before > 0, ((last - before) / before).cast(_TREND)),
        }
    ).select(*PRODUCT_PERFORMANCE.column_names)


def customer_summary(bought: DataFrame, customers: DataFrame) -> DataFrame:
    """One row per customer who is in `customers` or has bought, from `purchases` and `customers`."""
    known = customers.select("CUSTOMER_ID", "AGE", "COUNTRY", F.lit(True).alias("is_in_customers"))
    totals = bought.groupBy("CUSTOMER_ID").agg(
        F.count(F.lit(1)).alias("products"),
        F.sum("orders").alias("orders"),
        F.sum("units").alias("units"),
        F.sum("amount").cast(_AMOUNT).alias("amount"),
        F.min("first_sale").alias("FIRST_PURCHASE"),
        F.max("last_sale").alias("LAST_PURCHASE"),
    )
    none = F.lit(0).cast("bigint")
    return (
        known.join(totals, on="CUSTOMER_ID", how="full")
        .withColumns(
            {
                "IS_KNOWN": F.coalesce("is_in_customers", F.lit(False)),
                "TOTAL_UNIQUE_PRODUCTS": F.coalesce("products", none),
                "TOTAL_ORDERS": F.coalesce("orders", none),
                "TOTAL_QUANTITY": F.coalesce("units", none),
                "TOTAL_SPENT": F.coalesce("amount", F.lit(0).cast(_AMOUNT)),
            }
        )
        .select(*CUSTOMER_SUMMARY.column_names)
    )


def customer_segments(summary: DataFrame) -> DataFrame:
    """One row per customer, from `customer_summary`."""
    is_buyer = F.col("FREQUENCY") > 0
    buyers = Window.partitionBy(is_buyer)
    customers = (
        summary.select(
            "CUSTOMER_ID",
            _age_band(F.col("AGE")).alias("AGE_BAND"),
            "COUNTRY",
            "LAST_PURCHASE",
            F.col("TOTAL_ORDERS").alias("FREQUENCY"),
            F.col("TOTAL_SPENT").alias("MONETARY"),
        )
        .withColumn("newest_sale", F.max("LAST_PURCHASE").over(buyers))
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


def _amount() -> Column:
    return F.col("QUANTITY") * F.col("PRICE")


def _age_band(age: Column) -> Column:
    band = F.when(age.isNull(), F.lit(None).cast("string"))
    for last, name in _AGE_BANDS:
        band = band.when(age <= last, name)
    return band.otherwise("65+")
