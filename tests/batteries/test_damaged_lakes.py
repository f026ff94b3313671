"""A damaged commit or data file is refused by the run or found by verify_aggregate, and named; none is passed over."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from deltalake import DeltaTable

from common.contract import AGGREGATE, CUSTOMERS, REJECTED, SALES
from jobs import verify_aggregate
from support.batteries import Battery
from support.damage import Damaged, damage
from support.lakes import Workbench, assert_equals_recompute

_DATA = (SALES.name, CUSTOMERS.name, AGGREGATE.name, REJECTED.name)


def loaded(bench: Workbench, *, times: int) -> None:
    """A lake of several commits, and files that have arrived since."""
    for number in range(times):
        bench.people(f"c{number},Ann,30,Mali", f"c9{number},Bob,old,Peru")
        hours = [f"2025-02-22 {hour:02}:15:00" for hour in (number, number + 1)]
        bench.sales(*[f"t{number}{n},c{number},p{n},1,1.00,{hour}" for n, hour in enumerate(hours)])
        bench.must_load()
    bench.people("c0,Ann,31,Mali")
    bench.sales("t00,c0,p0,2,1.00,2025-02-22 00:15:00", "t99,c1,p1,1,1.00,2025-02-22 01:45:00")


def content(bench: Workbench) -> dict[str, list[tuple[object, ...]]]:
    rows = {name: bench.rows(name) for name in (SALES.name, CUSTOMERS.name, AGGREGATE.name)}
    return rows | {REJECTED.name: bench.rows(REJECTED.name, "raw_line", "reasons")}


def load_and_verify(bench: Workbench, damaged: Damaged, expected: dict[str, list[tuple[object, ...]]]) -> str:
    """How the damage came to light; fails where it did not."""
    loaded = bench.load()
    assert "Traceback" not in loaded.error
    if loaded.exit_code:
        assert loaded.exit_code == 1, loaded.error
        assert damaged.path.name in loaded.error, f"{damaged}: {loaded.error}"
        return "refused by the run"
    exit_code, output, error = bench.printed_by(verify_aggregate, f"--lake={bench.lake}")
    if exit_code:
        assert exit_code == 5, f"{damaged}: {error}"
        assert damaged.path.name in output, f"{damaged}: {output}"
        return "found by verify_aggregate"
    assert content(bench) == expected, f"{damaged} passed in silence"
    return "of no effect on any value"


def run_damages(bench: Workbench, rounds: int, seed: int) -> Counter[str]:
    """Damage a copy of the same lake in many ways; counts how each came to light."""
    loaded(bench, times=3)
    sound, bench.lake = bench.lake, bench.folder / "copy"
    shutil.copytree(sound, bench.lake)
    bench.must_load()
    expected = content(bench)
    found: Counter[str] = Counter()
    for number in range(rounds):
        shutil.rmtree(bench.lake)
        # A path of its own for each, since Delta remembers what it has read under a path.
        bench.lake = bench.folder / f"copy_{number}"
        shutil.copytree(sound, bench.lake)
        damaged = damage(bench.lake, random.Random(seed + number))
        try:
            found[load_and_verify(bench, damaged, expected)] += 1
        except AssertionError as error:
            raise AssertionError(f"round {number}, --seed {seed + number} --share 0.01: {error}") from error
    return found


@pytest.mark.battery
def test_damaged_lakes(bench: Workbench, battery: Battery) -> None:
    rounds = battery.rounds(100)
    found = run_damages(bench, rounds, battery.seed)
    battery.passed(f"{rounds} damages: " + ", ".join(f"{count} {how}" for how, count in sorted(found.items())))


@pytest.mark.thorough
def test_a_damaged_file_is_named_and_the_repair_that_is_named_works(bench: Workbench) -> None:
    loaded(bench, times=1)
    log = Path(bench.path(SALES.name)) / "_delta_log"
    newest = max(log.glob("*.json"))
    whole = newest.read_bytes()
    file = next(Path(bench.path(SALES.name)).glob("transaction_hour=*01%3A*/*.parquet"))
    for path, hurt, sentence in (
        (newest, b"", "is empty"),
        (newest, whole[: len(whole) // 2], "is torn"),
        (
            newest,
            whole[: whole.rindex(b"\n", 0, -1) + 1],
            "is torn: its files have 1 rows, and it says itself that there are 2",
        ),
        (newest, None, "is missing"),
        (file, None, "is missing"),
        (file, b"PAR1", "has 4 bytes instead of"),
    ):
        before = path.read_bytes()
        path.unlink() if hurt is None else path.write_bytes(hurt)
        versions = bench.versions() if path == file else None
        refused = bench.load()
        assert refused.exit_code == 1
        assert f"{path} {sentence}" in refused.error
        assert "load the files that it came from again with --reload" in refused.error
        path.write_bytes(before)
        assert versions is None or bench.versions() == versions

    # A newest commit that is gone without a trace: the last run recorded that it was there.
    for path in log.glob(f"*{newest.stem}*"):
        path.unlink()
    refused = bench.load()
    assert refused.exit_code == 1
    assert f"up to {newest.name} in its log, are missing" in refused.error
    assert bench.must_load("--reload").ledger()["new"] == 3
    assert_equals_recompute(bench)
    assert bench.must_load().report


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells which file a descriptor stands for")
def test_a_commit_is_on_disk_before_a_later_step_rests_on_it(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    fsync = os.fsync

    def flush(descriptor: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", flush)
    bench.people("c1,Ann,30,Mali")
    bench.sales("t1,c1,p1,1,1.00,2025-02-22 08:15:00")
    bench.must_load()
    tables = [path.parent for path in bench.lake.glob("*/_delta_log")]
    written = list(bench.lake.rglob("*.json"))
    written += [Path(uri.removeprefix("file://")) for table in tables for uri in DeltaTable(str(table)).file_uris()]
    assert {str(path) for path in written} <= set(flushed)
    folders = {str(folder) for path in written for folder in path.parents if folder.is_relative_to(bench.lake)}
    assert folders <= set(flushed)
    order = [flushed.index(str(path)) for path in (next(Path(bench.path(t)).rglob("*1.json")) for t in _DATA[:3])]
    assert order[2] == max(order)
