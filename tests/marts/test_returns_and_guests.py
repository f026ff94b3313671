"""Returns count below 0, and sales without a customer belong to nobody: in the aggregate, in gold, in what is said."""

from __future__ import annotations

from decimal import Decimal

import pytest

from common.contract import AGGREGATE, GUEST
from common.contract.gold import CUSTOMER_SEGMENTS, CUSTOMER_SUMMARY, PRODUCT_PERFORMANCE, SALES_HOURLY
from common.serve.reader import open_lake
from jobs import build_gold, forget_customer, verify_aggregate
from support.expected_gold import assert_gold_is_right
from support.lakes import Workbench, assert_equals_recompute

FEEDS = "transactions:\n  returns: allow\n  guests: allow\n"
NINE, TEN = "2025-02-22 09:15:00", "2025-02-22 10:15:00"


@pytest.fixture
def feeds(bench: Workbench) -> str:
    """The option of a load that lets returns and guests in."""
    path = bench.folder / "feeds.yml"
    path.write_text(FEEDS)
    return f"--feeds={path}"


def test_the_aggregate_is_net_and_its_price_has_a_meaning(bench: Workbench, feeds: str) -> None:
    bench.people("c1,Ann,30,Mali")
    most = "9999999999999999.99"
    bench.sales(
        # Two bought and one returned; all returned; more returned than bought, of another price; of many, few are left.
        f"t1,c1,p1,2,1.50,{NINE}",
        f"t2,c1,p1,-1,1.50,{NINE}",
        f"t3,c1,p2,3,2.00,{NINE}",
        f"t4,c1,p2,-3,1.00,{NINE}",
        f"t5,c1,p3,1,9.00,{NINE}",
        f"t6,c1,p3,-2,1.00,{NINE}",
        f"t7,c1,p4,2147483647,{most},{NINE}",
        f"t8,c1,p4,-2147483646,0.01,{NINE}",
        f"t9,,p1,-1,1.00,{TEN}",
    )
    bench.must_load(feeds)
    rows = bench.rows(AGGREGATE.name, "CUSTOMER_ID", "PRODUCT_ID", "QUANTITY", "PRICE", "AMOUNT", "TRANSACTION_COUNT")
    assert rows == [
        ("c1", "p1", 1, Decimal("1.500000"), Decimal("1.50"), 2),
        ("c1", "p2", 0, None, Decimal("3.00"), 2),
        ("c1", "p3", -1, Decimal("-7.000000"), Decimal("7.00"), 2),
        ("c1", "p4", 1, None, 2147483647 * Decimal(most) - Decimal("21474836.46"), 2),
        (GUEST, "p1", -1, Decimal("1.000000"), Decimal("-1.00"), 1),
    ]
    assert_equals_recompute(bench)
    # A correction takes the last units away, and gives some back.
    for quantity in (-2, -1):
        bench.sales(f"t2,c1,p1,{quantity},1.50,{NINE}")
        corrected = bench.must_load(feeds)
        assert corrected.report is not None
        assert corrected.report["recomputed_whole"] is None
        assert_equals_recompute(bench)
    assert bench.run(verify_aggregate, f"--lake={bench.lake}").exit_code == 0


@pytest.mark.thorough
def test_a_guest_is_no_customer_who_is_not_known_yet(bench: Workbench, feeds: str) -> None:
    bench.people("c1,Ann,30,Mali", f"{GUEST},Bob Guest,40,Peru")
    bench.sales(f"t1,,p1,1,1.00,{NINE}", f"t2,{GUEST},p1,1,1.00,{NINE}", f"t3,c1,p1,1,1.00,{NINE}")
    loaded = bench.must_load(feeds)
    assert loaded.report is not None
    assert loaded.report["unknown_customer_rows"] == 0
    assert loaded.report["warnings"] == {}
    assert loaded.reasons() == {"customer_id_is_not_reserved": 1}

    refused = bench.run(forget_customer, f"--lake={bench.lake}", f"--customer-id={GUEST}", "--apply")
    assert refused.exit_code == 2
    assert "There is nobody to forget." in refused.error
    bench.sales(f"t4,c9,p1,1,1.00,{NINE}", f"t5,,p2,1,1.00,{TEN}")
    loaded = bench.must_load(feeds)
    assert loaded.report is not None
    assert loaded.report["unknown_customer_rows"] == 1
    assert_equals_recompute(bench)


@pytest.mark.thorough
def test_gold_has_gross_returned_and_net_and_guests_in_no_row_of_customers(bench: Workbench, feeds: str) -> None:
    in_lake = f"--lake={bench.lake}"
    bench.people("c1,Ann,30,Mali", "c2,Bob,40,Peru", "c4,Di,,")
    bench.sales(
        f"t1,c1,p1,4,1.50,{NINE}",
        f"t2,c1,p1,-1,1.00,{TEN}",
        f"t3,c2,p2,-2,3.00,{NINE}",
        f"t4,,p1,5,1.50,{NINE}",
        f"t5,,p3,-1,7.00,{NINE}",
        # More than a week before: the earlier amount of p1 is above 0, that of p2 is not.
        "t6,c1,p1,2,1.00,2025-02-14 09:00:00",
        "t7,c9,p2,-1,0.00,2025-02-14 09:00:00",
    )
    bench.must_load(feeds)
    assert bench.run(build_gold, in_lake).exit_code == 0
    assert_gold_is_right(bench)
    hours = bench.rows(SALES_HOURLY.name, *SALES_HOURLY.column_names[1:])
    assert sorted(tuple(map(str, row)) for row in hours) == [
        ("-1", "-1.00", "0", "0.00", "1", "1.00", "0", "1", "0"),
        ("1", "2.00", "2", "2.00", "1", "0.00", "1", "1", "1"),
        ("6", "0.50", "9", "13.50", "3", "13.00", "2", "2", "1"),
    ]
    products = bench.rows(PRODUCT_PERFORMANCE.name, "PRODUCT_ID", "UNITS", "BUYERS", "SALES_RANK", "FIRST_SALE")
    assert [(product, units, buyers, rank, first is None) for product, units, buyers, rank, first in products] == [
        ("p1", 10, 1, 1, False),
        ("p2", -3, 0, 2, True),
        ("p3", -1, 0, 3, True),
    ]
    columns = ("CUSTOMER_ID", "TOTAL_ORDERS", "TOTAL_RETURNS", "TOTAL_QUANTITY", "TOTAL_SPENT", "GROSS_UNITS")
    assert [(*row[:4], str(row[4]), row[5]) for row in bench.rows(CUSTOMER_SUMMARY.name, *columns)] == [
        ("c1", 2, 1, 5, "7.00", 6),
        ("c2", 0, 1, -2, "-6.00", 0),
        ("c4", 0, 0, 0, "0.00", 0),
        ("c9", 0, 1, -1, "0.00", 0),
    ]
    segments = bench.rows(CUSTOMER_SEGMENTS.name, "CUSTOMER_ID", "SEGMENT", "R_SCORE", "RECENCY", "MONETARY")
    assert [(*row[:4], str(row[4])) for row in segments] == [
        ("c1", "hibernating", 1, 0, "7.00"),
        ("c2", "no purchases", None, None, "-6.00"),
        ("c4", "no purchases", None, None, "0.00"),
        ("c9", "no purchases", None, None, "0.00"),
    ]
    query = f"SELECT PRODUCT_ID, QUANTITY, NAME, AMOUNT FROM sales_enriched WHERE CUSTOMER_ID = '{GUEST}' ORDER BY 1"
    sold = open_lake(str(bench.lake)).sql(query).fetchall()
    assert [(*row[:3], str(row[3])) for row in sold] == [("p1", 5, None, "7.50"), ("p3", -1, None, "-7.00")]

    # All of it comes back, and a guest turns out to be a customer.
    bench.sales(f"t8,c1,p1,-5,1.00,{TEN}", f"t4,c4,p1,5,1.50,{NINE}")
    bench.must_load(feeds)
    assert_equals_recompute(bench)
    built = bench.run(build_gold, in_lake)
    assert built.report is not None, built.error
    assert built.report["gold_recomputed_whole"] == {}
    assert_gold_is_right(bench)
    assert bench.run(verify_aggregate, in_lake).exit_code == 0
