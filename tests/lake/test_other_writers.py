"""Where a lake has no lock, the later of two runs that would write the same table starts again, and nothing is lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from common.contract import AGGREGATE, CUSTOMERS, RUNS, SALES
from common.errors import LakeConflictError
from common.lake.commit_note import CommitNote
from common.lake.lake import Lake
from common.run.configuration import load_settings
from common.run.job import run_job
from common.run.settings import LoadSettings
from jobs import load_sales
from support.batteries import Battery
from support.lakes import Workbench, assert_equals_recompute

_COMPACTS_ALWAYS = {"enabled": "true", "minNumFiles": "2"}
NINE = datetime(2025, 2, 22, 9, tzinfo=timezone.utc)
TEN = datetime(2025, 2, 22, 10, tzinfo=timezone.utc)


def test_of_two_writers_that_saw_the_same_version_one_is_refused(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales("t1,c1,p1,1,1.00,2025-02-22 08:15:00")
    bench.must_load()
    # The same new id in two hours: Delta alone sees no conflict, since neither reads what the other writes.
    at_nine, at_ten = (
        bench.spark.sql(
            f"SELECT 't2', 'c1', 'p1', 1, CAST(1 AS DECIMAL(18, 2)), TIMESTAMP '{hour:%Y-%m-%d %H}:15:00Z', "
            f"TIMESTAMP '{hour:%Y-%m-%d %H}:00:00Z'"
        ).toDF(*SALES.column_names)
        for hour in (NINE, TEN)
    )
    first, second = (Lake(bench.spark, str(bench.lake), None, None) for _ in range(2))
    assert first.version(SALES) == second.version(SALES) == 1
    third = Lake(bench.spark, str(bench.lake), None, None)
    assert third.version(SALES) == 1
    assert first.append(SALES, at_nine, note=CommitNote("first", "a test")) is not None
    with pytest.raises(LakeConflictError, match="written by someone else"):
        second.append(SALES, at_ten, note=CommitNote("second", "a test"))
    with pytest.raises(LakeConflictError, match="written by someone else"):
        third.merge(SALES, at_ten, hours=[TEN], note=CommitNote("third", "a test"))
    assert bench.rows(SALES.name, "TRANSACTION_ID") == [("t1",), ("t2",)]

    # What the first left undone, the next run does, although it finds nothing new.
    assert bench.must_load().ledger() == {}
    assert_equals_recompute(bench)


def test_a_table_that_someone_made_and_filled_since_a_run_looked_is_not_written(bench: Workbench) -> None:
    """The run had decided that all its rows are new."""
    first, second = (Lake(bench.spark, str(bench.lake), None, None) for _ in range(2))
    assert first.version(CUSTOMERS) is second.version(CUSTOMERS) is None
    rows = bench.spark.sql("SELECT 'c1' AS CUSTOMER_ID, 'Ann' AS NAME, 30 AS AGE, 'Mali' AS COUNTRY")
    first.create([CUSTOMERS])
    assert first.append(CUSTOMERS, rows, note=CommitNote("first", "a test")) is not None
    with pytest.raises(LakeConflictError, match="written by someone else during this run, since it looked"):
        second.create([CUSTOMERS])
    assert bench.rows(CUSTOMERS.name, "CUSTOMER_ID") == [("c1",)]


def test_a_run_is_recorded_beside_another(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales("t1,c1,p1,1,1.00,2025-02-22 08:15:00")
    bench.must_load()
    recorded = bench.table(RUNS.name)
    first, second = (Lake(bench.spark, str(bench.lake), None, None) for _ in range(2))
    assert first.version(RUNS) == second.version(RUNS) == 1
    for lake, run_id in ((first, "first"), (second, "second")):
        rows = recorded.where("run_id NOT IN ('first', 'second')").withColumn("run_id", F.lit(run_id))
        commit = lake.append(
            RUNS, rows.select(*RUNS.column_names), note=CommitNote(run_id, "a test"), beside_others=True
        )
        assert commit is not None
        assert commit.note is not None
        assert commit.note.run_id == run_id
    assert {"first", "second"} < {run_id for (run_id,) in bench.rows(RUNS.name, "run_id")}


def test_a_table_that_compacts_itself_after_a_commit_is_not_another_writers(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales("t1,c1,p1,1,1.00,2025-02-22 08:15:00")
    bench.must_load()
    # As managed platforms do by themselves.
    settings = {f"spark.databricks.delta.autoCompact.{key}": value for key, value in _COMPACTS_ALWAYS.items()}
    for key, value in settings.items():
        bench.spark.conf.set(key, value)
    try:
        bench.people("c2,Bob,40,Peru")
        bench.sales("t2,c2,p1,1,1.00,2025-02-22 08:45:00")
        outcome = bench.must_load()
    finally:
        for key in settings:
            bench.spark.conf.unset(key)
    assert "Starting again" not in outcome.error
    for table in (SALES, CUSTOMERS, AGGREGATE):
        history = bench.spark.sql(f"DESCRIBE HISTORY delta.`{bench.path(table.name)}` LIMIT 2").collect()
        assert [row["operation"] for row in history] == ["OPTIMIZE", "MERGE" if table is AGGREGATE else "WRITE"]
    assert_equals_recompute(bench)
    assert bench.must_load().ledger() == {}


@pytest.fixture
def schema(spark: SparkSession) -> Iterator[str]:
    spark.sql("CREATE SCHEMA without_lock")
    yield "without_lock"
    spark.sql("DROP SCHEMA without_lock CASCADE")


def test_the_time_of_a_commit_does_not_depend_on_how_many_are_listed(spark: SparkSession, schema: str) -> None:
    lake = Lake(spark, None, None, schema)
    lake.create([CUSTOMERS])
    for number in range(2):
        spark.sql(f"INSERT INTO {lake.name(CUSTOMERS)} VALUES ('c{number}', 'Ann', 30, 'Mali')")
    location = spark.sql(f"DESCRIBE DETAIL {lake.name(CUSTOMERS)}").collect()[0]["location"]
    # As a store has it that keeps whole seconds.
    for commit in Path(location.removeprefix("file:")).glob("_delta_log/*.json"):
        os.utime(commit, (1_700_000_000, 1_700_000_000))
    times = {Lake(spark, None, None, schema).history(CUSTOMERS, limit)[0].at for limit in (1, 2, 3)}
    assert len(times) == 1


@pytest.mark.battery
def test_overlapping_writers(bench: Workbench, schema: str, battery: Battery) -> None:
    rounds = battery.rounds(20)
    bench.people("c1,Ann,30,Mali")
    bench.sales("t,c1,p1,1,1.00,2025-02-22 08:15:00")
    place = [f"--schema={schema}"]
    bench.must_load(*place)
    settings = load_settings(
        {
            "schema": schema,
            "transactions": str(bench.transactions),
            "customers": str(bench.customers),
            "json": True,
            "max_rejected_share": 1,
        },
        LoadSettings,
    )
    for number in range(rounds):
        bench.sales(*[f"t{number}_{n},c1,p{n},1,1.00,2025-02-22 {n:02}:15:00" for n in range(3)])
        with ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(run_job, load_sales.JOB, bench.spark.newSession(), settings) for _ in range(2)]
            reports: list[Any] = [run.result().as_dict() for run in runs]
        new = [ledger["new"] for report in reports for ledger in report["feeds"] if ledger["feed"] == "transactions"]
        assert sum(new) in (0, 3), f"round {number}: the reports say {new} new rows"
        sales = bench.spark.table(f"{schema}.{SALES.name}")
        assert sales.count() == sales.select("TRANSACTION_ID").distinct().count() == 1 + 3 * (number + 1)
        counted = bench.spark.table(f"{schema}.{AGGREGATE.name}").selectExpr("sum(TRANSACTION_COUNT)").collect()[0][0]
        assert counted == 1 + 3 * (number + 1)
    battery.passed(f"{rounds} rounds of 2 runs without a lock, every row in once")
