"""One feed from its path to rows that may enter the lake, with a count for everything else.

Every row read is accepted or rejected here. What becomes of the accepted ones is decided in changes.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from common.contract import Feed, Table
from common.csv_files import records
from common.csv_files.encoding import decoded
from common.csv_files.expressions import needs_line_numbers
from common.csv_files.feed_format import USUAL_FORMAT, FeedFormat
from common.csv_files.grammar import Grammar
from common.csv_files.header import Header, read_headers
from common.csv_files.sequence import SEQUENCE
from common.errors import DataRefusedError
from common.ingest.block_summary import BlockSummary, fingerprints_of, line_hashes, summarize
from common.ingest.forgotten import (
    CUSTOMER_NAMED,
    check_customer_named,
    hashes_of_forgotten,
    is_about,
    with_customer_named,
)
from common.ingest.ledger import RuleCount
from common.ingest.loaded_files import is_as_last_run_left, listing_to_trust, loaded_files, not_loaded, repeated_files
from common.ingest.rules import QualityRules, check_rules_run, judged, names_of
from common.lake.lake import Lake
from common.landing.files import InputFile
from common.landing.listing import REPEATED, LeftOut, list_files
from common.landing.unreadable import check_line_lengths, damaged_files_refused
from common.spark.driver_rows import no_rows
from common.spark.failures import SPARK_ERRORS
from common.spark.session import keep, unpersist
from common.words import shown

# Where a row stands: what identifies it within the files of a feed.
ROW = ("file", "block", "position")
# Every file breaks this rule once, with its first line.
HEADER_RULE = "header_is_not_repeated"
# Rows that break this one are rejected, and no copy of what they say is kept.
FORGOTTEN_RULE = "customer_is_not_forgotten"
REDACTED = "(forgotten)"


@dataclass(frozen=True)
class Batch:
    """A feed that was read and checked: `files`, of all that were `listed`; the others were loaded before. Those that
    were `left_out` stand under the path, too.

    `rows` holds one row per line, with `raw_line` where it is rejected, and has no columns to speak of where there are
    no files; `kept` are the frames of them that Spark keeps until `unpersist` is called. `raw_lines` has every line,
    read from the files again. `rejecting` are the names of the rules that reject a row.
    """

    feed: Feed
    rejecting: list[str]
    listed: list[InputFile]
    files: list[InputFile]
    headers: dict[int, Header]
    fingerprints: dict[int, str]
    rows: DataFrame
    raw_lines: DataFrame
    kept: list[DataFrame]
    blocks: list[BlockSummary]
    format: FeedFormat = USUAL_FORMAT
    left_out: list[LeftOut] = field(default_factory=list)
    newest_counts: bool = False

    @property
    def skipped(self) -> int:
        """Files that were loaded before."""
        return len(self.listed) - len(self.files)

    @property
    def not_read(self) -> int:
        """Files that were left out without a look at their content."""
        return sum(each.reason != REPEATED for each in self.left_out)

    @property
    def rows_read(self) -> int:
        """Rows in the files, without headers and blank lines."""
        return sum(block.rows + block.headers for block in self.blocks) - self._expected_headers

    @property
    def rejected(self) -> int:
        return sum(block.rejected for block in self.blocks) - self._expected_headers

    @property
    def _expected_headers(self) -> int:
        """How many lines break the rule about headers in files that are as they should be."""
        return sum(len(self.headers[file.order].lines) for file in self.files)

    @property
    def accepted(self) -> DataFrame:
        """The feed's columns of each row that broke no rule that rejects, and where it stood."""
        return self.rows.where(~F.col("is_rejected") & ~F.col("is_blank")).select(*ROW, *self.columns)

    @property
    def columns(self) -> list[str]:
        """The columns of an accepted row: those of the feed, and the sequence where it has one."""
        return [*self.feed.column_names, *([SEQUENCE] if self.format.sequence else [])]

    def broken(self) -> dict[str, RuleCount]:
        """The rules that rows broke, each with its count and the first place."""
        counts: dict[str, RuleCount] = {}
        bases = self.line_bases()
        for block in sorted(self.blocks, key=lambda b: (b.file, b.block)):
            for rule, (rows, position) in block.broken.items():
                line = self._line(bases, block, position)
                place = f"{shown(self.path(block.file))}, line {line}"
                header = self.headers[block.file]
                if rule == HEADER_RULE and line <= header.row:
                    rows, place = rows - len(header.lines), shown(self.path(block.file))
                if rows == 0:
                    continue
                before = counts.get(rule)
                counts[rule] = RuleCount(rows + (before.rows if before else 0), before.first_place if before else place)
        return counts

    def place(self, file: int, block: int, position: int) -> str:
        """Where a row stands, for a person."""
        found = next((b for b in self.blocks if (b.file, b.block) == (file, block)), None)
        if found is None:
            raise DataRefusedError(f"{self.path(file)} was cut into other parts when it was read again: run again.")
        return f"{shown(self.path(file))}, line {self._line(self.line_bases(), found, position)}"

    def listing_to_trust(self, started_at: datetime) -> str | None:
        """What the next run may know its files by; see loaded_files.py."""
        return listing_to_trust(self.listed, started_at, newest_counts=self.newest_counts)

    def unpersist(self) -> None:
        """Free what the rows hold in memory and on local disk."""
        for frame in self.kept:
            unpersist(frame)

    def _line(self, bases: dict[tuple[int, int], int], block: BlockSummary, position: int) -> int:
        return bases[block.file, block.block] + position - block.first_position + 1

    def path(self, order: int) -> str:
        """The file of an order of arrival."""
        return next(file.path for file in self.files if file.order == order)

    def line_bases(self) -> dict[tuple[int, int], int]:
        """How many lines of its file come before each block."""
        bases: dict[tuple[int, int], int] = {}
        lines: dict[int, int] = {}
        for block in sorted(self.blocks, key=lambda b: (b.file, b.block)):
            bases[block.file, block.block] = lines.get(block.file, 0)
            lines[block.file] = lines.get(block.file, 0) + block.lines
        return bases


def read_feed(
    lake: Lake,
    feed: Feed,
    table: Table,
    path: str,
    rules: QualityRules,
    format_: FeedFormat,
    *,
    skip_loaded: bool,
    follow_links: bool = False,
    newest_counts: bool = False,
) -> Batch:
    """Read and check the files of a feed; with `skip_loaded`, those that were not loaded into its table before. A file
    with the content of another is skipped; with `newest_counts`, only where it is no newer than that one.
    """
    spark = lake.spark
    rejecting = names_of(rules.all_of_feed(feed.name), "reject", "fail")
    found = list_files(spark, path, follow_links=follow_links)
    listed = found.files
    loaded, files = None, listed
    if skip_loaded and is_as_last_run_left(lake, feed, table, listed, newest_counts=newest_counts):
        files = []
    elif skip_loaded:
        loaded = loaded_files(lake, feed, table)
        files = not_loaded(loaded, listed)
    headers: dict[int, Header] = {}
    if files:
        with damaged_files_refused(files):
            headers = read_headers(spark, files, feed, format_)
        check_line_lengths(files)
        found.leave_out_empty({file.order for file in files} - headers.keys())
        listed, files = found.files, [file for file in files if file.order in headers]
    if not files:
        none = no_batch(spark, feed, rejecting, listed)
        return replace(none, left_out=found.left_out, newest_counts=newest_counts)
    with damaged_files_refused(files):
        lines = records.read_lines(spark, files)
        if needs_line_numbers(format_):
            lines = records.with_line_numbers(lines)

    row_rules = [*rules.structure, *rules.of_feed(feed.name)]
    forgotten = hashes_of_forgotten(lake)
    rows = checked(lines, headers, feed, rules, format_, forgotten)
    kept = [rows] if keep(rows) else []
    try:
        with damaged_files_refused(files):
            blocks = summarize(rows)
    except SPARK_ERRORS:
        records.check_expressions(lines, headers, feed, format_)
        if forgotten and format_.columns:
            check_customer_named(records.parse(lines, headers, feed, format_), headers, format_)
        parsed = _parsed(lines, headers, feed, format_, forgotten)
        if parsed.count():
            check_rules_run(parsed, row_rules)
        raise

    quoted = sorted({block.file for block in blocks if block.has_open_quote})
    if quoted:
        stitched = records.stitched_lines(lines.where(F.col("file").isin(quoted)), headers, Grammar.of(format_.dialect))
        lines = lines.where(~F.col("file").isin(quoted)).unionByName(stitched)
        kept_headers = {file: header for file, header in headers.items() if file in quoted}
        again = checked(stitched, kept_headers, feed, rules, format_, forgotten)
        kept += [again] if keep(again) else []
        rows = rows.where(~F.col("file").isin(quoted)).unionByName(again)
        blocks = [block for block in blocks if block.file not in quoted] + summarize(again)

    fingerprints = fingerprints_of(blocks)
    known = repeated_files(loaded, files, fingerprints, newest_counts=newest_counts)
    new = [file for file in files if file.order not in known]
    repeating = [file for file in files if known.get(file.order, file.path) != file.path]
    return Batch(
        feed=feed,
        rejecting=rejecting,
        listed=listed,
        files=new,
        headers=headers,
        fingerprints={file.order: fingerprints[file.order] for file in new},
        rows=rows.where(F.col("file").isin([file.order for file in new])),
        raw_lines=lines.select(*ROW, decoded(F.col("line"), format_.dialect.encoding).alias("raw_line")),
        kept=kept,
        blocks=[block for block in blocks if block.file not in known],
        format=format_,
        left_out=[*found.left_out, *[LeftOut(file.path, REPEATED, known[file.order]) for file in repeating]],
        newest_counts=newest_counts,
    )


def no_batch(spark: SparkSession, feed: Feed, rejecting: Sequence[str] = (), listed: Sequence[InputFile] = ()) -> Batch:
    """The batch of a feed of which no file is read: without rows."""
    nothing = no_rows(spark, "file int")
    return Batch(feed, list(rejecting), list(listed), [], {}, {}, nothing, nothing, [], [])


def check_unchanged(spark: SparkSession, path: str, batch: Batch) -> None:
    """Raise DataRefusedError where a file that was read is another one by now."""
    if not batch.files:
        return
    now = {file.path: (file.size, file.modified_at) for file in list_files(spark, path, follow_links=True).files}
    for file in batch.files:
        if now.get(file.path) != (file.size, file.modified_at):
            raise DataRefusedError(f"{file.path} changed while it was read: run again when it is complete.")


def _parsed(
    lines: DataFrame, headers: dict[int, Header], feed: Feed, format_: FeedFormat, forgotten: list[str]
) -> DataFrame:
    """The rows of `records.parse`, and `is_forgotten`: whether the row is about a forgotten customer."""
    rows = records.parse(lines, headers, feed, format_)
    if not forgotten:
        return rows.withColumn("is_forgotten", F.lit(False))
    rows = with_customer_named(rows, headers, format_)
    return rows.withColumn("is_forgotten", is_about(forgotten)).drop(CUSTOMER_NAMED)


def checked(
    lines: DataFrame,
    headers: dict[int, Header],
    feed: Feed,
    rules: QualityRules,
    format_: FeedFormat,
    forgotten: list[str],
) -> DataFrame:
    """One row per line, with its columns typed, `broken_rules`, `is_rejected`, and `raw_line` where it is rejected."""
    rows = _parsed(lines, headers, feed, format_, forgotten)
    rows = judged(rows, feed, format_, rules)
    return (
        rows.withColumns(line_hashes())
        .withColumn("raw_line", F.when(F.col("is_rejected"), F.col("raw_line")))
        .drop(
            "text",
            "is_decodable",
            "is_well_formed",
            "is_forgotten",
            "is_other_header",
        )
    )
