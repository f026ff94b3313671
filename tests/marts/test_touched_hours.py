"""The cost follows the change: files of other hours are neither rewritten nor read, and customers are broadcast."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F

from common.contract import AGGREGATE, CUSTOMERS, SALES
from common.lake.commit_note import CommitNote
from common.lake.lake import Lake
from common.marts.aggregate import aggregate_sales
from support.lakes import Workbench, assert_did_as_planned, assert_equals_recompute

HOURS = [f"2025-02-22 {hour:02}:15:00" for hour in range(6)]


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its size and modification time."""
    files = [Path(top) / name for top, _, names in os.walk(folder) for name in names]
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


def hour_of(path: str) -> str:
    return next(part.partition("=")[2] for part in Path(path).parts if part.startswith("transaction_hour="))


def deliver(bench: Workbench) -> None:
    """A sale of two customers in turn in each of six hours."""
    bench.people("c1,Ann,30,Mali", "c2,Bob,40,Peru")
    bench.sales(*[f"t{n},c{n % 2 + 1},p1,1,1.00,{time}" for n, time in enumerate(HOURS)])


@pytest.mark.thorough
def test_a_dry_run_before_there_is_a_lake_says_what_a_run_will_do_and_leaves_no_trace(bench: Workbench) -> None:
    deliver(bench)
    files = snapshot(bench.folder)
    planned = bench.must_load("--dry-run")
    assert snapshot(bench.folder) == files
    loaded = bench.must_load()
    assert planned.ledger() == loaded.ledger() == {"rows_read": 6, "new": 6}
    assert planned.report is not None
    assert loaded.report is not None
    for figure in ("hours_touched", "groups_touched", "recomputed_whole"):
        assert planned.report[figure] == loaded.report[figure]
    assert_did_as_planned(planned, loaded)
    assert planned.report["plan"]["first_customers"] == ["c1 (new)", "c2 (new)"]


def test_a_run_reads_and_rewrites_only_the_hours_that_change_as_planned(bench: Workbench) -> None:
    deliver(bench)
    bench.must_load()
    # A late sale, a sale that moves, and a new hour.
    bench.sales(f"t9,c1,p2,1,1.00,{HOURS[1]}", f"t2,c1,p1,1,1.00,{HOURS[3]}", "t8,c2,p1,1,1.00,2025-02-23 00:15:00")
    touched = {"2025-02-22 01", "2025-02-22 02", "2025-02-22 03", "2025-02-23 00"}
    files = snapshot(bench.folder)
    planned = bench.must_load("--dry-run")
    assert snapshot(bench.folder) == files
    assert planned.report is not None
    assert {time[:13].replace("T", " ") for time in planned.report["hours_touched"]} == touched
    assert planned.report["plan"]["first_keys"] == [
        "c1 p2 2025-02-22 01:00 (late)",
        "c1 p1 2025-02-22 02:00 (moved)",
        "c1 p1 2025-02-22 03:00 (moved)",
        "c2 p1 2025-02-23 00:00 (new)",
    ]

    # Data files of the other hours are overwritten with zeros: a run that read one of them would fail.
    hidden = {}
    for path in map(Path, files):
        is_of_aggregate = "customer_aggregated_data" in path.parts and path.suffix == ".parquet"
        if is_of_aggregate and hour_of(str(path))[:13] not in touched:
            hidden[path] = path.read_bytes()
            path.write_bytes(bytes(len(hidden[path])))
    assert len(hidden) == 3
    loaded = bench.must_load()
    for path, content in hidden.items():
        path.write_bytes(content)

    assert loaded.report is not None
    for figure in ("hours_touched", "groups_touched", "moved_sales"):
        assert planned.report[figure] == loaded.report[figure]
    assert_did_as_planned(planned, loaded)
    assert planned.ledger() == loaded.ledger() == {"rows_read": 3, "new": 2, "corrected": 1}
    for table in ("sales_data_partitioned", "customer_aggregated_data"):
        new = set(snapshot(bench.lake / table)) - set(files)
        assert {hour_of(path)[:13] for path in new if path.endswith(".parquet")} <= touched
    assert_equals_recompute(bench)


@pytest.mark.thorough
@pytest.mark.parametrize("is_adaptive", ["false", "true"])
def test_the_rows_of_an_hour_are_written_to_one_file(bench: Workbench, is_adaptive: str) -> None:
    """Tasks that each write into every hour would make as many files as there are hours, times tasks."""
    bench.people("c1,Ann,30,Mali")
    for half in range(2):
        lines = [f"t{half}{n},c{n},p{half},1,1.00,{time}" for n, time in enumerate(HOURS[:3] * 8)]
        bench.sales(*lines)
    bench.spark.conf.set("spark.sql.adaptive.enabled", is_adaptive)
    try:
        bench.must_load()
    finally:
        bench.spark.conf.set("spark.sql.adaptive.enabled", "false")
    for table in (SALES, AGGREGATE):
        assert len(DeltaTable(bench.path(table.name)).file_uris()) == 3


@pytest.mark.thorough
def test_a_plan_of_a_whole_recompute_counts_the_groups_that_there_will_be(bench: Workbench) -> None:
    """Found by the battery of histories: a group that its last sale leaves was counted, too."""
    bench.people("c1,Ann,30,Mali")
    bench.sales(f"t1,c1,p1,1,1.00,{HOURS[0]}", f"t2,c1,p1,1,1.00,{HOURS[1]}")
    bench.must_load()
    bench.spark.sql(f"UPDATE delta.`{bench.path(CUSTOMERS.name)}` SET AGE = 31")
    bench.sales(f"t1,c1,p1,1,1.00,{HOURS[2]}")
    planned, loaded = bench.must_load("--dry-run"), bench.must_load()
    assert planned.report is not None
    assert loaded.report is not None
    assert loaded.report["groups_touched"] == 2
    for figure in ("hours_touched", "groups_touched", "recomputed_whole"):
        assert planned.report[figure] == loaded.report[figure]
    assert_did_as_planned(planned, loaded)
    assert_equals_recompute(bench)


@pytest.mark.thorough
def test_a_merge_of_sales_opens_no_file_of_another_hour(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales(f"t1,c1,p1,1,1.00,{HOURS[0]}", f"t2,c1,p1,1,1.00,{HOURS[1]}")
    bench.must_load()
    for path in Path(bench.path(SALES.name)).glob("transaction_hour=*01%3A00*/*.parquet"):
        path.unlink()
    lake = Lake(bench.spark, str(bench.lake), None, None)
    version = lake.version(SALES)
    hour = datetime(2025, 2, 22, 0, tzinfo=timezone.utc)
    rows = bench.table(SALES.name).where("transaction_hour = TIMESTAMP '2025-02-22 00:00:00Z'")
    commit = lake.merge(
        SALES, rows.selectExpr("* EXCEPT (QUANTITY)", "7 AS QUANTITY"), hours=[hour], note=CommitNote("r", "a test")
    )
    assert commit is not None
    assert commit.version == (version or 0) + 1
    assert commit.metrics["numTargetRowsUpdated"] == "1"
    assert commit.metrics["numTargetFilesRemoved"] == "1"


def test_customers_are_broadcast_to_the_sales(bench: Workbench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.spark.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")
    try:
        # Of rows that the plan itself holds, Spark Connect would leave no join to look at.
        sales, customers = (
            bench.spark.range(1).select(*[F.col("id").cast(c.type).alias(c.name) for c in table.columns])
            for table in (SALES, CUSTOMERS)
        )
        aggregate_sales(sales, customers).explain()
    finally:
        bench.spark.conf.unset("spark.sql.autoBroadcastJoinThreshold")
    plan = capsys.readouterr().out
    assert "BroadcastHashJoin" in plan
    assert "SortMergeJoin" not in plan
