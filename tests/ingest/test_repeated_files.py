"""A file with the content of one that was loaded: of sales a repeated delivery, of customers the newest snapshot. And a
file that is older than one that was loaded before it.
"""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest

from jobs import load_sales
from support.lakes import CUSTOMERS_HEADER, Outcome, Workbench, assert_equals_recompute

IN_MALI, IN_PERU = "c1,Ann,30,Mali", "c1,Ann,30,Peru"
CHEAP, DEAR = "t1,c1,p1,1,1.00,2025-02-22 09:15:00", "t1,c1,p1,1,9.00,2025-02-22 09:15:00"


def country(bench: Workbench) -> str:
    ((found,),) = bench.rows("customers", "COUNTRY")
    return str(found)


def repeated(outcome: Outcome) -> list[tuple[str, str]]:
    assert outcome.report is not None, outcome.error
    kinds = [kind for kind in outcome.report["left_out"] if kind["reason"] == "repeated"]
    return [(Path(each["file"]).name, Path(each["other"]).name) for kind in kinds for each in kind["first"]]


@pytest.mark.thorough
def test_of_customers_the_newest_file_counts_though_its_content_came_before(bench: Workbench) -> None:
    for day, line in enumerate((IN_MALI, IN_PERU, IN_MALI), start=1):
        bench.people(line, name=f"day_{day}.csv")
        bench.sales(DEAR, name="sales.csv")
        done = bench.must_load()
        assert repeated(done) == []
        assert country(bench) == line.rpartition(",")[2]
        assert_equals_recompute(bench)
    assert done.ledger("customers") == {"rows_read": 1, "corrected": 1}

    # Copies that kept their time bring nothing back: moved, or compressed.
    archive = bench.customers / "archive"
    archive.mkdir()
    for name in ("day_1.csv", "day_2.csv"):
        path = bench.customers / name
        packed = archive / f"{name}.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        shutil.copystat(path, packed)
        path.unlink()
    versions = bench.versions()
    moved = bench.must_load()
    assert moved.report is not None
    assert moved.report["changed_nothing"]
    assert repeated(moved) == [("day_1.csv.gz", "day_3.csv"), ("day_2.csv.gz", "day_2.csv")]
    assert bench.must_load().report["changed_nothing"]  # type: ignore[index]
    assert bench.versions() == versions
    assert country(bench) == "Mali"

    # A file that is touched comes again; one of the same time does where its name is later.
    bench.file(bench.customers / "day_3.csv", f"{CUSTOMERS_HEADER}\n{IN_PERU}\n")
    assert bench.must_load().ledger("customers") == {"rows_read": 1, "corrected": 1}
    later = bench.people(IN_PERU, name="day_10.csv")
    shutil.copystat(bench.customers / "day_3.csv", later)
    assert bench.must_load().ledger("customers") == {"rows_read": 1, "unchanged": 1}


@pytest.mark.thorough
def test_in_one_run_the_newest_snapshot_counts_too(bench: Workbench) -> None:
    for day, line in enumerate((IN_MALI, IN_PERU, IN_MALI, IN_MALI), start=1):
        bench.people(line, name=f"day_{day}.csv")
    first = bench.must_load()
    assert first.ledger("customers") == {"rows_read": 4, "new": 1, "corrected": 2, "duplicate": 1}
    assert country(bench) == "Mali"
    # What a run that died before it recorded itself has loaded, the next one loads again, and nothing changes.
    versions = bench.versions()
    shutil.rmtree(bench.lake / "pipeline_runs")
    again = bench.must_load()
    assert again.report is not None
    assert again.ledger("customers")["rows_read"] == 4
    assert country(bench) == "Mali"
    assert bench.versions()["sales_data_partitioned"] == versions["sales_data_partitioned"]
    assert bench.must_load().report["changed_nothing"]  # type: ignore[index]


def test_a_repeated_delivery_of_sales_is_skipped_and_said(bench: Workbench) -> None:
    bench.sales(CHEAP, name="monday.csv")
    bench.must_load()
    bench.sales(DEAR, name="tuesday.csv")
    bench.must_load()
    versions = bench.versions()
    bench.sales(CHEAP, name="wednesday.csv")
    bench.sales(CHEAP, name="thursday.csv")

    arguments = [f"--transactions={bench.transactions}", f"--lake={bench.lake}"]
    _, printed, _ = bench.printed_by(load_sales, *arguments, "--dry-run")
    said = f"{bench.transactions}/wednesday.csv -> {bench.transactions}/monday.csv"
    assert f"Left out: 2 files of transactions (the content of a file that was loaded): {said}, " in printed
    skipped = bench.must_load()
    assert repeated(skipped) == [("wednesday.csv", "monday.csv"), ("thursday.csv", "monday.csv")]
    assert skipped.report is not None
    assert skipped.report["feeds"][1]["files_skipped"] == 4
    assert bench.versions() == versions

    # Unless the feed is sent as snapshots, too; customers need not be.
    bench.people(IN_MALI)
    bench.people(IN_PERU)
    bench.people(IN_MALI)
    loaded = bench.must_load("--repeated-transactions=load", "--repeated-customers=skip")
    assert loaded.ledger() == {"rows_read": 2, "corrected": 1, "duplicate": 1}
    assert bench.rows("sales_data_partitioned", "PRICE")[0][0] == 1
    assert len(repeated(loaded)) == 1
    assert country(bench) == "Peru"
    assert_equals_recompute(bench)
    wrong = bench.load("--repeated-customers=maybe")
    assert (wrong.exit_code, "--repeated-customers: maybe is neither skip nor load" in wrong.error) == (2, True)


@pytest.mark.thorough
def test_where_an_older_file_replaces_rows_after_a_newer_one_both_are_named(bench: Workbench) -> None:
    other = "t2,c1,p1,1,1.00,2025-02-22 09:15:00"
    newer = bench.sales(DEAR, name="newer.csv")
    bench.must_load()
    older = bench.sales(CHEAP, other, name="older.csv")
    os.utime(older, (1_600_000_000, 1_600_000_000))
    arguments = [f"--transactions={bench.transactions}", f"--lake={bench.lake}"]
    _, planned, _ = bench.printed_by(load_sales, *arguments, "--dry-run")
    assert f"Warning: 1 row of transactions that {older} would replace may have come from {newer}, loaded" in planned
    done = bench.must_load()
    assert done.report is not None
    assert done.ledger() == {"rows_read": 2, "new": 1, "corrected": 1}
    expected = {"feed": "transactions", "file": str(older), "rows": 1, "newer_file": str(newer), "newer_files": 1}
    assert done.report["replaced_by_older"] == [expected]

    # One that is new and replaces rows is no reason to warn, nor is one that is old and replaces none.
    bench.sales("t1,c1,p1,1,5.00,2025-02-22 09:15:00", name="newest.csv")
    harmless = bench.sales("t3,c1,p1,1,1.00,2025-02-22 09:15:00", name="harmless.csv")
    os.utime(harmless, (1_600_000_001, 1_600_000_001))
    assert bench.must_load().report["replaced_by_older"] == []  # type: ignore[index]
    second = bench.sales("t1,c1,p1,1,2.00,2025-02-22 09:15:00", name="second.csv")
    os.utime(second, (1_600_000_002, 1_600_000_002))
    again = bench.must_load()
    assert again.report is not None
    named = [(Path(each["newer_file"]).name, each["newer_files"]) for each in again.report["replaced_by_older"]]
    assert named == [("newest.csv", 2)]
