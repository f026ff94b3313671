"""Whatever arrives in whatever order, the aggregate equals a full recompute, and only what changed is written."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from deltalake import DeltaTable

from jobs import load_sales, maintain
from support.lakes import Outcome, Workbench, assert_did_as_planned, assert_equals_recompute

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
    versions_after = bench.versions()

    # A table that was deleted is filled again from the files that are still there; --reload does so at any time.
    shutil.rmtree(bench.lake / "sales_data_partitioned")
    third = bench.must_load()
    assert third.ledger() == {"rows_read": 1, "new": 1}
    assert_equals_recompute(bench)
    versions_filled = bench.versions()
    assert bench.must_load("--reload").ledger() == {"rows_read": 1, "unchanged": 1}
    assert bench.versions() == versions_filled

    assert first.ledger() == {"rows_read": 1, "new": 1}
    assert first.report is not None
    steps = first.report["steps"]
    assert [step["step"] for step in steps][::5] == ["Read and check both feeds", "Record the run"]
    assert all(step["seconds"] >= 0 and step["started_at"].endswith("+00:00") for step in steps)
    assert second.report is not None
    assert second.report["changed_nothing"]
    assert second.ledger() == {}
    assert versions_after == versions


@pytest.mark.thorough
def test_a_feed_that_is_not_named_is_not_loaded_and_stays_as_it_is(bench: Workbench) -> None:
    bench.people(ALICE)
    bench.sales(f"t1,c1,p1,2,1.50,{NINE}")

    def load(*feeds: str, options: tuple[str, ...] = ()) -> Outcome:
        named = [f"--{feed}={getattr(bench, feed)}" for feed in feeds]
        outcome = bench.run(load_sales, *named, f"--lake={bench.lake}", *options)
        assert outcome.exit_code == 0, outcome.error
        return outcome

    planned = load("transactions", options=("--dry-run",))
    sales = load("transactions")
    assert_did_as_planned(planned, sales)
    assert sales.report is not None
    assert [(feed["feed"], feed["new"]) for feed in sales.report["feeds"]] == [("transactions", 1)]
    assert sales.report["unknown_customer_rows"] == 1
    assert bench.rows("customers") == []
    made = ["customer_aggregated_data", "customers", "rejected_rows", "sales_data_partitioned"]
    assert sorted(bench.versions()) == made

    customers = load("customers")
    assert customers.report is not None
    assert [feed["feed"] for feed in customers.report["feeds"]] == ["customers"]
    assert bench.rows("customer_aggregated_data", "NAME", "QUANTITY") == [("Alice", 2)]
    assert_equals_recompute(bench)

    # What a run says of its files holds for the feed that a later run did not read.
    note = json.loads(DeltaTable(bench.path("pipeline_runs")).history(1)[0]["userMetadata"])
    assert sorted(note["listed"]) == ["customers", "transactions"]
    versions = bench.versions()
    both = load("transactions", "customers")
    assert both.report is not None
    assert [(feed["files"], feed["files_skipped"]) for feed in both.report["feeds"]] == [(0, 1), (0, 1)]
    assert bench.versions() == versions


@pytest.mark.thorough
@pytest.mark.job_cluster
def test_files_that_the_last_run_listed_are_known_without_a_look_at_its_record(bench: Workbench) -> None:
    bench.people(ALICE)
    file = bench.sales(f"t1,c1,p1,2,1.50,{NINE}")
    bench.must_load()
    assert bench.run(maintain, f"--lake={bench.lake}").exit_code == 0

    records = {path: path.read_bytes() for path in (bench.lake / "pipeline_runs").glob("*.parquet")}
    for path, content in records.items():
        path.write_bytes(bytes(len(content)))
    second = bench.must_load()
    for path, content in records.items():
        path.write_bytes(content)

    assert second.report is not None
    assert [(feed["files"], feed["files_skipped"]) for feed in second.report["feeds"]] == [(0, 1), (0, 1)]

    # One that has just changed may change again at the same time, as far as the clock can tell.
    bench.people(BOB)
    bench.sales(f"t2,c2,p1,2,1.50,{NINE}")
    os.utime(file)
    bench.must_load()
    of_file = file.stat()
    bench.file(file, file.read_text().replace(",2,1.50", ",3,1.50"))
    os.utime(file, ns=(of_file.st_atime_ns, of_file.st_mtime_ns))
    assert bench.must_load().ledger() == {"rows_read": 1, "corrected": 1}


def test_an_unknown_customer_is_completed_and_a_moved_sale_leaves_nothing_behind(bench: Workbench) -> None:
    bench.people(ALICE)
    bench.sales(f"t1,c1,p1,2,1.50,{NINE}", f"t2,c2,p1,1,3.00,{TEN}")
    first = bench.must_load()
    assert first.report is not None
    assert first.report["unknown_customer_rows"] == 1
    assert bench.rows("customer_aggregated_data", "CUSTOMER_ID", "NAME", "AGE", "COUNTRY") == [
        ("c1", "Alice", 30, "Norway"),
        ("c2", None, None, None),
    ]
    assert_equals_recompute(bench)

    bench.people(BOB)
    bench.sales(f"t1,c1,p1,3,1.50,{TEN}")
    second = bench.must_load()

    assert second.ledger() == {"rows_read": 1, "corrected": 1}
    assert second.report is not None
    assert second.report["moved_sales"] == 1
    assert [hour[11:13] for hour in second.report["hours_touched"]] == ["09", "10"]
    found = bench.rows("customer_aggregated_data", "CUSTOMER_ID", "NAME", "QUANTITY", "transaction_hour")
    assert [(*row[:3], row[3].hour) for row in found] == [("c1", "Alice", 3, 10), ("c2", "Bob", 1, 10)]
    assert_equals_recompute(bench)
