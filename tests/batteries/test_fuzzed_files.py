"""Thousands of faulty files, read as docs/explanation/csv.md says, and as DuckDB and Python's csv module do."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Column
from pyspark.sql import functions as F

from common.contract import CUSTOMERS, CUSTOMERS_FEED, SALES, TRANSACTIONS, Feed
from common.csv_files.header import read_headers
from common.errors import DataRefusedError
from common.ingest.batch import read_feed
from common.ingest.rejected import rejected_rows
from common.ingest.rules import load_rules
from common.lake.lake import Lake
from common.landing.listing import list_files
from common.run.shared_settings import conf_dir
from support.batteries import Battery
from support.csv_by_docs import WARNINGS, Reading, read_by_the_docs
from support.csv_parsers import Parsers
from support.fuzzed_dialects import USUAL, Described
from support.fuzzing import BATCH, FuzzedFile, file_with_a_bad_header, fuzzed_file
from support.lakes import Workbench, aggregate_rows, assert_equals_recompute

RULES = load_rules(conf_dir() / "quality.yml")
# One batch in so many is also loaded into a lake, and one file in so many is followed by one with a bad header.
_BATCHES_A_LOAD = 5
_FILES_A_BAD_HEADER = 8
# When so many files differ, the battery ends early; so many are shown.
_ENOUGH, _SHOWN = 30, 10

Values = tuple[Any, ...]


@dataclass
class Totals:
    """What was read and compared."""

    files: int = 0
    rows: int = 0
    rows_accepted: int = 0
    read_alike: int = 0
    described_alike: int = 0
    descriptions: int = 0
    files_refused: int = 0
    loads: int = 0
    problems: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Fail with what went wrong, if anything did."""
        assert not self.problems, f"{len(self.problems)} files differ:\n" + "\n\n".join(self.problems[:_SHOWN])


def test_files_with_faults_are_read_as_documented(bench: Workbench) -> None:
    totals = Totals()
    compare_batch(bench, 1, range(40), Parsers(bench.folder), totals)
    totals.check()
    assert totals.read_alike > 10
    assert totals.described_alike > 3
    assert totals.rows_accepted > 100


@pytest.mark.battery
def test_fuzzed_files(bench: Workbench, battery: Battery) -> None:
    """Half of the files are in other dialects, each read by a description of its own kind. Compared for every file: the
    typed values of each accepted row; line, text and reasons of each refused one; the sum of QUANTITY x PRICE; that
    both kinds add up to the rows read. Compared with what the page on CSV says, written down a second time in
    csv_by_docs.py; and the accepted rows of each file in which Python's csv module (strict) and DuckDB (strict) find
    the same rows, also with what DuckDB makes of these, from bytes to typed values. In a file that is described, the
    rows that Python's csv module finds are typed as the page says. Files in which the page is stricter than RFC 4180 on
    purpose (such as quoted lines that look like rows) are compared with the first alone. Files with a bad header must
    be refused by name. A share of the batches is loaded into a lake, and its tables compared.
    """
    files, totals, parsers = battery.rounds(2000), Totals(), Parsers(bench.folder)
    expected: dict[Feed, dict[str, Values]] = {TRANSACTIONS: {}, CUSTOMERS_FEED: {}}
    for start in range(0, files, BATCH):
        numbers = range(start, min(start + BATCH, files))
        readings = compare_batch(bench, battery.seed, numbers, parsers, totals)
        if len(totals.problems) > _ENOUGH:
            break
        if start // BATCH % _BATCHES_A_LOAD == 0 and not totals.problems:
            _compare_load(bench, battery.seed, readings, expected)
            totals.loads += 1
    totals.check()
    assert totals.read_alike > totals.files / 3
    battery.passed(
        f"{totals.files:,} files, {totals.rows:,} rows ({totals.rows_accepted:,} accepted), 0 differences, "
        f"by {totals.descriptions:,} descriptions and without; {totals.read_alike:,} files also read by Python's csv, "
        f"{totals.read_alike - totals.described_alike:,} of them by DuckDB; "
        f"{totals.files_refused:,} files refused for their headers; {totals.loads} loads of {BATCH}"
    )


def compare_batch(
    bench: Workbench, seed: int, numbers: range, parsers: Parsers, totals: Totals
) -> dict[FuzzedFile, Reading]:
    """Read the files of these numbers with our reader and the others; returns what they hold by our rules."""
    readings: dict[FuzzedFile, Reading] = {}
    for feed in (TRANSACTIONS, CUSTOMERS_FEED):
        files = [file for file in (fuzzed_file(seed, number) for number in numbers) if file.feed is feed]
        if not files:
            continue
        readings |= {file: read_by_the_docs(file.content, feed, file.described, file.name) for file in files}
        for described in dict.fromkeys(file.described for file in files):
            alike = [file for file in files if file.described == described]
            folder = bench.folder / f"{feed.name}_{alike[0].number:05}"
            folder.mkdir()
            for file in alike:
                bench.file(folder / file.name, file.stored)
            _compare_files(bench, seed, folder, alike, readings, parsers, totals)
            shutil.rmtree(folder)
            totals.descriptions += bool(described.text)
        for file in files[::_FILES_A_BAD_HEADER]:
            totals.problems += _check_refused(bench, seed, file_with_a_bad_header(seed, file.number))
            totals.files_refused += 1
    return readings


def _compare_files(
    bench: Workbench,
    seed: int,
    folder: Path,
    files: list[FuzzedFile],
    readings: dict[FuzzedFile, Reading],
    parsers: Parsers,
    totals: Totals,
) -> None:
    try:
        found = _read(bench, folder, files[0])
    except Exception as error:
        file = next((file for file in files if _fails(bench, folder, file)), None)
        raise AssertionError(_message(seed, file, f"the reader fails: {error}") if file else str(error)) from error
    # A file without rows may be the same as another one, which is told by its fingerprint.
    for file in files:
        reading, ours = readings[file], found.of_file.get(file.name, Found())
        by_parsers = None if reading.is_stricter else parsers.accepted(file)
        for what, left, right in _comparisons(ours, reading, by_parsers, file.feed):
            if left != right:
                totals.problems.append(_message(seed, file, f"{what}: {_difference(left, right)}"))
                break
        totals.files += 1
        totals.rows += len(reading.rows)
        totals.rows_accepted += len(ours.accepted)
        totals.read_alike += by_parsers is not None
        totals.described_alike += by_parsers is not None and file.described != USUAL
    rows = [row for file in files for row in readings[file].rows]
    counts = (found.rows_read, found.rejected), (len(rows), sum(not row.is_accepted for row in rows))
    if counts[0] != counts[1]:
        totals.problems.append(f"seed {seed}, {folder.name}: rows read and rejected: ours, theirs {counts}")


@dataclass
class Found:
    """What our reader makes of one file: values of rows, (line, text, reasons) of refused ones, and the money."""

    accepted: list[Values] = field(default_factory=list)
    refused: list[tuple[int, str, list[str]]] = field(default_factory=list)
    amount: Decimal | None = None


@dataclass
class FoundFiles:
    """What our reader makes of a folder, by the names of the files."""

    of_file: dict[str, Found]
    rows_read: int
    rejected: int


def _read(bench: Workbench, path: Path, file: FuzzedFile) -> FoundFiles:
    """What our reader makes of the files at a path, which are of the same feed and description as the given one."""
    feed = file.feed
    lake = Lake(bench.spark, str(bench.folder / "no_lake"), None, None)
    table = SALES if feed is TRANSACTIONS else CUSTOMERS
    batch = read_feed(lake, feed, table, str(path), RULES, file.described.format, skip_loaded=False)
    try:
        found: dict[str, Found] = defaultdict(Found)
        names = {file.order: Path(file.path).name for file in batch.files}
        for order, *values in batch.accepted.select("file", *_plain_columns(feed)).collect():
            found[names[order]].accepted.append(tuple(values))
        refused = rejected_rows(batch, "run", "2025-01-01T00:00:00Z", None)
        for path_, line, raw, reasons in refused.select("file", "line_number", "raw_line", "reasons").collect():
            found[Path(path_).name].refused.append((line, raw, sorted(reasons)))
        if feed is TRANSACTIONS:
            sums = batch.accepted.groupBy("file").agg(F.sum(F.col("QUANTITY") * F.col("PRICE")))
            for order, amount in sums.collect():
                found[names[order]].amount = amount
        return FoundFiles(found, batch.rows_read, batch.rejected)
    finally:
        batch.unpersist()


def _plain_columns(feed: Feed) -> list[Column]:
    """The columns of a feed, times as microseconds since 1970."""
    return [F.unix_micros(c.name) if c.type == "timestamp" else F.col(c.name) for c in feed.columns]


def _comparisons(
    ours: Found, reading: Reading, by_parsers: list[Values] | None, feed: Feed
) -> Iterator[tuple[str, object, object]]:
    rows = [row.values for row in reading.rows if row.is_accepted]
    refused = [(row.line, row.raw, sorted(set(row.reasons) - WARNINGS)) for row in reading.rows if not row.is_accepted]
    yield "accepted rows, beside the docs", Counter(ours.accepted), Counter(rows)
    yield "refused rows, beside the docs", Counter(map(repr, ours.refused)), Counter(map(repr, refused))
    if by_parsers is not None:
        yield "accepted rows, beside DuckDB and csv", Counter(ours.accepted), Counter(by_parsers)
    if feed is TRANSACTIONS:
        for name, accepted in (("the docs", rows), ("DuckDB and csv", rows if by_parsers is None else by_parsers)):
            amount = sum((quantity * price for _, _, _, quantity, price, _ in accepted), Decimal(0))
            yield f"sum of QUANTITY x PRICE, beside {name}", ours.amount or Decimal(0), amount


def _difference(left: object, right: object) -> str:
    if isinstance(left, Counter) and isinstance(right, Counter):
        return f"only ours {list(left - right)[:3]}, only theirs {list(right - left)[:3]}"
    return f"ours {left}, theirs {right}"


def _message(seed: int, file: FuzzedFile, what: str) -> str:
    return (
        f"seed {seed}, file {file.number} ({file.name}): {what}\n{file.described.text}{file.content!r:.1500}\n"
        f"The whole file: fuzzed_file({seed}, {file.number}); again: pytest -m battery -k fuzzed_files --seed {seed}"
    )


def _fails(bench: Workbench, folder: Path, file: FuzzedFile) -> bool:
    try:
        _read(bench, folder / file.name, file)
    except Exception:
        return True
    return False


def _check_refused(bench: Workbench, seed: int, file: FuzzedFile) -> list[str]:
    path = bench.file(bench.folder / file.name, file.stored)
    try:
        read_headers(bench.spark, list_files(bench.spark, str(path)).files, file.feed)
        refusal = "none"
    except DataRefusedError as error:
        refusal = str(error)
    path.unlink()
    if str(path) in refusal:
        return []
    return [_message(seed, file, f"file_with_a_bad_header: it must be refused by name, and this is said: {refusal}")]


def _compare_load(
    bench: Workbench, seed: int, readings: dict[FuzzedFile, Reading], expected: dict[Feed, dict[str, Values]]
) -> None:
    """Load the files of a batch into the lake, which then holds what is expected of these and the batches before. Files
    with a row that is enough to refuse the run are left out, and one of them must refuse it.
    """
    refusals = {file: reason for file, reading in readings.items() if (reason := _refusal(reading))}
    folder = bench.folder / f"batch_{min(file.number for file in readings):05}"
    for number, described in enumerate(dict.fromkeys(file.described for file in readings)):
        places = {feed: folder / str(number) / feed.name for feed in expected}
        alike = {f: r for f, r in readings.items() if f.described == described and f not in refusals}
        for feed, place in places.items():
            place.mkdir(parents=True)
            for file in alike:
                if file.feed is feed:
                    bench.file(place / file.name, file.stored)
                    _take_over(expected[feed], file, alike[file])
        outcome = bench.load(
            *_options(bench, described), transactions=places[TRANSACTIONS], customers=places[CUSTOMERS_FEED]
        )
        assert outcome.exit_code == 0, f"{outcome.error}\n{described.text}"
        for feed in expected:
            rows_read = sum(len(reading.rows) for file, reading in alike.items() if file.feed is feed)
            assert outcome.ledger(feed.name).get("rows_read", 0) == rows_read, f"{folder.name}: {described.text}"
    stored = {
        TRANSACTIONS: {tuple(row) for row in bench.table(SALES.name).select(*_plain_columns(TRANSACTIONS)).collect()},
        CUSTOMERS_FEED: set(bench.rows(CUSTOMERS.name)),
    }
    for feed, rows in expected.items():
        difference = _difference(Counter(stored[feed]), Counter(set(rows.values())))
        assert stored[feed] == set(rows.values()), f"seed {seed}, {folder.name}: {feed.name}: {difference}"
    amount = sum((quantity * price for _, _, _, quantity, price, _ in expected[TRANSACTIONS].values()), Decimal(0))
    assert sum(row[8] for row in aggregate_rows(bench)) == amount, f"seed {seed}, {folder.name}: sum of AMOUNT"
    assert_equals_recompute(bench)

    versions = bench.versions()
    for file in list(refusals)[:1]:
        path = bench.file(folder / file.name, file.stored)
        paths = {"transactions": bench.transactions, "customers": bench.customers, file.feed.name: path}
        refused = bench.load(*_options(bench, file.described), **paths)
        assert (refused.exit_code, refusals[file] in refused.error) == (3, True), _message(seed, file, refused.error)
    assert bench.versions() == versions
    shutil.rmtree(folder)


def _refusal(reading: Reading) -> str | None:
    """The rule by which a file refuses the run, where it has rows that do."""
    broken = {reason for row in reading.rows for reason in row.reasons}
    return next((rule for rule in ("encoding_is_valid", "header_is_the_only_one") if rule in broken), None)


def _options(bench: Workbench, described: Described) -> list[str]:
    """The arguments by which a run reads files as described."""
    if not described.text:
        return []
    feeds = bench.folder / "feeds.yml"
    feeds.write_text(described.text, encoding="utf-8")
    return [f"--feeds={feeds}"]


def _take_over(held: dict[str, Values], file: FuzzedFile, reading: Reading) -> None:
    """What the lake holds after a file: one row per id, unless the file has several with different values and nothing
    says that the last one counts.
    """
    key = file.feed.column_names.index(file.feed.key)
    rows_of: dict[str, list[Values]] = defaultdict(list)
    for row in reading.rows:
        if row.is_accepted:
            rows_of[row.values[key]].append(row.values)
    last_counts = file.described.format.last_counts
    held.update({id_: rows[-1] for id_, rows in rows_of.items() if last_counts or len(set(rows)) == 1})
