"""Columns of a feed that a description computes: SQL over the columns of the file, as text, and `_file` and `_line`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import NumericType, StringType

from common.csv_files import values
from common.csv_files.feed_format import FeedFormat, Source
from common.spark.driver_rows import local_rows
from common.spark.expressions import check_types

COMPUTED = "_computed"
_KEPT = "_kept"
_FILE, _LINE = "_file", "_line"


def needs_line_numbers(format_: FeedFormat) -> bool:
    """Whether an expression speaks of the number of a line."""
    return any(_mentions(source, _LINE) for source in format_.columns.values())


def with_expressions(
    rows: DataFrame,
    columns: Mapping[str, Column],
    sources: Mapping[str, Source],
    file_names: Mapping[int, str],
    *,
    of_broken_lines: bool = False,
) -> DataFrame:
    """Add COMPUTED, a struct with the text of each source's expression, null for a row that is not well formed; or
    `of_broken_lines`, and null for the others.

    `columns` are those of the file by their names, `file_names` the names of files by their order; `position` has to be
    the line's number where an expression speaks of it. Raises ConfigError naming the place of SQL that is not valid.
    """
    wide = _wide(rows, columns, sources, file_names)
    is_row = F.col(f"{_KEPT}.is_well_formed") & ~F.col(f"{_KEPT}.is_header")
    if of_broken_lines:
        is_row = ~F.col(f"{_KEPT}.is_well_formed") & ~F.col(f"{_KEPT}.is_blank")
    computed = []
    for name, source in sources.items():
        text = F.when(is_row, _as_text(wide, source))
        computed.append(values.cleaned_text(text, F.lit(True)).alias(name))
    return wide.select(f"{_KEPT}.*", F.struct(*computed).alias(COMPUTED))


def _wide(
    rows: DataFrame, columns: Mapping[str, Column], sources: Mapping[str, Source], file_names: Mapping[int, str]
) -> DataFrame:
    """What the rows have, put together in one column, beside the columns of the file, each under its own name."""
    if any(_mentions(source, _FILE) for source in sources.values()):
        names = local_rows(rows.sparkSession, list(file_names.items()), f"file int, {_FILE} string")
        rows = rows.join(F.broadcast(names), on="file", how="left")
    else:
        rows = rows.withColumn(_FILE, F.lit(None).cast("string"))
    kept = [name for name in rows.columns if name != _FILE]
    times = Counter(name.lower() for name in columns)
    of_file = [
        value.alias(name)
        for name, value in columns.items()
        # One that is there twice cannot be meant by its name.
        if name and times[name.lower()] == 1 and name.lower() not in (_KEPT, _FILE, _LINE)
    ]
    return rows.select(F.struct(*kept).alias(_KEPT), *of_file, _FILE, F.col("position").alias(_LINE))


def _as_text(wide: DataFrame, source: Source) -> Column:
    sql = str(source.expression)
    check_types(wide, {source.place: sql}, (StringType, NumericType), "no text: write an expression that is")
    return F.expr(f"({sql}\n)").cast("string")


def _mentions(source: Source, name: str) -> bool:
    return re.search(rf"\b{name}\b", source.expression or "", re.IGNORECASE) is not None
