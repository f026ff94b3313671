"""Other ways to do what load_sales does, each in a process: contenders.py NAME FOLDER TRANSACTIONS CUSTOMERS.

None of them checks a row, keeps refused ones, counts what became of each, or could be killed and run again safely.
Each prints the seconds that its work took, without the start of its session, as one JSON object.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SALES_DDL = (
    "TRANSACTION_ID string, CUSTOMER_ID string, PRODUCT_ID string, QUANTITY int, PRICE decimal(18,2), "
    "TRANSACTION_DATE timestamp"
)
CUSTOMERS_DDL = "CUSTOMER_ID string, NAME string, AGE int, COUNTRY string"
KEYS = ["CUSTOMER_ID", "PRODUCT_ID", "transaction_hour"]
AGGREGATE = """
    SELECT CUSTOMER_ID, first(NAME) AS NAME, first(AGE) AS AGE, first(COUNTRY) AS COUNTRY, PRODUCT_ID,
           sum(QUANTITY) AS QUANTITY, CAST(sum(QUANTITY * PRICE) / sum(QUANTITY) AS DECIMAL(22, 6)) AS PRICE,
           transaction_hour, CAST(sum(QUANTITY * PRICE) AS DECIMAL(38, 2)) AS AMOUNT, count(*) AS TRANSACTION_COUNT
    FROM sales LEFT JOIN people USING (CUSTOMER_ID)
    GROUP BY CUSTOMER_ID, PRODUCT_ID, transaction_hour
"""


def floor(folder: Path, transactions: str, customers: str) -> float:
    """The engine's floor: the sales from CSV to Parquet, and nothing else."""
    spark = _spark()
    started = time.monotonic()
    spark.read.schema(SALES_DDL).csv(transactions, header=True).write.parquet(str(folder / "sales"))
    return time.monotonic() - started


def recompute(folder: Path, transactions: str, customers: str) -> float:
    """The usual PySpark pipeline: read all files, overwrite all tables."""
    spark = _spark()
    started = time.monotonic()
    sales = spark.read.schema(SALES_DDL).csv(transactions, header=True).dropDuplicates(["TRANSACTION_ID"])
    sales = sales.selectExpr("*", "date_trunc('HOUR', TRANSACTION_DATE) AS transaction_hour")
    _overwrite(sales, folder / "sales", partitioned=True)
    _overwrite(spark.read.schema(CUSTOMERS_DDL).csv(customers, header=True), folder / "customers")
    for view, table in (("sales", "sales"), ("people", "customers")):
        spark.read.format("delta").load(str(folder / table)).createOrReplaceTempView(view)
    _overwrite(spark.sql(AGGREGATE), folder / "aggregate", partitioned=True)
    return time.monotonic() - started


def merge_on_keys(folder: Path, transactions: str, customers: str) -> float:
    """The usual MERGE: one new file into the tables that `recompute` has made, on keys alone."""
    spark = _spark()
    started = time.monotonic()
    arrived = spark.read.schema(SALES_DDL).csv(transactions, header=True).dropDuplicates(["TRANSACTION_ID"])
    arrived.selectExpr("*", "date_trunc('HOUR', TRANSACTION_DATE) AS transaction_hour").createOrReplaceTempView("sales")
    spark.read.format("delta").load(str(folder / "customers")).createOrReplaceTempView("people")
    spark.sql(AGGREGATE).createOrReplaceTempView("groups")
    for table, source, keys in (("sales", "sales", ["TRANSACTION_ID"]), ("aggregate", "groups", KEYS)):
        on = " AND ".join(f"target.{key} = source.{key}" for key in keys)
        spark.sql(
            f"MERGE INTO delta.`{folder / table}` AS target USING {source} AS source ON {on} "
            "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
        )
    return time.monotonic() - started


def polars(folder: Path, transactions: str, customers: str) -> float:
    """polars, with delta-rs to write: read all files, overwrite all tables."""
    import polars as pl
    from deltalake import write_deltalake

    started = time.monotonic()
    columns: dict[str, pl.DataType | type[pl.DataType]] = {
        "TRANSACTION_ID": pl.String,
        "CUSTOMER_ID": pl.String,
        "PRODUCT_ID": pl.String,
        "QUANTITY": pl.Int32,
        "PRICE": pl.Decimal(18, 2),
        "TRANSACTION_DATE": pl.Datetime("us"),
    }
    sales = pl.read_csv(transactions, schema=pl.Schema(columns)).unique("TRANSACTION_ID")
    hour = pl.col("TRANSACTION_DATE").dt.truncate("1h").alias("transaction_hour")
    in_utc = pl.col("TRANSACTION_DATE", "transaction_hour").dt.replace_time_zone("UTC")
    sales = sales.with_columns(hour).with_columns(in_utc)
    people = pl.read_csv(customers, schema_overrides={"AGE": pl.Int32})
    write_deltalake(folder / "sales", sales.to_arrow(), partition_by=["transaction_hour"], mode="overwrite")
    write_deltalake(folder / "customers", people.to_arrow(), mode="overwrite")
    amount = (pl.col("QUANTITY").cast(pl.Decimal(38, 2)) * pl.col("PRICE")).sum().alias("AMOUNT")
    groups = sales.group_by(KEYS).agg(
        pl.col("QUANTITY").cast(pl.Int64).sum(), amount, pl.len().cast(pl.Int64).alias("TRANSACTION_COUNT")
    )
    aggregate = groups.join(people, on="CUSTOMER_ID", how="left")
    write_deltalake(folder / "aggregate", aggregate.to_arrow(), partition_by=["transaction_hour"], mode="overwrite")
    return time.monotonic() - started


def duckdb(folder: Path, transactions: str, customers: str) -> float:
    """DuckDB, with delta-rs to write: read all files, overwrite all tables."""
    import duckdb as engine
    from deltalake import write_deltalake

    started = time.monotonic()
    database = engine.connect()
    database.execute("SET TimeZone = 'UTC'")
    names = dict(column.split(" ") for column in SALES_DDL.split(", "))
    types = {"string": "VARCHAR", "int": "INTEGER", "decimal(18,2)": "DECIMAL(18,2)", "timestamp": "TIMESTAMPTZ"}
    columns = ", ".join(f"'{name}': '{types[type_]}'" for name, type_ in names.items())
    database.execute(
        "CREATE TABLE sales AS SELECT DISTINCT ON (TRANSACTION_ID) *, "
        "date_trunc('hour', TRANSACTION_DATE) AS transaction_hour "
        f"FROM read_csv('{transactions}', header = true, columns = {{{columns}}})"
    )
    database.execute(f"CREATE TABLE people AS SELECT * FROM read_csv('{customers}', header = true)")
    sales: Any = database.execute("FROM sales").to_arrow_table()
    people: Any = database.execute("FROM people").to_arrow_table()
    groups: Any = database.execute(AGGREGATE).to_arrow_table()
    write_deltalake(folder / "sales", sales, partition_by=["transaction_hour"], mode="overwrite")
    write_deltalake(folder / "customers", people, mode="overwrite")
    write_deltalake(folder / "aggregate", groups, partition_by=["transaction_hour"], mode="overwrite")
    return time.monotonic() - started


def empty_session(folder: Path, transactions: str, customers: str) -> float:
    """A session under Spark's default settings, and the count of one row."""
    from pyspark.sql import SparkSession

    started = time.monotonic()
    SparkSession.builder.getOrCreate().range(1).count()
    return time.monotonic() - started


def _spark() -> SparkSession:
    from pyspark.sql import SparkSession

    return SparkSession.builder.getOrCreate()


def _overwrite(rows: DataFrame, path: Path, *, partitioned: bool = False) -> None:
    writer = rows.write.format("delta").mode("overwrite")
    (writer.partitionBy("transaction_hour") if partitioned else writer).save(str(path))


CONTENDERS: dict[str, Callable[[Path, str, str], float]] = {
    way.__name__: way for way in (floor, recompute, merge_on_keys, polars, duckdb, empty_session)
}

if __name__ == "__main__":
    name, target, sales_path, customers_path = sys.argv[1:]
    if name not in ("merge_on_keys", "empty_session"):
        shutil.rmtree(target, ignore_errors=True)
    Path(target).mkdir(parents=True, exist_ok=True)
    print(json.dumps({"work_seconds": CONTENDERS[name](Path(target), sales_path, customers_path)}))
