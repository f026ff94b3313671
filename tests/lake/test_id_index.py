"""The index of ids: a run opens no file of hours that hold none of its ids, and finds every id all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable

from common.contract import SALE_IDS, SALES
from common.lake.commit_note import CommitNote
from common.lake.lake import Lake
from common.lake.provenance import last_note
from jobs import forget_customer, maintain, verify_aggregate
from support import meddling
from support.lakes import Workbench, assert_equals_recompute

HOURS = [f"2025-02-22 {hour:02}:15:00" for hour in range(5)]


@pytest.mark.thorough
def test_ids_are_found_without_a_look_at_other_hours(bench: Workbench) -> None:
    in_lake = f"--lake={bench.lake}"
    bench.people("c1,Ann,30,Mali", "c2,Bob,40,Peru")
    bench.sales(*[f"t{n},c1,p1,1,1.00,{time}" for n, time in enumerate(HOURS)], f"t5,c2,p1,1,1.00,{HOURS[0]}")
    bench.must_load()
    indexed = bench.run(maintain, in_lake)
    assert indexed.report is not None, indexed.error
    assert len(bench.rows(SALE_IDS.name)) == len(HOURS) + 1

    # A sale moves after the index was made, and a new one comes: both are in the change feed.
    bench.sales(f"t1,c1,p1,1,1.00,{HOURS[4]}", f"t9,c1,p1,1,1.00,{HOURS[4]}")
    assert bench.must_load().ledger() == {"rows_read": 2, "new": 1, "corrected": 1}

    first_hour = [Path(file) for file in DeltaTable(bench.path(SALES.name)).file_uris() if "00%3A00%3A00" in file]
    (hidden,) = first_hour
    content = hidden.read_bytes()
    hidden.write_bytes(bytes(len(content)))
    bench.sales(
        f"t1,c1,p2,1,1.00,{HOURS[4]}",
        f"t9,c1,p1,1,1.00,{HOURS[3]}",
        f"t2,c1,p1,1,1.00,{HOURS[3]}",
        f"t3,c1,p1,1,1.00,{HOURS[3]}",
        f"t10,c1,p1,1,1.00,{HOURS[3]}",
    )
    assert bench.must_load().ledger() == {"rows_read": 5, "new": 1, "corrected": 3, "unchanged": 1}
    hidden.write_bytes(content)
    assert_equals_recompute(bench)

    # The index follows.
    bench.run(maintain, in_lake)
    found = bench.rows(SALE_IDS.name)
    assert len(found) == len(set(found)) == 8 + 3  # Every id that there is, and hours that three have left.

    # Where a customer is forgotten, the files of the version that it belonged to are gone, and it is made anew.
    assert bench.run(forget_customer, in_lake, "--customer-id=c2", "--apply").exit_code == 0
    assert len(bench.rows(SALE_IDS.name)) == 7
    exit_code, printed, _ = bench.printed_by(verify_aggregate, in_lake)
    assert exit_code == 0, printed
    assert "Compare the index of ids with the sales" in printed
    assert "7 ids" in printed


@pytest.mark.thorough
def test_an_index_that_is_not_clearly_ours_is_not_relied_on(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales(f"t0,c1,p1,1,1.00,{HOURS[0]}", f"t1,c1,p1,1,1.00,{HOURS[1]}")
    bench.must_load()
    bench.run(maintain, f"--lake={bench.lake}")
    bench.spark.sql(f"DELETE FROM delta.`{bench.path(SALE_IDS.name)}`").collect()

    bench.sales(f"t0,c1,p1,1,1.00,{HOURS[2]}")
    assert bench.must_load().ledger() == {"rows_read": 1, "corrected": 1}
    assert_equals_recompute(bench)

    # Changes of someone else are looked for in every hour, too; maintain makes the index anew then.
    bench.run(maintain, f"--lake={bench.lake}")
    assert len(bench.rows(SALE_IDS.name)) == 2
    meddling.insert_copy(bench.spark, bench.path(SALES.name), "TRANSACTION_ID", "t1", "t5")
    bench.sales(f"t5,c1,p1,1,1.00,{HOURS[2]}")
    assert bench.must_load().ledger() == {"rows_read": 1, "corrected": 1}
    bench.run(maintain, f"--lake={bench.lake}")
    assert len(bench.rows(SALE_IDS.name)) == 3

    # An index that lacks an id, in a commit that looks like a run's, is found.
    lake = Lake(bench.spark, str(bench.lake), None, None)
    note = last_note(lake, SALE_IDS)
    assert isinstance(note, CommitNote)
    one = bench.table(SALE_IDS.name).limit(1).select(*SALE_IDS.key)
    lake.remove(SALE_IDS, one, hours=None, note=note)
    exit_code, printed, _ = bench.printed_by(verify_aggregate, f"--lake={bench.lake}")
    assert exit_code == 5
    assert "sale_ids: ids of the sales that are missing: 1" in printed
