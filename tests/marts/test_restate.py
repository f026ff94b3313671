"""A range of hours stated anew ends in what the files, or the stored sales, say; twice is as good as once."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.contract import AGGREGATE, SALES
from jobs import restate
from support.lakes import Workbench, assert_did_as_planned, assert_equals_recompute

NINE, TEN, ELEVEN = (f"2025-02-22 {hour:02}:15:00" for hour in (9, 10, 11))


def deliver(bench: Workbench) -> tuple[list[str], Path]:
    """A lake of four sales; returns the options of a restatement, and its file. There t1 is corrected, t2 gone, t3 as
    before, t4 of another hour, and t5 new.
    """
    bench.people("c1,Ann,30,Mali", "c2,Bob,40,Peru")
    bench.sales(
        f"t1,c1,p1,1,1.00,{NINE}",
        f"t2,c2,p1,2,1.00,{NINE}",
        f"t3,c1,p1,3,1.00,{TEN}",
        f"t4,c1,p1,4,1.00,{ELEVEN}",
    )
    bench.must_load()
    files = bench.file(
        bench.folder / "again.csv",
        "TRANSACTION_ID,CUSTOMER_ID,PRODUCT_ID,QUANTITY,PRICE,TRANSACTION_DATE\n"
        f"t1,c1,p1,10,1.00,{NINE}\nt3,c1,p1,3,1.00,{TEN}\nt4,c1,p1,4,1.00,{TEN}\nt5,c2,p2,5,1.00,{TEN}\n",
    )
    range_ = ["--first-hour=2025-02-22T09", "--last-hour=2025-02-22T10"]
    return [f"--lake={bench.lake}", f"--from-files={files}", *range_], files


def test_a_range_is_restated_from_files_as_planned_and_twice_is_as_good_as_once(bench: Workbench) -> None:
    options, _ = deliver(bench)
    versions = bench.versions()
    planned = bench.run(restate, *options)
    assert planned.ledger() == {"rows_read": 4, "new": 1, "corrected": 2, "unchanged": 1}
    assert planned.report is not None
    assert planned.report["removed"] == {SALES.name: 1}
    assert [(hour["hour"][11:13], hour["by_reason"]) for hour in planned.report["plan"]["hours"]] == [
        ("09", {"corrected": 1, "removed": 1}),
        ("10", {"late": 1, "moved": 1}),
        ("11", {"moved": 1}),
    ]
    assert bench.versions() == versions

    done = bench.run(restate, *options, "--apply")
    assert_did_as_planned(planned, done)
    ids = bench.rows(SALES.name, "TRANSACTION_ID", "QUANTITY", "transaction_hour")
    assert [(id_, units, hour.hour) for id_, units, hour in ids] == [
        ("t1", 10, 9),
        ("t3", 3, 10),
        ("t4", 4, 10),
        ("t5", 5, 10),
    ]
    assert_equals_recompute(bench)

    versions = bench.versions()
    again = bench.run(restate, *options, "--apply")
    assert again.report is not None, again.error
    assert again.report["changed_nothing"]
    assert bench.versions() == versions


@pytest.mark.thorough
def test_rows_outside_the_range_and_rows_that_are_not_good_refuse_the_run(bench: Workbench) -> None:
    """Something would be removed by mistake."""
    options, files = deliver(bench)
    versions = bench.versions()
    outside = bench.run(restate, *options[:-1], "--last-hour=2025-02-22T09")
    assert outside.exit_code == 3
    assert f"{files}, line 3: 3 rows are of hours outside the range" in outside.error
    bad = bench.file(files, files.read_text().replace(",10,1.00,", ",ten,1.00,"))
    refused = bench.run(restate, *options, "--apply")
    assert refused.exit_code == 3
    assert f"quantity_is_a_whole_number 1 (first: {bad}, line 2)" in refused.error
    assert bench.versions() == versions


@pytest.mark.thorough
def test_a_range_of_the_aggregate_is_restated_from_the_stored_sales(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales(f"t1,c1,p1,1,1.00,{NINE}", f"t2,c1,p1,2,1.00,{TEN}")
    bench.must_load()
    # A stray change behind a commit that looks like a run's own.
    history = bench.spark.sql(f"DESCRIBE HISTORY delta.`{bench.path(AGGREGATE.name)}` LIMIT 1").collect()[0]
    note = history["userMetadata"].replace('"follows": 0', '"follows": 1')
    bench.spark.conf.set("spark.databricks.delta.commitInfo.userMetadata", note)
    bench.spark.sql(f"UPDATE delta.`{bench.path(AGGREGATE.name)}` SET QUANTITY = 7")
    bench.spark.conf.unset("spark.databricks.delta.commitInfo.userMetadata")
    assert bench.must_load().ledger() == {}
    assert sorted(units for (units,) in bench.rows(AGGREGATE.name, "QUANTITY")) == [7, 7]

    nine = [f"--lake={bench.lake}", "--first-hour=2025-02-22T09", "--last-hour=2025-02-22T09"]
    done = bench.run(restate, *nine, "--apply")
    assert done.report is not None, done.error
    assert done.report["groups_touched"] == 1
    assert sorted(units for (units,) in bench.rows(AGGREGATE.name, "QUANTITY")) == [1, 7]
    assert bench.run(restate, nine[0], "--first-hour=2025-02-22T00", "--last-hour=2025-02-22T23", "--apply").report
    assert_equals_recompute(bench)
    versions = bench.versions()
    assert bench.run(restate, *nine, "--apply").exit_code == 0
    assert bench.versions() == versions

    for wrong, sentence in (("yesterday", "is no hour"), ("2025-02-23T00", "later than --last-hour")):
        outcome = bench.run(restate, nine[0], f"--first-hour={wrong}", nine[2])
        assert outcome.exit_code == 2
        assert sentence in outcome.error
