"""How good the forecasts of forecast_sales are, on lakes as they stood at days in the past, beside AutoETS.

Started by ./run-benchmarks.sh forecast --raw FOLDER [options]. The folder has the files of the Online Retail data set,
one a day. One lake is loaded up to each cut in turn, and forecast_sales runs on it with nothing that came later. Exit
code 1 where one of the bounds is not reached.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from deltalake import DeltaTable

from bench import markdown
from common.contract.forecast import ALL_PRODUCTS
from support.forecast_cuts import (
    HOURLY,
    TOTAL,
    Case,
    Shop,
    broken_gates,
    cases,
    embarrassments,
    is_closed,
    online_retail,
    score,
)
from support.worker import Worker

CUTS = "2011-09-29,2011-10-13,2011-10-27,2011-11-10,2011-11-24"
HOUR_CUTS = "2011-10-06,2011-10-20,2011-11-03,2011-11-17,2011-12-01"
OURS, REFERENCE = "forecast_sales", "AutoETS"
_FEED = ["TRANSACTION_ID", "CUSTOMER_ID", "PRODUCT_ID", "QUANTITY", "PRICE", "TRANSACTION_DATE"]
_NAMES = {"FORECAST": "mean", "LO80": "lo80", "HI80": "hi80", "LO95": "lo95", "HI95": "hi95", "MODEL": "model"}
Forecasts = dict[tuple[str, str], pd.DataFrame]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run-benchmarks.sh forecast", description=__doc__)
    parser.add_argument("--raw", type=Path, required=True, metavar="FOLDER", help="the files of the shop")
    parser.add_argument("--cuts", default=CUTS, metavar="DAYS", help="last whole days known, for forecasts by day")
    parser.add_argument("--hour-cuts", default=HOUR_CUTS, metavar="DAYS", help="the same for forecasts by hour")
    parser.add_argument(
        "--lake", type=Path, metavar="FOLDER", help="where the lake is made and left (default: nowhere)"
    )
    parser.add_argument("--predictions", type=Path, metavar="FILE", help="write the forecasts as CSV, too")
    parser.add_argument("--no-reference", action="store_true", help="without AutoETS, which takes minutes")
    options = parser.parse_args()
    cuts, hour_cuts = options.cuts.split(","), options.hour_cuts.split(",")
    shop = online_retail(options.raw)
    some = list(cases(shop, cuts, hour_cuts))
    with tempfile.TemporaryDirectory(prefix="forecast-") as folder:
        ours = forecasts_of_lakes(shop, sorted({*cuts, *hour_cuts}), Path(folder), options.lake or Path(folder, "lake"))
    ways = {OURS: ours}
    if not options.no_reference:
        ways[REFERENCE] = auto_ets(some)
    if options.predictions:
        as_csv(some, ours).to_csv(options.predictions, index=False)
    tables = score(some, ways)
    print(as_table(tables))
    problems = broken_gates(tables, OURS) + embarrassments(some, ours)
    print("\n".join(["", *problems]) if problems else "\nevery bound is reached")
    return 1 if problems else 0


def forecasts_of_lakes(shop: Shop, days: Sequence[str], folder: Path, lake: Path) -> Forecasts:
    """What forecast_sales says at the end of each of some days, in order, in a lake that has nothing of later ones."""
    found: Forecasts = {}
    people = folder / "customers.csv"
    people.write_text("CUSTOMER_ID,NAME,AGE,COUNTRY\n")
    feeds = folder / "feeds.yml"
    feeds.write_text("transactions: {guests: allow}\n")
    loaded = shop.sales.iloc[:0]
    with Worker(folder / "worker") as worker:
        for day in days:
            known = shop.until(day)
            news = known[~known["TRANSACTION_ID"].isin(loaded["TRANSACTION_ID"])]
            landed = folder / f"sales_{day}.csv"
            news[_FEED].to_csv(landed, index=False, float_format="%.2f")
            loaded = known
            in_lake = f"--lake={lake}"
            files = [f"--transactions={landed}", f"--customers={people}", f"--feeds={feeds}"]
            _must(worker, "load_sales", *files, in_lake)
            _must(worker, "forecast_sales", in_lake, f"--last-day={day}")
            found |= forecasts_in(lake, day)
    return found


def _must(worker: Worker, job: str, *arguments: str) -> None:
    exit_code, printed = worker.run(job, *arguments)
    if exit_code:
        sys.exit(f"{job} {' '.join(arguments)} failed:\n{printed}")
    print(f"{job} {' '.join(arguments)}", file=sys.stderr, flush=True)


def forecasts_in(lake: Path, day: str) -> Forecasts:
    """The forecasts of a lake, by series and the day after which they begin: units of products, money of all."""
    rows = DeltaTable(str(lake / "sales_forecast")).to_pandas()
    rows = rows[(rows["STATUS"] == "ok") & ((rows["MEASURE"] == "UNITS") | (rows["SERIES_KIND"] == "total"))]
    rows["time"] = rows["PERIOD_START"].dt.tz_localize(None)
    numbers = [name for name in _NAMES if name != "MODEL"]
    rows[numbers] = rows[numbers].astype(float)
    names = {(ALL_PRODUCTS, "day"): TOTAL, (ALL_PRODUCTS, "hour"): HOURLY}
    return {
        (names.get((product, grain), product), day): series.set_index("time").rename(columns=_NAMES)
        for (product, grain), series in rows.groupby(["PRODUCT_ID", "GRAIN"])
    }


def auto_ets(some: Sequence[Case]) -> Forecasts:
    """What AutoETS says of each case, with its own intervals; hours have seasons of a day, for want of longer ones. It is
    told of closed periods, without which it is worse.
    """
    from statsforecast.models import AutoETS

    found: Forecasts = {}
    for case in some:
        model = AutoETS(season_length=24 if case.kind == "hours" else case.season)
        made = model.forecast(np.ascontiguousarray(case.known, dtype=np.float64), h=len(case.came), level=[80, 95])
        values = {"mean": made["mean"]}
        values |= {f"{side}{share}": made[f"{side}-{share}"] for side in ("lo", "hi") for share in (80, 95)}
        forecast = pd.DataFrame(values, index=case.times).clip(lower=0)
        forecast[is_closed(case)] = 0.0
        found[case.series, case.cut] = forecast
    return found


def as_csv(some: Sequence[Case], forecasts: Forecasts) -> pd.DataFrame:
    """One row per cut, series and time, with the mean and the bounds."""
    names = {TOTAL: "TOTAL", HOURLY: "HOURLY"}
    parts = [
        forecasts[case.series, case.cut]
        .reindex(case.times)
        .assign(cutoff=case.cut, series=names.get(case.series, case.series), ds=case.times)
        for case in some
        if (case.series, case.cut) in forecasts
    ]
    return pd.concat(parts)[["cutoff", "series", "ds", "mean", "lo80", "hi80", "lo95", "hi95", "model"]]


def as_table(tables: Mapping[str, pd.DataFrame]) -> str:
    """All figures in one table."""
    rows = []
    for kind, table in tables.items():
        for way, figures in table.iterrows():
            rest = ["" if pd.isna(value) else f"{value:.3f}" for value in figures]
            rows.append([kind, str(way), *rest])
    return markdown(["series", "way", *next(iter(tables.values())).columns], rows)


if __name__ == "__main__":
    sys.exit(main())
