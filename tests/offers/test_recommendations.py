"""What to offer to whom, and how good that has been: cell by cell as plain Python works it out, whatever happened."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from common.contract.offers import CUSTOMER_RECOMMENDATIONS, PRODUCT_PAIRS, RECOMMENDATION_ACCURACY
from jobs import forget_customer, load_sales, recommend_products, verify_aggregate
from support.expected_offers import FIGURES, Moment, newest_day, purchases
from support.lakes import CUSTOMERS_HEADER, SALES_HEADER, Outcome, Workbench, arrow, assert_did_as_planned

TABLES = [table.name for table in (PRODUCT_PAIRS, CUSTOMER_RECOMMENDATIONS, RECOMMENDATION_ACCURACY)]
ZONE, LEFT_OUT = "America/New_York", "POST,voucher"
FIRST_DAY = datetime(2025, 1, 2, tzinfo=timezone.utc)
# Every fourth Monday with 28 days behind it, of which the newest, 2025-04-21, is none.
CUTS = [date(2025, 1, 20), date(2025, 2, 17), date(2025, 3, 17)]
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
        day = choose.randint(0, days - 1)
        # In New York, two o'clock is of the day before.
        at = FIRST_DAY + timedelta(days=day, hours=2 if day % 3 else 15)
        first = choose.randint(0, 17)
        for line, product in enumerate({first, first // 2, choose.randint(0, 17), choose.randint(0, 30)}):
            quantity, price = choose.choice([(1, "2.00")] * 8 + [(-1, "2.00"), (1, "0.00")])
            who = "guest" if number % 15 == 0 else customer
            name = "POST" if number % 7 == 0 and line == 0 else f"p{product:02}"
            yield f"s{seed}-{number}-{line},{who},{name},{quantity},{price},{at:%Y-%m-%d %H:%M:%S}"
    # More than a basket may have.
    yield from (f"s{seed}-{n},c03,q{n:03},1,1.00,{FIRST_DAY + timedelta(days=20):%Y-%m-%d} 12:00" for n in range(101))


@pytest.fixture(scope="module")
def first_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of 110 days, with recommendations."""
    folder = tmp_path_factory.mktemp("offers")
    (folder / "people.csv").write_text("\n".join([*PEOPLE, ""]))
    (folder / "sales.csv").write_text("\n".join([SALES_HEADER, *sold(110, 1), ""]))
    (folder / "feeds.yml").write_text("transactions:\n  returns: allow\n  guests: allow\n")
    inputs = [f"--transactions={folder}/sales.csv", f"--customers={folder}/people.csv"]
    assert load_sales.main([*inputs, f"--feeds={folder}/feeds.yml", f"--lake={folder}/lake", "--json"]) == 0
    told = [f"--business-time-zone={ZONE}", f"--products-left-out={LEFT_OUT}"]
    assert recommend_products.main([f"--lake={folder}/lake", *told, "--json"]) == 0
    return folder


@pytest.fixture
def bench(bench: Workbench, first_lake: Path) -> Workbench:
    """A copy of that lake."""
    shutil.copytree(first_lake / "lake", bench.lake)
    shutil.copy(first_lake / "feeds.yml", bench.folder)
    bench.canaries.add("\n".join(PEOPLE))
    return bench


def recommend(bench: Workbench, *options: str, zone: str = ZONE) -> Outcome:
    told = [f"--business-time-zone={zone}", f"--products-left-out={LEFT_OUT}"]
    outcome = bench.run(recommend_products, f"--lake={bench.lake}", *told, *options)
    assert outcome.report is not None, outcome.error
    return outcome


def offer_versions(bench: Workbench) -> dict[str, int]:
    return {name: DeltaTable(bench.path(name)).version() for name in TABLES}


def assert_offers_are_right(bench: Workbench, cuts: list[date], zone: str = ZONE) -> None:
    """Every cell of the three tables, as plain Python has it from the stored sales and customers."""
    sales = arrow(bench.path("sales_data_partitioned"))
    people = {row[0]: row[1:] for row in bench.rows("customers", "CUSTOMER_ID", "AGE", "COUNTRY")}
    bought = purchases(sales, zone, LEFT_OUT.split(","))
    now = Moment(bought, people, newest_day(sales, zone) + timedelta(days=1))
    pairs = [
        (product, row[0], rank, *row[1:]) for product, rows in now.pairs().items() for rank, row in enumerate(rows, 1)
    ]
    assert len(pairs) > 50
    assert bench.rows(PRODUCT_PAIRS.name, *PRODUCT_PAIRS.column_names) == sorted(pairs, key=repr)

    expected = now.recommendations({*people, *(customer for customer, _, _ in bought)})
    stored = bench.rows(CUSTOMER_RECOMMENDATIONS.name, *CUSTOMER_RECOMMENDATIONS.column_names)
    assert stored == sorted(expected, key=repr)
    assert {row[5] for row in stored} == {"buy again", "bought with", "popular with people like you", "popular"}

    figures: dict[Any, Any] = {}
    for cut in cuts:
        then = Moment(bought, people, cut)
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


def test_offers_are_what_plain_python_computes(bench: Workbench) -> None:
    assert_offers_are_right(bench, CUTS)


def test_a_run_writes_what_differs_and_later_sales_leave_the_cuts_alone(bench: Workbench) -> None:
    versions = offer_versions(bench)
    again = recommend(bench)
    assert again.report is not None
    assert again.report["changed_nothing"]
    assert offer_versions(bench) == versions

    bench.sales("late1,c02,p01,1,2.00,2025-04-22 15:00:00", "late2,c02,p02,1,2.00,2025-04-22 15:00:00")
    bench.must_load(f"--feeds={bench.folder}/feeds.yml")
    planned = recommend(bench, "--dry-run")
    assert offer_versions(bench) == versions
    done = recommend(bench)
    assert_did_as_planned(planned, done)
    assert done.report is not None
    assert done.report["gold_recomputed_whole"] == {}
    assert done.report["baskets_passed_over"] == 1
    assert [change["table"] for change in done.report["written"]] == TABLES[:2]
    assert_offers_are_right(bench, CUTS)
    assert bench.run(verify_aggregate, f"--lake={bench.lake}").exit_code == 0


def test_a_forgotten_customer_is_in_no_offer_and_the_settings_stay_those_of_the_tables(bench: Workbench) -> None:
    forgotten = bench.run(forget_customer, f"--lake={bench.lake}", "--customer-id=c02", "--apply")
    assert forgotten.report is not None, forgotten.error
    assert forgotten.report["removed"][CUSTOMER_RECOMMENDATIONS.name] == 20
    assert set(TABLES) <= {change["table"] for change in forgotten.report["written"]}
    assert "c02" not in {row[0] for row in bench.rows(CUSTOMER_RECOMMENDATIONS.name, "CUSTOMER_ID")}
    assert_offers_are_right(bench, CUTS)

    elsewhere = recommend(bench, f"--accuracy-cuts={CUTS[1]}", zone="Asia/Tokyo")
    assert elsewhere.report is not None
    reasons = elsewhere.report["gold_recomputed_whole"]
    assert reasons[PRODUCT_PAIRS.name] == "it was computed with another business_time_zone"
    assert reasons[RECOMMENDATION_ACCURACY.name].endswith("another business_time_zone and accuracy_cuts")
    assert_offers_are_right(bench, [CUTS[1]], zone="Asia/Tokyo")
