"""The tables of forecasts are what plain lists of numbers give, whatever happened; and what a run of the job costs."""

from __future__ import annotations

import random
import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from common.contract.forecast import FORECAST_ACCURACY, SALES_FORECAST, STOCK_COVER
from common.forecast.history import Days
from common.marts import registry
from jobs import forecast_sales, load_sales, verify_aggregate
from support.expected_forecasts import DAY, HOUR, Expected, expected, expected_cover
from support.lakes import CUSTOMERS_HEADER, SALES_HEADER, Outcome, Workbench, arrow, assert_did_as_planned

TABLES = [table.name for table in (SALES_FORECAST, FORECAST_ACCURACY, STOCK_COVER)]
ZONE = ZoneInfo("Europe/London")
UTC = timezone.utc
# Clocks are set back on 2025-10-26. The shop closes on Saturdays.
FIRST_DAY, LAST_DAY = date(2025, 8, 18), date(2025, 11, 4)
CLOSED = [date(2025, 10, 27), date(2025, 11, 10)]
TOLD = ["--business-time-zone=Europe/London", "--lead-time-days=10", "--service-level=0.9"]


def sold() -> Iterator[str]:
    """Lines of the shop: a steady product, one that is rare, one that mostly comes back, one that is new, guests too;
    and the first sales of the day after the last one.
    """
    choose = random.Random(11)
    days = (LAST_DAY - FIRST_DAY).days + 1
    for number in range(days * 5):
        day = FIRST_DAY + timedelta(days=number // 5)
        # Few hours, which are quick to load; of the night when clocks are set back, those that are shown twice, too.
        hour = number % 3 if day == date(2025, 10, 26) else choose.choice([9] * 9 + [13])
        at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=hour, minutes=number % 60)
        product, units = choose.choice([("steady", 3), ("steady", 1), ("returned", choose.choice([1, -2]))])
        if number % 9 == 0:
            product, units = "rare", choose.randint(1, 40)
        if day > LAST_DAY - timedelta(days=20) and number % 5 == 0:
            product, units = "new", 2
        if at.astimezone(ZONE).weekday() != 5 and at.astimezone(ZONE).date() not in CLOSED:
            who, price = choose.choice(["c1", ""]), choose.randint(1, 999) / 100
            yield f"s{number},{who},{product},{units},{price:.2f},{at:%F %T}"
    yield f"next-day,c1,steady,1,1.00,{LAST_DAY + timedelta(days=1):%F} 08:00:00"
    yield f"brand-new,c1,brand new,1,1.00,{LAST_DAY + timedelta(days=1):%F} 08:00:00"


@pytest.fixture(scope="module")
def first_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of eleven weeks, with forecasts; and beside it the files that say what is closed and in stock."""
    folder = tmp_path_factory.mktemp("forecasts")
    (folder / "people.csv").write_text(f"{CUSTOMERS_HEADER}\nc1,Ann Lee,30,Mali\n")
    (folder / "sales.csv").write_text("\n".join([SALES_HEADER, *sold(), ""]))
    (folder / "feeds.yml").write_text("transactions:\n  returns: allow\n  guests: allow\n")
    (folder / "closed.txt").write_text("".join(f"{day}  # a holiday\n" for day in CLOSED))
    (folder / "stock.csv").write_text("PRODUCT_ID,STOCK\nsteady,40\nnew,7\nnever sold,3\n")
    inputs = [f"--transactions={folder}/sales.csv", f"--customers={folder}/people.csv"]
    assert load_sales.main([*inputs, f"--feeds={folder}/feeds.yml", f"--lake={folder}/lake", "--json"]) == 0
    assert forecast_sales.main([f"--lake={folder}/lake", *told(folder), "--json"]) == 0
    return folder


def told(folder: Path) -> list[str]:
    return [*TOLD, f"--closed-days={folder}/closed.txt", f"--stock={folder}/stock.csv"]


@pytest.fixture
def bench(bench: Workbench, first_lake: Path) -> Workbench:
    """A copy of that lake."""
    shutil.copytree(first_lake / "lake", bench.lake)
    for name in ("feeds.yml", "closed.txt", "stock.csv"):
        shutil.copy(first_lake / name, bench.folder / name)
    bench.canaries.add("c1,Ann Lee,30,Mali")
    return bench


def forecast(bench: Workbench, *options: str) -> Outcome:
    outcome = bench.run(forecast_sales, f"--lake={bench.lake}", *told(bench.folder), *options)
    assert outcome.report is not None, outcome.error
    return outcome


def written(outcome: Outcome) -> dict[str, int]:
    """How many rows each commit to one of the tables wrote or took away."""
    assert outcome.report is not None
    return {c["table"]: c["inserted"] + c["updated"] + c["deleted"] for c in outcome.report["written"]}


def test_every_cell_is_as_plain_lists_give_it_and_follows_what_happens(bench: Workbench) -> None:
    assert_is_right(bench, LAST_DAY)
    assert {row[0] for row in bench.rows(STOCK_COVER.name, "PRODUCT_ID")} == {"steady", "rare", "returned", "new"}

    # Nothing new, nothing written; nor where a sale came on the day that is not over.
    versions = bench.versions()
    assert forecast(bench).report["changed_nothing"]  # type: ignore[index]
    bench.sales(f"late-1,c1,steady,5,1.00,{LAST_DAY + timedelta(days=1):%F} 09:00:00")
    bench.must_load(f"--feeds={bench.folder}/feeds.yml")
    assert written(forecast(bench)) == {}
    assert {name: bench.versions()[name] for name in TABLES} == {name: versions[name] for name in TABLES}

    # A late sale on a day that is over: its product and the total, and no other.
    bench.sales(f"late-2,c1,rare,5,1.00,{LAST_DAY - timedelta(days=30):%F} 09:00:00")
    bench.must_load(f"--feeds={bench.folder}/feeds.yml")
    planned, done = forecast(bench, "--dry-run"), forecast(bench)
    assert_did_as_planned(planned, done)
    assert done.report is not None
    assert done.report["gold_recomputed_whole"] == {}
    assert 0 < written(done)[SALES_FORECAST.name] <= 2 * 14 + 14 + 168
    assert_is_right(bench, LAST_DAY)

    # The day is over when a sale of the next one comes.
    bench.sales(f"late-3,c1,steady,5,1.00,{LAST_DAY + timedelta(days=2):%F} 09:00:00")
    bench.must_load(f"--feeds={bench.folder}/feeds.yml")
    whole = forecast(bench).report
    assert whole is not None
    assert set(whole["gold_recomputed_whole"].values()) == {"its last whole day is another one now"}
    assert_is_right(bench, LAST_DAY + timedelta(days=1))

    # Other settings are others' rows: of one table alone, where the others do not depend on it.
    only_stock = forecast(bench, "--lead-time-days=3").report
    assert only_stock is not None
    assert set(only_stock["gold_recomputed_whole"]) == {STOCK_COVER.name}
    forecast(bench, f"--last-day={LAST_DAY}")
    assert_is_right(bench, LAST_DAY)

    # What the check computes is what each table was made with, whatever the settings are now.
    assert bench.run(verify_aggregate, f"--lake={bench.lake}").exit_code == 0
    bench.table(SALES_FORECAST.name)
    bench.spark.sql(f"UPDATE delta.`{bench.path(STOCK_COVER.name)}` SET STOCK = 41 WHERE PRODUCT_ID = 'new'")
    assert bench.run(verify_aggregate, f"--lake={bench.lake}").exit_code == 5


@pytest.mark.thorough
def test_what_is_missing_or_wrong_is_said_in_a_sentence(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusal(*options: str) -> str:
        outcome = bench.run(forecast_sales, f"--lake={bench.lake}", *options)
        assert outcome.exit_code == 2
        return outcome.error

    wrong = bench.folder / "wrong"
    for content, sentence in (
        ("2025-12-25\n25.12.2025\n", f"closed_days: {wrong}, line 2: 25.12.2025 is no day such as 2026-12-25."),
    ):
        wrong.write_text(content)
        assert sentence in refusal(f"--closed-days={wrong}")
    for content, sentence in (
        (
            "PRODUCT_ID,UNITS\np,1\n",
            f"stock: {wrong} has the columns PRODUCT_ID, UNITS; they should be PRODUCT_ID and STOCK.",
        ),
        ("PRODUCT_ID,STOCK\np,1\np,2\n", f"stock: {wrong}: PRODUCT_ID p is there more than once."),
        ("PRODUCT_ID,STOCK\np,1.5\n", f"stock: {wrong}: PRODUCT_ID p has no whole number of units: 1.5."),
        ("PRODUCT_ID,STOCK\np,\n", f"stock: {wrong}: PRODUCT_ID p has no whole number of units: nothing."),
    ):
        wrong.write_text(content)
        assert sentence in refusal(f"--stock={wrong}")
    assert "--service-level: 0.3 is no level of service" in refusal("--service-level=0.3")
    assert "--last-day: 2025-13-01 is no day" in refusal("--last-day=2025-13-01")

    monkeypatch.setitem(registry._EXTRAS, "forecast", ("numpy", "a_package_that_is_not_there"))
    lacking = "numpy and a_package_that_is_not_there, which this Python does not have: ./setup.sh --forecast"
    assert lacking in refusal()
    exit_code, printed, _ = bench.printed_by(verify_aggregate, f"--lake={bench.lake}")
    assert exit_code == 0
    assert f"{SALES_FORECAST.name} is computed with {lacking}" in " ".join(printed.split())


def test_hours_are_those_of_clocks_which_are_set_forward_and_back(spark: SparkSession) -> None:
    days = Days("Europe/London", 0)
    utc_hours = [datetime(2025, 3, 30, tzinfo=UTC), datetime(2025, 10, 26, tzinfo=UTC)]
    rows = []
    for begin in utc_hours:
        numbers = spark.range(4).select((F.lit(int(begin.timestamp()) // 3600) + F.col("id")).alias("number"))
        columns = (days.exists(F.col("number"), "hour"), F.unix_seconds(days.start(F.col("number"), "hour")))
        found = numbers.orderBy("number").select(*columns).collect()
        rows.append([(row[0], (row[1] - int(begin.timestamp())) // 3600) for row in found])
    forward, back = rows
    # In spring 01:00 is not shown; in autumn it is shown twice, from the midnight in UTC on.
    assert forward == [(True, 0), (False, 1), (True, 1), (True, 2)]
    assert back == [(True, -1), (True, 0), (True, 2), (True, 3)]


def assert_is_right(bench: Workbench, last_day: date) -> None:
    """Every row of the three tables, as they are read without Spark."""
    days, hours = _sums(bench)
    series: dict[tuple[str, str, str, str], list[float]] = {}
    number = (last_day - FIRST_DAY).days + 1
    of_days = [FIRST_DAY + timedelta(days=at) for at in range(number)]
    for product in {name for name, _ in days if name} | {""}:
        if not any((product, day) in days for day in of_days):
            continue
        for measure in ("UNITS", "AMOUNT") if product else ("AMOUNT",):
            values = [float(days[product, day][measure]) for day in of_days]
            series["product" if product else "total", product, "day", measure] = values
    of_hours = [(day, hour) for day in of_days for hour in range(24)]
    series["total", "", "hour", "AMOUNT"] = [float(hours[each]) for each in of_hours]
    closed = [FIRST_DAY + timedelta(days=at) in CLOSED for at in range(number + 14)]
    wanted = {
        key: expected(values, HOUR, [each for each in closed[: number + 7] for _ in range(24)])
        if key[2] == "hour"
        else expected(values, DAY, closed)
        for key, values in series.items()
    }
    _assert_forecasts(bench, wanted, last_day)
    _assert_accuracies(bench, wanted)
    for row in arrow(bench.path(STOCK_COVER.name)).to_pylist():
        cover = expected_cover(series["product", row["PRODUCT_ID"], "day", "UNITS"], closed, row["LEAD_TIME_DAYS"], 0.9)
        assert row["STATUS"] == ("ok" if cover else "not enough history")
        assert row["STOCK"] == {"steady": 40, "new": 7}.get(row["PRODUCT_ID"])
        if cover:
            demand, safety = cover
            assert float(row["DEMAND_OVER_LEAD_TIME"]) == pytest.approx(demand, abs=1e-4)
            assert float(row["REORDER_POINT"]) == pytest.approx(demand + safety, abs=2e-4)
            assert (row["DAYS_OF_COVER"] is None) == (row["STOCK"] is None)
            if row["STOCK"] is not None:
                days_of_cover = row["STOCK"] * row["LEAD_TIME_DAYS"] / demand
                assert float(row["DAYS_OF_COVER"]) == pytest.approx(days_of_cover, rel=1e-3)


def _sums(bench: Workbench) -> tuple[dict[Any, dict[str, Any]], dict[Any, Any]]:
    """Units and money by product (empty for all) and day, and money by day and hour, as clocks in London showed it."""
    days: dict[Any, dict[str, Any]] = defaultdict(lambda: {"UNITS": 0, "AMOUNT": 0})
    hours: dict[Any, Any] = defaultdict(int)
    for sale in arrow(bench.path("sales_data_partitioned")).to_pylist():
        at, amount = sale["TRANSACTION_DATE"].astimezone(ZONE), sale["QUANTITY"] * sale["PRICE"]
        for product in (sale["PRODUCT_ID"], ""):
            days[product, at.date()]["UNITS"] += sale["QUANTITY"]
            days[product, at.date()]["AMOUNT"] += amount
        hours[at.date(), at.hour] += amount
    return days, hours


def _assert_forecasts(bench: Workbench, wanted: dict[Any, Expected], last_day: date) -> None:
    found: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in arrow(bench.path(SALES_FORECAST.name)).sort_by("PERIOD_START").to_pylist():
        found[row["SERIES_KIND"], row["PRODUCT_ID"], row["GRAIN"], row["MEASURE"]].append(row)
    assert set(found) == set(wanted)
    after = datetime.combine(last_day + timedelta(days=1), datetime.min.time())
    for key, rows in found.items():
        ahead = wanted[key]
        assert {(row["STATUS"], row["MODEL"]) for row in rows} == {(ahead.status, ahead.model)}, key
        step = timedelta(days=1) if key[2] == "day" else timedelta(hours=1)
        starts = [(after + at * step).replace(tzinfo=ZONE).astimezone(UTC) for at in range(max(len(ahead.forecast), 1))]
        assert [row["PERIOD_START"] for row in rows] == starts
        if ahead.status != "ok":
            continue
        columns = {"FORECAST": ahead.forecast}
        for share, bounds in ahead.bounds.items():
            columns |= {f"LO{share}": [low for low, _ in bounds], f"HI{share}": [high for _, high in bounds]}
        for column, values in columns.items():
            assert [float(row[column]) for row in rows] == pytest.approx(values, abs=1e-4), (key, column)


def _assert_accuracies(bench: Workbench, wanted: dict[Any, Expected]) -> None:
    found = arrow(bench.path(FORECAST_ACCURACY.name)).to_pylist()
    assert len(found) == sum(len(each.accuracy) for each in wanted.values())
    for row in found:
        ahead = wanted[row["SERIES_KIND"], row["PRODUCT_ID"], row["GRAIN"], row["MEASURE"]]
        for column, value in ahead.accuracy[row["MODEL"], row["HORIZON_BAND"]].items():
            held = row[column]
            assert held == value or float(held) == pytest.approx(value, abs=2e-6), (row, column)
