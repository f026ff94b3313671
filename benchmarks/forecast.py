"""How good the forecasts of forecast_sales are, on lakes as they stood at days in the past, beside AutoETS.

Started by ./run-benchmarks.sh forecast --raw FOLDER [options]. The folder has the files of the Online Retail data set,
one a day. One lake is loaded up to each cut in turn, and forecast_sales runs on it with nothing that came later. Exit
code 1 where one of the bounds is not reached.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench import markdown
from support.forecast_cuts import (
    CUTS,
    HOUR_CUTS,
    HOURLY,
    TOTAL,
    Case,
    broken_gates,
    cases,
    embarrassments,
    is_closed,
    online_retail,
    score,
)
from support.forecast_lakes import Forecasts, days_of_a_lake, forecasts_in, stock_lasted

OURS, REFERENCE = "forecast_sales", "AutoETS"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run-benchmarks.sh forecast", description=__doc__)
    parser.add_argument("--raw", type=Path, required=True, metavar="FOLDER", help="the files of the shop")
    parser.add_argument(
        "--cuts", default=",".join(CUTS), metavar="DAYS", help="last whole days known, for forecasts by day"
    )
    parser.add_argument(
        "--hour-cuts", default=",".join(HOUR_CUTS), metavar="DAYS", help="the same for forecasts by hour"
    )
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
        lake, ours, lasted = options.lake or Path(folder, "lake"), Forecasts(), Counter[bool]()
        for day in days_of_a_lake(shop, sorted({*cuts, *hour_cuts}), Path(folder), lake):
            ours |= forecasts_in(lake, day)
            if day in cuts:
                lasted += stock_lasted(shop, lake, day)
    ways = {OURS: ours}
    if not options.no_reference:
        ways[REFERENCE] = auto_ets(some)
    if options.predictions:
        as_csv(some, ours).to_csv(options.predictions, index=False)
    tables = score(some, ways)
    print(as_table(tables))
    print(f"\na stock of REORDER_POINT lasted for the lead time in {lasted[True]:,} of {lasted.total():,} cases")
    problems = broken_gates(tables, OURS) + embarrassments(some, ours)
    print("\n".join(["", *problems]) if problems else "\nevery bound is reached")
    return 1 if problems else 0


def auto_ets(some: Sequence[Case]) -> Forecasts:
    """What AutoETS says of each case, with its own intervals. Hours have seasons of a day, for want of longer ones. It
    is told of closed periods, without which it is worse.
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
