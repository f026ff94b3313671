"""Files of a feed that are read as a description says, each row accepted or rejected, without a lake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common.contract import CUSTOMERS, SALES, TRANSACTIONS, Feed
from common.csv_files.description import load_descriptions
from common.csv_files.feed_format import FeedFormat
from common.ingest.batch import Batch, read_feed
from common.ingest.rejected import rejected_rows
from common.ingest.rules import load_rules
from common.lake.lake import Lake
from common.run.shared_settings import conf_dir
from jobs import load_sales
from support.lakes import Outcome, Workbench

RULES = load_rules(conf_dir() / "quality.yml")


def format_by(bench: Workbench, feed: Feed, description: str) -> FeedFormat:
    """How a feed is read by the text of a description."""
    path = bench.folder / "feeds.yml"
    path.write_text(description, encoding="utf-8")
    return load_descriptions(path, "utf-8", "UTC")[feed.name].format


def read(bench: Workbench, feed: Feed, description: str, path: Path | None = None) -> Batch:
    """The files of a feed that have arrived, or those at a path, read by a description and checked."""
    lake = Lake(bench.spark, str(bench.lake), None, None)
    folder, table = (bench.transactions, SALES) if feed is TRANSACTIONS else (bench.customers, CUSTOMERS)
    format_ = format_by(bench, feed, description)
    return read_feed(lake, feed, table, str(path or folder), RULES, format_, skip_loaded=True)


def load_by(bench: Workbench, feeds: Path, *options: str) -> Outcome:
    """Run load_sales with a file of descriptions, rejecting as much as need be."""
    return bench.run(load_sales, f"--feeds={feeds}", f"--lake={bench.lake}", "--max-rejected-share=1", *options)


def accepted(batch: Batch) -> list[tuple[Any, ...]]:
    """The values of each accepted row, in the feed's order of columns; a time as text in UTC."""
    columns = [
        f"CAST({column.name} AS STRING)" if column.type == "timestamp" else column.name for column in batch.feed.columns
    ]
    return sorted(map(tuple, batch.accepted.selectExpr(*columns).collect()), key=repr)


def rejected(batch: Batch) -> dict[str, list[str]]:
    """The reasons of each rejected row, by its raw line."""
    rows = rejected_rows(batch, "run", "2025-01-01T00:00:00Z", None).select("raw_line", "reasons").collect()
    return {raw: sorted(reasons) for raw, reasons in rows}
