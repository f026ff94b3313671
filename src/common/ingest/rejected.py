"""Rejected rows: as they are stored, and read again by the rules, settings and corrections of now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import REJECTED, Column, Feed, Table
from common.csv_files import records
from common.csv_files.feed_format import USUAL_FORMAT, FeedFormat, in_utf8
from common.csv_files.header import Header, names_in, read_headers
from common.errors import DataRefusedError
from common.ingest.batch import FORGOTTEN_RULE, REDACTED, ROW, Batch, checked
from common.ingest.block_summary import BlockSummary, summarize
from common.ingest.changes import Decision, decide
from common.ingest.forgotten import hashes_of_forgotten
from common.ingest.rules import QualityRules, names_of
from common.lake.lake import Lake
from common.landing.files import InputFile
from common.landing.listing import list_files
from common.landing.unreadable import damaged_files_refused
from common.spark.driver_rows import local_rows, no_rows
from common.spark.session import keep
from common.spark.times import instant_of

CORRECTIONS = Feed(
    name="corrections",
    key="rejected_id",
    columns=(
        Column("REJECTED_ID", "string", "Which row of rejected_rows"),
        Column("CORRECTED_LINE", "string", "The row as it should have stood in its file"),
    ),
    # Why each row was rejected, for the person who corrects it.
    passed_over=("REASONS",),
)

_SOURCE = ("file", "header", "run_id", "is_corrected")


@dataclass(frozen=True)
class RejectedBatch(Batch):
    """Rows of rejected_rows as an batch: no file has a header, and positions are the lines that the rows came from."""

    @property
    def rows_read(self) -> int:
        return sum(block.rows + block.headers for block in self.blocks)

    @property
    def rejected(self) -> int:
        return sum(block.rejected for block in self.blocks)

    def _line(self, bases: dict[tuple[int, int], int], block: BlockSummary, position: int) -> int:
        return position


@dataclass(frozen=True)
class Reread:
    """What becomes of a feed's rejected rows. `released` are those that leave, by rejected_id, one row each.

    `superseded` rows are good by themselves, but the lake has their id with other values by now, and nobody corrected
    them: what came later stays, and so do they.
    """

    decision: Decision
    released: DataFrame
    superseded: int


def read_corrections(lake: Lake, path: str | None, *, follow_links: bool = False) -> DataFrame:
    """Corrected lines by rejected_id; raises DataRefusedError where the file is not clear or names an unknown row."""
    if path is None:
        return no_rows(lake.spark, "rejected_id string, corrected_line string")
    files = list_files(lake.spark, path, follow_links=follow_links).files
    with damaged_files_refused(files):
        headers = read_headers(lake.spark, files, CORRECTIONS)
    files = [file for file in files if file.order in headers]
    if not files:
        raise DataRefusedError(f"{path} holds no line: a file of corrections starts with REJECTED_ID,CORRECTED_LINE.")
    rows = records.parse(records.read_lines(lake.spark, files), headers, CORRECTIONS, USUAL_FORMAT)
    rows = rows.where(~F.col("is_blank") & ~F.col("is_header"))
    rejected = lake.read(REJECTED, lake.version(REJECTED)).select(F.col("rejected_id").alias("known_id"))
    found = (
        rows.join(rejected, on=F.col("REJECTED_ID") == F.col("known_id"), how="left")
        .groupBy("REJECTED_ID")
        .agg(
            F.count(F.lit(1)).alias("lines"),
            F.bool_and(F.col("is_decodable") & F.col("is_well_formed") & F.col("CORRECTED_LINE").isNotNull()).alias(
                "is_clear"
            ),
            F.bool_and(F.col("known_id").isNotNull()).alias("is_known"),
        )
    )
    with damaged_files_refused(files):
        unclear = found.where("lines > 1 OR NOT is_clear OR NOT is_known").limit(1).collect()
    for row in unclear:
        problem = (
            "is no line of REJECTED_ID,CORRECTED_LINE by the rules of CSV: quote values that hold commas or quotes"
        )
        if row["is_clear"]:
            problem = "stands there twice" if row["lines"] > 1 else "is not in rejected_rows; was it released already?"
        raise DataRefusedError(f"{path}: {row['REJECTED_ID']} {problem}. No table was changed.")
    return rows.select(F.col("REJECTED_ID").alias("rejected_id"), F.col("CORRECTED_LINE").alias("corrected_line"))


def read_rejected(
    lake: Lake,
    feed: Feed,
    table: Table,
    rules: QualityRules,
    format_: FeedFormat,
    corrections: DataFrame,
    known_customers: list[DataFrame],
) -> Reread:
    """Read the feed's rejected rows again and decide what becomes of each."""
    is_kept = (F.col("feed") == feed.name) & (F.col("raw_line") != REDACTED)
    stored = lake.read(REJECTED, lake.version(REJECTED)).where(is_kept).join(corrections, on="rejected_id", how="left")
    stored = stored.withColumn("is_corrected", F.col("corrected_line").isNotNull())
    sources = _sources(stored)
    lines = stored.join(F.broadcast(sources), on=list(_SOURCE), how="inner").select(
        F.col("order").alias("file"),
        F.lit(0).cast("bigint").alias("block"),
        F.col("line_number").alias("position"),
        F.coalesce("corrected_line", "raw_line").alias("line"),
        "rejected_id",
        "is_corrected",
    )
    places = sources.orderBy("order").collect()
    files = [InputFile(row["order"], row["file"], row["file"], 0, instant_of(0)) for row in places]
    headers = {
        row["order"]: Header(
            row["header"], names_in(row["header"]), file=row["order"], file_name=row["file"].rpartition("/")[2]
        )
        for row in places
    } or {0: Header(",".join(feed.column_names), tuple(feed.column_names))}
    rows = checked(lines.select(*ROW, "line"), headers, feed, rules, in_utf8(format_), hashes_of_forgotten(lake))
    rows = rows.join(lines.select(*ROW, "rejected_id", "is_corrected"), on=list(ROW), how="inner")

    held = lake.read(table, lake.version(table)).select(feed.key, F.struct(*feed.values).alias("held_values"))
    is_superseded = (
        ~F.col("is_rejected")
        & F.col("held_values").isNotNull()
        & ~F.col("held_values").eqNullSafe(F.struct(*feed.values))
        & ~F.col("is_corrected")
    )
    rows = rows.join(held, on=feed.key, how="left").withColumn("is_superseded", is_superseded).drop("held_values")
    kept = [rows] if keep(rows) else []
    superseded = rows.where("is_superseded").count()
    read = rows.where("NOT is_superseded")
    batch = RejectedBatch(
        feed=feed,
        rejecting=names_of(rules.all_of_feed(feed.name), "reject", "fail"),
        listed=files,
        files=files,
        headers=headers,
        fingerprints={},
        rows=read,
        raw_lines=lines.select(*ROW, F.col("line").alias("raw_line")),
        kept=kept,
        blocks=summarize(read),
        format=format_,
    )
    decision = decide(lake, batch, table, lake.version(table), rules, known_customers)
    ledger = replace(
        decision.ledger,
        rows_read=decision.ledger.rows_read + superseded,
        rejected=decision.ledger.rejected + superseded,
    )
    accepted = rows.limit(0) if decision.outcomes is None else decision.outcomes.where(~F.col("is_rejected"))
    released = accepted.select(*ROW).join(lines.select(*ROW, "rejected_id"), on=list(ROW), how="inner")
    return Reread(replace(decision, ledger=ledger), released.select("rejected_id"), superseded)


def rejected_rows(batch: Batch, run_id: str, started_at: str, together: DataFrame | None) -> DataFrame:
    """The rejected rows as the rejected_rows table has them; `together` adds those rejected beside others."""
    rows = batch.rows.where(F.col("is_rejected") & ~F.col("is_blank")).select(
        *ROW, "raw_line", "is_header", F.col("broken_rules").alias("reasons")
    )
    if together is not None:
        reasons = together.select(*ROW, F.col("broken_rules").alias("reasons"))
        lines = batch.raw_lines.join(reasons, on=list(ROW), how="left_semi")
        others = reasons.join(lines, on=list(ROW), how="left").withColumn("is_header", F.lit(False))
        rows = rows.unionByName(others)
    bases = batch.line_bases()
    places = local_rows(
        rows.sparkSession,
        [
            (
                block.file,
                block.block,
                bases[block.file, block.block] - block.first_position + 1,
                batch.path(block.file),
                batch.headers[block.file].text,
                batch.headers[block.file].row,
                batch.fingerprints[block.file],
            )
            for block in batch.blocks
        ],
        "file int, block bigint, base bigint, path string, header string, header_row int, fingerprint string",
    )
    line_number = (F.col("position") + F.col("base")).alias("line_number")
    is_forgotten = F.array_contains("reasons", FORGOTTEN_RULE)
    # Rows that were read again in other parts than before would find no place, which the table refuses.
    located = rows.join(F.broadcast(places), on=["file", "block"], how="left").select(
        F.lit(batch.feed.name).alias("feed"),
        F.col("path").alias("file"),
        line_number,
        "header",
        F.when(is_forgotten, REDACTED).otherwise(F.col("raw_line")).alias("raw_line"),
        F.array_intersect("reasons", F.array(*[F.lit(rule) for rule in batch.rejecting])).alias("reasons"),
        "is_header",
        "header_row",
        "fingerprint",
    )
    identity = F.concat_ws("\n", "feed", "file", "fingerprint", F.col("line_number").cast("string"), "raw_line")
    return (
        located.where(~(F.col("is_header") & (F.col("line_number") <= F.col("header_row"))))
        .withColumn("rejected_id", F.sha2(identity, 256))
        .withColumn("run_id", F.lit(run_id))
        .withColumn("rejected_at", F.lit(started_at).cast("timestamp"))
        .select(*REJECTED.column_names)
    )


def _sources(stored: DataFrame) -> DataFrame:
    """The files that rejected rows came from, each with its `order` of arrival.

    The same path in two runs is two files. Corrected rows are a file of their own and come last: of two rows with one
    id that contradict each other, naming one among the corrections is enough.
    """
    by_file = stored.groupBy(*_SOURCE).agg(F.min("rejected_at").alias("at")).collect()
    in_order = sorted(by_file, key=lambda row: (row["is_corrected"], row["at"], row["file"], row["run_id"]))
    return local_rows(
        stored.sparkSession,
        [(order, *[row[name] for name in _SOURCE]) for order, row in enumerate(in_order)],
        "order int, file string, header string, run_id string, is_corrected boolean",
    )
