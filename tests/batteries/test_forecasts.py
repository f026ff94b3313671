"""The forecasts of a real shop, as of days in the past; and that they are the same, however a lake came to be."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.contract.forecast import FORECAST_ACCURACY, SALES_FORECAST, STOCK_COVER
from jobs import forecast_sales
from support.batteries import Battery
from support.expected_forecasts import DAY, HOUR, expected
from support.forecast_cuts import CUTS, HOUR_CUTS, Shop, broken_gates, cases, embarrassments, online_retail, score
from support.forecast_lakes import Forecasts, days_of_a_lake, forecasts_in
from support.lakes import REAL_DATA, Workbench, arrow
from support.worker import Worker, on_cores

RAW = REAL_DATA / "online-retail"
TABLES = [table.name for table in (SALES_FORECAST, FORECAST_ACCURACY, STOCK_COVER)]
FIRST_DAY = date(2025, 3, 3)


@pytest.mark.battery
@pytest.mark.skipif(not RAW.is_dir(), reason="the real files are not beside the project")
def test_forecasts_of_a_shop(tmp_path: Path, battery: Battery) -> None:
    """Whole, every bound of quality is reached at all cuts. Of a share, the forecasts of some products and of the last
    months are made. Either way, none embarrasses, and forecast_accuracy is what one series at a time gives.
    """
    shop, cuts, hour_cuts = online_retail(RAW), CUTS, HOUR_CUTS
    if battery.share < 1:
        shop = small(shop, battery)
        cuts = hour_cuts = CUTS[-battery.rounds(len(CUTS)) :]
    some = list(cases(shop, cuts, hour_cuts))
    lake, ours = tmp_path / "lake", Forecasts()
    for day in days_of_a_lake(shop, sorted({*cuts, *hour_cuts}), tmp_path, lake):
        ours |= forecasts_in(lake, day)
    assert embarrassments(some, ours) == []
    if battery.share == 1:
        assert broken_gates(score(some, {"ours": ours}), "ours") == []
    checked = assert_accuracy(shop, lake, max(*cuts, *hour_cuts), cuts[0])
    battery.passed(
        f"{len(some)} forecasts at {len({*cuts, *hour_cuts})} cuts, {checked} rows of forecast_accuracy, 0 differ"
    )


def small(shop: Shop, battery: Battery) -> Shop:
    """A few products of it, and some months."""
    products = random.Random(battery.seed).sample(shop.top_products(CUTS[0]), battery.rounds(50) + 3)
    sales = shop.sales[shop.sales["PRODUCT_ID"].isin(products) & (shop.sales["time"] >= "2011-07-01")]
    return replace(shop, sales=sales)


def assert_accuracy(shop: Shop, lake: Path, last: str, first_cut: str) -> int:
    """The rows of the largest products and of the totals, each cell; returns how many rows were compared."""
    end = pd.Timestamp(last)
    series = {("", "day"): shop.by_day(), ("", "hour"): shop.by_hour()}
    series |= {(name, "day"): shop.by_day(name) for name in shop.top_products(first_cut)}
    held = arrow(str(lake / FORECAST_ACCURACY.name)).to_pandas()
    held = held[(held["MEASURE"] == "UNITS") | (held["SERIES_KIND"] == "total")]
    compared = 0
    for (name, grain), values in series.items():
        kind = DAY if grain == "day" else HOUR
        known = values[values.index < end + pd.Timedelta(days=1)].tolist()
        wanted = expected(known, kind, [False] * (len(known) + kind.horizon)).accuracy
        rows = held[(held["PRODUCT_ID"] == name) & (held["GRAIN"] == grain)]
        assert len(rows) == len(wanted), name
        for row in rows.to_dict("records"):
            for column, value in wanted[row["MODEL"], row["HORIZON_BAND"]].items():
                found = np.nan if row[column] is None else float(row[column])
                assert found == pytest.approx(np.nan if value is None else value, abs=2e-6, nan_ok=True), (row, column)
            compared += 1
    return compared


@pytest.mark.battery
def test_forecast_histories(bench: Workbench, battery: Battery) -> None:
    """Loads of late and corrected sales, and days that go by, with runs of the job between: what there is in the end is
    what one run makes of the same sales, on one core and on two.
    """
    choose = random.Random(battery.seed)
    feeds = bench.folder / "feeds.yml"
    feeds.write_text("transactions:\n  returns: allow\n  guests: allow\n")
    bench.people("c1,Ann Lee,30,Mali")
    days, loads, runs = 75, battery.rounds(50), 0
    bench.sales(*sold(choose, range(days), range(days * 6)))
    for load in range(loads):
        bench.must_load(f"--feeds={feeds}")
        if choose.random() < 0.7 or load == loads - 1:
            assert bench.run(forecast_sales, f"--lake={bench.lake}", "--business-time-zone=Asia/Tokyo").exit_code == 0
            runs += 1
        if choose.random() < 0.3:
            days += 1
        some = choose.choice([range(days - 2, days + 1), range(days - 1, days), range(days)])
        bench.sales(*sold(choose, some, choose.sample(range(days * 8), choose.randint(1, 12))))
    in_steps = {name: bench.rows(name) for name in TABLES}
    for name in TABLES:
        shutil.rmtree(bench.lake / name)
    assert bench.run(forecast_sales, f"--lake={bench.lake}", "--business-time-zone=Asia/Tokyo").exit_code == 0
    assert {name: bench.rows(name) for name in TABLES} == in_steps
    for cores in (1, 2):
        for name in TABLES:
            shutil.rmtree(bench.lake / name)
        with Worker(bench.folder / f"on {cores}", on_cores(cores, bench.folder / f"on {cores}")) as worker:
            exit_code, printed = worker.run("forecast_sales", f"--lake={bench.lake}", "--business-time-zone=Asia/Tokyo")
        assert exit_code == 0, printed
        assert {name: bench.rows(name) for name in TABLES} == in_steps
    rows = sum(map(len, in_steps.values()))
    battery.passed(f"{loads} loads, {runs} runs, {rows:,} rows in the end, the same at once, on 1 core and on 2")


def sold(choose: random.Random, days: range, numbers: Sequence[int]) -> list[str]:
    """Lines of sales, each with one of the numbers as its id and on one of the days."""
    lines = []
    for number in numbers:
        at = datetime.combine(FIRST_DAY + timedelta(days=choose.choice(days)), datetime.min.time(), timezone.utc)
        at += timedelta(hours=choose.randint(0, 23), minutes=choose.randint(0, 59))
        product, units = f"p{min(choose.randint(0, 7), choose.randint(0, 7))}", choose.choice([1, 1, 2, 5, 20, -1])
        lines.append(
            f"t{number},{choose.choice(['c1', ''])},{product},{units},{choose.randint(0, 900) / 100:.2f},{at:%F %T}"
        )
    return lines
