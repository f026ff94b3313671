"""The benchmarks: ours and others in turn, on the same data; medians and ratios go into docs/performance.md.

Started by ./run-benchmarks.sh SCENARIO [options]. The scenarios:

full_load   all files into an empty lake
hourly      one more hour of sales, some of them late, into a lake of few hours and into one of many
cold_start  a run with nothing new, and an hourly run, beside a session that does nothing
customers   one customer changed, and one in a hundred, in a lake of many hours
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from deltalake import DeltaTable

import data
from processes import Measured, measure

ROOT = Path(__file__).parents[1]
PERFORMANCE = ROOT / "docs" / "performance.md"
OURS = "load_sales"


@dataclass
class Bench:
    """A folder with the data of one scenario, and what was measured in it, by way."""

    folder: Path
    options: argparse.Namespace
    measured: dict[str, list[Measured]] = field(default_factory=dict)
    reports: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def ours(self, name: str, lake: Path, sales: Path, customers: Path) -> dict[str, object]:
        """Run the real command; returns its report."""
        command = [f"{ROOT}/spark-submit.sh", OURS, "--json", f"--transactions={sales}"]
        command += [f"--customers={customers}", f"--lake={lake}"]
        self._measure(name, command)
        report: dict[str, object] = json.loads(self.measured[name][-1].output.splitlines()[-1])
        self.reports.setdefault(name, []).append(report)
        return report

    def maintain(self, name: str, lake: Path) -> None:
        """Do what is done once a day."""
        self._measure(name, [f"{ROOT}/spark-submit.sh", "maintain", "--json", f"--lake={lake}"])

    def other(self, way: str, target: Path, sales: Path, customers: Path, name: str | None = None) -> None:
        """Run another way: with Spark under its usual settings and Delta where it needs it."""
        name = name or way
        program = [f"{ROOT}/benchmarks/contenders.py", way, str(target), str(sales), str(customers)]
        jars = os.environ["DELTA_JARS"].replace(",", ":")
        spark = [f"{os.environ['SPARK_HOME']}/bin/spark-submit", "--master=local[*]", "--driver-memory=4g"]
        spark += ["--driver-class-path", jars, "--conf=spark.sql.session.timeZone=UTC"]
        spark += ["--conf=spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension"]
        spark += ["--conf=spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog"]
        prefix = {"polars": [sys.executable], "duckdb": [sys.executable], "empty_session": [sys.executable]}
        self._measure(name, [*prefix.get(way, spark), *program])

    def _measure(self, name: str, command: list[str]) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SALES_")}
        found = measure(command, environment, self.folder)
        self.measured.setdefault(name, []).append(found)
        print(f"{name:<28} {found.seconds:7.1f} s  {found.peak_bytes / 2**20:7,.0f} MiB", flush=True)

    def median(self, name: str) -> float:
        return statistics.median(found.seconds for found in self.measured[name])

    def table(self, baseline: str) -> str:
        """What was measured as Markdown, one row a way, medians, beside the seconds of the baseline."""
        rows = [
            f"| way | seconds | x {baseline} | peak memory, MiB | read, MB | written, MB |",
            "|---|---|---|---|---|---|",
        ]
        for name, runs in self.measured.items():
            peak = statistics.median(run.peak_bytes for run in runs) / 2**20
            read = statistics.median(run.bytes_read for run in runs) / 1e6
            written = statistics.median(run.bytes_written for run in runs) / 1e6
            seconds = self.median(name)
            rows.append(
                f"| {name} | {seconds:.1f} | {seconds / self.median(baseline):.2f} | {peak:,.0f} | {read:,.0f} | "
                f"{written:,.0f} |"
            )
        return "\n".join(rows)


def full_load(bench: Bench) -> str:
    options = bench.options
    sales = data.arrived(
        data.write_sales(bench.folder / "sales.csv", options.rows, options.customers, options.hours, options.seed), 2
    )
    people = data.arrived(data.write_customers(bench.folder / "customer.csv", options.customers, options.seed), 1)
    for _ in range(options.rounds):
        for way in ("floor", "recompute", "polars", "duckdb"):
            bench.other(way, bench.folder / way, sales, people)
        shutil.rmtree(bench.folder / "lake", ignore_errors=True)
        bench.ours(OURS, bench.folder / "lake", sales, people)
    expected = _sums(bench.folder / "lake" / "customer_aggregated_data")
    for way in ("recompute", "polars", "duckdb"):
        _must_agree(way, _sums(bench.folder / way / "aggregate"), expected)
    return bench.table("floor")


def hourly(bench: Bench) -> str:
    """The files of each round: new sales of the hour after the last, a hundredth of them of hours before it."""
    options = bench.options
    ways = []
    for hours in (24, options.history):
        history, people, folder = _history(bench, hours)
        ways.append((hours, folder, people))
        bench.other("recompute", folder / "others", history, people, f"recompute, {hours:,} hours")
    for number in range(options.rounds):
        for hours, folder, people in ways:
            news = _news(folder, options, hours, number)
            bench.ours(f"{OURS}, {hours:,} hours", folder / "lake", news, people)
            bench.other("merge_on_keys", folder / "others", news, people, f"merge_on_keys, {hours:,} hours")
    for hours, folder, _ in ways:
        lake = _sums(folder / "lake" / "customer_aggregated_data")
        sold = duckdb.from_arrow(DeltaTable(str(folder / "lake" / "sales_data_partitioned")).to_pyarrow_table())
        _must_agree(f"{hours} hours", sold.aggregate("count(*), sum(QUANTITY)").fetchall()[0], (lake[3], lake[1]))
    return bench.table(f"{OURS}, 24 hours")


def cold_start(bench: Bench) -> str:
    options = bench.options
    history, people, folder = _history(bench, 24)
    for number in range(options.rounds):
        bench.other("empty_session", folder / "nothing", history, people)
        bench.ours("nothing new", folder / "lake", history, people)
        bench.ours("hourly run", folder / "lake", _news(folder, options, 24, number), people)
    return bench.table("empty_session")


def customers(bench: Bench) -> str:
    options = bench.options
    history, people, folder = _history(bench, options.history)
    for number in range(options.rounds):
        for share, count in (("one customer", 1), ("one in a hundred", options.customers // 100)):
            changed = data.write_customers(
                folder / f"changed_{number}_{count}.csv", count, options.seed + number + count
            )
            bench.ours(share, folder / "lake", history, data.arrived(changed, 100 + 2 * number + (count > 1)))
        bench.other("recompute", folder / "others", history, people)
    return bench.table("recompute") + "\n\n" + _files_rewritten(bench)


def _history(bench: Bench, hours: int) -> tuple[Path, Path, Path]:
    """A lake of so many hours; returns its sales file, its customers and the folder of all that."""
    options = bench.options
    folder = bench.folder / f"{hours}_hours"
    folder.mkdir()
    rows = hours * options.rows_per_hour
    sales = data.arrived(data.write_sales(folder / "sales.csv", rows, options.customers, hours, options.seed), 2)
    people = data.arrived(data.write_customers(folder / "customer.csv", options.customers, options.seed), 1)
    bench.ours(f"first load, {hours:,} hours", folder / "lake", sales, people)
    bench.maintain(f"maintain, {hours:,} hours", folder / "lake")
    return sales, people, folder


def _news(folder: Path, options: argparse.Namespace, hours: int, number: int) -> Path:
    seed = options.seed + 1 + number
    late = options.rows // 100
    path, late_path = folder / f"news_{number}.csv", folder / "late.csv"
    data.write_sales(path, options.rows - late, options.customers, 1, seed, first_hour=hours + number)
    data.write_sales(late_path, late, options.customers, 3, seed + 1000, first_hour=hours + number - 3)
    with path.open("a") as file:
        file.write(late_path.read_text().partition("\n")[2])
    return data.arrived(path, 10 + number)


def _files_rewritten(bench: Bench) -> str:
    lines = ["| way | files of the aggregate rewritten | of |", "|---|---|---|"]
    for name, reports in bench.reports.items():
        written = reports[-1]["written"]
        assert isinstance(written, list)
        files = next((change["files_replaced"] for change in written if "aggregated" in change["table"]), 0)
        lines.append(f"| {name} | {files:,} | {bench.options.history:,} |")
    return "\n".join(lines)


def _sums(aggregate: Path) -> tuple[object, ...]:
    """Groups, units, money and sales of an aggregate, read without Spark, and a hash of all its rows."""
    rows = DeltaTable(str(aggregate)).to_pyarrow_table(
        columns=["CUSTOMER_ID", "PRODUCT_ID", "transaction_hour", "QUANTITY", "AMOUNT", "TRANSACTION_COUNT"]
    )
    cells = "CUSTOMER_ID, PRODUCT_ID::VARCHAR, epoch_us(transaction_hour), QUANTITY::BIGINT, AMOUNT::DECIMAL(38,2)"
    query = "count(*), sum(QUANTITY), sum(AMOUNT)::DECIMAL(38,2), sum(TRANSACTION_COUNT)"
    return duckdb.from_arrow(rows).aggregate(f"{query}, bit_xor(hash({cells}))").fetchall()[0]


def _must_agree(way: str, found: tuple[object, ...], expected: tuple[object, ...]) -> None:
    if found != expected:
        raise SystemExit(f"{way} computed {found}, {OURS} {expected}")


def record(scenario: str, command: str, table: str) -> None:
    """Put a table between the marks of its scenario in docs/performance.md."""
    begin, end = f"<!-- {scenario} -->", f"<!-- end of {scenario} -->"
    text = PERFORMANCE.read_text()
    block = f"{begin}\n`{command}`\n\n{table}\n{end}"
    replaced = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, text, flags=re.DOTALL)
    PERFORMANCE.write_text(replaced)


SCENARIOS: dict[str, Callable[[Bench], str]] = {
    scenario.__name__: scenario for scenario in (full_load, hourly, cold_start, customers)
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="./run-benchmarks.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--rows", type=int, help="of the file that is loaded (full_load: 2,000,000; else 12,000)")
    parser.add_argument("--rows-per-hour", type=int, default=100, help="of the history (default: 100)")
    parser.add_argument("--hours", type=int, default=168, help="of full_load (default: 168)")
    parser.add_argument("--history", type=int, default=8760, help="hours of the long history (default: 8,760)")
    parser.add_argument("--customers", type=int, default=50_000, help="how many (default: 50,000)")
    parser.add_argument("--rounds", type=int, default=5, help="of each way, in turn (default: 5)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same data (default: 1)")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/sales-benchmarks"), help="made anew, and removed")
    parser.add_argument("--record", action="store_true", help="write the table into docs/performance.md")
    options = parser.parse_args()
    options.rows = options.rows or (2_000_000 if options.scenario == "full_load" else 12_000)
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    try:
        table = SCENARIOS[options.scenario](Bench(options.folder, options))
    finally:
        shutil.rmtree(options.folder, ignore_errors=True)
    print(f"\n{table}")
    if options.record:
        arguments = [word for word in sys.argv[1:] if word != "--record" and not word.startswith("--folder")]
        record(options.scenario, f"./run-benchmarks.sh {' '.join(arguments)}", table)


if __name__ == "__main__":
    main()
