"""A small shop that sells in baskets, its recommendations, and every cell of them beside what plain Python has."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

from deltalake import DeltaTable

from common.contract.offers import CUSTOMER_RECOMMENDATIONS, PRODUCT_PAIRS, RECOMMENDATION_ACCURACY
from jobs import recommend_products
from support.expected_offers import FIGURES, Moment, newest_day, purchases
from support.lakes import CUSTOMERS_HEADER, Outcome, Workbench, arrow

TABLES = [table.name for table in (PRODUCT_PAIRS, CUSTOMER_RECOMMENDATIONS, RECOMMENDATION_ACCURACY)]
ZONE, LEFT_OUT = "America/New_York", "POST,voucher"
FIRST_DAY = datetime(2025, 1, 2, tzinfo=timezone.utc)
PEOPLE = [
    CUSTOMERS_HEADER,
    *(
        f"c{number:02},Person {number},{20 if number % 7 else 50},{'Mali' if number % 5 else 'Peru'}"
        for number in range(40)
    ),
    "c40,No Age,,Peru",
    "c41,No Country,30,",
    "c42,Nothing Known,,",
    "lone,Never Bought,33,Mali",
    "nobody,Never Bought,,",
]


def sold(days: int, seed: int) -> Iterator[str]:
    """Lines of a shop: some products go together, some customers come often; returns, gifts, guests and postage too."""
    choose = random.Random(seed)
    for number in range(days * 6):
        customer = f"c{min(choose.randint(0, 44), choose.randint(0, 44)):02}"
        # Each hour costs time to load, so that there is something on every third day alone.
        third_day = choose.randint(0, (days - 1) // 3)
        # In New York, two o'clock is of the day before.
        at = FIRST_DAY + timedelta(days=3 * third_day, hours=2 if third_day % 3 else 15)
        first = choose.randint(0, 17)
        for line, product in enumerate({first, first // 2, choose.randint(0, 17), choose.randint(0, 30)}):
            quantity, price = choose.choice([(1, "2.00")] * 8 + [(-1, "2.00"), (1, "0.00")])
            who = "guest" if number % 15 == 0 else customer
            name = "POST" if number % 7 == 0 and line == 0 else f"p{product:02}"
            yield f"s{seed}-{number}-{line},{who},{name},{quantity},{price},{at:%Y-%m-%d %H:%M:%S}"
    # More than a basket may have.
    yield from (f"s{seed}-{n},c03,q{n:03},1,1.00,{FIRST_DAY + timedelta(days=20):%Y-%m-%d} 12:00" for n in range(101))


def recommend(bench: Workbench, *options: str, zone: str = ZONE) -> Outcome:
    told = [f"--business-time-zone={zone}", f"--products-left-out={LEFT_OUT}"]
    outcome = bench.run(recommend_products, f"--lake={bench.lake}", *told, *options)
    assert outcome.report is not None, outcome.error
    return outcome


def offer_versions(bench: Workbench) -> dict[str, int]:
    return {name: DeltaTable(bench.path(name)).version() for name in TABLES}


def usual_cuts(newest: date) -> list[date]:
    """The last three of every fourth Monday with 28 days behind them, of which the newest day is none."""
    mondays = [day for day in (newest - timedelta(days=back) for back in range(28, 140)) if day.weekday() == 0]
    return [day for day in mondays if (day - date(2025, 1, 20)).days % 28 == 0][:3]


def assert_offers_are_right(bench: Workbench, cuts: list[date] | None = None, zone: str = ZONE) -> None:
    """Every cell of the three tables, as plain Python has it from the stored sales and customers."""
    sales = arrow(bench.path("sales_data_partitioned"))
    people = {row[0]: row[1:] for row in bench.rows("customers", "CUSTOMER_ID", "AGE", "COUNTRY")}
    bought = purchases(sales, zone, LEFT_OUT.split(","))
    now = Moment(bought, people, newest_day(sales, zone) + timedelta(days=1))
    pairs = [
        (product, row[0], rank, *row[1:]) for product, rows in now.pairs().items() for rank, row in enumerate(rows, 1)
    ]
    assert bench.rows(PRODUCT_PAIRS.name, *PRODUCT_PAIRS.column_names) == sorted(pairs, key=repr)

    expected = now.recommendations({*people, *(customer for customer, _, _ in bought)})
    stored = bench.rows(CUSTOMER_RECOMMENDATIONS.name, *CUSTOMER_RECOMMENDATIONS.column_names)
    assert stored == sorted(expected, key=repr)

    figures: dict[Any, Any] = {}
    for cut in usual_cuts(newest_day(sales, zone)) if cuts is None else cuts:
        then = Moment(bought, people, cut)
        if len(then.truth) < 5:
            continue
        offers: dict[str, dict[str, list[str]]] = {"again": {}, "new": {}}
        for customer, kind, _, product, *_ in then.recommendations(then.truth):
            offers[kind].setdefault(customer, []).append(product)
        figures |= {(cut, *key): row for key, row in then.accuracy(offers["again"], offers["new"]).items()}
    columns = RECOMMENDATION_ACCURACY.column_names
    found = {row[:3]: row[3:] for row in bench.rows(RECOMMENDATION_ACCURACY.name, *columns)}
    assert columns[3:] == list(FIGURES)
    assert found.keys() == figures.keys()
    for key, row in found.items():
        for name, value in zip(FIGURES, row, strict=True):
            assert abs(float(value) - figures[key][name]) < 1e-6, (key, name)
