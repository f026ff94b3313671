"""What the tables hold for anyone who reads them, and what they refuse to anyone who writes them."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pyarrow.dataset as ds
import pytest
from chispa import assert_df_equality
from deltalake import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from common.contract import AGGREGATE, CUSTOMERS, REJECTED, RUNS, SALES, TABLES, Table
from support.data_files import times_of
from support.lakes import Workbench, arrow, assert_equals_recompute


@pytest.fixture(scope="module")
def loaded(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """A lake of one load, which no test changes."""
    bench = Workbench(spark, tmp_path_factory.mktemp("loaded"))
    bench.people('c1,"Canary, Ann",30,Mali', "c2,Canary Bob,40,Peru")
    bench.sales(
        "t1,c1,p1,2,1.50,2025-02-22 23:45:00.000001",
        "t2,c1,p1,1,0.05,2025-02-22 23:59:59.999999",
        "t3,c2,p1,3,0.10,2025-02-23 00:00:00",
        "t4,c2,p2,1,x,2025-02-23 00:00:00",
    )
    bench.must_load()
    return bench


def test_every_reader_sees_the_same_rows_of_the_types_in_the_contract(loaded: Workbench) -> None:
    assert {table.name for table in TABLES} == {path.parent.name for path in loaded.lake.glob("*/_delta_log")}
    for table in (SALES, CUSTOMERS, AGGREGATE):
        assert loaded.table(table.name).dtypes == [(column.name, column.type) for column in table.columns]
        by_delta_rs = loaded.rows(table.name)
        by_duckdb = duckdb.connect().from_arrow(arrow(loaded.path(table.name))).to_arrow_table().to_pylist()
        assert sorted((tuple(row.values()) for row in by_duckdb), key=repr) == by_delta_rs
        by_spark = loaded.table(table.name)
        assert_df_equality(
            by_spark,
            loaded.spark.createDataFrame(arrow(loaded.path(table.name)).to_pandas(), by_spark.schema),
            ignore_row_order=True,
            ignore_nullable=True,
        )


def test_times_are_kept_with_statistics_that_a_filter_can_use(loaded: Workbench) -> None:
    for table in (SALES, REJECTED, RUNS):
        assert times_of(loaded.path(table.name)) == {("INT64", True)}, table.name
    before = datetime(2025, 2, 22, 23, 50, tzinfo=timezone.utc)
    files = DeltaTable(loaded.path(SALES.name)).to_pyarrow_dataset()
    found = files.to_table(filter=ds.field("TRANSACTION_DATE") < before, columns=["TRANSACTION_ID"])
    assert found.to_pylist() == [{"TRANSACTION_ID": "t1"}]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/Los_Angeles"])
def test_an_hour_is_found_in_any_time_zone_of_the_session(loaded: Workbench, zone: str) -> None:
    loaded.spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        in_hour = loaded.table(SALES.name).where("transaction_hour = TIMESTAMP '2025-02-22 23:00:00Z'").count()
    finally:
        loaded.spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert in_hour == 2


def test_the_weighted_price_is_the_amount_by_the_units_rounded_half_up_in_the_sixth_decimal(loaded: Workbench) -> None:
    prices = loaded.rows(AGGREGATE.name, "CUSTOMER_ID", "PRICE", "AMOUNT", "QUANTITY", "TRANSACTION_COUNT")
    assert [tuple(map(str, row)) for row in prices] == [
        ("c1", "1.016667", "3.05", "3", "2"),
        ("c2", "0.100000", "0.30", "3", "1"),
    ]


def test_the_commit_of_the_aggregate_names_its_sources_and_the_row_of_the_run_has_the_ledger(loaded: Workbench) -> None:
    history = loaded.spark.sql(f"DESCRIBE HISTORY delta.`{loaded.path(AGGREGATE.name)}`").collect()
    last = json.loads(history[0]["userMetadata"])
    assert (last["sales_version"], last["customers_version"]) == (1, 1)
    run = loaded.table(RUNS.name).collect()[0]
    sales = next(feed for feed in run["feeds"] if feed["feed"] == "transactions")
    assert sales["rows_read"] == 4 == sales["new"] + sales["rejected"]
    assert run["rejected_by_reason"] == {"transactions.price_is_an_amount_of_money": 1}
    assert last["run_id"] == run["run_id"]


def test_names_and_raw_rows_stand_in_no_statistics_commit_notes_or_records_of_runs(loaded: Workbench) -> None:
    for log in Path(loaded.lake).glob("*/_delta_log/*"):
        assert log.is_dir() or b"Canary" not in log.read_bytes(), log
    assert "Canary" not in str(loaded.table(RUNS.name).collect())


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        (SALES, "UPDATE {} SET QUANTITY = 0"),
        (SALES, "UPDATE {} SET PRICE = -1"),
        (SALES, "UPDATE {} SET transaction_hour = transaction_hour + INTERVAL 1 HOUR"),
        (SALES, "UPDATE {} SET CUSTOMER_ID = NULL"),
        (AGGREGATE, "UPDATE {} SET QUANTITY = 0"),
        (AGGREGATE, "UPDATE {} SET PRICE = NULL"),
        (AGGREGATE, "UPDATE {} SET TRANSACTION_COUNT = 0"),
        (CUSTOMERS, "INSERT INTO {} VALUES ('c8', 'x', -1, 'y')"),
        (CUSTOMERS, "INSERT INTO {} VALUES (NULL, 'x', 1, 'y')"),
    ],
)
def test_a_stray_writer_of_a_wrong_value_is_refused(loaded: Workbench, table: Table, statement: str) -> None:
    with pytest.raises((PySparkException, Py4JJavaError), match=r"CHECK constraint|NOT NULL"):
        loaded.spark.sql(statement.format(f"delta.`{loaded.path(table.name)}`"))


@pytest.mark.battery
def test_a_lake_in_a_catalog_is_loaded_like_one_in_a_folder(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales("t1,c1,p1,2,1.50,2025-02-22 23:45:00", "t2,c1,p1,1,0.05,2025-02-22 22:00:00")
    place = ["--catalog=spark_catalog", "--schema=sales_lake"]
    missing = bench.load(*place)
    assert missing.exit_code == 2
    assert "spark_catalog.sales_lake does not exist" in missing.error

    bench.spark.sql("CREATE SCHEMA sales_lake")
    try:
        first = bench.must_load(*place)
        bench.sales("t1,c1,p1,3,1.50,2025-02-22 23:45:00")
        second = bench.must_load(*place)
        name = f"spark_catalog.sales_lake.{AGGREGATE.name}"
        amounts = bench.spark.sql(f"SELECT AMOUNT FROM {name} ORDER BY AMOUNT").collect()
    finally:
        bench.spark.sql("DROP SCHEMA sales_lake CASCADE")
    assert first.ledger() == {"rows_read": 2, "new": 2}
    assert second.ledger() == {"rows_read": 1, "corrected": 1}
    assert [str(amount) for (amount,) in amounts] == ["0.05", "4.50"]
    assert not bench.lake.exists()


def test_what_a_stranger_did_to_a_table_is_repaired_and_maintenance_is_no_stranger(
    bench: Workbench, loaded: Workbench
) -> None:
    bench.start_with(loaded)
    spark, aggregate, sales = bench.spark, bench.path(AGGREGATE.name), bench.path(SALES.name)

    spark.sql(f"OPTIMIZE delta.`{aggregate}`")
    spark.sql(f"OPTIMIZE delta.`{sales}`")
    versions = bench.versions()
    quiet = bench.must_load()
    assert quiet.report is not None
    assert quiet.report["changed_nothing"]
    assert bench.versions() == versions

    spark.sql(f"DELETE FROM delta.`{aggregate}` WHERE CUSTOMER_ID = 'c1'")
    repaired = bench.must_load()
    assert repaired.report is not None
    assert "(DELETE) is not a run's" in repaired.report["recomputed_whole"]
    assert_equals_recompute(bench)

    spark.sql(f"RESTORE TABLE delta.`{sales}` TO VERSION AS OF 0")
    repaired = bench.must_load()
    assert repaired.report is not None
    assert "RESTORE" in repaired.report["recomputed_whole"]
    assert bench.rows(AGGREGATE.name) == []
