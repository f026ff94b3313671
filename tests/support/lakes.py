"""A lake in a temporary folder, with input files beside it, driven through the job's own command line."""

from __future__ import annotations

import io
import json
import os
import shutil
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from jobs import load_sales
from support.canaries import Canaries, Searched
from support.project import ROOT
from support.report_schema import check_report
from support.serverless import refusals

SALES_HEADER = "TRANSACTION_ID,CUSTOMER_ID,PRODUCT_ID,QUANTITY,PRICE,TRANSACTION_DATE"
CUSTOMERS_HEADER = "CUSTOMER_ID,NAME,AGE,COUNTRY"
REAL_DATA = ROOT.parent / "shared" / "data"

needs_real_data = pytest.mark.skipif(
    not (REAL_DATA / "transactions.csv").exists(), reason="the real files are not beside the project"
)


@dataclass
class Outcome:
    """What one run of the command left: exit code, the report (None where it failed), and what it printed."""

    exit_code: int
    report: dict[str, Any] | None
    error: str

    def ledger(self, feed: str = "transactions") -> dict[str, int]:
        """The counts of a feed that are not zero, without those of files."""
        assert self.report is not None, self.error
        counts = next(ledger for ledger in self.report["feeds"] if ledger["feed"] == feed)
        return {k: v for k, v in counts.items() if v and k not in ("feed", "files", "files_skipped")}

    def reasons(self) -> dict[str, int]:
        assert self.report is not None, self.error
        return {rule.partition(".")[2]: count["rows"] for rule, count in self.report["rejected_by_reason"].items()}


@dataclass
class Workbench:
    """Files arrive in the order in which they are written; the lake is loaded through the command line."""

    spark: SparkSession
    folder: Path
    arrivals: int = field(default=0)
    canaries: Canaries = field(default_factory=lambda: Canaries(Searched()))
    on_serverless: bool = False

    def __post_init__(self) -> None:
        self.lake = self.folder / "lake"
        self.transactions = self.folder / "transactions"
        self.customers = self.folder / "customers"
        self.transactions.mkdir()
        self.customers.mkdir()

    def sales(self, *lines: str, name: str | None = None, header: str = SALES_HEADER) -> Path:
        """A transactions file of the given lines."""
        return self.file(self.transactions / (name or f"sales_{self.arrivals:03}.csv"), "\n".join([header, *lines, ""]))

    def people(self, *lines: str, name: str | None = None, header: str = CUSTOMERS_HEADER) -> Path:
        """A customers file of the given lines."""
        return self.file(self.customers / (name or f"people_{self.arrivals:03}.csv"), "\n".join([header, *lines, ""]))

    def file(self, path: Path, content: str | bytes) -> Path:
        """A file that arrived after the ones before, and long enough ago to be trusted by its time."""
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if isinstance(content, str):
            self.canaries.add(content)
        self.arrivals += 1
        os.utime(path, (1_700_000_000 + self.arrivals, 1_700_000_000 + self.arrivals))
        return path

    def load(self, *options: str, transactions: Path | None = None, customers: Path | None = None) -> Outcome:
        """Run load_sales on everything that has arrived, rejecting as much as need be unless told otherwise."""
        arguments = [
            f"--transactions={transactions or self.transactions}",
            f"--customers={customers or self.customers}",
            *([] if any(option.startswith("--schema") for option in options) else [f"--lake={self.lake}"]),
            "--max-rejected-share=1",
            *options,
        ]
        return self.run(load_sales, *arguments)

    def run(self, job: ModuleType, *arguments: str) -> Outcome:
        """Run a job through its command line, with a report in JSON."""
        exit_code, output, error = self.printed_by(job, *arguments, "--json")
        if exit_code == 0:
            check_report(output)
        return Outcome(exit_code, json.loads(output) if exit_code == 0 else None, error)

    def printed_by(self, job: ModuleType, *arguments: str) -> tuple[int, str, str]:
        """The exit code of a job, and what it prints on standard output and standard error."""
        output, error = io.StringIO(), io.StringIO()
        limits = refusals(self.spark) if self.on_serverless else nullcontext()
        with redirect_stdout(output), redirect_stderr(error), limits:
            exit_code = job.main([*arguments])
        self.canaries.search_output(output.getvalue() + error.getvalue())
        return exit_code, output.getvalue(), error.getvalue()

    def start_with(self, prepared: Workbench) -> None:
        """Take a copy of the lake and files of a bench that several tests share."""
        for path in (prepared.lake, prepared.transactions, prepared.customers):
            shutil.copytree(path, self.folder / path.name, dirs_exist_ok=True)
        self.arrivals = prepared.arrivals
        self.canaries.names |= prepared.canaries.names
        self.canaries.lines |= prepared.canaries.lines

    def must_load(self, *options: str) -> Outcome:
        outcome = self.load(*options)
        assert outcome.exit_code == 0, outcome.error
        return outcome

    def path(self, table: str) -> str:
        return str(self.lake / table)

    def table(self, name: str) -> DataFrame:
        """The table as Spark reads it."""
        return self.spark.read.format("delta").load(self.path(name))

    def rows(self, name: str, *columns: str) -> list[tuple[Any, ...]]:
        """The table as delta-rs reads it, ordered, without Spark."""
        table = arrow(self.path(name))
        wanted = list(columns) or table.column_names
        return sorted((tuple(row[c] for c in wanted) for row in table.to_pylist()), key=repr)

    def versions(self) -> dict[str, int]:
        """The newest version of each table, as delta-rs reads it."""
        tables = sorted(path.parent.name for path in self.lake.glob("*/_delta_log"))
        return {name: DeltaTable(self.path(name)).version() for name in tables if name != "pipeline_runs"}

    def rejected(self) -> dict[str, list[str]]:
        """The reasons of each refused row, by its raw line."""
        found = self.rows("rejected_rows", "raw_line", "reasons")
        return {raw: sorted(reasons) for raw, reasons in found}


def assert_did_as_planned(planned: Outcome, done: Outcome) -> None:
    """The commits of a run changed as many rows, files and bytes as its plan says, in the same tables."""
    assert planned.report is not None, planned.error
    assert done.report is not None, done.error
    assert _without_empty(done.report["written"]) == _without_empty(planned.report["plan"]["tables"])


def _without_empty(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that touch a row or file: the first commit of an aggregate without rows only says what it belongs to."""
    return [change for change in changes if any(count for name, count in change.items() if name != "table")]


def arrow(path: str) -> pa.Table:
    """A Delta table as delta-rs reads it."""
    return DeltaTable(path).to_pyarrow_table()


def recomputed_by_duckdb(sales: pa.Table, customers: pa.Table) -> list[tuple[Any, ...]]:
    """The aggregate as another engine joins and groups the two source tables, in the aggregate's column order."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    database.register("sales", sales)
    database.register("customers", customers)
    groups = database.execute(
        """
        SELECT CUSTOMER_ID, any_value(NAME), any_value(AGE), any_value(COUNTRY), PRODUCT_ID,
               CAST(sum(QUANTITY) AS BIGINT), transaction_hour, sum(QUANTITY * CAST(PRICE AS DECIMAL(38, 2))), count(*)
        FROM sales LEFT JOIN customers USING (CUSTOMER_ID)
        GROUP BY CUSTOMER_ID, PRODUCT_ID, transaction_hour
        """
    ).fetchall()
    return sorted(
        (
            (customer, name, age, country, product, units, _price(amount, units), _utc(hour), amount, count)
            for customer, name, age, country, product, units, hour, amount, count in groups
        ),
        key=repr,
    )


def aggregate_rows(bench: Workbench) -> list[tuple[Any, ...]]:
    """The stored aggregate, as delta-rs reads it."""
    return sorted(
        ((*row[:7], _utc(row[7]), *row[8:]) for row in bench.rows("customer_aggregated_data")),
        key=repr,
    )


def assert_equals_recompute(bench: Workbench) -> None:
    """The invariant of invariants: the stored aggregate is the full join-and-group, cell by cell."""
    sources = arrow(bench.path("sales_data_partitioned")), arrow(bench.path("customers"))
    assert aggregate_rows(bench) == recomputed_by_duckdb(*sources)


def _price(amount: Decimal, units: int) -> Decimal | None:
    if units == 0:
        return None
    with localcontext(prec=60):
        price = (amount / units).quantize(Decimal("0.000001"), rounding=ROUND_HALF_UP)
    return price if abs(price) < 10**16 else None


def _utc(time: Any) -> str:
    assert time.tzinfo is not None
    return str(int(time.timestamp()))
