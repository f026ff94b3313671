"""The files that forecasts may be given beside the sales: days on which nothing can sell, and what is in stock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from common.errors import ConfigError
from common.spark.failures import SPARK_ERRORS


def closed_days_in(path: str) -> list[str]:
    """The days of a file, in order, as ISO 8601 has them: one a line, and after a # is a remark. Raises ConfigError
    where the file cannot be read, or a line is no day.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"closed_days: {path} cannot be read: {error}.") from error
    days = set()
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            days.add(date.fromisoformat(text).isoformat())
        except ValueError:
            raise ConfigError(f"closed_days: {path}, line {number}: {text} is no day such as 2026-12-25.") from None
    return sorted(days)


@dataclass(frozen=True)
class Stock:
    """PRODUCT_ID and STOCK, one row per product, and a digest by which another content is known."""

    rows: DataFrame
    digest: str


def stock_in(spark: SparkSession, path: str) -> Stock:
    """What a CSV file with the columns PRODUCT_ID and STOCK says. Raises ConfigError where it cannot be read, or where
    a row is not clean.
    """
    try:
        lines = spark.read.option("header", True).csv(path)
        if set(lines.columns) != {"PRODUCT_ID", "STOCK"}:
            raise ConfigError(
                f"stock: {path} has the columns {', '.join(lines.columns)}; they should be PRODUCT_ID and STOCK."
            )
        trimmed = lines.select(F.trim("PRODUCT_ID").alias("PRODUCT_ID"), F.trim("STOCK").alias("STOCK"))
        is_units = F.coalesce(F.col("STOCK").rlike("^[0-9]{1,18}$"), F.lit(False))
        products = trimmed.groupBy("PRODUCT_ID").agg(
            F.count(F.lit(1)).alias("rows"), F.count_if(~is_units).alias("unclean"), F.max("STOCK").alias("STOCK")
        )
        wrong = products.where("rows > 1 OR unclean > 0").orderBy("PRODUCT_ID").head(1)
        digest, rows = products.agg(F.bit_xor(F.xxhash64("PRODUCT_ID", "STOCK")), F.count(F.lit(1))).collect()[0]
    except SPARK_ERRORS as error:
        raise ConfigError(f"stock: {path} cannot be read as CSV.") from error
    if wrong:
        product, times, _, units = wrong[0]
        problem = "is there more than once" if times > 1 else f"has no whole number of units: {units or 'nothing'}"
        raise ConfigError(f"stock: {path}: PRODUCT_ID {product} {problem}.")
    return Stock(products.select("PRODUCT_ID", F.col("STOCK").cast("bigint")), f"{rows}:{digest}")
