"""Where the platform keeps no rows and lets a session set few properties, as Databricks' serverless compute does."""

from __future__ import annotations

from types import ModuleType

import pytest
from deltalake import DeltaTable

from common.contract import AGGREGATE, CUSTOMERS, SALES
from common.lake.lake import Lake
from jobs import build_gold, forget_customer, maintain, verify_aggregate
from support.expected_gold import assert_gold_is_right
from support.lakes import Workbench, assert_equals_recompute


@pytest.mark.thorough
def test_a_lake_on_serverless_compute_goes_on_elsewhere_and_back(bench: Workbench) -> None:
    """Each run knows by the commits what the one before did, wherever that ran: nothing is recomputed whole."""
    in_lake = f"--lake={bench.lake}"
    bench.people("c1,Ann,30,Mali", "c2,Bob,40,Peru")
    bench.sales(*[f"t{n},c{n % 2 + 1},p1,1,1.00,2025-02-22 0{n}:15:00" for n in range(4)], "t9,c1,p1,0,1.00,2025")
    bench.on_serverless = True
    bench.must_load()
    assert bench.run(build_gold, in_lake).exit_code == 0

    for on_serverless, quantity in ((True, 2), (False, 3), (True, 4)):
        bench.on_serverless = on_serverless
        bench.people(f"c2,Bob,{40 + quantity},Peru")
        bench.sales(f"t1,c2,p1,{quantity},1.00,2025-02-22 0{quantity}:45:00")
        outcome = bench.must_load()
        assert outcome.report is not None
        assert outcome.ledger() == {"rows_read": 1, "corrected": 1}
        assert outcome.report["recomputed_whole"] is None
        assert_equals_recompute(bench)
        versions = bench.versions()
        bench.must_load()
        assert bench.versions() == versions

    assert bench.run(build_gold, in_lake).exit_code == 0
    assert_gold_is_right(bench)
    assert bench.run(verify_aggregate, in_lake).exit_code == 0
    assert outcome.report is not None
    run_id = outcome.report["run_id"]
    # A session that may set properties tells by the note in a condition what one did that may not.
    lake = Lake(bench.spark, str(bench.lake), None, None)
    for table in (SALES, CUSTOMERS, AGGREGATE):
        [last] = DeltaTable(bench.path(table.name)).history(1)
        assert "userMetadata" not in last
        newest = lake.newest(table)
        assert newest is not None
        assert newest.note is not None
        assert newest.note.run_id == run_id
        assert newest.note.follows == newest.version - 1


@pytest.mark.parametrize(
    ("job", "options"), [(maintain, []), (forget_customer, ["--customer-id=c1", "--apply"])], ids=["maintain", "forget"]
)
def test_a_job_that_serverless_compute_cannot_do_is_refused_before_it_writes(
    bench: Workbench, job: ModuleType, options: list[str]
) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales("t1,c1,p1,1,1.00,2025-02-22 09:15:00")
    bench.must_load()
    versions = bench.versions()
    bench.on_serverless = True
    refused = bench.run(job, f"--lake={bench.lake}", *options)
    assert refused.exit_code == 2
    assert "run it on a job cluster" in refused.error
    assert bench.versions() == versions
