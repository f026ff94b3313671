"""A lake that earlier code has made is the same lake to the code of now: nothing of it is recomputed or read anew."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from jobs import build_gold, maintain, verify_aggregate
from support.data_files import times_of
from support.earlier_lake import FOLDER, PEOPLE, SALES
from support.expected_gold import assert_gold_is_right
from support.lakes import Workbench, assert_equals_recompute

# Of format 1, named after the commit that made it; and of every later format, as earlier_lake.py makes them.
LAKES = sorted(FOLDER.glob("*.tar.gz"))


@pytest.mark.thorough
@pytest.mark.parametrize("archive", LAKES, ids=lambda path: path.name.partition(".")[0])
def test_a_lake_of_earlier_code_is_checked_loaded_and_maintained_without_a_recompute(
    bench: Workbench, archive: Path
) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(bench.folder, filter="data")
    in_lake = f"--lake={bench.lake}"
    versions = bench.versions()
    sound = bench.run(verify_aggregate, in_lake)
    assert sound.report is not None, sound.error
    assert sound.report["groups_compared"] >= 6
    assert [note for note in sound.report["notes"] if "is of lake format" not in note] == []

    # Files that it has loaded are known by their content, and nothing is written for them.
    bench.people(*PEOPLE)
    bench.sales(*SALES)
    again = bench.must_load()
    assert again.ledger() == {}
    assert again.report is not None
    assert again.report["recomputed_whole"] is None
    upgraded = {upgrade["table"] for upgrade in again.report["upgrades"]}
    assert {name for name, version in bench.versions().items() if version != versions[name]} <= upgraded
    built = bench.run(build_gold, in_lake)
    assert built.report is not None
    # Tables of another format may have other columns, and are made anew.
    assert set(built.report["gold_recomputed_whole"]) == {upgrade["table"] for upgrade in built.report["upgrades"]}
    versions = bench.versions()
    built = bench.run(build_gold, in_lake)
    assert built.report is not None
    assert built.report["changed_nothing"]
    assert bench.versions() == versions

    bench.people("c2,Robert,71,Peru")
    bench.sales("t8,c2,p1,1,2.50,2025-02-22 09:30:00", "t1,c1,p1,3,1.50,2025-02-22 09:15:00")
    loaded = bench.must_load()
    assert loaded.report is not None
    assert loaded.ledger() == {"rows_read": 2, "new": 1, "corrected": 1}
    assert loaded.report["recomputed_whole"] is None
    assert_equals_recompute(bench)
    built = bench.run(build_gold, in_lake)
    assert built.report is not None
    assert built.report["gold_recomputed_whole"] == {}
    assert_gold_is_right(bench)
    if archive.name.startswith("4cc9a46"):
        _assert_maintain_writes_times_anew(bench)
    else:
        assert bench.run(maintain, in_lake).exit_code == 0
    assert bench.run(verify_aggregate, in_lake).exit_code == 0

    # What comes after is no recompute: no row has changed.
    bench.sales("t9,c2,p1,1,2.50,2025-02-22 09:30:00")
    after = bench.must_load()
    assert after.report is not None
    assert after.report["recomputed_whole"] is None
    assert_equals_recompute(bench)
    built = bench.run(build_gold, in_lake)
    assert built.report is not None
    assert built.report["gold_recomputed_whole"] == {}


def _assert_maintain_writes_times_anew(bench: Workbench) -> None:
    """Once: earlier code kept times as INT96, which has no statistics."""
    in_lake = f"--lake={bench.lake}"
    tables = sorted(bench.versions().keys() - {"pipeline_runs"})
    with_times = [table for table in tables if times_of(bench.path(table))]
    old = {table for table in with_times if ("INT96", False) in times_of(bench.path(table))}
    assert old >= {"sales_data_partitioned", "rejected_rows", "sale_ids"}
    # The index of ids gains those of the sales that came since.
    rows = {table: bench.rows(table) for table in tables if table != "sale_ids"}
    planned = bench.run(maintain, in_lake, "--dry-run")
    assert planned.exit_code == 0
    _, printed, _ = bench.printed_by(maintain, in_lake, "--dry-run")
    assert "would be written anew, for times with statistics" in printed
    assert ("INT96", False) in times_of(bench.path("sales_data_partitioned"))

    maintained = bench.run(maintain, in_lake)
    assert maintained.exit_code == 0, maintained.error
    assert {time for table in with_times for time in times_of(bench.path(table))} == {("INT64", True)}
    assert {table: bench.rows(table) for table in rows} == rows
    versions = bench.versions()
    again = bench.run(maintain, in_lake)
    assert again.report is not None
    assert again.report["changed_nothing"]
    assert bench.versions() == versions
