"""A few rows that the driver knows, as a DataFrame. For those of createDataFrame, executors have to start Python."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from common.spark.times import json_value

# Without it, spark.sql.legacy.timeParserPolicy takes microseconds for milliseconds.
_TIME = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"
_in_microseconds = partial(json_value, timespec="microseconds")


def local_rows(spark: SparkSession, rows: Sequence[Sequence[object]], ddl: str) -> DataFrame:
    """The rows, each with a value for every column of `ddl` in order: None, a text, a number, a time with its zone, or
    a list or mapping of these, where a mapping stands for a struct or a map.
    """
    names = _one_row(spark).select(F.from_json(F.lit("{}"), ddl).alias("row")).select("row.*").columns
    text = json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=_in_microseconds)
    parsed = F.from_json(F.lit(text), f"array<struct<{ddl}>>", {"mode": "FAILFAST", "timestampFormat": _TIME})
    return _one_row(spark).select(F.inline(parsed))


def no_rows(spark: SparkSession, ddl: str) -> DataFrame:
    """No row, with the columns of `ddl`."""
    return local_rows(spark, [], ddl)


def _one_row(spark: SparkSession) -> DataFrame:
    return spark.range(0, 1, 1, numPartitions=1)
