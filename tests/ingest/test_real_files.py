"""The real feeds, whole and cut into deliveries in many ways, always end in the same tables."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

import pytest

from jobs import build_gold
from support.expected_gold import assert_gold_is_right
from support.lakes import Workbench, needs_real_data
from support.real_files import assert_is_the_real_lake, real_people, real_sales

pytestmark = needs_real_data


def hour_of(line: str) -> str:
    return line.rpartition(",")[2][:13]


def test_the_real_files_whole_and_then_twice(bench: Workbench) -> None:
    bench.people(*real_people())
    bench.sales(*real_sales())
    outcome = bench.must_load("--max-rejected-share=0")
    assert outcome.ledger() == {"rows_read": 16_084, "new": 16_084}
    assert_is_the_real_lake(bench)

    versions = bench.versions()
    shuffled = real_sales()
    random.Random(1).shuffle(shuffled)
    bench.sales(*shuffled, shuffled[0])
    again = bench.must_load()
    assert again.ledger() == {"rows_read": 16_085, "unchanged": 16_084, "duplicate": 1}
    assert bench.versions() == versions

    assert bench.run(build_gold, f"--lake={bench.lake}").exit_code == 0
    summary = bench.rows("customer_summary", "TOTAL_QUANTITY", "TOTAL_SPENT")
    assert len(summary) == 1_001
    assert sum(units for units, _ in summary) == 88_259
    assert sum(spent for _, spent in summary) == Decimal("218763852.17")
    assert_gold_is_right(bench)


def by_hour(bench: Workbench) -> None:
    """Each hour a file, ten hours a run."""
    bench.people(*real_people())
    hours = sorted({hour_of(line) for line in real_sales()})
    for number, hour in enumerate(hours, start=1):
        bench.sales(*[line for line in real_sales() if hour_of(line) == hour])
        if number % 10 == 0:
            bench.must_load()


def in_random_order(bench: Workbench) -> None:
    """Shuffled and cut into five, each of which touches every hour."""
    bench.people(*real_people())
    lines = real_sales()
    random.Random(2).shuffle(lines)
    for part in range(5):
        bench.sales(*lines[part::5])
        bench.must_load()


def with_overlaps(bench: Workbench) -> None:
    """Parts that overlap by half, and a first version of some rows that a later part corrects."""
    bench.people(*real_people())
    lines = real_sales()
    wrong = [line.replace("2025-02-2", "2025-03-0", 1) for line in lines[:3000:7]]
    bench.sales(*wrong)
    for start in range(0, len(lines), 4000):
        bench.sales(*lines[start : start + 6000])
        bench.must_load()


def customers_last(bench: Workbench) -> None:
    """Sales of nobody known, then half the customers, then all."""
    bench.people()
    bench.sales(*real_sales())
    first = bench.must_load()
    assert first.report is not None
    assert first.report["unknown_customer_rows"] == 16_084
    bench.people(*real_people()[::2])
    bench.must_load()
    bench.people(*real_people())
    bench.must_load()


@pytest.mark.battery
@pytest.mark.parametrize("deliveries", [by_hour, in_random_order, with_overlaps, customers_last])
def test_any_deliveries_of_the_real_files_end_in_the_same_tables(
    bench: Workbench, deliveries: Callable[[Workbench], None]
) -> None:
    deliveries(bench)
    assert_is_the_real_lake(bench)
