"""What a load would make of the first lines of a file, by the reader and the rules that loads have, without a lake."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from common.contract import CUSTOMERS, CUSTOMERS_FEED, SALES, TRANSACTIONS, Feed
from common.csv_files.feed_format import FeedFormat
from common.describe.findings import Finding
from common.describe.sample import Sample
from common.errors import SalesLakehouseError
from common.ingest.batch import ROW, Batch, read_feed
from common.ingest.changes import decide
from common.ingest.rules import QualityRules, advice_on, names_of
from common.lake.lake import Lake
from common.words import shown

LINES = 100
_TABLES = {TRANSACTIONS.name: SALES, CUSTOMERS_FEED.name: CUSTOMERS}


@dataclass(frozen=True)
class RejectedLine:
    """A line that would be rejected, by which rules, and what a person may do; its number is as in the file."""

    number: int
    rules: tuple[str, ...]
    advice: str


@dataclass(frozen=True)
class Preview:
    """What would be `loaded` of the first `rows_read` rows of a file, in the order of its lines, and what rejected. The
    others repeat those.
    """

    feed: Feed
    path: str
    rows_read: int
    loaded: list[tuple[Any, ...]]
    rejected: list[RejectedLine]


def preview_of(
    spark: SparkSession, finding: Finding, format_: FeedFormat, rules: QualityRules, folder: Path
) -> Preview:
    """Read the first lines of the first file as a load would. `folder` is a private one for a copy of them."""
    sample, feed = finding.look.samples[0], finding.feed
    copy = _copied(sample, finding, folder / feed.name)
    lake = Lake(spark, str(folder / "no-lake"), None, None)
    try:
        batch = read_feed(lake, feed, _TABLES[feed.name], str(copy), rules, format_, skip_loaded=False)
        return _looked_at(lake, batch, rules, sample.path)
    except SalesLakehouseError as error:
        # The copy is nobody's concern.
        raise type(error)(str(error).replace(str(copy), shown(sample.path))) from error


def _looked_at(lake: Lake, batch: Batch, rules: QualityRules, path: str) -> Preview:
    feed, all_rules = batch.feed, rules.all_of_feed(batch.feed.name)
    known = [lake.read(CUSTOMERS, None)] if feed is TRANSACTIONS else []
    decision = decide(lake, batch, _TABLES[feed.name], None, rules, known)
    try:
        alone = batch.rows.where("is_rejected").select(*ROW, "broken_rules").collect()
        together = decision.rejected_together
        beside_others = together.select(*ROW, "broken_rules").collect() if together is not None else []
        loaded = decision.changes.select(*ROW, *feed.column_names).collect()
    finally:
        decision.unpersist()
        batch.unpersist()
    rejecting = set(names_of(all_rules, "reject", "fail"))
    header = next(iter(batch.headers.values())).row
    lines = []
    for *row, broken in [*alone, *beside_others]:
        number = int(batch.place(*row).rpartition(" ")[2])
        if number > header:
            names = tuple(rule for rule in broken if rule in rejecting)
            advice = dict.fromkeys(advice_on(all_rules, rule) or "" for rule in names)
            lines.append(RejectedLine(number, names, " ".join(filter(None, advice))))
    in_order = sorted(loaded, key=lambda row: (row["block"], row["position"]))
    return Preview(
        feed=feed,
        path=path,
        rows_read=batch.rows_read,
        loaded=[tuple(row[name] for name in feed.column_names) for row in in_order],
        rejected=sorted(lines, key=lambda line: line.number),
    )


def _copied(sample: Sample, finding: Finding, folder: Path) -> Path:
    """A copy of the first lines, under the file's own name, which an expression may speak of."""
    dialect = finding.look.dialect
    until = min(len(sample.lines), dialect.header_row + LINES)
    if dialect.quote_char and until < len(sample.lines):
        # A record that goes on below would look as if it were never closed.
        quotes = [line.count(dialect.quote_char) for line in sample.lines[:until]]
        balanced = [end for end in range(dialect.header_row + 1, until + 1) if sum(quotes[:end]) % 2 == 0]
        until = balanced[-1] if balanced else until
    folder.mkdir(mode=0o700)
    name = os.path.basename(sample.path).lower()
    copy = folder / os.path.basename(sample.path)[: -len(Path(name).suffix) if name.endswith((".gz", ".bz2")) else None]
    content = "".join(f"{line}\n" for line in sample.lines[:until])
    with open(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content.encode(sample.encoding))
    return copy
