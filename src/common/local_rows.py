"""A few rows that the driver knows, as a DataFrame. For those of createDataFrame, executors have to start Python."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


def local_rows(spark: SparkSession, rows: Sequence[Sequence[object]], ddl: str) -> DataFrame:
    """The rows, each with a value for every column of `ddl` in order: None, a text, a number, a time with its zone, or
    a list or mapping of these, where a mapping stands for a struct or a map.
    """
    names = no_rows(spark, ddl).columns
    text = json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=datetime.isoformat)
    parsed = F.from_json(F.lit(text), f"array<struct<{ddl}>>", {"mode": "FAILFAST"})
    return spark.range(1).select(F.inline(parsed))


def no_rows(spark: SparkSession, ddl: str) -> DataFrame:
    """No row, with the columns of `ddl`. Spark leaves out of its plans what comes to nothing with them."""
    nothing = spark.range(1).where(F.lit(False))
    return nothing.select(F.from_json(F.lit("{}"), ddl).alias("row")).select("row.*")
