"""A real shop's year: what would have been offered at days of the past, scored by what was bought in the weeks after.

The scorer is plain Python over the files as DuckDB reads them. It shares no code with the product.
"""

from __future__ import annotations

import csv
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

import duckdb
import pytest

from support.batteries import Battery
from support.expected_offers import FIGURES, Bought, Figures, Moment
from support.lakes import REAL_DATA, arrow
from support.project import ROOT

FEEDS = ROOT / "examples" / "online_retail" / "feeds.yml"
DAYS = sorted((REAL_DATA / "online-retail").glob("*.csv.gz"))
CUTS = [date(2011, 9, 1), date(2011, 10, 1), date(2011, 11, 1)]
OURS = "recommendations"

pytestmark = pytest.mark.skipif(not DAYS, reason="the real files are not beside the project")


@pytest.mark.battery
def test_shop_offers(tmp_path: Path, battery: Battery) -> None:
    """The lake as it stood at each cut, one load after another; then its own table of accuracy, at the same cuts.
    There is no share of it: the bounds of quality are those of a year, and test_offer_histories.py has small shops.
    """
    if battery.share < 1:
        pytest.skip("a year of a shop is run whole, or not at all")
    cuts = CUTS
    shop = Shop(tmp_path)
    bought, people = bought_by_files(), countries_by_files()
    figures: dict[tuple[date, str, str], Figures] = {}
    with (tmp_path / "recommendations.csv").open("w", newline="") as file:
        written = csv.writer(file)
        written.writerow(["cutoff", "CUSTOMER_ID", "KIND", "RANK", "PRODUCT_ID"])
        for cut in cuts:
            shop.load(until=cut)
            seconds = shop.recommend()
            moment, offers = Moment(bought, people, cut), shop.offers()
            assert_offers_keep_their_word(moment, offers)
            figures |= {(cut, *key): row for key, row in moment.accuracy(offers["again"], offers["new"]).items()}
            written.writerows(
                (cut, customer, kind, rank, product)
                for kind, by_customer in offers.items()
                for customer, products in by_customer.items()
                for rank, product in enumerate(products, 1)
            )
            print(f"{cut}: recommended in {seconds:.0f} s")
    means = mean_figures(figures)
    print("\n".join(table_of(means)))
    assert_gates_hold(means)

    shop.load(until=cuts[-1] + timedelta(days=29))
    shop.recommend(f"--accuracy-cuts={','.join(map(str, cuts))}")
    assert_accuracy_is(figures, shop)
    ours, own = means["mixed", OURS]["NDCG"], means["mixed", "own frequency"]["NDCG"]
    new, popular = means["new", OURS]["NDCG"], means["new", "most popular"]["NDCG"]
    battery.passed(
        f"{len(cuts)} cuts, NDCG@10 {ours:.3f} (own frequency {own:.3f}), of new products {new:.3f} (most popular "
        f"{popular:.3f}), 0 differences between the lake's own figures and these"
    )


class Shop:
    """A lake of the shop's files, which arrive in the order of their days. Customers are known from the start."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.landing = folder / "lake", folder / "landing"
        self.landing.mkdir()

    def load(self, until: date) -> None:
        for day in DAYS:
            if day.name < str(until) and not (self.landing / day.name).exists():
                (self.landing / day.name).write_bytes(day.read_bytes())
        self._run(
            "load_sales",
            f"--feeds={FEEDS}",
            f"--transactions={self.landing}",
            f"--customers={DAYS[0].parent}",
            "--max-rejected-share=0.5",
        )

    def recommend(self, *options: str) -> float:
        """The seconds that the command takes."""
        start = time.monotonic()
        self._run("recommend_products", "--business-time-zone=Europe/London", *options)
        return time.monotonic() - start

    def rows(self, table: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = arrow(f"{self.lake}/{table}").to_pylist()
        return rows

    def offers(self) -> dict[str, dict[str, list[str]]]:
        """By kind and customer, the products in order."""
        offers: dict[str, dict[str, list[str]]] = {"again": defaultdict(list), "new": defaultdict(list)}
        for row in sorted(self.rows("customer_recommendations"), key=lambda row: row["RANK"]):
            offers[row["KIND"]][row["CUSTOMER_ID"]].append(row["PRODUCT_ID"])
        return offers

    def _run(self, job: str, *arguments: str) -> None:
        command = [str(ROOT / "spark-submit.sh"), job, f"--lake={self.lake}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def of_files(query: str) -> list[tuple[Any, ...]]:
    """A query over the lines of all files with a customer, a quantity above 0 and a price above 0, in whole pence."""
    lines = (
        "SELECT replace(CustomerID, '.0', '') AS customer, trim(StockCode) AS product, Country AS country, "
        "InvoiceDate::TIMESTAMP AS sold_at FROM read_csv(?, all_varchar = true, header = true) "
        "WHERE CustomerID IS NOT NULL AND Quantity::INT > 0 AND UnitPrice::DECIMAL(18, 4) > 0 "
        "AND UnitPrice::DECIMAL(18, 4) = round(UnitPrice::DECIMAL(18, 4), 2)"
    )
    return duckdb.execute(f"WITH lines AS ({lines}) {query}", [list(map(str, DAYS))]).fetchall()


def bought_by_files() -> list[Bought]:
    return [tuple(row) for row in of_files("SELECT DISTINCT customer, product, sold_at::DATE FROM lines ORDER BY ALL")]


def countries_by_files() -> dict[str, tuple[None, str]]:
    """Today's country of each customer: that of the newest line, whatever it is about."""
    lines = "read_csv(?, all_varchar = true, header = true) WHERE CustomerID IS NOT NULL"
    newest = f"SELECT replace(CustomerID, '.0', ''), max_by(Country, InvoiceDate) FROM {lines} GROUP BY 1"
    return {
        customer: (None, country) for customer, country in duckdb.execute(newest, [list(map(str, DAYS))]).fetchall()
    }


def assert_offers_keep_their_word(moment: Moment, offers: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Ten of each kind where there are so many; new is what the customer never bought, again what was bought."""
    for customer in {*moment.customers, *moment.owned}:
        own, again, new = moment.owned.get(customer, {}), offers["again"].get(customer, []), offers["new"][customer]
        assert len(set(again)) == len(again) == min(10, len(own)), customer
        assert len(set(new)) == len(new) == 10, customer
        assert own.keys() >= set(again), customer
        assert own.keys().isdisjoint(new), customer


def mean_figures(
    figures: Mapping[tuple[date, str, str], Figures],
) -> dict[tuple[str, str], dict[str, float]]:
    """By kind and method, over the cuts."""
    rows = defaultdict(list)
    for (_, kind, method), row in figures.items():
        rows[kind, method].append(row)
    return {key: {name: fmean(row[name] for row in each) for name in FIGURES} for key, each in rows.items()}


def table_of(means: Mapping[tuple[str, str], Figures]) -> Iterator[str]:
    yield f"{'kind':6} {'method':20} " + " ".join(f"{name.lower():>10}" for name in FIGURES)
    for (kind, method), row in sorted(means.items()):
        yield f"{kind:6} {method:20} " + " ".join(f"{row[name]:10.4f}" for name in FIGURES)


def assert_gates_hold(means: Mapping[tuple[str, str], Figures]) -> None:
    ndcg = {key: row["NDCG"] for key, row in means.items()}
    mixed, new = ndcg["mixed", OURS], ndcg["new", OURS]
    gates = {
        "mixed": mixed >= 0.33,
        "mixed beside the most popular": mixed >= 2.6 * ndcg["mixed", "most popular"],
        "mixed beside own frequency": mixed >= 0.98 * ndcg["mixed", "own frequency"],
        "new": new >= 0.085,
        "new beside the most popular": new >= 1.25 * ndcg["new", "most popular"],
        "new beside the popular in the country": new >= 1.2 * ndcg["new", "popular in country"],
        "coverage of new": means["new", OURS]["COVERAGE"] >= 0.2,
    }
    assert [gate for gate, holds in gates.items() if not holds] == []


def assert_accuracy_is(figures: Mapping[tuple[date, str, str], Figures], shop: Shop) -> None:
    found = {(row["CUT"], row["KIND"], row["METHOD"]): row for row in shop.rows("recommendation_accuracy")}
    assert found.keys() == figures.keys()
    wrong = [
        (*key, name, row[name], figures[key][name])
        for key, row in found.items()
        for name in FIGURES
        if abs(float(row[name]) - figures[key][name]) > 1e-6
    ]
    assert wrong == []
