"""The gold tables are what another engine computes, whatever happened; and what a run of build_gold costs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from common.contract import CUSTOMERS, SALES, TABLES, Table
from common.contract.gold import CUSTOMER_SUMMARY, PRODUCT_PERFORMANCE, SALES_ENRICHED, SALES_HOURLY
from common.lake.commit_note import CommitNote
from common.lake.lake import Lake
from common.lake.provenance import Unclear, recorded_sources
from common.lake.views import define_view
from common.marts.mart import pinned_inputs, plan_refresh
from common.marts.registry import gold_tables, marts
from common.marts.sales_enriched import sales_enriched_sql
from jobs import build_gold, load_sales, verify_aggregate
from support.expected_gold import assert_gold_is_right, database_of, gold_by_duckdb, gold_versions, in_order, plain
from support.lakes import CUSTOMERS_HEADER, SALES_HEADER, Outcome, Workbench, assert_did_as_planned

PEOPLE = [CUSTOMERS_HEADER, "c1,Ann Lee,30,Mali", "c2,Bob,70,Peru", "c3,Nobody Yet,,"]
SOLD = [
    SALES_HEADER,
    "t1,c1,p1,2,1.50,2025-02-22 09:15:00",
    "t2,c1,p2,1,0.33,2025-02-22 09:59:59.999999",
    "t3,c2,p1,3,2.00,2025-02-15 09:00:00",
    "t4,c9,p3,1,3.33,2025-02-15 08:59:59.999999",
    "t5,c2,p2,7,0.10,2025-02-01 09:00:00",
    "t6,c2,p3,1,3.00,2025-02-22 08:00:00",
    "t7,c2,p3,1,0.00,2025-02-08 09:59:59",
]


@pytest.fixture(scope="module")
def first_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of one load and one build."""
    folder = tmp_path_factory.mktemp("gold")
    for name, lines in (("people.csv", PEOPLE), ("sales.csv", SOLD)):
        (folder / name).write_text("\n".join([*lines, ""]))
    inputs = [f"--transactions={folder}/sales.csv", f"--customers={folder}/people.csv"]
    assert load_sales.main([*inputs, f"--lake={folder}/lake", "--json"]) == 0
    assert build_gold.main([f"--lake={folder}/lake", "--json"]) == 0
    return folder / "lake"


@pytest.fixture
def bench(bench: Workbench, first_lake: Path) -> Workbench:
    """A copy of that lake."""
    shutil.copytree(first_lake, bench.lake)
    bench.canaries.add("\n".join(PEOPLE))
    return bench


def build(bench: Workbench, *options: str) -> Outcome:
    outcome = bench.run(build_gold, f"--lake={bench.lake}", *options)
    assert outcome.report is not None, outcome.error
    return outcome


def rows_written(outcome: Outcome) -> dict[str, tuple[int, int, int]]:
    """Rows inserted, updated and deleted by each commit to a gold table."""
    assert outcome.report is not None
    return {
        change["table"]: (change["inserted"], change["updated"], change["deleted"])
        for change in outcome.report["written"]
    }


def test_gold_follows_late_rows_corrections_and_customers(bench: Workbench) -> None:
    assert_gold_is_right(bench)

    # A second run writes nothing, nor does one after maintenance of the sources.
    versions = gold_versions(bench)
    bench.spark.sql(f"OPTIMIZE delta.`{bench.path(SALES.name)}`")
    again = build(bench)
    assert again.report is not None
    assert again.report["changed_nothing"]
    assert gold_versions(bench) == versions

    # A late sale; one that moves and leaves its hour empty; a customer who was unknown; one who changed.
    bench.people("c9,Zoe,17,", "c2,Bob,71,Chile", "c4,New One,65,Mali")
    bench.sales("t8,c1,p4,1,5.00,2025-02-15 09:30:00", "t6,c2,p3,1,3.00,2025-02-23 08:00:00")
    bench.must_load()
    by_hour = next(mart for mart in marts() if mart.table is SALES_HOURLY)
    with pinned_inputs(Lake(bench.spark, str(bench.lake), None, None)) as inputs:
        hidden = hide_other_hours(bench, SALES, "2025-02-15 09", "2025-02-22 08", "2025-02-23 08")
        plan_refresh(by_hour, inputs)
        for path, content in hidden.items():
            path.write_bytes(content)
    planned = build(bench, "--dry-run")
    done = build(bench)
    assert_did_as_planned(planned, done)
    assert rows_written(done)[SALES_HOURLY.name] == (1, 1, 1)
    assert done.report is not None
    assert done.report["gold_recomputed_whole"] == {}
    assert_gold_is_right(bench)


def hide_other_hours(bench: Workbench, table: Table, *hours: str) -> dict[Path, bytes]:
    """Overwrite the data files of all other hours with zeros, so that reading one fails; returns what they held."""
    hidden = {}
    for path in Path(bench.path(table.name)).glob("transaction_hour=*/*.parquet"):
        if not any(hour in path.parent.name for hour in hours):
            hidden[path] = path.read_bytes()
            path.write_bytes(bytes(len(hidden[path])))
    assert hidden
    return hidden


@pytest.mark.thorough
def test_what_a_stranger_did_to_a_gold_table_is_found_and_repaired(bench: Workbench) -> None:
    lake = Lake(bench.spark, str(bench.lake), None, None)

    # The tables explain themselves to whoever reads them.
    for table in (*TABLES, *gold_tables()):
        described = bench.spark.sql(f"DESCRIBE TABLE EXTENDED {lake.name(table)}").collect()
        comments = {row["col_name"]: row["comment"] for row in described[: len(table.columns)]}
        assert comments == {column.name: column.comment for column in table.columns}
        assert table.comment in [row["data_type"] for row in described if row["col_name"] == "Comment"]

    # A table of another definition is computed anew.
    other = recorded_sources(lake, replace(SALES_HOURLY, logic_version=SALES_HOURLY.logic_version + 1))
    assert other == Unclear(f"it was computed by logic version {SALES_HOURLY.logic_version}, this is 3")

    # A name is in no gold table: its change is none of theirs.
    renamed = bench.table(CUSTOMERS.name).where("CUSTOMER_ID = 'c1'").withColumn("NAME", F.lit("Ann Other"))
    lake.merge(CUSTOMERS, renamed, hours=None, note=CommitNote("of the test", "a test"))

    sound = bench.run(verify_aggregate, f"--lake={bench.lake}")
    assert sound.report is not None, sound.error
    assert sound.report["gold_rows_compared"] == 6 + 3 + 4 + 4

    changes = "TOTAL_SPENT = 9, GROSS_AMOUNT = 9, AGE = 99"
    bench.spark.sql(f"UPDATE {lake.name(CUSTOMER_SUMMARY)} SET {changes} WHERE CUSTOMER_ID = 'c1'")
    bench.spark.sql(f"INSERT INTO {lake.name(PRODUCT_PERFORMANCE)} SELECT * FROM {lake.name(PRODUCT_PERFORMANCE)}")
    exit_code, printed, _ = bench.printed_by(verify_aggregate, f"--lake={bench.lake}")
    assert exit_code == 5
    assert "c1: AGE differs (personal, not shown), TOTAL_SPENT is 9.00, should be 3.33, GROSS_AMOUNT is 9.00" in printed
    assert "product_performance: keys that are there more than once: 3" in printed

    planned = build(bench, "--dry-run")
    repaired = build(bench)
    assert_did_as_planned(planned, repaired)
    assert repaired.report is not None
    assert set(repaired.report["gold_recomputed_whole"]) == {CUSTOMER_SUMMARY.name, PRODUCT_PERFORMANCE.name}
    assert set(rows_written(repaired)) == {CUSTOMER_SUMMARY.name, PRODUCT_PERFORMANCE.name}
    assert "(UPDATE) is not a run's" in repaired.report["gold_recomputed_whole"][CUSTOMER_SUMMARY.name]
    assert_gold_is_right(bench)


def test_sales_enriched_is_one_query_for_spark_and_duckdb_and_a_view_in_a_catalog(bench: Workbench) -> None:
    bench.spark.sql("CREATE SCHEMA IF NOT EXISTS gold_view")
    lake = Lake(bench.spark, None, "spark_catalog", "gold_view")
    try:
        lake.create([SALES, CUSTOMERS])
        bench.spark.sql(f"INSERT INTO {lake.name(CUSTOMERS)} VALUES ('c1', 'Ann', 30, 'Mali')")
        bench.spark.sql(
            f"INSERT INTO {lake.name(SALES)} VALUES "
            "('t1', 'c1', 'p1', 2147483647, 9999999999999999.99, TIMESTAMP '2025-02-22 09:15:00.000001Z', "
            "TIMESTAMP '2025-02-22 09:00:00Z'), "
            "('t2', 'c9', 'p1', 3, 0.33, TIMESTAMP '2025-02-22 09:15:00Z', TIMESTAMP '2025-02-22 09:00:00Z')"
        )
        query = sales_enriched_sql(lake.name(SALES), lake.name(CUSTOMERS))
        assert define_view(lake, SALES_ENRICHED, query, only_look=True)
        assert define_view(lake, SALES_ENRICHED, query, only_look=False)
        assert not define_view(lake, SALES_ENRICHED, query, only_look=False)
        view = bench.spark.table(lake.name(SALES_ENRICHED))
        assert view.dtypes == [(column.name, column.type) for column in SALES_ENRICHED.columns]
        by_spark = in_order([tuple(map(plain, row.values())) for row in view.toArrow().to_pylist()])
        sources = [bench.spark.table(lake.name(table)).toArrow() for table in (SALES, CUSTOMERS)]
        by_duckdb = database_of(*sources).sql(sales_enriched_sql("sales", "customers"))
        expected = gold_by_duckdb(*sources)["sales_enriched"]
        assert by_spark == expected
        assert in_order([tuple(map(plain, row)) for row in by_duckdb.fetchall()]) == expected
        assert by_duckdb.columns == SALES_ENRICHED.column_names

        # One that somebody changed is defined anew.
        bench.spark.sql(f"ALTER VIEW {lake.name(SALES_ENRICHED)} AS SELECT 1 AS TRANSACTION_ID")
        assert define_view(lake, SALES_ENRICHED, query, only_look=False)
        assert not define_view(lake, SALES_ENRICHED, query, only_look=True)
    finally:
        bench.spark.sql("DROP SCHEMA gold_view CASCADE")
