"""With sequence_by, the row with the highest sequence counts, whatever the order of files and runs."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from support.batteries import Battery
from support.lakes import Outcome, Workbench, assert_did_as_planned, assert_equals_recompute
from support.sequenced import FEEDS, HEADERS, deliver, expected_rows, random_files

OLD, NEW, TIED, NEWEST = (
    "c1,p1,1,1.50,2025-03-01 09:00:00,2025-03-05 10:00",
    "c1,p1,2,1.50,2025-03-01 11:00:00,2025-03-06 09:00",
    "c1,p1,3,1.50,2025-03-01 12:00:00,2025-03-06 09:00",
    "c1,p1,9,1.50,2025-03-01 11:00:00,2025-03-07 09:00",
)
# What comes of each sale in the first three files, one a run.
NEWER_COUNTS: dict[str, tuple[list[str], ...]] = {
    "newer first": ([NEW], [OLD], []),
    "older first": ([OLD], [NEW], []),
    "in one file": ([NEW, OLD], [], []),
}
ALL_ARE_REJECTED: dict[str, tuple[list[str], ...]] = {
    "a tie over two files": ([TIED], [NEW], []),
    "a tie in one file after an older row": ([OLD], [NEW, TIED], []),
    "a tie that an older row follows": ([NEW], [NEW, TIED], [OLD]),
}


def quantities(bench: Workbench) -> dict[str, int]:
    return dict(bench.rows("sales_data_partitioned", "TRANSACTION_ID", "QUANTITY"))


def deliver_one(bench: Workbench, name: str, *rows: str) -> Outcome:
    """Load a file of sales with sequences."""
    (bench.folder / "feeds.yml").write_text(FEEDS)
    bench.sales(*rows, name=f"{name}.csv", header=HEADERS["transactions"])
    return bench.must_load(f"--feeds={bench.folder / 'feeds.yml'}")


def test_the_newer_row_counts_whenever_it_comes_and_rows_that_tie_are_rejected_together(bench: Workbench) -> None:
    for number in range(3):
        stories = (NEWER_COUNTS | ALL_ARE_REJECTED).items()
        rows = [f"{sale},{row}" for sale, files in stories for row in files[number]]
        outcome = deliver_one(bench, str(number), *rows, *([f"without,{OLD[:-16]}"] if number == 2 else []))
    assert outcome.ledger() == {"rows_read": 2, "unchanged": 1, "rejected": 1}
    assert outcome.reasons() == {"sequence_is_present": 1}
    assert outcome.report is not None
    assert outcome.report["outdated_rows"] == 1
    assert quantities(bench) == dict.fromkeys(NEWER_COUNTS, 2)
    rejected = {raw: reasons for raw, reasons in bench.rejected().items() if not raw.startswith("without")}
    assert {tuple(raw.split(",")[:4]) for raw in rejected} == {
        (sale, "c1", "p1", quantity) for sale in ALL_ARE_REJECTED for quantity in "23"
    }
    assert all(reasons == ["transaction_is_unambiguous"] for reasons in rejected.values())
    assert_equals_recompute(bench)

    versions = bench.versions()
    again = bench.must_load(f"--feeds={bench.folder / 'feeds.yml'}")
    assert again.report is not None
    assert again.report["changed_nothing"]
    assert bench.versions() == versions

    deliver_one(bench, "newest", *[f"{sale},{NEWEST}" for sale in ALL_ARE_REJECTED])
    assert quantities(bench) == dict.fromkeys(NEWER_COUNTS, 2) | dict.fromkeys(ALL_ARE_REJECTED, 9)
    assert_equals_recompute(bench)


@pytest.mark.thorough
def test_a_dry_run_shows_what_rows_that_tie_would_take_away(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali,1", "c2,Bo,31,Peru,1", header=HEADERS["customers"])
    deliver_one(bench, "old", f"t1,{OLD}", f"t2,{OLD.replace('c1', 'c2')}")
    bench.people("c1,Ann,31,Mali,2", "c1,Ann,32,Mali,2", header=HEADERS["customers"])
    options = [f"--feeds={bench.folder / 'feeds.yml'}", "--max-rejected-share=1"]
    planned = bench.load(*options, "--dry-run")
    assert planned.report is not None
    assert planned.report["removed"] == {"customers": 1}
    plan = planned.report["plan"]
    assert plan["first_customers"] == ["c1 (removed)"]
    assert plan["first_keys"] == ["c1 p1 2025-03-01 09:00 (customer removed)"]
    done = bench.load(*options)
    assert_did_as_planned(planned, done)
    assert bench.rows("customers", "CUSTOMER_ID") == [("c2",)]
    assert_equals_recompute(bench)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["_file", "_file_modified"])
def test_the_file_can_say_which_row_is_newer(bench: Workbench, kind: str) -> None:
    feeds = bench.folder / "feeds.yml"
    feeds.write_text(f"transactions:\n  sequence_by: {kind}\n")
    files = [("sales_9.csv", "1", 1_700_000_900), ("sales_10.csv", "2", 1_700_001_000)]
    for name, quantity, written in reversed(files):
        path = bench.sales(f"t1,c1,p1,{quantity},1.50,2025-03-01 09:00:00", name=name)
        os.utime(path, (written, written))
        assert bench.load(f"--feeds={feeds}").exit_code == 0
    assert quantities(bench) == {"t1": 2}


@pytest.mark.thorough
def test_any_order_of_some_files(bench: Workbench) -> None:
    compare_orders(bench, 7, orders=1)


@pytest.mark.battery
def test_orders_of_runs(bench: Workbench, battery: Battery) -> None:
    """Each history is files of random rows, delivered in random orders, a few in a run; each order ends in what the
    model says, cell by cell, and so do all of them.
    """
    histories = battery.rounds(50)
    runs = sum(compare_orders(bench, battery.seed + number, orders=2) for number in range(histories))
    battery.passed(f"{histories} histories, each in 2 random orders, {runs} runs, 0 differences")


def compare_orders(bench: Workbench, seed: int, *, orders: int) -> int:
    files = random_files(seed, 4)
    runs = 0
    for order in range(orders):
        choices = random.Random(f"{seed} {order}")
        in_order = choices.sample(files, len(files))
        start_anew(bench)
        runs += deliver(bench, in_order, choices)
        for feed, table in (("transactions", "sales_data_partitioned"), ("customers", "customers")):
            expected = expected_rows(files, feed)
            found = {row[0]: row[1:] for row in bench.rows(table)}
            told = f"seed {seed}, order {[file.name for file in in_order]}: {feed}"
            assert {key: _texts(feed, row) for key, row in found.items()} == expected, told
        assert_equals_recompute(bench)
    return runs


def _texts(feed: str, row: tuple[object, ...]) -> tuple[str, ...]:
    if feed == "customers":
        return tuple("" if value is None else str(value) for value in row)
    customer, product, quantity, price, at, _ = row
    return str(customer), str(product), str(quantity), str(price), f"{at:%Y-%m-%d %H:%M:%S}"


def start_anew(bench: Workbench) -> None:
    folder: Path
    shutil.rmtree(bench.lake, ignore_errors=True)
    for folder in (bench.transactions, bench.customers):
        shutil.rmtree(folder)
        folder.mkdir()
