"""Whatever arrives in whatever order, the aggregate equals a full recompute, and only what changed is written."""

from __future__ import annotations

from lakes import Workbench, assert_equals_recompute

ALICE = "c1,Alice,30,Norway"
BOB = "c2,Bob,40,Japan"
NINE = "2025-02-22 09:15:00"
TEN = "2025-02-22 10:15:00"


def test_a_second_run_writes_nothing(bench: Workbench) -> None:
    bench.people(ALICE)
    bench.sales(f"t1,c1,p1,2,1.50,{NINE}")
    first = bench.must_load()
    versions = bench.versions()

    second = bench.must_load()

    assert first.ledger() == {"rows_read": 1, "new": 1}
    assert second.report is not None
    assert second.report["changed_nothing"]
    assert second.ledger() == {}
    assert bench.versions() == versions


def test_a_sale_of_an_unknown_customer_is_kept_and_completed_later(bench: Workbench) -> None:
    bench.people(ALICE)
    bench.sales(f"t1,c1,p1,2,1.50,{NINE}", f"t2,c2,p1,1,3.00,{NINE}")
    first = bench.must_load()
    assert first.report is not None
    assert first.report["unknown_customer_rows"] == 1
    assert ("c2", None, None, None) in bench.rows("customer_aggregated_data", "CUSTOMER_ID", "NAME", "AGE", "COUNTRY")
    assert_equals_recompute(bench)

    bench.people(BOB)
    bench.must_load()

    assert ("c2", "Bob", 40, "Japan") in bench.rows("customer_aggregated_data", "CUSTOMER_ID", "NAME", "AGE", "COUNTRY")
    assert_equals_recompute(bench)


def test_a_correction_that_moves_a_sale_leaves_nothing_in_its_old_hour(bench: Workbench) -> None:
    bench.people(ALICE)
    bench.sales(f"t1,c1,p1,2,1.50,{NINE}", f"t2,c1,p2,1,4.00,{TEN}")
    bench.must_load()

    bench.sales(f"t1,c1,p1,3,1.50,{TEN}")
    outcome = bench.must_load()

    assert outcome.ledger() == {"rows_read": 1, "corrected": 1}
    assert outcome.report is not None
    assert outcome.report["moved_sales"] == 1
    assert len(outcome.report["hours_touched"]) == 2
    hours = {row[0].hour for row in bench.rows("customer_aggregated_data", "transaction_hour")}
    assert hours == {10}
    assert_equals_recompute(bench)
