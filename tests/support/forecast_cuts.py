"""A shop's files as they stood at days in the past, and how well what was forecast then has come true.

Nothing of the product is used to score: the measures are written down here once more, one series at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

TOTAL, HOURLY = "total by day", "total by hour"
TOP_PRODUCTS = 50
# The last whole days that are known, for forecasts by day and by hour: those at which the bounds of GATES hold.
CUTS: tuple[str, ...] = ("2011-09-29", "2011-10-13", "2011-10-27", "2011-11-10", "2011-11-24")
HOUR_CUTS: tuple[str, ...] = ("2011-10-06", "2011-10-20", "2011-11-03", "2011-11-17", "2011-12-01")
# Periods of a season, and periods ahead.
SEASON = {"day": (7, 14), "hour": (168, 168)}
# What has to be reached, of each kind of series: the mean error at most so much, also beside that of the two simplest;
# and the share of what comes that the intervals of 80 and 95 % hold.
GATES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "total": {"mase": (0, 0.98), "of naive": (0, 0.90), "of mean": (0, 0.75), "80": (0.65, 0.95), "95": (0.85, 1)},
    "products": {
        "mase": (0, 0.77),
        "of naive": (0, 0.86),
        "of mean": (0, 1.02),
        "80": (0.72, 0.88),
        "95": (0.92, 0.98),
    },
    "hours": {"mase": (0, 1.20), "of naive": (0, 0.80), "of mean": (0, 0.80), "80": (0.72, 0.90), "95": (0.90, 0.99)},
}
BOUNDS = ("lo80", "hi80", "lo95", "hi95")


@dataclass(frozen=True)
class Shop:
    """Sales without returns, one row each, in the columns of a feed of ours and `time`; the last whole day is known."""

    sales: pd.DataFrame
    last_day: pd.Timestamp

    def until(self, day: str) -> pd.DataFrame:
        """What was sold up to the end of a day."""
        return self.sales[self.sales["time"] < pd.Timestamp(day) + pd.Timedelta(days=1)]

    def top_products(self, day: str) -> list[str]:
        """Those of which most units were sold up to a day."""
        units = self.until(day).groupby("PRODUCT_ID")["QUANTITY"].sum()
        return list(units.sort_values(ascending=False, kind="stable").index[:TOP_PRODUCTS])

    def by_day(self, product: str | None = None) -> pd.Series:
        """Units of a product, or money of all, on each day from the first of the shop to the last whole one."""
        sales = self.sales if product is None else self.sales[self.sales["PRODUCT_ID"] == product]
        what = "amount" if product is None else "QUANTITY"
        days = pd.date_range(self.sales["time"].min().floor("D"), self.last_day)
        return sales.groupby(sales["time"].dt.floor("D"))[what].sum().reindex(days, fill_value=0).astype(float)

    def by_hour(self) -> pd.Series:
        """Money in each hour of these days."""
        first, last = self.sales["time"].min().floor("D"), self.last_day + pd.Timedelta(hours=23)
        hours = pd.date_range(first, last, freq="h")
        return self.sales.groupby(self.sales["time"].dt.floor("h"))["amount"].sum().reindex(hours, fill_value=0.0)


def online_retail(folder: Path) -> Shop:
    """The files of the shop. Returns and prices of 0 are left out, since the bounds of GATES were measured without."""
    kinds = {"InvoiceNo": str, "StockCode": str, "CustomerID": str}
    lines = pd.concat([pd.read_csv(path, dtype=kinds) for path in sorted(folder.glob("*.csv.gz"))], ignore_index=True)
    price = (lines["UnitPrice"] + 1e-9).round(2)
    sales = pd.DataFrame(
        {
            "TRANSACTION_ID": (lines.index + 1).astype(str),
            "CUSTOMER_ID": lines["CustomerID"].str.removesuffix(".0"),
            "PRODUCT_ID": lines["StockCode"],
            "QUANTITY": lines["Quantity"],
            "PRICE": price,
            "TRANSACTION_DATE": lines["InvoiceDate"],
            "amount": lines["Quantity"] * price,
            "time": pd.to_datetime(lines["InvoiceDate"]),
        }
    )
    sales = sales[(sales["QUANTITY"] > 0) & (sales["PRICE"] > 0)]
    return Shop(sales, sales["time"].max().floor("D") - pd.Timedelta(days=1))


@dataclass(frozen=True)
class Case:
    """One series at one cut: what was known, what came, and the times of that."""

    kind: str
    series: str
    cut: str
    known: np.ndarray
    came: np.ndarray
    times: pd.DatetimeIndex
    season: int


def cases(shop: Shop, cuts: Sequence[str], hour_cuts: Sequence[str]) -> Iterator[Case]:
    """The total and the largest products at each of the cuts, and the hours at theirs. A series by day begins with its
    first sale.
    """
    products = shop.top_products(cuts[0])
    series = {("total", TOTAL): shop.by_day()} | {("products", name): shop.by_day(name) for name in products}
    for (kind, name), values in series.items():
        for cut in cuts:
            yield _case(kind, name, cut, values[values.to_numpy().nonzero()[0][0] :], *SEASON["day"])
    for cut in hour_cuts:
        yield _case("hours", HOURLY, cut, shop.by_hour(), *SEASON["hour"])


def _case(kind: str, name: str, cut: str, values: pd.Series, season: int, horizon: int) -> Case:
    end = pd.Timestamp(cut) + pd.Timedelta(days=1)
    known, came = values[values.index < end], values[values.index >= end][:horizon]
    return Case(kind, name, cut, known.to_numpy(), came.to_numpy(), came.index, season)


def is_closed(case: Case) -> np.ndarray:
    """The periods ahead in whose place in the week nothing was sold for eight weeks."""
    weeks = case.known[-8 * case.season :].reshape(-1, case.season)
    return np.resize((weeks == 0).all(axis=0), len(case.came))


@dataclass
class Score:
    """The figures of one way to forecast, of series of one kind."""

    mase: list[float] = field(default_factory=list)
    within: dict[str, list[float]] = field(default_factory=lambda: {"80": [], "95": []})


def score(some: Sequence[Case], ways: Mapping[str, Mapping[tuple[str, str], pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """By kind of series, a row for each way to forecast: those given, by case, and the two simplest."""
    found: dict[str, dict[str, Score]] = {}
    for case in some:
        scale = np.abs(case.known[case.season :] - case.known[: -case.season]).mean()
        is_open = ~is_closed(case)
        simple = {
            "seasonal naive": np.resize(case.known[-case.season :], len(case.came)),
            "mean": np.full(len(case.came), case.known[-28 if case.season == 7 else -168 :].mean()),
        }
        of_kind = found.setdefault(case.kind, {})
        for way, means in simple.items():
            of_kind.setdefault(way, Score()).mase.append(np.abs(means - case.came).mean() / scale)
        for way, forecasts in ways.items():
            if (case.series, case.cut) not in forecasts:
                continue
            made = forecasts[case.series, case.cut].reindex(case.times)
            of_way = of_kind.setdefault(way, Score())
            of_way.mase.append(np.abs(made["mean"].to_numpy() - case.came).mean() / scale)
            for share, within in of_way.within.items():
                if f"lo{share}" in made:
                    is_within = made[f"lo{share}"].to_numpy() - 1e-6 <= case.came
                    is_within &= case.came <= made[f"hi{share}"].to_numpy() + 1e-6
                    within.extend(is_within[is_open].astype(float))
    return {kind: _table(of_kind) for kind, of_kind in found.items()}


def _table(scores: Mapping[str, Score]) -> pd.DataFrame:
    rows = {way: {"MASE": np.mean(score.mase), **_covered(score)} for way, score in scores.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def _covered(score: Score) -> dict[str, float]:
    return {f"within {share} %": float(np.mean(hits)) for share, hits in score.within.items() if hits}


def broken_gates(tables: Mapping[str, pd.DataFrame], way: str) -> list[str]:
    """What a way to forecast does not reach, in words."""
    broken = []
    for kind, table in tables.items():
        ours = table.loc[way]
        reached = {
            "mase": ours["MASE"],
            "of naive": ours["MASE"] / table.loc["seasonal naive", "MASE"],
            "of mean": ours["MASE"] / table.loc["mean", "MASE"],
            "80": ours["within 80 %"],
            "95": ours["within 95 %"],
        }
        for gate, (low, high) in GATES[kind].items():
            if not low <= reached[gate] <= high:
                broken.append(f"{kind}, {gate}: {reached[gate]:.3f} is not from {low:g} to {high:g}")
    return broken


def embarrassments(some: Sequence[Case], forecasts: Mapping[tuple[str, str], pd.DataFrame]) -> list[str]:
    """Forecasts that nobody should see: missing, negative, bounds out of order, flat totals, sales on closed days."""
    found = []
    for case in some:
        name = f"{case.series} at {case.cut}"
        made = forecasts.get((case.series, case.cut))
        if made is None or not case.times.isin(made.index).all():
            found.append(f"{name}: periods are missing")
            continue
        made = made.reindex(case.times)
        in_order = made[["lo95", "lo80", "mean", "hi80", "hi95"]].to_numpy()
        if (in_order < 0).any():
            found.append(f"{name}: below 0")
        if (np.diff(in_order, axis=1) < 0).any():
            found.append(f"{name}: bounds out of order")
        if (made["mean"].to_numpy()[is_closed(case)] != 0).any():
            found.append(f"{name}: sales in a closed period")
        if case.kind != "products" and made["mean"].nunique() == 1:
            found.append(f"{name}: flat")
    return found
