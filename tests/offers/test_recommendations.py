"""What to offer to whom, and how good that has been: cell by cell as plain Python works it out, whatever happened."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from common.contract.offers import CUSTOMER_RECOMMENDATIONS, PRODUCT_PAIRS, RECOMMENDATION_ACCURACY
from jobs import forget_customer, load_sales, recommend_products, verify_aggregate
from support.lakes import SALES_HEADER, Workbench, assert_did_as_planned
from support.offers import LEFT_OUT, PEOPLE, TABLES, ZONE, assert_offers_are_right, offer_versions, recommend, sold

# Every fourth Monday with 28 days behind it, of which the newest, 2025-04-20, is none.
CUTS = [date(2025, 1, 20), date(2025, 2, 17), date(2025, 3, 17)]


@pytest.fixture(scope="module")
def first_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of 110 days, with recommendations."""
    folder = tmp_path_factory.mktemp("offers")
    (folder / "people.csv").write_text("\n".join([*PEOPLE, ""]))
    (folder / "sales.csv").write_text("\n".join([SALES_HEADER, *sold(110, 10), ""]))
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


def test_offers_are_what_plain_python_computes(bench: Workbench) -> None:
    assert_offers_are_right(bench, CUTS)
    reasons = {reason for (reason,) in bench.rows(CUSTOMER_RECOMMENDATIONS.name, "REASON")}
    assert reasons == {"buy again", "bought with", "popular with people like you", "popular"}
    assert len(bench.rows(PRODUCT_PAIRS.name)) > 100
    assert len(bench.rows(RECOMMENDATION_ACCURACY.name)) == 3 * 7


@pytest.mark.thorough
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


@pytest.mark.thorough
@pytest.mark.job_cluster
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
