"""Every record of a file as typed columns beside its raw line.

Files are read as lines of bytes and each line is parsed by itself, so that a large file is read by many tasks, a bad
line harms no other, and every line is kept as it stood. Only a file in which a line has an odd number of quotes may
hold records of several lines; such a file is read again by `stitched_lines`. See docs/explanation/csv.md.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from common.contract import Feed
from common.csv_files import values
from common.csv_files.dialect import Dialect
from common.csv_files.encoding import decoded, is_decodable
from common.csv_files.files import InputFile, read_text
from common.csv_files.header import columns_in
from common.spark.driver_rows import local_rows

# A quoted value that spans more lines than this is taken for a quote that was never closed.
MAX_LINES_OF_A_RECORD = 1000
# More separators than this in one line stop Spark's parser with an error.
_MAX_SEPARATORS = 1000
# A value in quotes may hold anything, its own quotes doubled. Any other holds no line break and does not start with a
# quote, after spaces or not: parsers disagree about those.
_VALUE = r'(?:"[^"]*+(?:""[^"]*+)*+"|[ \t]*+(?:[^" \t,\r\n][^,\r\n]*+)?)'
_RECORD = rf"^{_VALUE}(?:,{_VALUE})*+\z"


def read_lines(spark: SparkSession, files: list[InputFile]) -> DataFrame:
    """One row per line: `file` (its order), `block` (offset of the part of the file that one task reads),
    `position` (counts up within a block, with a start of its own) and `line`, the bytes as they are.
    """
    orders = local_rows(spark, [(file.uri, file.order) for file in files], "uri string, file int")
    lines = read_text(spark, files).select(
        F.col("value").alias("line"),
        F.col("_metadata.file_path").alias("uri"),
        F.col("_metadata.file_block_start").alias("block"),
        F.monotonically_increasing_id().alias("position"),
    )
    return lines.join(F.broadcast(orders), on="uri", how="inner").select("file", "block", "position", "line")


def stitched_lines(lines: DataFrame, feed: Feed) -> DataFrame:
    """The lines with those that a quoted value spans put together again, one row per record.

    A line with an odd number of quotes opens or closes such a value. Lines are joined (by a line feed, whatever broke
    them) only where the result is a record by the book, and none of them looks like a row in its own right; otherwise
    a quote is astray, and each line stands for itself, so that a stray quote costs its own line and not the rest of
    the file. `block` is 0 and `position` counts lines.
    """
    of_file = Window.partitionBy("file").orderBy("block", "position")
    lines_before = of_file.rowsBetween(Window.unboundedPreceding, -1)
    lines_so_far = of_file.rowsBetween(Window.unboundedPreceding, 0)
    of_record = Window.partitionBy("file", "first_line")
    is_inside_quotes = F.coalesce(F.sum(_quotes_in("line") % 2).over(lines_before), F.lit(0)) % 2 == 1

    numbered = (
        lines.withColumn("number", F.row_number().over(of_file))
        .withColumn("is_inside_quotes", is_inside_quotes)
        .withColumn("first_line", F.max(F.when(~F.col("is_inside_quotes"), F.col("number"))).over(lines_so_far))
        .withColumn("lines", F.count(F.lit(1)).over(of_record))
    )
    is_too_long = F.col("lines") > MAX_LINES_OF_A_RECORD
    grouped = (
        numbered.withColumn("first_line", F.when(is_too_long, F.col("number")).otherwise(F.col("first_line")))
        .groupBy("file", "first_line")
        .agg(F.array_sort(F.collect_list(F.struct("number", "line"))).alias("parts"))
        .withColumn("joined", F.array_join("parts.line", "\n"))
    )
    separators = len(feed.columns) - 1
    looks_like_a_row = F.expr(
        f"forall(parts.line, line -> length(line) - length(replace(line, ',')) = {separators}) OR "
        f"exists(slice(parts.line, 2, greatest(size(parts) - 2, 0)), line -> NOT contains(line, '\"') AND "
        f"length(line) - length(replace(line, ',')) = {separators})"
    )
    is_whole = (F.size("parts") > 1) & F.col("joined").rlike(_RECORD) & ~looks_like_a_row
    whole = F.array(F.struct(F.col("first_line").alias("number"), F.col("joined").alias("line")))
    return grouped.select(
        "file",
        F.lit(0).cast("bigint").alias("block"),
        F.inline(F.when(is_whole, whole).otherwise(F.col("parts"))).alias("position", "line"),
    ).withColumn("position", F.col("position").cast("bigint"))


def parse(lines: DataFrame, headers: dict[int, str], feed: Feed, dialect: Dialect) -> DataFrame:
    """One row per line: the feed's columns typed (null where not clean), `text` with the same as text, `raw_line`,
    where it stood (`file`, `block`, `position`), and is_blank, is_header, is_decodable, is_well_formed, has_open_quote.
    """
    layouts: dict[tuple[str, ...], list[int]] = {}
    for file, header in headers.items():
        layouts.setdefault(tuple(columns_in(header)), []).append(file)
    parsed = [
        _parse_layout(
            lines.where(F.col("file").isin(files)), columns, {headers[file] for file in files}, dialect.encoding
        )
        for columns, files in layouts.items()
    ]
    flags = ["file", "block", "position", "raw_line", "is_blank", "is_header", "is_decodable", "is_well_formed"]
    flags += ["has_open_quote"]
    in_feed_order = F.struct(*[F.col(f"text.{name}").alias(name) for name in feed.column_names]).alias("text")
    text = reduce(DataFrame.unionByName, [layout.select(*flags, in_feed_order) for layout in parsed])
    columns = [
        values.typed(F.col(f"text.{column.name}"), column.type, dialect.time_zone).alias(column.name)
        for column in feed.columns
    ]
    rows = computed_once(text, "text").select(*flags, "text", *columns)
    return computed_once(rows, *feed.column_names)


def _parse_layout(lines: DataFrame, columns: tuple[str, ...], headers: set[str], encoding: str) -> DataFrame:
    is_header = F.col("line").cast("binary").isin([F.lit(header.encode("iso-8859-1")) for header in sorted(headers)])
    raw_line = F.col("raw_line")
    rows = lines.select(
        "file",
        "block",
        "position",
        decoded(F.col("line"), encoding).alias("raw_line"),
        is_decodable(F.col("line"), encoding).alias("is_decodable"),
        is_header.alias("is_header"),
    )
    may_be_blank = raw_line.startswith(" ") | raw_line.startswith("\t") | (raw_line == "")
    has_quotes = raw_line.contains('"')
    rows = rows.select(
        "*",
        (may_be_blank & (F.btrim(raw_line, F.lit(" \t")) == "")).alias("is_blank"),
        F.when(has_quotes, _quotes_in("raw_line") % 2 == 1).otherwise(F.lit(False)).alias("has_open_quote"),
        # Spark's parser takes ten times as long as a split, and is left the lines that need it.
        F.when(has_quotes, _parsed_fields(raw_line, columns)).otherwise(F.split(raw_line, ",")).alias("fields"),
        raw_line.contains("\t").alias("has_tabs"),
    )
    rows = computed_once(rows, "fields", "has_tabs")
    is_well_formed = F.coalesce(F.size("fields") == len(columns), F.lit(False))
    text = [
        F.when(is_well_formed, values.cleaned_text(F.get("fields", F.lit(index)), F.col("has_tabs"))).alias(column)
        for index, column in enumerate(columns)
    ]
    return rows.select(
        *[name for name in rows.columns if name not in ("fields", "has_tabs")],
        is_well_formed.alias("is_well_formed"),
        F.struct(*text).alias("text"),
    )


def _parsed_fields(line: Column, columns: tuple[str, ...]) -> Column:
    """The values of a line with quotes, or null where it is no record by the book with as many as there are columns."""
    separators = F.octet_length(line) - F.octet_length(F.replace(line, F.lit(",")))
    is_parseable = (separators <= _MAX_SEPARATORS) & line.rlike(_RECORD)
    schema = ", ".join(f"`{column}` string" for column in ("_start", *columns, "_malformed"))
    options = {
        "mode": "PERMISSIVE",
        "columnNameOfCorruptRecord": "_malformed",
        "escape": '"',
        # Else this is the zero character, which the parser then drops from values in quotes. No line holds a CR.
        "charToEscapeQuoteEscaping": "\r",
    }
    # An empty value comes first, since the parser drops what looks like a byte-order mark from the start.
    record = F.from_csv(F.when(is_parseable, F.concat(F.lit(","), line)), schema, options)
    values_in_order = F.array(*[record[column] for column in columns])
    return F.when(is_parseable & record["_malformed"].isNull(), values_in_order)


def computed_once(rows: DataFrame, *columns: str) -> DataFrame:
    """The same rows, whose given columns are computed once each, however often later expressions name them.

    Spark writes the expression of a column into every place that uses it, and a parser or a pattern is then run dozens
    of times for one row. It does not do that across a generator.
    """
    others = [name for name in rows.columns if name not in columns]
    return rows.select(*others, F.inline(F.array(F.struct(*columns))))


def _quotes_in(column: str) -> Column:
    """How many quotes a line has, in any encoding: counted in bytes, since characters may not be valid."""
    return F.octet_length(column) - F.octet_length(F.replace(F.col(column), F.lit('"')))
