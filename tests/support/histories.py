"""Steps of which the history of a lake is made: files of every kind arrive, people meddle, and loads that are checked.

A failure prints the steps as calls of these methods, which can be made again on a History of a fresh Workbench.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from support import meddling
from support.arriving_rows import HEADERS, VALUES
from support.expected_lake import ExpectedFeed, ExpectedLake, File, Loaded, Values, differences
from support.lakes import (
    Outcome,
    Workbench,
    aggregate_rows,
    arrow,
    assert_did_as_planned,
    recomputed_by_duckdb,
)

SALES, CUSTOMERS, AGGREGATE = "sales_data_partitioned", "customers", "customer_aggregated_data"
REJECTED, RUNS = "rejected_rows", "pipeline_runs"
TABLES = (SALES, CUSTOMERS, AGGREGATE, REJECTED, RUNS)
TABLE_OF = {"transactions": SALES, "customers": CUSTOMERS}
KEY_OF_MEDDLING = {SALES: "TRANSACTION_ID", CUSTOMERS: "CUSTOMER_ID", AGGREGATE: "PRODUCT_ID"}


def told(method: Callable[..., None]) -> Callable[..., None]:
    """Have a history know its steps, as calls that can be made again."""

    @wraps(method)
    def tell_and_do(self: History, **given: Any) -> None:
        self.told.append(f"{method.__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})")
        self.tally["steps"] += 1
        method(self, **given)

    return tell_and_do


class History:
    """One lake and what happens to it, a rule a step. After a load, every table must be what ExpectedLake says."""

    def __init__(self, bench: Workbench, tally: Counter[str] | None = None, name: str = "this history") -> None:
        self.bench = bench
        self.tally = Counter() if tally is None else tally
        self.name = name
        self.told: list[str] = []
        self.expected = ExpectedLake()
        self.options: tuple[str, ...] = ()
        self.files: dict[str, dict[str, File]] = {feed: {} for feed in HEADERS}
        # The versions that a table can be restored to, each with the rows that it has.
        self.versions: dict[str, dict[int, dict[str, Values]]] = {SALES: {}, CUSTOMERS: {}, AGGREGATE: {}}
        self.loads = 0
        self.runs = 0
        self.has_news = True
        self.is_meddled_with = False

    def feed(self, table: str) -> ExpectedFeed:
        return self.expected.sales if table == SALES else self.expected.customers

    def rows_that_came(self, feed: str) -> list[str]:
        """The rows of all files that have as many values as the header, each once. A header that was repeated is none:
        with another value in it, it would be that of another file, which refuses the run.
        """
        rows = dict.fromkeys(row for file in self.files[feed].values() for row in file.rows)
        return [row for row in rows if len(next(csv.reader([row]))) == len(VALUES[feed]) and row != HEADERS[feed]]

    def targets(self) -> list[tuple[str, str]]:
        """The rows that someone may change: of sales and customers by id, of the aggregate by product."""
        products = {values[1] for values in self.expected.sales.rows.values()}
        return [
            *[(SALES, key) for key in self.expected.sales.rows],
            *[(CUSTOMERS, key) for key in self.expected.customers.rows],
            *[(AGGREGATE, product) for product in sorted(products)],
        ]

    def restorable(self) -> list[tuple[str, int]]:
        """The versions before the newest whose files are still there, each with its table."""
        return [(table, at) for table, versions in self.versions.items() for at in versions if at < max(versions)]

    @told
    def files_arrive(self, sales: list[str], more_sales: list[str], people: list[str]) -> None:
        self._arrive("transactions", sales)
        self._arrive("customers", people)
        self._arrive("transactions", more_sales)

    @told
    def sales_arrive(self, lines: list[str]) -> None:
        self._arrive("transactions", lines)

    @told
    def people_arrive(self, lines: list[str]) -> None:
        self._arrive("customers", lines)

    @told
    def a_file_comes_again(self, file: tuple[str, str], how: str) -> None:
        feed, name = file
        rows = self.files[feed][name].rows
        self._arrive(feed, rows[::-1] if "reversed" in how else rows, how, name if "same path" in how else None)

    @told
    def rows_come_again_in_other_files(self, file: tuple[str, str], joined: int, pieces: int) -> None:
        """Some files joined, from this one on, and cut into pieces."""
        feed, first = file
        names = sorted(name for name in self.files[feed] if name >= first)[:joined]
        rows = [row for name in names for row in self.files[feed][name].rows]
        for piece in range(pieces):
            self._arrive(feed, rows[piece::pieces])

    @told
    def maintain(self, table: str, how: str, engine: str) -> None:
        """Changes no row and does not count as meddling; but VACUUM takes the older versions away."""
        path = self.bench.path(table)
        version = DeltaTable(path).version()
        (meddling.vacuum if how == "VACUUM" else meddling.optimize)(self.bench.spark, path, engine)
        if table in self.versions:
            if how == "VACUUM":
                self.versions[table] = {at: rows for at, rows in self.versions[table].items() if at >= version}
            self._note_version(table)

    @told
    def restore(self, to: tuple[str, int], engine: str) -> None:
        """Files loaded since then stay loaded: only --reload brings their rows back."""
        table, version = to
        meddling.restore(self.bench.spark, self.bench.path(table), engine, version)
        if table != AGGREGATE:
            self.feed(table).rows = dict(self.versions[table][version])
        self._note_meddling(table)

    @told
    def meddle(self, row: tuple[str, str], what: str, engine: str) -> None:
        """Someone changes rows by hand."""
        table, key = row
        spark, path, column = self.bench.spark, self.bench.path(table), KEY_OF_MEDDLING[table]
        rows = {} if table == AGGREGATE else self.feed(table).rows
        if what == "DELETE":
            meddling.delete(spark, path, engine, column, key)
            rows.pop(key, None)
        elif what == "INSERT":
            copy = f"copy_{len(self.told)}"
            meddling.insert_copy(spark, path, column, key, copy)
            rows |= {copy: rows[key]} if key in rows else {}
        elif table == CUSTOMERS:
            meddling.update(spark, path, column, key, "COUNTRY", "'Elsewhere'")
            rows[key] = (*rows[key][:2], "Elsewhere")
        else:
            meddling.update(spark, path, column, key, "QUANTITY", "77")
            rows |= {key: (*rows[key][:2], 77, *rows[key][3:])} if key in rows else {}
        self._note_meddling(table)

    @told
    def runs_are(self, on_serverless: bool) -> None:
        """From now on, jobs run as on serverless compute, or as anywhere else."""
        self.bench.on_serverless = on_serverless

    @told
    def load(self) -> None:
        self._load()

    @told
    def load_everything_again(self) -> None:
        self._load("--reload")

    @told
    def load_after_a_dry_run(self) -> None:
        before = {name: DeltaTable(self.bench.path(name)).version() for name in TABLES if self.loads}
        planned = self.bench.must_load("--dry-run", *self.options)
        after = {name: DeltaTable(self.bench.path(name)).version() for name in TABLES if self.loads}
        self._assert_none([f"the dry run wrote: {before}, {after}"] if before != after else [])
        self.tally["loads"] += 1
        done = self._load()
        assert planned.report is not None
        assert done.report is not None
        same = ("feeds", "rejected_by_reason", "warnings", "moved_sales", "unknown_customer_rows", "groups_touched")
        self._assert_none([f"the dry run said other {k}" for k in same if planned.report[k] != done.report[k]])
        assert_did_as_planned(planned, done)

    def end(self) -> None:
        """Load what was not loaded yet."""
        if self.has_news:
            self.load()
        self.tally["histories"] += 1

    def _arrive(self, feed: str, rows: Sequence[str], how: str = "", name: str | None = None) -> None:
        name = name or f"{feed}_{self.bench.arrivals:03}.csv" + (".gz" if "compressed" in how else "")
        content = "\n".join([HEADERS[feed], *rows, ""]).encode()
        if "CRLF" in how:
            content = content.replace(b"\n", b"\r\n") + b" \r\n\r\n"
        if "byte-order mark" in how:
            content = b"\xef\xbb\xbf" + content
        folder = self.bench.transactions if feed == "transactions" else self.bench.customers
        self.bench.file(folder / name, gzip.compress(content) if name.endswith(".gz") else content)
        self.files[feed][name] = File(name, self.bench.arrivals, HEADERS[feed], tuple(rows))
        self.has_news = True

    def _note_version(self, table: str) -> None:
        rows = {} if table == AGGREGATE else dict(self.feed(table).rows)
        self.versions[table][DeltaTable(self.bench.path(table)).version()] = rows

    def _note_meddling(self, table: str) -> None:
        """The aggregate is recomputed whole after a commit that is not a run's, but a commit it must be."""
        version = DeltaTable(self.bench.path(table)).version()
        if version not in self.versions[table]:
            self._note_version(table)
            self.has_news = self.is_meddled_with = True

    def _load(self, *options: str) -> Outcome:
        before = self.bench.versions()
        rows = {table: dict(self.feed(table).rows) for table in (SALES, CUSTOMERS)}
        refused = len(self.expected.rejected)
        loaded = {
            feed: self.feed(table).load(self.files[feed].values(), everything_again="--reload" in options)
            for feed, table in TABLE_OF.items()
        }
        outcome = self.bench.must_load(*self.options, *options)
        self.loads += 1
        self.runs += 1
        self.tally["loads"] += 1
        changes = {table: self.feed(table).rows != rows[table] for table in (SALES, CUSTOMERS)}
        changes[REJECTED] = len(self.expected.rejected) != refused
        self._assert_none(
            [
                *wrong_counts(outcome, loaded, self.expected),
                *wrong_rows(self.bench, self.expected),
                *self._wrong_versions(before, changes, outcome),
            ]
        )
        for table in self.versions:
            self._note_version(table)
            if not before:
                self.versions[table][0] = {}
        self.has_news = self.is_meddled_with = False
        return outcome

    def _wrong_versions(self, before: dict[str, int], changes: dict[str, bool], outcome: Outcome) -> list[str]:
        """A table gets a version where its rows change, and only there; the aggregate at most where something did."""
        assert outcome.report is not None
        wrong = []
        after = self.bench.versions()
        if before:
            wrong += [
                f"{table} went from version {before[table]} to {after[table]}"
                for table, should_change in changes.items()
                if (before[table] != after[table]) != should_change
            ]
            is_quiet = not any(changes.values()) and not self.is_meddled_with
            if is_quiet != outcome.report["changed_nothing"] or (is_quiet and before != after):
                wrong.append(f"versions went from {before} to {after}")
        whole = outcome.report["recomputed_whole"]
        if (whole is not None) != (self.is_meddled_with or not before):
            wrong.append(f"recomputed whole: {whole}")
        if len(arrow(self.bench.path(RUNS))) != self.runs:
            wrong.append(f"pipeline_runs has not {self.runs} rows")
        return wrong

    def _assert_none(self, wrong: list[str]) -> None:
        steps = [f"    history.{step}" for step in self.told]
        assert not wrong, "\n".join([f"In {self.name}, after", *steps, "it is wrong that", *wrong])


def wrong_counts(outcome: Outcome, loaded: dict[str, Loaded], lake: ExpectedLake) -> list[str]:
    """Where the report of a run does not count what the model counts."""
    assert outcome.report is not None
    wrong = []
    for feed, expected in loaded.items():
        counts = next(ledger for ledger in outcome.report["feeds"] if ledger["feed"] == feed)
        counts = {name: count for name, count in counts.items() if count and name != "feed"}
        reasons = {
            name.removeprefix(f"{feed}."): rule["rows"]
            for name, rule in outcome.report["rejected_by_reason"].items()
            if name.startswith(f"{feed}.")
        }
        if counts != +expected.counts:
            wrong.append(f"{feed}: {counts} instead of {+expected.counts}")
        if reasons != expected.reasons:
            wrong.append(f"{feed}: rejected for {reasons} instead of {expected.reasons}")
    unknown = lake.unknown_customer_rows(loaded["transactions"])
    if outcome.report["unknown_customer_rows"] != unknown:
        wrong.append(f"{outcome.report['unknown_customer_rows']} sales of unknown customers instead of {unknown}")
    return wrong


def wrong_rows(bench: Workbench, expected: ExpectedLake) -> list[str]:
    """Where the tables, read by delta-rs, do not hold what the model holds, or its aggregate as DuckDB computes it."""
    sales, customers = expected.sales_table, expected.customers_table
    refused = [
        (feed, file.rpartition("/")[2], line_number, raw_line, tuple(sorted(reasons)))
        for feed, file, line_number, raw_line, reasons in bench.rows(
            REJECTED, "feed", "file", "line_number", "raw_line", "reasons"
        )
    ]
    return [
        *differences(SALES, bench.rows(SALES), rows_of(sales)),
        *differences(CUSTOMERS, bench.rows(CUSTOMERS), rows_of(customers)),
        *differences(REJECTED, refused, expected.rejected),
        *differences(AGGREGATE, aggregate_rows(bench), recomputed_by_duckdb(sales, customers)),
    ]


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table.to_pylist()]
