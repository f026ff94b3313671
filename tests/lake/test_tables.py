"""What the tables hold for anyone who reads them, and what they refuse to anyone who writes them."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from chispa import assert_df_equality
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from common.contract import AGGREGATE, CUSTOMERS, RUNS, SALES, TABLES
from support.lakes import Workbench, arrow, assert_equals_recompute

SESSION_ZONES = ("UTC", "Asia/Kolkata", "America/Los_Angeles")


@pytest.fixture
def loaded(bench: Workbench) -> Workbench:
    bench.people('c1,"Canary, Ann",30,Mali', "c2,Canary Bob,40,Peru")
    bench.sales(
        "t1,c1,p1,2,1.50,2025-02-22 23:45:00.000001",
        "t2,c1,p1,1,0.05,2025-02-22 23:59:59.999999",
        "t3,c2,p1,3,0.10,2025-02-23 00:00:00",
        "t4,c2,p2,1,x,2025-02-23 00:00:00",
    )
    bench.must_load()
    return bench


def test_the_lake_is_what_the_contract_says(loaded: Workbench) -> None:
    spark = loaded.spark

    # Every reader sees the same rows and the same hours, in any session time zone.
    for table in (SALES, CUSTOMERS, AGGREGATE):
        assert loaded.table(table.name).dtypes == [(column.name, column.type) for column in table.columns]
        by_delta_rs = loaded.rows(table.name)
        by_duckdb = duckdb.connect().from_arrow(arrow(loaded.path(table.name))).to_arrow_table().to_pylist()
        assert sorted((tuple(row.values()) for row in by_duckdb), key=repr) == by_delta_rs
        by_spark = loaded.table(table.name)
        assert_df_equality(
            by_spark,
            spark.createDataFrame(arrow(loaded.path(table.name)).to_pandas(), by_spark.schema),
            ignore_row_order=True,
            ignore_nullable=True,
        )
    for zone in SESSION_ZONES:
        spark.conf.set("spark.sql.session.timeZone", zone)
        try:
            hour = loaded.table(SALES.name).where("transaction_hour = TIMESTAMP '2025-02-22 23:00:00Z'").count()
        finally:
            spark.conf.set("spark.sql.session.timeZone", "UTC")
        assert hour == 2

    # The weighted price is the amount by the units, rounded half up in the sixth decimal: 3.05 / 3.
    prices = loaded.rows(AGGREGATE.name, "CUSTOMER_ID", "PRICE", "AMOUNT", "QUANTITY", "TRANSACTION_COUNT")
    assert [tuple(map(str, row)) for row in prices] == [
        ("c1", "1.016667", "3.05", "3", "2"),
        ("c2", "0.100000", "0.30", "3", "1"),
    ]

    # The aggregate's own commit says which source versions it belongs to; the run's row has the ledger.
    history = loaded.spark.sql(f"DESCRIBE HISTORY delta.`{loaded.path(AGGREGATE.name)}`").collect()
    last = json.loads(history[0]["userMetadata"])
    assert (last["sales_version"], last["customers_version"]) == (1, 1)
    run = loaded.table(RUNS.name).collect()[0]
    sales = next(feed for feed in run["feeds"] if feed["feed"] == "transactions")
    assert sales["rows_read"] == 4 == sales["new"] + sales["rejected"]
    assert run["rejected_by_reason"] == {"transactions.price_is_an_amount_of_money": 1}
    assert last["run_id"] == run["run_id"]

    # Names and raw rows stand in the data columns alone: not in statistics, commit notes or pipeline_runs.
    for log in Path(loaded.lake).glob("*/_delta_log/*"):
        assert log.is_dir() or b"Canary" not in log.read_bytes(), log
    assert "Canary" not in str(loaded.table(RUNS.name).collect())

    # A stray writer is refused.
    for statement in (
        f"UPDATE delta.`{loaded.path(SALES.name)}` SET QUANTITY = 0",
        f"UPDATE delta.`{loaded.path(SALES.name)}` SET PRICE = -1",
        f"UPDATE delta.`{loaded.path(SALES.name)}` SET transaction_hour = transaction_hour + INTERVAL 1 HOUR",
        f"UPDATE delta.`{loaded.path(SALES.name)}` SET CUSTOMER_ID = NULL",
        f"UPDATE delta.`{loaded.path(AGGREGATE.name)}` SET AMOUNT = -1",
        f"INSERT INTO delta.`{loaded.path(CUSTOMERS.name)}` VALUES ('c8', 'x', -1, 'y')",
        f"INSERT INTO delta.`{loaded.path(CUSTOMERS.name)}` VALUES (NULL, 'x', 1, 'y')",
    ):
        with pytest.raises((PySparkException, Py4JJavaError), match=r"CHECK constraint|NOT NULL"):
            spark.sql(statement)
    assert {table.name for table in TABLES} == {path.parent.name for path in loaded.lake.glob("*/_delta_log")}


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


def test_what_a_stranger_did_to_a_table_is_repaired_and_maintenance_is_no_stranger(loaded: Workbench) -> None:
    spark, aggregate, sales = loaded.spark, loaded.path(AGGREGATE.name), loaded.path(SALES.name)

    spark.sql(f"OPTIMIZE delta.`{aggregate}`")
    spark.sql(f"OPTIMIZE delta.`{sales}`")
    versions = loaded.versions()
    quiet = loaded.must_load()
    assert quiet.report is not None
    assert quiet.report["changed_nothing"]
    assert loaded.versions() == versions

    spark.sql(f"DELETE FROM delta.`{aggregate}` WHERE CUSTOMER_ID = 'c1'")
    repaired = loaded.must_load()
    assert repaired.report is not None
    assert "(DELETE) is not a run's" in repaired.report["recomputed_whole"]
    assert_equals_recompute(loaded)

    spark.sql(f"RESTORE TABLE delta.`{sales}` TO VERSION AS OF 0")
    repaired = loaded.must_load()
    assert repaired.report is not None
    assert "RESTORE" in repaired.report["recomputed_whole"]
    assert loaded.rows(AGGREGATE.name) == []
