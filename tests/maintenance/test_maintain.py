"""maintain puts small files together, deletes old ones, and changes no row and nothing that a later run finds."""

from __future__ import annotations

import json
import os
from pathlib import Path

from deltalake import DeltaTable
from pyspark.sql import is_remote

from common.contract import SALES
from jobs import maintain
from support.lakes import Workbench, assert_equals_recompute


def test_small_files_are_put_together_and_old_ones_deleted(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    for number in range(3):
        bench.sales(f"t{number},c1,p{number},1,1.00,2025-02-22 09:15:00")
        bench.must_load()
    rows, sales = bench.rows(SALES.name), Path(bench.path(SALES.name))
    left_over = sales / "of_a_run_that_died.parquet"
    left_over.write_bytes(b"PAR1")
    os.utime(left_over, (1_700_000_000, 1_700_000_000))
    versions = bench.versions()

    planned = bench.run(maintain, f"--lake={bench.lake}", "--dry-run")
    assert planned.exit_code == 0
    assert bench.versions() == versions
    assert left_over.exists()
    last_checkpoint = sales / "_delta_log" / "_last_checkpoint"
    assert not last_checkpoint.exists()

    done = bench.run(maintain, f"--lake={bench.lake}")
    assert done.report is not None, done.error
    replaced = {change["table"]: change["files_replaced"] for change in done.report["written"]}
    assert replaced[SALES.name] == 3
    assert len(DeltaTable(str(sales)).file_uris()) == 1
    # Over Spark Connect, there is no JVM to ask for a checkpoint.
    if is_remote():
        assert not last_checkpoint.exists()
    else:
        assert json.loads(last_checkpoint.read_text())["version"] == DeltaTable(str(sales)).version()
    assert not left_over.exists()
    assert bench.rows(SALES.name) == rows

    # Again, there is nothing to put together but what the runs themselves have written to pipeline_runs.
    again = bench.run(maintain, f"--lake={bench.lake}")
    assert again.report is not None, again.error
    assert again.report["changed_nothing"]

    bench.sales("t1,c1,p1,5,1.00,2025-02-22 10:15:00")
    later = bench.must_load()
    assert later.report is not None
    assert later.report["recomputed_whole"] is None
    assert_equals_recompute(bench)

    # A run that records the versions of now would hide that commits are lost.
    for file in (sales / "_delta_log").glob(f"*{DeltaTable(str(sales)).version():020}*"):
        file.unlink()
    lost = bench.run(maintain, f"--lake={bench.lake}")
    assert lost.exit_code == 1
    assert "its newest commits" in lost.error
