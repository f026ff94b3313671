"""A lake is opened as one run left it, with and without Spark, and stays so while later runs write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.serve.reader import RunNotFoundError, TableNotFoundError, open_lake, open_lake_in_spark
from jobs import build_gold
from support.lakes import Workbench
from support.project import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_a_lake_is_read_as_a_run_left_it(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales("t1,c1,p1,2,1.50,2025-02-22 09:15:00", "t2,c9,p2,1,1.00,2025-02-22 10:15:00")
    bench.must_load()
    bench.run(build_gold, f"--lake={bench.lake}")
    lake = open_lake(str(bench.lake))
    assert lake.run.job == "build_gold"
    assert lake.run.has_gold

    bench.sales("t3,c1,p1,1,5.00,2025-02-22 11:15:00")
    bench.must_load()
    # Gold is as it was, and so the newest run that left it is the one whose tables agree with each other.
    in_spark = open_lake_in_spark(bench.spark, str(bench.lake))
    assert open_lake(str(bench.lake)).run == in_spark.run == lake.run
    for table in ("sales_enriched", "sales_hourly", "product_performance", "customer_aggregated_data"):
        revenue = f"SELECT CAST(sum(AMOUNT) AS VARCHAR(40)) FROM {table}"
        assert lake.sql(revenue).fetchall() == [("4.00",)]
        assert [tuple(row) for row in in_spark.sql(revenue).collect()] == [("4.00",)]
    names = lake.sql("SELECT NAME FROM sales_enriched ORDER BY TRANSACTION_ID").fetchall()
    assert names == [("Ann",), (None,)]

    newest = open_lake(str(bench.lake), open_lake(str(bench.lake)).runs[-1].run_id)
    assert newest.run.job == "load_sales"
    assert newest.sql("SELECT count(*) FROM sales_data_partitioned").fetchall() == [(3,)]
    assert "sales_hourly" not in newest.tables


def test_what_is_not_there_is_said(bench: Workbench) -> None:
    with pytest.raises(RunNotFoundError, match=r"There is no lake at .*nowhere: load_sales makes it"):
        open_lake(str(bench.folder / "nowhere"))
    with pytest.raises(RunNotFoundError, match=r"There is no lake at .*nowhere: load_sales makes it"):
        open_lake_in_spark(bench.spark, str(bench.folder / "nowhere"))
    bench.people("c1,Ann,30,Mali")
    bench.sales("t1,c1,p1,2,1.50,2025-02-22 09:15:00")
    bench.must_load()
    (run,) = open_lake(str(bench.lake)).runs
    with pytest.raises(RunNotFoundError, match=rf"is called yesterday; the newest are {run.run_id} \(load_sales\)"):
        open_lake(str(bench.lake), "yesterday")


def test_a_relative_folder_is_a_lake_as_well(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales("t1,c1,p1,2,1.50,2025-02-22 09:15:00", "t2,c1,p1,none,1.50,2025-02-22 09:15:00")
    bench.must_load()
    monkeypatch.chdir(bench.folder)
    lake, in_spark = open_lake("lake"), open_lake_in_spark(bench.spark, "lake")
    assert {"customers", "rejected_rows", "pipeline_runs"} <= {*lake.tables} == {*in_spark.tables}
    # Runs and rejected rows are there to be asked for, beside the tables that they are about.
    query = "SELECT job, (SELECT count(*) FROM rejected_rows) AS rejected FROM pipeline_runs"
    assert lake.sql(query).fetchall() == [("load_sales", 1)]
    assert [tuple(row) for row in in_spark.sql(query).collect()] == [("load_sales", 1)]


def test_a_gold_table_that_was_never_built_says_what_builds_it(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales("t1,c1,p1,2,1.50,2025-02-22 09:15:00")
    bench.must_load()
    query = "SELECT * FROM product_performance"
    for lake in (open_lake(str(bench.lake)), open_lake_in_spark(bench.spark, str(bench.lake))):
        with pytest.raises(TableNotFoundError, match=r"There is no table product_performance\..* Run build_gold"):
            lake.sql(query)
    assert bench.run(build_gold, f"--lake={bench.lake}").exit_code == 0
    with_gold = open_lake_in_spark(bench.spark, str(bench.lake))
    assert with_gold.sql(query).count() == 1
    with pytest.raises(TableNotFoundError, match=r"no table products\. There are .*, pipeline_runs\.$"):
        with_gold.sql("SELECT * FROM products")
    # Views of one lake do not answer for another.
    (first, _) = with_gold.runs
    with pytest.raises(TableNotFoundError, match="Run build_gold"):
        open_lake_in_spark(bench.spark, str(bench.lake), first.run_id).sql(query)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_without_what_they_printed(path: Path) -> None:
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
