"""A new computed table is one entry in the registry: everything that keeps tables takes it from there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import CUSTOMERS, SALES, Column, Table
from common.marts import registry
from common.marts.mart import Mart, compare_all
from common.serve.reader import open_lake
from jobs import build_gold, verify_aggregate
from support.lakes import Workbench

UNITS_BY_COUNTRY = Table(
    name="units_by_country",
    about="Units sold by country",
    grain="One row per COUNTRY of a customer who bought",
    columns=(
        Column("COUNTRY", "string", "Today's country of the customer"),
        Column("UNITS", "bigint", "Units sold"),
    ),
    key=("COUNTRY",),
    stats=(),
    constraints=(("units_are_positive", "UNITS > 0"),),
    computed_from=(SALES.name, CUSTOMERS.name),
    kept_by="build_gold",
    logic_version=1,
)


def units_by_country(sales: DataFrame, customers: DataFrame) -> DataFrame:
    """One row per country of a customer who bought."""
    known = customers.where("COUNTRY IS NOT NULL").select("CUSTOMER_ID", "COUNTRY")
    bought = sales.join(F.broadcast(known), on="CUSTOMER_ID", how="inner")
    return bought.groupBy("COUNTRY").agg(F.sum(F.col("QUANTITY").cast("bigint")).alias("UNITS"))


@pytest.fixture
def with_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Mart(
        table=UNITS_BY_COUNTRY,
        rows=lambda inputs: units_by_country(inputs.sales, inputs.customers),
        pending=compare_all,
    )
    monkeypatch.setattr(registry, "MARTS", (*registry.MARTS, entry))


@pytest.mark.thorough
@pytest.mark.usefixtures("with_entry")
def test_a_table_of_one_entry_is_planned_built_read_checked_and_repaired(bench: Workbench) -> None:
    in_lake = f"--lake={bench.lake}"
    name = UNITS_BY_COUNTRY.name
    bench.people("c1,Ann Lee,30,Mali", "c2,Bob,70,Peru")
    bench.sales("t1,c1,p1,2,1.50,2025-02-22 09:15:00", "t2,c2,p1,3,1.50,2025-02-22 09:15:00")
    bench.must_load()

    planned = bench.run(build_gold, in_lake, "--dry-run")
    assert planned.report is not None, planned.error
    assert [change["inserted"] for change in planned.report["plan"]["tables"] if change["table"] == name] == [2]
    assert not (bench.lake / name).exists()

    assert bench.run(build_gold, in_lake).exit_code == 0
    assert bench.rows(name) == [("Mali", 2), ("Peru", 3)]
    again = bench.run(build_gold, in_lake)
    assert again.report is not None
    assert again.report["changed_nothing"]

    bench.sales("t3,c1,p1,5,1.50,2025-02-22 10:15:00")
    bench.must_load()
    built = bench.run(build_gold, in_lake)
    assert built.report is not None
    assert [c["updated"] for c in built.report["written"] if c["table"] == name] == [1]
    assert bench.rows(name) == [("Mali", 7), ("Peru", 3)]
    assert open_lake(str(bench.lake)).sql(f"SELECT UNITS FROM {name} ORDER BY UNITS").fetchall() == [(3,), (7,)]
    assert bench.run(verify_aggregate, in_lake).exit_code == 0

    bench.spark.sql(f"UPDATE delta.`{bench.path(name)}` SET UNITS = 9 WHERE COUNTRY = 'Mali'")
    exit_code, printed, _ = bench.printed_by(verify_aggregate, in_lake)
    assert exit_code == 5
    assert f"{name}: rows that are not what a full recompute gives: 1" in printed
    repaired = bench.run(build_gold, in_lake)
    assert repaired.report is not None
    assert set(repaired.report["gold_recomputed_whole"]) == {name}
    assert bench.rows(name) == [("Mali", 7), ("Peru", 3)]

    newest = max(Path(bench.path(name), "_delta_log").glob("*.json"))
    newest.write_bytes(b"")
    damaged = bench.run(build_gold, in_lake)
    assert damaged.exit_code == 1
    assert f"Delete the folder of {name} and run build_gold: it is computed anew." in damaged.error
    shutil.rmtree(bench.lake / name)
    assert bench.run(build_gold, in_lake).exit_code == 0
    assert bench.rows(name) == [("Mali", 7), ("Peru", 3)]
