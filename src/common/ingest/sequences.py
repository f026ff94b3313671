"""Which of the rows with one id counts, by the sequence they came with, whatever the order in which they come.

`row_sequences` has the highest sequence of each id, and a hash of the row that had it. It is written after the rows:
what a crash leaves out comes again with the same files, which count as loaded only at the end of a run.
"""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.contract import REJECTED, ROW_SEQUENCES, Feed, Table
from common.csv_files.sequence import SEQUENCE, in_utc
from common.lake.commit_note import CommitNote
from common.lake.commits import Commit
from common.lake.lake import Lake

UNAMBIGUOUS_RULES = {"transactions": "transaction_is_unambiguous", "customers": "customer_is_unambiguous"}


def with_order(rows: DataFrame, lake: Lake, feed: Feed) -> DataFrame:
    """Add what the sequences say of each row, among those of this run and beside the lake's.

    `is_outdated`: a row of its id with a higher sequence came. `is_contradicted`: the rows of its id with the highest
    sequence do not say the same, so that none of them counts. `is_unambiguous` and `is_duplicate` as without sequences.
    `is_news`: row_sequences lacks what this row says of its id; true of one row per id at most.
    """
    content, content_hash = F.struct(*feed.values), F.xxhash64(*feed.values)
    of_id = Window.partitionBy(feed.key)
    is_top = F.col(SEQUENCE) == F.col("top")
    rows = (
        rows.withColumn("key_hash", F.sha2(feed.key, 256))
        .join(_known(lake, feed), on="key_hash", how="left")
        .withColumn("top", F.max(SEQUENCE).over(of_id))
    )
    is_behind = F.coalesce(F.col("known_sequence") > F.col("top"), F.lit(False))
    is_level = F.coalesce(F.col("known_sequence") == F.col("top"), F.lit(False))
    known_counts = F.col("known_content").isNotNull()
    lowest, highest = (part(F.when(is_top, content)).over(of_id) for part in (F.min, F.max))
    top_hash = F.max(F.when(is_top, content_hash)).over(of_id)
    agrees_with_lake = ~is_level | (known_counts & F.coalesce(F.col("known_content") == top_hash, F.lit(False)))
    is_contradicted = ~is_behind & ~(lowest.eqNullSafe(highest) & agrees_with_lake)
    rows = rows.withColumns(
        {"is_outdated": is_behind | ~is_top, "is_contradicted": is_contradicted, "is_level": is_level}
    )
    by_arrival = Window.partitionBy(feed.key, "is_outdated").orderBy("file", "block", "position")
    counts, is_first = ~F.col("is_outdated"), F.row_number().over(by_arrival) == 1
    is_unambiguous = F.col("is_outdated") | ~F.col("is_contradicted")
    return rows.withColumns(
        {
            "is_unambiguous": is_unambiguous,
            "is_duplicate": counts & is_unambiguous & ~is_first,
            "is_news": counts & is_first & (~F.col("is_level") | (F.col("is_contradicted") & known_counts)),
        }
    ).drop("known_sequence", "known_content", "top")


def take_over(lake: Lake, feed: Feed, outcomes: DataFrame, note: CommitNote) -> Commit | None:
    """Have row_sequences say what the rows of a run say, in one commit or none."""
    lake.create([ROW_SEQUENCES])
    content_hash = F.when(~F.col("is_contradicted"), F.xxhash64(*feed.values))
    # A row that is rejected for another reason says nothing of its id.
    news = outcomes.where("is_news AND (is_contradicted OR NOT is_rejected)").select(
        F.lit(feed.name).alias("feed"), "key_hash", SEQUENCE, content_hash.alias("content_hash")
    )
    return None if news.isEmpty() else lake.merge(ROW_SEQUENCES, news, hours=None, note=note)


def withdrawn(outcomes: DataFrame, table: Table) -> DataFrame:
    """The rows that the lake holds under ids of which nobody can tell what they are: one row per such id. `is_level`:
    whether it came with the sequence of those that contradict it, else with a lower one.
    """
    is_theirs = F.col("is_rejected") & F.col("is_contradicted") & F.col("current_values").isNotNull()
    key = table.key[0]
    others = [F.col(f"current_values.{name}").alias(name) for name in table.column_names if name != key]
    return outcomes.where(is_theirs).dropDuplicates([key]).select(key, *others, "is_level")


def as_rejected(rows: DataFrame, feed: Feed, place: str, run_id: str, started_at: datetime) -> DataFrame:
    """Withdrawn rows that contradict others, as rejected_rows has them: lines of CSV from the table that they stood in.
    One with a lower sequence is outdated, and goes as any row does that a newer one replaces.
    """
    texts = [_as_text(F.col(column.name), column.type).alias(column.name) for column in feed.columns]
    raw_line = F.to_csv(F.struct(*texts), {"escape": '"', "charToEscapeQuoteEscaping": '"', "emptyValue": ""})
    identity = F.concat_ws("\n", F.lit(feed.name), F.lit(place), F.lit("0"), raw_line)
    return (
        rows.where("is_level")
        .select(
            F.sha2(identity, 256).alias("rejected_id"),
            F.lit(feed.name).alias("feed"),
            F.lit(place).alias("file"),
            F.lit(0).cast("bigint").alias("line_number"),
            F.lit(",".join(feed.column_names)).alias("header"),
            raw_line.alias("raw_line"),
            F.array(F.lit(UNAMBIGUOUS_RULES[feed.name])).alias("reasons"),
            F.lit(run_id).alias("run_id"),
            F.lit(started_at.isoformat()).cast("timestamp").alias("rejected_at"),
        )
        .select(*REJECTED.column_names)
    )


def _known(lake: Lake, feed: Feed) -> DataFrame:
    known = lake.read(ROW_SEQUENCES, lake.version(ROW_SEQUENCES)).where(F.col("feed") == feed.name)
    return known.select(
        "key_hash", F.col("sequence").alias("known_sequence"), F.col("content_hash").alias("known_content")
    )


def _as_text(value: Column, type_: str) -> Column:
    return in_utc(value) if type_ == "timestamp" else value.cast("string")
