"""A real shop's 541,909 lines, as they lie there: whole by the description that ships, then day by day in any order."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from support.batteries import Battery
from support.lakes import REAL_DATA, Outcome, Workbench, aggregate_rows, arrow, assert_equals_recompute
from support.project import ROOT
from support.worker import COMPILED

FEEDS = ROOT / "examples" / "online_retail" / "feeds.yml"
DAYS = sorted((REAL_DATA / "online-retail").glob("*.csv.gz"))

pytestmark = pytest.mark.skipif(not DAYS, reason="the real files are not beside the project")


def test_one_day_of_the_shop(bench: Workbench) -> None:
    """Of the day with returns and guests, every cell as DuckDB works it out from the file."""
    day = next(path for path in DAYS if path.name.startswith("2010-12-09"))
    outcome = load(bench, day)
    assert_sales_are(bench, [day])
    assert outcome.ledger()["rows_read"] == count_of([day])
    customers = {row[0] for row in bench.rows("customers", "CUSTOMER_ID")}
    assert "guest" not in customers
    assert len(customers) == len({row[0] for row in expected_sales([day], "CUSTOMER_ID")} - {"guest"})
    assert load(bench, day).report["changed_nothing"]  # type: ignore[index]


@pytest.fixture
def compiled(spark: SparkSession) -> Iterator[None]:
    """Expressions are compiled."""
    as_for_few_rows = {name: str(spark.conf.get(name)) for name in COMPILED}
    for name, value in COMPILED.items():
        spark.conf.set(name, value)
    yield
    for name, value in as_for_few_rows.items():
        spark.conf.set(name, value)


@pytest.mark.battery
@pytest.mark.usefixtures("compiled")
def test_online_retail(bench: Workbench, battery: Battery) -> None:
    """Whole, the figures are those that DuckDB finds. Then a share of the days in a random order, a few in each run and
    one of them delivered twice, under another name: every cell of sales, customers and aggregate as DuckDB has it.
    """
    days = random.Random(battery.seed).sample(DAYS, battery.rounds(len(DAYS)))
    if battery.share == 1:
        outcome = load(bench, REAL_DATA / "online-retail")
        assert outcome.ledger() == {"rows_read": 541_909, "new": 541_903, "rejected": 6}
        assert outcome.reasons() == {"price_is_not_negative": 2, "price_is_an_amount_of_money": 4}
        assert_is_the_whole_shop(bench)
        whole = {table: bench.rows(table) for table in ("sales_data_partitioned", "customers")}
        shutil.rmtree(bench.lake)
    landing = bench.folder / "landing"
    landing.mkdir()
    repeated, runs = days[len(days) // 2], 0
    while days:
        for day in [days.pop() for _ in range(min(len(days), random.Random(len(days)).randint(1, 12)))]:
            bench.file(landing / day.name, day.read_bytes())
            if day == repeated:
                bench.file(landing / f"again_{day.name}", day.read_bytes())
        outcome = load(bench, landing)
        runs += 1
    delivered = [path for path in DAYS if (landing / path.name).exists()]
    assert_sales_are(bench, delivered)
    assert_equals_recompute(bench)
    if battery.share == 1:
        assert_is_the_whole_shop(bench)
        assert bench.rows("sales_data_partitioned") == whole["sales_data_partitioned"]
    battery.passed(f"{len(delivered)} days in a random order, {runs} runs, one day delivered twice, 0 differences")


def load(bench: Workbench, path: Path) -> Outcome:
    outcome = bench.load(f"--feeds={FEEDS}", transactions=path, customers=path)
    assert outcome.exit_code == 0, outcome.error
    return outcome


def assert_is_the_whole_shop(bench: Workbench) -> None:
    sales = arrow(bench.path("sales_data_partitioned"))
    figures = duckdb.from_arrow(sales).aggregate(
        "count(*), sum(QUANTITY), sum(QUANTITY * PRICE)::DECIMAL(38, 2), "
        "(sum(QUANTITY * PRICE) FILTER (QUANTITY < 0))::DECIMAL(38, 2), count(*) FILTER (CUSTOMER_ID = 'guest'), "
        "count(DISTINCT transaction_hour)"
    )
    assert figures.fetchall() == [
        (541_903, 5_176_444, Decimal("9769872.05"), Decimal("-896812.49"), 135_078, 2_938),
    ]
    assert len(aggregate_rows(bench)) == 512_114
    assert_equals_recompute(bench)


def assert_sales_are(bench: Workbench, days: list[Path]) -> None:
    """Every sale of the files, as DuckDB reads them, and no other."""
    columns = "TRANSACTION_ID, CUSTOMER_ID, PRODUCT_ID, QUANTITY, PRICE, epoch_us(TRANSACTION_DATE)"
    ours = duckdb.from_arrow(arrow(bench.path("sales_data_partitioned"))).project(columns).fetchall()
    assert sorted(ours) == sorted(expected_sales(days, "*"))


def expected_sales(days: list[Path], columns: str) -> list[tuple[object, ...]]:
    """By DuckDB alone: its own reader of CSV, and the meaning of the description written down once more."""
    duckdb.execute("SET TimeZone = 'Europe/London'")
    parts = [
        f"SELECT InvoiceNo || '-' || (row_number() OVER () + 1) AS TRANSACTION_ID, "
        "coalesce(replace(CustomerID, '.0', ''), 'guest') AS CUSTOMER_ID, trim(StockCode) AS PRODUCT_ID, "
        "Quantity::INT AS QUANTITY, UnitPrice::DECIMAL(18, 4) AS PRICE, InvoiceDate::TIMESTAMPTZ AS sold_at "
        f"FROM read_csv('{day}', all_varchar = true, header = true, delim = ',', quote = '\"', parallel = false)"
        for day in days
    ]
    is_clean = "PRICE >= 0 AND PRICE = round(PRICE, 2) AND QUANTITY <> 0"
    sales = (
        "SELECT TRANSACTION_ID, CUSTOMER_ID, PRODUCT_ID, QUANTITY, PRICE::DECIMAL(18, 2), epoch_us(sold_at) "
        f"FROM ({' UNION ALL '.join(parts)}) WHERE {is_clean}"
    )
    return duckdb.execute(f"SELECT {columns} FROM ({sales})").fetchall()


def count_of(days: list[Path]) -> int:
    return sum(
        duckdb.execute(f"SELECT count(*) FROM read_csv('{day}', all_varchar = true)").fetchall()[0][0] for day in days
    )
