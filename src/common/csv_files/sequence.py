"""By what the newer of two rows with one id is told, as text that sorts as it counts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.csv_files import values
from common.csv_files.feed_format import FeedFormat
from common.csv_files.header import Header
from common.spark.driver_rows import local_rows

# The name of the column, and of its text.
SEQUENCE = "sequence"
OF_THE_FILE = ("_file", "_file_modified")
# A number with as many digits as any file's name or number has here sorts as text.
_DIGITS = 30
_NUMBER = "decimal(38,9)"


def with_sequence(rows: DataFrame, headers: Iterable[Header], format_: FeedFormat) -> DataFrame:
    """Add `sequence`, null where a row has none that is clean. `text.sequence` has the text of it, where the file has.

    Times are UTC in ISO 8601, whole numbers and decimals filled up with zeros; of names, each number is filled up, so
    that sales_9.csv comes before sales_10.csv. Negative numbers are not clean.
    """
    assert format_.sequence is not None
    kind, source = format_.sequence.kind, format_.sequence.source
    if kind == "time":
        return rows.withColumn(SEQUENCE, in_utc(values.typed(F.col(f"text.{SEQUENCE}"), "timestamp", format_, source)))
    if kind == "number":
        number = values.typed(F.col(f"text.{SEQUENCE}"), _NUMBER, format_, source)
        return rows.withColumn(SEQUENCE, F.when(number >= 0, F.lpad(number.cast("string"), _DIGITS + 10, "0")))
    of_files = [(header.file, _sorted_as_counted(header.file_name), header.modified_at) for header in headers]
    known = local_rows(rows.sparkSession, of_files, "file int, name string, at timestamp")
    known = known.select("file", (F.col("name") if kind == "_file" else in_utc(F.col("at"))).alias(SEQUENCE))
    return rows.join(F.broadcast(known), on="file", how="left")


def in_utc(time: Column) -> Column:
    """An instant as text, to the microsecond, the same in any session time zone."""
    seconds = (F.unix_micros(time) / F.lit(1_000_000)).cast("decimal(20,6)")
    wall_clock = F.lit("1970-01-01 00:00:00").cast("timestamp_ntz") + F.make_dt_interval(secs=seconds)
    return F.date_format(wall_clock, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'")


def _sorted_as_counted(name: str) -> str:
    return re.sub(r"[0-9]+", lambda digits: digits[0].zfill(_DIGITS), name)
