"""customer_aggregated_data as a function of sales and customers: the one definition of what it holds."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import AGGREGATE


def aggregate_sales(sales: DataFrame, customers: DataFrame) -> DataFrame:
    """One row per CUSTOMER_ID, PRODUCT_ID and transaction_hour, in the columns of the contract.

    QUANTITY and AMOUNT are net: what is returned counts below 0. Customers are broadcast; a sale whose customer is
    unknown keeps its row, with NAME, AGE and COUNTRY null.
    """
    amount = F.sum(F.col("QUANTITY") * F.col("PRICE")).cast("decimal(38,2)")
    groups = sales.groupBy(*AGGREGATE.key).agg(
        F.sum(F.col("QUANTITY").cast("bigint")).alias("QUANTITY"),
        amount.alias("AMOUNT"),
        F.count(F.lit(1)).alias("TRANSACTION_COUNT"),
    )
    # Null where there are no net units to divide by, and where few net units are left of much money.
    price = (F.col("AMOUNT") / F.nullif("QUANTITY", F.lit(0))).try_cast("decimal(22,6)")
    small = customers.select("CUSTOMER_ID", "NAME", "AGE", "COUNTRY")
    return (
        groups.join(F.broadcast(small), on="CUSTOMER_ID", how="left")
        .withColumn("PRICE", price)
        .select(*AGGREGATE.column_names)
    )
