"""Rows that a file replaces in the lake though a newer file was loaded before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pyspark.sql import functions as F

from common.contract import CUSTOMERS, CUSTOMERS_FEED, SALES
from common.ingest.changes import Decision
from common.ingest.loaded_files import loaded_files
from common.lake.lake import Lake
from common.spark.times import instant_of


@dataclass(frozen=True)
class ReplacedByOlder:
    """Rows that `file` replaces, of which some may have come from `newer_file`, the newest that was loaded before, or
    from others: `newer_files` in all are newer than `file`. The lake does not keep the file of a row.
    """

    feed: str
    file: str
    rows: int
    newer_file: str
    newer_files: int


def replaced_by_older(lake: Lake, decision: Decision) -> list[ReplacedByOlder]:
    """By file, the rows that a feed replaces from files older (by modification time) than one of an earlier run."""
    batch = decision.batch
    if not decision.replaced_rows or decision.outcomes is None or batch.format.sequence:
        return []
    loaded = loaded_files(lake, batch.feed, CUSTOMERS if batch.feed is CUSTOMERS_FEED else SALES)
    if loaded is None:
        return []
    oldest = (min(file.modified_at for file in batch.files) - instant_of(0)) // timedelta(microseconds=1)
    files = loaded.select("path", F.unix_micros("modified_at").alias("micros"))
    newer = files.where(F.col("micros") > oldest).distinct()
    in_order = sorted((instant_of(row["micros"]), row["path"]) for row in newer.collect())
    if not in_order:
        return []
    replacing = decision.outcomes.where("is_change AND current_values IS NOT NULL")
    rows = {row["file"]: row["count"] for row in replacing.groupBy("file").count().collect()}
    found = []
    for file in batch.files:
        if file.order not in rows:
            continue
        newer_paths = [path for at, path in in_order if at > file.modified_at and path != file.path]
        if newer_paths:
            count = len(set(newer_paths))
            found.append(ReplacedByOlder(batch.feed.name, file.path, rows[file.order], newer_paths[-1], count))
    return found
