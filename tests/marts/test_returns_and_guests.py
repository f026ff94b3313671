"""Returns count below 0, and sales without a customer belong to nobody: in the aggregate, in gold, in what is said."""

from __future__ import annotations

from decimal import Decimal

import pytest

from common.contract import AGGREGATE, GUEST
from jobs import verify_aggregate
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
