"""Ours and others in turn, on the same data; medians and ratios go into docs/explanation/performance.md.

Started by ./run-benchmarks.sh SCENARIO [options]. The scenarios:

full_load   all files into an empty lake
large_load  the same with ten times as many sales
little_heap the same with files that are ten times as large as Java's heap, and with a tenth of them
workers     the same on Spark standalone, with one worker of one core and with two
hourly      one more hour of sales, some of them late, into a lake of few hours and into one of many
cold_start  a run with nothing new, and an hourly run, beside a session that does nothing
customers   one customer changed, and one in a hundred, in a lake of many hours
described   full_load without a description of the feeds, and with one that says what is so anyway
offers      recommend_products on a year of sales in baskets, of a tenth of the customers and of all
checkouts   this checkout and another one, which is set up: a full load, and an hourly run into a lake of few hours
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import duckdb
from deltalake import DeltaTable

import data
from bench import OURS, ROOT, Bench, markdown
from common.contract import CUSTOMERS_FEED, TRANSACTIONS, Feed
from support.clusters import standalone

PERFORMANCE = ROOT / "docs" / "explanation" / "performance.md"
PICTURES = ROOT / "docs" / "explanation" / "pictures"
EXECUTOR_MEMORY = "4g"
LITTLE_HEAP = 512 * 2**20
# How many sales the files of a scenario have, unless it is said.
ROWS = {
    "full_load": 2_000_000,
    "large_load": 20_000_000,
    "little_heap": 48_000_000,
    "workers": 20_000_000,
    "described": 2_000_000,
    "offers": 4_000_000,
}
ROWS_OF_AN_HOUR = 12_000
# The way that the others are compared with, and more tables.
Measurement: TypeAlias = tuple[str, list[str]]


def full_load(bench: Bench) -> Measurement:
    return _load(bench, ["floor", "recompute", "polars", "duckdb"])


def large_load(bench: Bench) -> Measurement:
    return _load(bench, ["floor", "polars", "duckdb"])


def _load(bench: Bench, others: list[str]) -> Measurement:
    sales, people = _feeds(bench)
    for _ in range(bench.options.rounds):
        for way in others:
            shutil.rmtree(bench.folder / way, ignore_errors=True)
            bench.other(way, bench.folder / way, sales, people)
        shutil.rmtree(bench.folder / "lake", ignore_errors=True)
        bench.ours(OURS, bench.folder / "lake", sales, people)
    expected = _sums(bench.folder / "lake" / "customer_aggregated_data")
    for way in others:
        if way != "floor":
            _must_agree(way, _sums(bench.folder / way / "aggregate"), expected)
    return "floor", [bench.profile(OURS)]


def little_heap(bench: Bench) -> Measurement:
    options = bench.options
    people = data.arrived(data.write_customers(bench.folder / "customer.csv", options.customers, options.seed), 1)
    names = []
    for rows in (options.rows // 10, options.rows):
        sales = bench.folder / f"sales_{rows}.csv"
        data.arrived(data.write_sales(sales, rows, options.customers, options.hours, options.seed), 2)
        names.append(f"{sales.stat().st_size / 2**20:,.0f} MiB of files")
        for _ in range(options.rounds):
            shutil.rmtree(bench.folder / "lake", ignore_errors=True)
            heap = f"--driver-memory={LITTLE_HEAP // 2**20}m"
            bench.ours(names[-1], bench.folder / "lake", sales, people, options=[heap])
    if sales.stat().st_size < 10 * LITTLE_HEAP:
        print(f"The files are not ten times as large as the heap of {LITTLE_HEAP / 2**20:,.0f} MiB.")
    return names[0], [bench.profile(names[-1])]


def workers(bench: Bench) -> Measurement:
    """Each worker has one processor to itself; the driver takes what is free of any. Memory and bytes are those of the
    driver: executors are started by the workers.
    """
    sales, people = _feeds(bench)
    names = {count: f"{OURS}, {count} worker{'s' if count > 1 else ''}" for count in (1, 2)}
    for number in range(bench.options.rounds):
        for count, name in names.items():
            folder, lake = bench.folder / f"cluster_{number}_{count}", bench.folder / f"lake_{count}"
            folder.mkdir()
            shutil.rmtree(lake, ignore_errors=True)
            with standalone(
                folder, sys.executable, workers=count, memory=EXECUTOR_MEMORY, settings=(), holds_to_core=True
            ) as cluster:
                bench.ours(name, lake, sales, people, options=cluster.options)
    one, two = (_sums(bench.folder / f"lake_{count}" / "customer_aggregated_data") for count in names)
    _must_agree(names[2], two, one)
    return names[1], [bench.profile(name) for name in names.values()]


def hourly(bench: Bench) -> Measurement:
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
    return f"{OURS}, 24 hours", [bench.profile(f"{OURS}, {hours:,} hours") for hours, _, _ in ways]


def cold_start(bench: Bench) -> Measurement:
    options = bench.options
    history, people, folder = _history(bench, 24)
    for number in range(options.rounds):
        bench.other("empty_session", folder / "nothing", history, people)
        bench.ours("nothing new", folder / "lake", history.parent, people)
        news = _news(folder, options, 24, number)
        bench.ours("hourly run", folder / "lake", news.parent, people)
    return "empty_session", [bench.profile("nothing new"), bench.profile("hourly run")]


def customers(bench: Bench) -> Measurement:
    options = bench.options
    history, people, folder = _history(bench, options.history)
    for number in range(options.rounds):
        for share, count in (("one customer", 1), ("one in a hundred", options.customers // 100)):
            changed = data.write_customers(
                folder / f"changed_{number}_{count}.csv", count, options.seed + number + count
            )
            bench.ours(share, folder / "lake", history, data.arrived(changed, 100 + 2 * number + (count > 1)))
        bench.other("recompute", folder / "others", history, people)
    return "recompute", [_files_rewritten(bench)]


def offers(bench: Bench) -> Measurement:
    """A driver whose memory does not grow with the customers: what grows is on local disk."""
    options = bench.options
    names = []
    for part in (10, 1):
        folder, customers, rows = bench.folder / str(part), options.customers // part, options.rows // part
        folder.mkdir()
        people = data.arrived(data.write_customers(folder / "customer.csv", customers, options.seed), 1)
        sales = data.arrived(data.write_baskets(folder / "sales.csv", rows, customers, 365, options.seed), 2)
        bench.ours(f"load of {customers:,} customers", folder / "lake", sales, people)
        names.append(f"{customers:,} customers, {rows:,} sales")
        bench.ours(names[-1], folder / "lake", sales, people, job="recommend_products")
    return names[0], [bench.profile(names[-1])]


def described(bench: Bench) -> Measurement:
    sales, people = _feeds(bench)
    description = bench.folder / "feeds.yml"
    described = [f"{feed.name}:\n  columns: {{{_own_names(feed)}}}\n" for feed in (TRANSACTIONS, CUSTOMERS_FEED)]
    description.write_text("".join(described))
    ways = {"without a description": [], "with a description": [f"--feeds={description}"]}
    for number in range(bench.options.rounds):
        for way, options in ways.items() if number % 2 == 0 else reversed(ways.items()):
            shutil.rmtree(bench.folder / way, ignore_errors=True)
            bench.ours(way, bench.folder / way, sales, people, options=options)
    without, with_one = (_sums(bench.folder / way / "customer_aggregated_data") for way in ways)
    _must_agree("without a description", without, with_one)
    return "without a description", []


def _own_names(feed: Feed) -> str:
    return ", ".join(f"{name}: {name}" for name in feed.column_names)


def checkouts(bench: Bench) -> Measurement:
    options, folder = bench.options, bench.folder
    if options.beside is None:
        raise SystemExit("checkouts needs --beside FOLDER, another checkout.")
    ways = {"before": options.beside.resolve(), "now": ROOT}
    sales = data.write_sales(folder / "sales.csv", ROWS["full_load"], options.customers, options.hours, options.seed)
    sales = data.arrived(sales, 2)
    people = data.arrived(data.write_customers(folder / "customer.csv", options.customers, options.seed), 1)
    for number in range(options.rounds):
        for way, checkout in ways.items() if number % 2 == 0 else reversed(ways.items()):
            shutil.rmtree(folder / way, ignore_errors=True)
            bench.ours(f"full load, {way}", folder / way, sales, people, checkout=checkout)
    before, now = (_sums(folder / way / "customer_aggregated_data") for way in ways)
    _must_agree("the checkout before", before, now)

    _, people, of_history = _history(bench, 24)
    for way in ways:
        shutil.copytree(of_history / "lake", of_history / way)
    for number in range(options.rounds):
        news = _news(of_history, options, 24, number)
        for way, checkout in ways.items() if number % 2 == 0 else reversed(ways.items()):
            bench.ours(f"hourly run, {way}", of_history / way, news, people, checkout=checkout)
    before, now = (_sums(of_history / way / "customer_aggregated_data") for way in ways)
    _must_agree("the checkout before", before, now)
    rows = []
    for work in ("full load", "hourly run"):
        of_before, of_now = (bench.seconds(f"{work}, {way}") for way in ways)
        rows.append([work, f"{of_before:.1f}", f"{of_now:.1f}", f"{of_now / of_before:.2f}"])
    return "full load, before", [markdown(["work", "before, s", "now, s", "ratio"], rows)]


def _feeds(bench: Bench) -> tuple[Path, Path]:
    """The files of a full load: sales and customers."""
    options, folder = bench.options, bench.folder
    sales = data.write_sales(folder / "sales.csv", options.rows, options.customers, options.hours, options.seed)
    people = data.write_customers(folder / "customer.csv", options.customers, options.seed)
    return data.arrived(sales, 2), data.arrived(people, 1)


def _history(bench: Bench, hours: int) -> tuple[Path, Path, Path]:
    """A lake of so many hours; returns its sales file (in a folder of such), its customers and the folder of all."""
    options = bench.options
    folder = bench.folder / f"{hours}_hours"
    sales = folder / "sales" / "history.csv"
    sales.parent.mkdir(parents=True)
    rows = hours * options.rows_per_hour
    data.arrived(data.write_sales(sales, rows, options.customers, hours, options.seed), 2)
    people = data.arrived(data.write_customers(folder / "customer.csv", options.customers, options.seed), 1)
    bench.ours(f"first load, {hours:,} hours", folder / "lake", sales, people)
    bench.ours(f"maintain, {hours:,} hours", folder / "lake", sales, people, job="maintain")
    return sales, people, folder


def _news(folder: Path, options: argparse.Namespace, hours: int, number: int) -> Path:
    """One more file beside those of the history: sales of the next hour, a hundredth of them of the three before it."""
    seed = options.seed + 1 + number
    late = options.rows // 100
    path, late_path = folder / "sales" / f"news_{number}.csv", folder / "late.csv"
    data.write_sales(path, options.rows - late, options.customers, 1, seed, first_hour=hours + number)
    data.write_sales(late_path, late, options.customers, 3, seed + 1000, first_hour=hours + number - 3)
    with path.open("a") as file:
        file.write(late_path.read_text().partition("\n")[2])
    return data.arrived(path, 10 + number)


def _files_rewritten(bench: Bench) -> str:
    rows = []
    for name, reports in bench.reports.items():
        written = reports[-1].get("written", [])
        files = next((change["files_replaced"] for change in written if "aggregated" in change["table"]), 0)
        rows.append([name, f"{files:,}", f"{bench.options.history:,}"])
    return markdown(["way", "files of the aggregate rewritten", "of"], rows)


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


def record(bench: Bench, scenario: str, command: str, baseline: str, tables: str) -> None:
    """Put tables and a picture between the marks of their scenario in docs/explanation/performance.md."""
    picture = PICTURES / f"{scenario}.svg"
    bench.picture(baseline, picture)
    begin, end = f"<!-- {scenario} -->", f"<!-- end of {scenario} -->"
    text = PERFORMANCE.read_text()
    shown = f"![Seconds and memory of each way](pictures/{picture.name})"
    block = f"{begin}\n`{command}`\n\n{tables}\n\n{shown}\n{end}"
    replaced, count = re.subn(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{PERFORMANCE} has {count} places for {scenario}, not one")
    PERFORMANCE.write_text(replaced)


SCENARIOS: dict[str, Callable[[Bench], Measurement]] = {
    scenario.__name__: scenario
    for scenario in (
        full_load,
        large_load,
        little_heap,
        workers,
        hourly,
        cold_start,
        customers,
        described,
        offers,
        checkouts,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="./run-benchmarks.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--rows", type=int, help="of the file that is loaded (default: as the scenario needs)")
    parser.add_argument("--rows-per-hour", type=int, default=100, help="of the history (default: 100)")
    parser.add_argument("--hours", type=int, default=168, help="of the sales of a whole load (default: 168)")
    parser.add_argument("--history", type=int, default=8760, help="hours of the long history (default: 8,760)")
    parser.add_argument("--customers", type=int, default=50_000, help="how many (default: 50,000)")
    parser.add_argument("--rounds", type=int, default=5, help="of each way, in turn (default: 5)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same data (default: 1)")
    parser.add_argument("--beside", type=Path, help="of checkouts: the other checkout")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/sales-benchmarks"), help="made anew, and removed")
    parser.add_argument("--record", action="store_true", help="write tables and a picture into docs/")
    options = parser.parse_args()
    options.rows = options.rows or ROWS.get(options.scenario, ROWS_OF_AN_HOUR)
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    bench = Bench(options.folder, options)
    try:
        baseline, more = SCENARIOS[options.scenario](bench)
    finally:
        shutil.rmtree(options.folder, ignore_errors=True)
    tables = "\n\n".join([bench.table(baseline), *more])
    print(f"\n{tables}")
    if options.record:
        ours = {"--record", "--folder", f"--folder={options.folder}", str(options.folder)}
        arguments = [word for word in sys.argv[1:] if word not in ours]
        record(bench, options.scenario, f"./run-benchmarks.sh {' '.join(arguments)}", baseline, tables)


if __name__ == "__main__":
    main()
