"""New, late, corrected, moved, duplicate and contradictory rows, and customers that change, step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.lakes import Workbench, assert_equals_recompute

NINE = "2025-02-22 09:15:00"
TEN = "2025-02-22 10:15:00"


def files_changed(bench: Workbench, table: str, version: int) -> tuple[set[str], set[str]]:
    """The data files that a commit removed and added."""
    removed, added = set(), set()
    for line in (Path(bench.path(table)) / "_delta_log" / f"{version:020}.json").read_text().splitlines():
        action: dict[str, Any] = json.loads(line)
        if "remove" in action:
            removed.add(action["remove"]["path"])
        if "add" in action:
            added.add(action["add"]["path"])
    return removed, added


def test_a_history_of_corrections_ends_in_the_rows_that_should_be_in(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali", "c2,Bob,40,Peru", "c3,Cy,50,Chad")
    bench.sales(
        f"t1,c1,p1,2,1.50,{NINE}",
        f"t2,c1,p1,1,2.00,{NINE}",
        f"t3,c2,p2,1,3.00,{NINE}",
        f"t4,c2,p2,4,0.33,{TEN}",
        f"t4,c2,p2,4,0.33,{TEN}",
        f"t5,c9,p3,1,7.00,{TEN}",
    )
    first = bench.must_load()
    assert first.ledger() == {"rows_read": 6, "new": 5, "duplicate": 1}
    assert first.report is not None
    assert first.report["unknown_customer_rows"] == 1
    assert first.report["warnings"]["transactions.transaction_is_not_a_duplicate"]["rows"] == 1
    assert_equals_recompute(bench)

    # Corrected twice in one run, moved to another hour, corrected and then contradicted in one file, and unchanged.
    bench.sales(f"t1,c1,p1,5,1.50,{NINE}", f"t2,c1,p1,1,2.00,{TEN}", f"t4,c2,p2,4,0.33,{TEN}")
    bench.sales(f"t1,c1,p1,6,1.50,{NINE}", f"t3,c2,p2,1,4.00,{NINE}", f"t3,c2,p2,1,5.00,{NINE}")
    second = bench.must_load()
    assert second.ledger() == {"rows_read": 6, "corrected": 3, "unchanged": 1, "rejected": 2}
    assert second.reasons() == {"transaction_is_unambiguous": 2}
    sales = bench.rows("sales_data_partitioned", "TRANSACTION_ID", "QUANTITY", "PRICE", "transaction_hour")
    assert [(id_, units, str(price), hour.hour) for id_, units, price, hour in sales] == [
        ("t1", 6, "1.50", 9),
        ("t2", 1, "2.00", 10),
        ("t3", 1, "3.00", 9),
        ("t4", 4, "0.33", 10),
        ("t5", 1, "7.00", 10),
    ]
    assert_equals_recompute(bench)

    # An old file delivered once more, under another name, undoes no correction.
    bench.sales(
        f"t5,c9,p3,1,7.00,{TEN}",
        f"t1,c1,p1,2,1.50,{NINE}",
        f"t2,c1,p1,1,2.00,{NINE}",
        f"t3,c2,p2,1,3.00,{NINE}",
        f"t4,c2,p2,4,0.33,{TEN}",
        f"t4,c2,p2,4,0.33,{TEN}",
        name="copy.csv",
    )
    versions = bench.versions()
    third = bench.must_load()
    assert third.report is not None
    assert third.report["changed_nothing"]
    assert bench.versions() == versions


@pytest.mark.thorough
def test_of_a_customer_who_moves_to_another_country_only_the_files_are_rewritten_that_hold_them(
    bench: Workbench,
) -> None:
    bench.people("c1,Ann,30,Mali", "c2,Bob,40,Peru")
    bench.sales(f"t1,c1,p1,2,1.50,{NINE}", f"t2,c2,p2,1,3.00,{TEN}", f"t3,c2,p3,4,0.33,{TEN}")
    bench.must_load()
    bench.people("c2,Bob,41,Cuba")
    before = bench.table("customer_aggregated_data").selectExpr("CUSTOMER_ID", "_metadata.file_path").collect()
    moved = bench.must_load()
    assert moved.ledger("customers") == {"rows_read": 1, "corrected": 1}
    assert moved.report is not None
    assert moved.report["groups_touched"] == 2
    removed, _ = files_changed(bench, "customer_aggregated_data", bench.versions()["customer_aggregated_data"])
    holding = {row["file_path"].rpartition("/")[2] for row in before if row["CUSTOMER_ID"] == "c2"}
    assert {path.rpartition("/")[2] for path in removed} == holding
    countries = bench.rows("customer_aggregated_data", "CUSTOMER_ID", "COUNTRY")
    assert {country for customer, country in countries if customer == "c2"} == {"Cuba"}
    assert_equals_recompute(bench)


@pytest.mark.thorough
def test_a_customer_and_a_sale_that_only_one_file_contradicts_stay_as_they_were(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales(f"t1,c1,p1,2,1.50,{NINE}")
    bench.people("c1,Ann,31,Mali", "c1,Ann,32,Mali")
    bench.sales(f"t1,c1,p1,2,9.99,{NINE}", f"t1,c1,p1,2,8.88,{NINE}", f"t1,c1,p1,2,9.99,{NINE}")
    outcome = bench.must_load()
    assert outcome.ledger() == {"rows_read": 4, "new": 1, "rejected": 3}
    assert outcome.ledger("customers") == {"rows_read": 3, "new": 1, "rejected": 2}
    assert bench.rows("customers") == [("c1", "Ann", 30, "Mali")]
    assert [str(price) for (price,) in bench.rows("sales_data_partitioned", "PRICE")] == ["1.50"]
    assert_equals_recompute(bench)
