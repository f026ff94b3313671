"""Lakes of a shop as they stood at days in the past, and what forecast_sales says in them of sales and of stock."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from deltalake import DeltaTable

from support.forecast_cuts import HOURLY, TOTAL, Shop
from support.worker import Worker, on_cores

_FEED = ["TRANSACTION_ID", "CUSTOMER_ID", "PRODUCT_ID", "QUANTITY", "PRICE", "TRANSACTION_DATE"]
_NAMES = {"FORECAST": "mean", "LO80": "lo80", "HI80": "hi80", "LO95": "lo95", "HI95": "hi95", "MODEL": "model"}
# By series and the day after which they begin.
Forecasts = dict[tuple[str, str], pd.DataFrame]


def days_of_a_lake(shop: Shop, days: Sequence[str], folder: Path, lake: Path) -> Iterator[str]:
    """Each of some days, in order, while the lake has nothing of later ones, and what forecast_sales says of them."""
    people = folder / "customers.csv"
    people.write_text("CUSTOMER_ID,NAME,AGE,COUNTRY\n")
    feeds = folder / "feeds.yml"
    feeds.write_text("transactions: {guests: allow}\n")
    loaded = shop.sales.iloc[:0]
    with Worker(folder / "worker", on_cores(2, folder / "worker")) as worker:
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
            yield day


def _must(worker: Worker, job: str, *arguments: str) -> None:
    exit_code, printed = worker.run(job, *arguments)
    assert exit_code == 0, printed
    print(f"{job} {' '.join(arguments)}", file=sys.stderr, flush=True)


def forecasts_in(lake: Path, day: str) -> Forecasts:
    """The forecasts of a lake, by series and the day after which they begin: units of products, money of all."""
    rows = DeltaTable(str(lake / "sales_forecast")).to_pandas()
    rows = rows[(rows["STATUS"] == "ok") & ((rows["MEASURE"] == "UNITS") | (rows["SERIES_KIND"] == "total"))]
    rows["time"] = rows["PERIOD_START"].dt.tz_localize(None)
    numbers = [name for name in _NAMES if name != "MODEL"]
    rows[numbers] = rows[numbers].astype(float)
    names = {("", "day"): TOTAL, ("", "hour"): HOURLY}
    return {
        (names.get((product, grain), product), day): series.set_index("time").rename(columns=_NAMES)
        for (product, grain), series in rows.groupby(["PRODUCT_ID", "GRAIN"])
    }


def stock_lasted(shop: Shop, lake: Path, day: str) -> Counter[bool]:
    """Of how many products a stock of REORDER_POINT units after a day lasted for the lead time, and of how many not."""
    rows = DeltaTable(str(lake / "stock_cover")).to_pandas()
    rows = rows[rows["STATUS"] == "ok"]
    (lead_time,) = rows["LEAD_TIME_DAYS"].unique()
    end = pd.Timestamp(day) + pd.Timedelta(days=1)
    sales = shop.sales[(shop.sales["time"] >= end) & (shop.sales["time"] < end + pd.Timedelta(days=int(lead_time)))]
    sold = sales.groupby("PRODUCT_ID")["QUANTITY"].sum().reindex(rows["PRODUCT_ID"], fill_value=0)
    return Counter((sold.to_numpy() <= rows["REORDER_POINT"].astype(float).to_numpy()).tolist())
