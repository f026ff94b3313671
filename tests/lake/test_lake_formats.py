"""A lake of an older format is brought to that of now, whatever happens meanwhile; a newer one is left alone."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from deltalake import DeltaTable

from common.contract import AGGREGATE, CUSTOMERS, RUNS, SALE_IDS, SALES, TABLES, Column, Table
from common.contract.formats import FORMAT, FORMAT_PROPERTY, FORMATS
from common.contract.gold import SALES_HOURLY
from common.errors import NewerFormatError
from common.lake.commit_note import CommitNote
from common.lake.ddl import TIMES_PROPERTY
from common.lake.lake import Lake
from common.lake.upgrade import Upgrade, bring_up_to_date, lacking, tables_of_loads, upgrades
from common.marts.registry import gold_tables
from common.serve.reader import open_lake, open_lake_in_spark
from jobs import build_gold, forget_customer, maintain, verify_aggregate
from support.batteries import Battery
from support.earlier_lake import FOLDER
from support.expected_gold import assert_gold_is_right
from support.lakes import Workbench, assert_equals_recompute

OF_FORMAT_1 = FOLDER / "4cc9a46.tar.gz"
OF_FORMAT_NOW = FOLDER / f"format_{FORMAT}.tar.gz"
NOTE = CommitNote("a_run", "a test")


@pytest.fixture
def bench(bench: Workbench) -> Workbench:
    """One with a lake of format 1, which two loads, build_gold and maintain have made."""
    with tarfile.open(OF_FORMAT_1) as packed:
        packed.extractall(bench.folder, filter="data")
    return bench


def use_format_now(bench: Workbench) -> None:
    """Have a lake of the format of now instead."""
    shutil.rmtree(bench.lake)
    with tarfile.open(OF_FORMAT_NOW) as packed:
        packed.extractall(bench.folder, filter="data")


def lake_of(bench: Workbench) -> Lake:
    return Lake(bench.spark, str(bench.lake), None, None)


def commits_after(lake: Path, versions: dict[str, int]) -> list[Path]:
    """The commits to all tables after these versions, in the order in which they were made."""
    logs = [path for path in lake.glob("*/_delta_log/*.json") if int(path.stem) > versions[path.parents[1].name]]
    return sorted(logs, key=lambda path: path.stat().st_mtime_ns)


def without(commits: Sequence[Path]) -> None:
    """Take commits away, as if a run had died before them."""
    for commit in commits:
        for file in commit.parent.glob(f"*{commit.stem}*"):
            file.unlink()


def versions_in(lake: Path) -> dict[str, int]:
    return {path.parent.name: DeltaTable(path.parent).version() for path in lake.glob("*/_delta_log")}


def described(bench: Workbench, table: Table) -> tuple[object, ...]:
    """What a table says of itself."""
    detail = lake_of(bench).detail(table)
    # How a table keeps times changes with the files that maintain writes anew, and not with the format.
    checks = {key: "".join(value.split()) for key, value in detail["properties"].items() if key != TIMES_PROPERTY}
    return bench.table(table.name).schema.jsonValue(), detail["description"], checks


def test_the_lake_of_the_format_of_now_is_what_the_contract_says(bench: Workbench) -> None:
    """Whoever changes a table in the contract adds a format, or lakes that are there stay as they are."""
    use_format_now(bench)
    lake = lake_of(bench)
    for table in (*TABLES, SALE_IDS, *gold_tables()):
        assert lake.format_of(table) == FORMAT
        assert table.misfits(bench.table(table.name).dtypes) == []
        assert list(lacking(lake, table, FORMAT)) == []


@pytest.mark.thorough
def test_a_load_brings_an_older_lake_to_the_format_of_now_and_says_so(bench: Workbench) -> None:
    versions = bench.versions()
    planned = bench.must_load("--dry-run")
    assert planned.report is not None
    assert not planned.report["changed_nothing"]
    assert bench.versions() == versions
    exit_code, printed, _ = bench.printed_by(verify_aggregate, f"--lake={bench.lake}")
    assert exit_code == 0
    assert f"{SALES.name} is of lake format 1: the next run brings it to {FORMAT}." in printed

    # What a run had left of the aggregate when its code was replaced: the feed of changes reaches over the upgrade.
    bench.spark.conf.set("spark.databricks.delta.commitInfo.userMetadata", '{"run_id": "killed", "job": "load_sales"}')
    bench.spark.sql(f"UPDATE delta.`{bench.path(SALES.name)}` SET QUANTITY = 7 WHERE TRANSACTION_ID = 't3'")
    bench.spark.conf.unset("spark.databricks.delta.commitInfo.userMetadata")

    loaded = bench.must_load()
    assert loaded.report is not None
    assert loaded.report["upgrades"] == planned.report["upgrades"]
    assert {upgrade["table"] for upgrade in loaded.report["upgrades"]} == {*versions_in(bench.lake)} - {
        path.name for path in bench.lake.iterdir() if path.name.startswith(("sales_hourly", "product_", "customer_s"))
    }
    assert loaded.report["recomputed_whole"] is None
    assert loaded.report["groups_touched"] == 1
    assert_equals_recompute(bench)
    assert upgrades(lake_of(bench), TABLES) == []

    versions = bench.versions()
    again = bench.must_load()
    assert again.report is not None
    assert again.report["upgrades"] == []
    assert again.report["changed_nothing"]
    assert bench.versions() == versions
    (bench.folder / "fresh").mkdir()
    fresh = Workbench(bench.spark, bench.folder / "fresh")
    fresh.must_load()
    for table in TABLES:
        assert described(bench, table) == described(fresh, table)


@pytest.mark.battery
def test_killed_upgrades(bench: Workbench, battery: Battery) -> None:
    """Killed after any commit, an upgrade is finished by the next run, which repeats none."""
    before = versions_in(bench.lake)
    shutil.copytree(bench.lake, bench.folder / "before")
    lake = lake_of(bench)
    bring_up_to_date(lake, tables_of_loads(lake), NOTE)
    after, whole = versions_in(bench.lake), bench.lake
    commits = commits_after(whole, before)
    assert len(commits) == sum(after.values()) - sum(before.values())
    # Tables that keep their columns, comments and constraints have one commit, the others several.
    assert after[CUSTOMERS.name] == before[CUSTOMERS.name] + 1
    assert after[AGGREGATE.name] > before[AGGREGATE.name] + 5
    rounds = battery.rounds(len(commits))
    for done in (len(commits) * number // rounds for number in range(rounds)):
        bench.lake = bench.folder / f"killed_{done}"
        shutil.copytree(whole, bench.lake)
        without(commits_after(bench.lake, before)[done:])
        lake = lake_of(bench)
        bring_up_to_date(lake, tables_of_loads(lake), NOTE)
        assert versions_in(bench.lake) == after, f"after {done} commits"
        assert upgrades(lake_of(bench), TABLES) == []
        for table in (SALES, AGGREGATE):
            assert list(lacking(lake, table, 1)) == []
    battery.passed(f"{rounds} of {len(commits)} commits of an upgrade, each the last one before a kill")


@pytest.mark.thorough
def test_an_upgrade_that_was_killed_is_finished_by_the_next_run(bench: Workbench) -> None:
    before = versions_in(bench.lake)
    planned = bench.must_load("--dry-run")
    lake = lake_of(bench)
    bring_up_to_date(lake, tables_of_loads(lake), NOTE)
    commits = commits_after(bench.lake, before)
    of_aggregate = [commit for commit in commits if commit.parents[1].name == AGGREGATE.name]
    without(commits[commits.index(of_aggregate[3]) :])
    killed = bench.must_load()
    assert killed.report is not None
    assert planned.report is not None
    assert killed.report["upgrades"] == planned.report["upgrades"][3:]
    assert killed.report["recomputed_whole"] is None
    for table in TABLES:
        assert list(lacking(lake_of(bench), table, 1)) == []
    assert bench.run(verify_aggregate, f"--lake={bench.lake}").exit_code == 0


def test_a_table_gains_a_column_in_its_place(bench: Workbench) -> None:
    wider = replace(
        SALES,
        columns=(*SALES.columns[:-1], Column("BATCH", "string", "Where it's from", nullable=True), SALES.columns[-1]),
    )
    lake = lake_of(bench)
    assert lake.read(wider, lake.version(wider)).where("BATCH IS NOT NULL").isEmpty()
    bring_up_to_date(lake, [wider], NOTE)
    assert wider.misfits(bench.table(SALES.name).dtypes) == []
    assert lake.read(wider, lake.version(wider)).count() == len(bench.rows(SALES.name))
    assert list(lacking(lake_of(bench), wider, 1)) == []


@pytest.mark.thorough
def test_a_table_that_comes_back_as_it_was_in_an_older_format_is_brought_up_to_date_again(bench: Workbench) -> None:
    old = DeltaTable(bench.path(SALES.name)).version()
    bench.must_load()
    bench.spark.sql(f"RESTORE TABLE delta.`{bench.path(SALES.name)}` TO VERSION AS OF {old}").collect()
    bench.spark.sql(f"OPTIMIZE delta.`{bench.path(SALES.name)}`").collect()
    again = bench.must_load()
    assert again.report is not None
    assert again.report["upgrades"] == [{"table": SALES.name, "from_format": 1, "to_format": FORMAT}]
    assert "quantity_is_not_zero" in str(lake_of(bench).detail(SALES))


@pytest.mark.thorough
def test_gold_tables_of_an_older_format_are_made_anew_by_build_gold(bench: Workbench) -> None:
    in_lake = f"--lake={bench.lake}"
    bench.must_load()
    # A load leaves them as they are, and they can be read and maintained.
    assert upgrades(lake_of(bench), gold_tables()) == [Upgrade(t.name, 1, FORMAT) for t in gold_tables()]
    assert open_lake(str(bench.lake)).sql("SELECT BUYERS FROM product_performance").fetchall()
    assert bench.run(maintain, in_lake).exit_code == 0
    checked = bench.run(verify_aggregate, in_lake)
    assert checked.report is not None, checked.error
    assert [note for note in checked.report["notes"] if "not checked, and build_gold makes it anew" in note]
    planned = bench.run(build_gold, in_lake, "--dry-run")
    assert planned.report is not None, planned.error
    assert [upgrade["table"] for upgrade in planned.report["upgrades"]] == [table.name for table in gold_tables()]

    # As if the first build had died when it had made the first table anew.
    lake = lake_of(bench)
    bring_up_to_date(lake, [SALES_HOURLY], NOTE)
    assert bench.rows(SALES_HOURLY.name) == []
    built = bench.run(build_gold, in_lake)
    assert built.report is not None, built.error
    assert set(built.report["gold_recomputed_whole"]) == {table.name for table in gold_tables()}
    assert_gold_is_right(bench)
    (bench.folder / "fresh").mkdir()
    fresh = Workbench(bench.spark, bench.folder / "fresh")
    fresh.must_load()
    assert fresh.run(build_gold, f"--lake={fresh.lake}").exit_code == 0
    for table in gold_tables():
        assert described(bench, table) == described(fresh, table)
    again = bench.run(build_gold, in_lake)
    assert again.report is not None
    assert again.report["changed_nothing"]
    assert bench.run(verify_aggregate, in_lake).exit_code == 0


@pytest.mark.thorough
def test_other_jobs_bring_an_older_lake_up_to_date_too(bench: Workbench) -> None:
    before = bench.folder / "before"
    shutil.copytree(bench.lake, before)
    for job, *options in ((build_gold,), (maintain,), (forget_customer, "--customer-id=c1", "--apply")):
        shutil.rmtree(bench.lake)
        shutil.copytree(before, bench.lake)
        done = bench.run(job, f"--lake={bench.lake}", *options)
        assert done.report is not None, done.error
        assert SALES.name in [upgrade["table"] for upgrade in done.report["upgrades"]]
        assert upgrades(lake_of(bench), TABLES) == []
        assert bench.run(verify_aggregate, f"--lake={bench.lake}").exit_code == 0
    printed = bench.printed_by(build_gold, f"--lake={before}", "--dry-run")[1]
    assert f"Lake format: would be brought from 1 to {FORMAT} ({FORMATS[0].about}" in printed


@pytest.mark.parametrize("table", [SALES, RUNS], ids=lambda table: table.name)
def test_a_lake_of_a_newer_format_is_refused_with_a_sentence(bench: Workbench, table: Table) -> None:
    use_format_now(bench)
    newer = FORMAT + 1
    path = bench.path(table.name)
    bench.spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('{FORMAT_PROPERTY}' = '{newer}')").collect()
    versions = bench.versions()
    sentence = f"{path} is of lake format {newer}, and this version of sales-lakehouse knows formats up to {FORMAT}."
    in_lake = f"--lake={bench.lake}"
    refused = [bench.load(), bench.load("--dry-run")]
    refused += [bench.run(job, in_lake) for job in (build_gold, maintain, verify_aggregate)]
    refused.append(bench.run(forget_customer, in_lake, "--customer-id=c1", "--apply"))
    for outcome in refused:
        assert outcome.exit_code == 1
        assert sentence in outcome.error
    assert bench.versions() == versions
    if table is RUNS:
        for open_ in (open_lake, lambda folder: open_lake_in_spark(bench.spark, folder)):
            with pytest.raises(NewerFormatError, match=f"is of lake format {newer}"):
                open_(str(bench.lake))
