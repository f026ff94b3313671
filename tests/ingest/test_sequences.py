"""With sequence_by, the row with the highest sequence counts, whatever the order of files and runs."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from support.batteries import Battery
from support.lakes import Workbench, assert_equals_recompute
from support.sequenced import FEEDS, HEADERS, SequencedFile, deliver, expected_rows, random_files

OLD, NEW = (
    "t1,c1,p1,1,1.50,2025-03-01 09:00:00,2025-03-05 10:00",
    "t1,c1,p1,2,1.50,2025-03-01 11:00:00,2025-03-06 09:00",
)
OTHER = "t1,c1,p1,3,1.50,2025-03-01 12:00:00,2025-03-06 09:00"


def sales_file(name: str, *rows: str) -> SequencedFile:
    return SequencedFile("transactions", f"{name}.csv", rows)


def quantities(bench: Workbench) -> list[tuple[str, int]]:
    return bench.rows("sales_data_partitioned", "TRANSACTION_ID", "QUANTITY")


def one_a_run() -> random.Random:
    class One(random.Random):
        def randint(self, a: int, b: int) -> int:
            return 1

    return One()


@pytest.mark.parametrize("files", [["new", "old"], ["both"]], ids=" then ".join)
def test_the_newer_of_two_rows_counts_whenever_it_comes(bench: Workbench, files: list[str]) -> None:
    rows = {"old": [OLD], "new": [NEW], "both": [NEW, OLD]}
    deliver(bench, [sales_file(name, *rows[name]) for name in files], one_a_run())
    assert quantities(bench) == [("t1", 2)]
    assert bench.rejected() == {}
    assert_equals_recompute(bench)


@pytest.mark.parametrize("files", [["other", "new"], ["old", "tie"], ["new", "tie", "old"]], ids=" then ".join)
def test_rows_that_tie_are_rejected_together_until_a_newer_one_comes(bench: Workbench, files: list[str]) -> None:
    rows = {"old": [OLD], "new": [NEW], "other": [OTHER], "tie": [NEW, OTHER]}
    deliver(bench, [sales_file(name, *rows[name]) for name in files], one_a_run())
    assert quantities(bench) == []
    rejected = bench.rows("rejected_rows", "raw_line", "reasons")
    assert {tuple(line.split(",")[:4]) for line, _ in rejected} == {("t1", "c1", "p1", "2"), ("t1", "c1", "p1", "3")}
    assert all(reasons == ["transaction_is_unambiguous"] for _, reasons in rejected)
    assert_equals_recompute(bench)

    newest = NEW.replace("03-06", "03-07").replace(",2,", ",9,")
    deliver(bench, [sales_file("newest", newest)], one_a_run())
    assert quantities(bench) == [("t1", 9)]
    assert_equals_recompute(bench)


def test_what_is_outdated_is_counted_and_a_row_without_a_sequence_is_rejected(bench: Workbench) -> None:
    deliver(bench, [sales_file("new", NEW)], one_a_run())
    (bench.folder / "feeds.yml").write_text(FEEDS)
    bench.sales(OLD, NEW, "t2,c1,p1,1,1.50,2025-03-01 09:00:00,", header=HEADERS["transactions"])
    outcome = bench.must_load(f"--feeds={bench.folder / 'feeds.yml'}")
    assert outcome.ledger() == {"rows_read": 3, "unchanged": 2, "rejected": 1}
    assert outcome.reasons() == {"sequence_is_present": 1}
    assert outcome.report is not None
    assert outcome.report["outdated_rows"] == 1
    versions = bench.versions()
    assert bench.must_load(f"--feeds={bench.folder / 'feeds.yml'}").report["changed_nothing"]  # type: ignore[index]
    assert bench.versions() == versions


@pytest.mark.parametrize("kind", ["_file", "_file_modified"])
def test_the_file_can_say_which_row_is_newer(bench: Workbench, kind: str) -> None:
    feeds = bench.folder / "feeds.yml"
    feeds.write_text(f"transactions:\n  sequence_by: {kind}\n")
    files = [("sales_9.csv", "1", 1_700_000_900), ("sales_10.csv", "2", 1_700_001_000)]
    for name, quantity, written in reversed(files):
        path = bench.sales(f"t1,c1,p1,{quantity},1.50,2025-03-01 09:00:00", name=name)
        os.utime(path, (written, written))
        assert bench.load(f"--feeds={feeds}").exit_code == 0
    assert quantities(bench) == [("t1", 2)]


def test_any_order_of_some_files(bench: Workbench) -> None:
    compare_orders(bench, 7, orders=2)


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
