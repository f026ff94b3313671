"""Every record of a file as typed columns beside its raw line.

Files are read as lines of bytes and each line is parsed by itself, so that a large file is read by many tasks, a bad
line harms no other, and every line is kept as it stood. Only a file in which a line has an odd number of quotes may
hold records of several lines; such a file is read again by `stitched_lines`. See docs/explanation/csv.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from common.contract import GUEST, Feed
from common.csv_files import values
from common.csv_files.encoding import decoded, is_decodable
from common.csv_files.expressions import COMPUTED, with_expressions
from common.csv_files.feed_format import FeedFormat, Source
from common.csv_files.grammar import Grammar
from common.csv_files.header import Header, sources_of
from common.csv_files.sequence import SEQUENCE, with_sequence
from common.errors import ConfigError
from common.landing.files import LONGEST_LINE, InputFile, read_text
from common.spark.driver_rows import local_rows
from common.spark.failures import SPARK_ERRORS
from common.spark.projections import computed_once

# A quoted value that spans more lines than this, or makes a record with more bytes than a line may have, is taken for a
# quote that was never closed.
MAX_LINES_OF_A_RECORD = 1000
_FLAGS = (
    "file",
    "block",
    "position",
    "raw_line",
    "is_blank",
    "is_header",
    "is_decodable",
    "is_well_formed",
    "has_open_quote",
)


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


def with_line_numbers(lines: DataFrame) -> DataFrame:
    """The lines with `position` counting the lines of a file, from 1. Takes a pass over all lines."""
    starts = lines.groupBy("file", "block").agg(F.count(F.lit(1)).alias("lines"), F.min("position").alias("first"))
    bases, lines_before = [], dict[int, int]()
    for file, block, count, first in sorted(starts.collect()):
        before = lines_before.get(file, 0)
        bases.append((file, block, before - first + 1))
        lines_before[file] = before + count
    base = local_rows(lines.sparkSession, bases, "file int, block bigint, base bigint")
    numbered = lines.join(F.broadcast(base), on=["file", "block"], how="inner")
    return numbered.select("file", "block", (F.col("position") + F.col("base")).alias("position"), "line")


def stitched_lines(lines: DataFrame, headers: Mapping[int, Header], grammar: Grammar) -> DataFrame:
    """The lines with those that a quoted value spans put together again, one row per record.

    A line with an odd number of quotes opens or closes such a value. Lines are joined (by a line feed, whatever broke
    them) only where the result is a record by the book, and none of them looks like a row in its own right; otherwise
    a quote is astray, and each line stands for itself, so that a stray quote costs its own line and not the rest of
    the file. `block` is 0 and `position` counts lines.
    """
    widths = [(file, len(header.names) - 1) for file, header in headers.items()]
    width = F.broadcast(local_rows(lines.sparkSession, widths, "file int, delimiters int"))
    of_file = Window.partitionBy("file").orderBy("block", "position")
    lines_before = of_file.rowsBetween(Window.unboundedPreceding, -1)
    lines_so_far = of_file.rowsBetween(Window.unboundedPreceding, 0)
    of_record = Window.partitionBy("file", "first_line")
    # Quotes in the lines above the header, and in it, are no business of the rows.
    header_row = max(header.row for header in headers.values())
    odd = F.when(F.col("number") > header_row, grammar.quotes_in("line") % 2).otherwise(0)
    is_inside_quotes = F.coalesce(F.sum(odd).over(lines_before), F.lit(0)) % 2 == 1

    numbered = (
        lines.withColumn("number", F.row_number().over(of_file))
        .withColumn("is_inside_quotes", is_inside_quotes)
        .withColumn("first_line", F.max(F.when(~F.col("is_inside_quotes"), F.col("number"))).over(lines_so_far))
        .withColumn("lines", F.count(F.lit(1)).over(of_record))
        .withColumn("bytes", F.sum(F.octet_length("line")).over(of_record))
    )
    is_too_long = (F.col("lines") > MAX_LINES_OF_A_RECORD) | (F.col("bytes") > LONGEST_LINE)
    grouped = (
        numbered.withColumn("first_line", F.when(is_too_long, F.col("number")).otherwise(F.col("first_line")))
        .join(width, on="file", how="inner")
        .groupBy("file", "first_line", "delimiters")
        .agg(F.array_sort(F.collect_list(F.struct("number", "line"))).alias("parts"))
        .withColumn("joined", F.array_join("parts.line", "\n"))
    )
    looks_like_a_row = F.forall(
        "parts.line", lambda line: grammar.delimiters_in(line) == F.col("delimiters")
    ) | F.exists(
        F.slice("parts.line", 2, F.greatest(F.size("parts") - 2, F.lit(0))),
        lambda line: ~grammar.may_have_quotes(line) & (grammar.delimiters_in(line) == F.col("delimiters")),
    )
    is_whole = (F.size("parts") > 1) & grammar.is_record(F.col("joined")) & ~looks_like_a_row
    whole = F.array(F.struct(F.col("first_line").alias("number"), F.col("joined").alias("line")))
    return grouped.select(
        "file",
        F.lit(0).cast("bigint").alias("block"),
        F.inline(F.when(is_whole, whole).otherwise(F.col("parts"))).alias("position", "line"),
    ).withColumn("position", F.col("position").cast("bigint"))


def parse(lines: DataFrame, headers: Mapping[int, Header], feed: Feed, format_: FeedFormat) -> DataFrame:
    """One row per line: the feed's columns typed (null where not clean), `sequence` where the format has one, `text`
    with the same as text, `raw_line`, where it stood (`file`, `block`, `position`), and is_blank, is_header,
    is_other_header, is_decodable, is_well_formed, has_open_quote.

    Expressions see the `position` as the line's number.
    """
    layouts: dict[tuple[str, ...], list[int]] = {}
    for file, header in headers.items():
        layouts.setdefault(header.names, []).append(file)
    parsed = [
        _parse_layout(lines.where(F.col("file").isin(files)), [headers[file] for file in files], feed, format_)
        for files in layouts.values()
    ]
    text = reduce(DataFrame.unionByName, parsed)
    sources = sources_of(feed, format_)
    columns = [
        values.typed(F.col(f"text.{column.name}"), column.type, format_, sources[column.name]).alias(column.name)
        for column in feed.columns
    ]
    rows = computed_once(text, "text").select(*_FLAGS, "text", *columns)
    rows = computed_once(rows, *feed.column_names)
    if format_.sequence:
        rows = computed_once(with_sequence(rows, headers.values(), format_), SEQUENCE)
    if format_.allows_guests and feed.key == "CUSTOMER_ID":
        # Where customers are read from sales, a line without one says nothing of a customer.
        is_of_guest = F.col("is_well_formed") & ~F.col("is_header") & F.col("CUSTOMER_ID").isNull()
        rows = rows.withColumn("is_blank", F.col("is_blank") | is_of_guest)
    numbers_and_times = [c.name for c in feed.columns if c.type != "string" and sources[c.name] != Source()]
    is_other_header = _is_other_header(headers.values(), numbers_and_times, Grammar.of(format_.dialect))
    return rows.withColumn("is_other_header", is_other_header)


def check_expressions(lines: DataFrame, headers: Mapping[int, Header], feed: Feed, format_: FeedFormat) -> None:
    """Raise ConfigError naming the first expression that fails on some row; for use when a pass over all has failed."""
    for name, source in sources_of(feed, format_).items():
        if source.expression:
            alone = replace(format_, columns={name: source}, sequence=None)
            try:
                parse(lines, headers, feed, alone).select(F.max(f"text.{name}")).collect()
            except SPARK_ERRORS as error:
                problem = "the expression fails on some rows instead of being null: use try_cast and the like"
                raise ConfigError(f"{source.place}: {problem}.") from error


def _parse_layout(lines: DataFrame, headers: Sequence[Header], feed: Feed, format_: FeedFormat) -> DataFrame:
    """The lines of files whose headers have the same names, with `text` and the flags."""
    dialect, names = format_.dialect, headers[0].names
    grammar = Grammar.of(dialect)
    once = sorted({line.encode("iso-8859-1") for header in headers for line in header.lines})
    raw_line = F.col("raw_line")
    rows = lines.select(
        "file",
        "block",
        "position",
        decoded(F.col("line"), dialect.encoding).alias("raw_line"),
        is_decodable(F.col("line"), dialect.encoding).alias("is_decodable"),
        F.col("line").cast("binary").isin([F.lit(line) for line in once]).alias("is_header"),
    )
    may_be_blank = raw_line.startswith(" ") | raw_line.startswith("\t") | (raw_line == "")
    needs_a_look = grammar.may_have_quotes(raw_line)
    rows = rows.select(
        "*",
        (may_be_blank & (F.btrim(raw_line, F.lit(" \t")) == "")).alias("is_blank"),
        F.when(needs_a_look, grammar.quotes_in("raw_line") % 2 == 1).otherwise(F.lit(False)).alias("has_open_quote"),
        # Patterns take ten times as long as a split, and are left the lines that need them.
        F.when(needs_a_look, grammar.values_of(raw_line)).otherwise(grammar.split(raw_line)).alias("fields"),
        raw_line.contains("\t").alias("has_tabs"),
    )
    rows = computed_once(rows, "fields", "has_tabs")
    # Of a line above the header, nothing is expected.
    is_well_formed = F.coalesce(F.size("fields") == len(names), F.lit(False)) | F.col("is_header")
    rows = rows.withColumn("is_well_formed", is_well_formed)

    def value(index: int) -> Column:
        return values.cleaned_text(F.get("fields", F.lit(index)), F.col("has_tabs"), dialect.missing_values)

    sources = sources_of(feed, format_)
    expressions = {name: source for name, source in sources.items() if source.expression}
    if expressions:
        columns = {name: value(index) for index, name in enumerate(names)}
        rows = with_expressions(rows, columns, expressions, {header.file: header.file_name for header in headers})
    text = {name: F.lit(None).cast("string") for name in sources}
    text |= {name: value(headers[0].places_of(source.headers)[0]) for name, source in sources.items() if source.headers}
    text |= {name: F.col(f"{COMPUTED}.{name}") for name in expressions}
    if format_.allows_guests and feed.key != "CUSTOMER_ID":
        text["CUSTOMER_ID"] = F.coalesce(text["CUSTOMER_ID"], F.lit(GUEST))
    of_row = [F.when(F.col("is_well_formed"), text[name]).alias(name) for name in sources]
    return rows.select(*_FLAGS, F.struct(*of_row).alias("text"))


def _is_other_header(headers: Iterable[Header], numbers_and_times: Sequence[str], grammar: Grammar) -> Column:
    """Whether a line is another header than that of its file, as where two exports were put together: at least half of
    its values are names of columns.
    """
    known = sorted({name.upper() for header in headers for name in header.names if name})
    around = F.lit(f" \t{grammar.quote or ''}")
    words = F.transform(grammar.split(F.upper("raw_line")), lambda word: F.btrim(word, around))
    in_common = F.size(F.array_intersect(words, F.array(*[F.lit(name) for name in known])))
    is_of_names = (in_common >= 2) & (in_common * 2 >= F.size(words))
    is_worth_a_look = ~F.col("is_header")
    if numbers_and_times:
        # Nearly all rows are clean, which costs less to see. A name of a column is no clean number and no time.
        unclean = [F.col(name).isNull() & F.col(f"text.{name}").isNotNull() for name in numbers_and_times]
        is_worth_a_look &= ~F.col("is_well_formed") | reduce(Column.__or__, unclean)
    # Spark works out what stands twice beside an AND for every row, but not what stands in a WHEN.
    return F.when(is_worth_a_look, is_of_names).otherwise(F.lit(False))
