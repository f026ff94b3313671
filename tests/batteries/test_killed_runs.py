"""Runs that are killed at any moment leave readable tables, and the next run finishes what they could not."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from support.batteries import Battery
from support.killing import (
    Command,
    Rows,
    Run,
    assert_nothing_lives_on,
    assert_same,
    assert_whole,
    contents,
    deliver_the_first,
    deliver_the_rest,
    quick_worker,
    versions,
)
from support.lakes import Workbench, assert_equals_recompute
from support.worker import Worker

_LOG = logging.getLogger(__name__)
# The work is small: few tasks, and no code made for a few rows. Delta writes a checkpoint every other commit instead of
# every tenth, so that runs are killed in that as well.
SMALL = [
    "--driver-memory=1g",
    "--conf=spark.sql.shuffle.partitions=2",
    "--conf=spark.databricks.delta.snapshotPartitions=1",
    "--conf=spark.sql.adaptive.enabled=false",
    "--conf=spark.sql.codegen.wholeStage=false",
    "--conf=spark.sql.codegen.factoryMode=NO_CODEGEN",
    "--conf=spark.databricks.delta.properties.defaults.checkpointInterval=2",
]
VICTIMS, THEIR_WEIGHTS = ("group", "python", "java"), (3, 1, 1)
SHARE_WHILE_WRITING = 2 / 3
SHARE_FROM_NOTHING = 1 / 4


@dataclass(frozen=True)
class Beginning:
    """What a lake holds when the first run on it is killed, and how long a run takes that is not: in all, and from its
    first file in a table on.
    """

    name: str
    lake: Path
    tables: dict[str, Rows]
    seconds: float
    seconds_writing: float


@dataclass(frozen=True)
class Kill:
    """A run that was killed: which processes, how far it had come, and whether it was finishing another's work."""

    victims: str
    phase: str
    is_recovery: bool


@pytest.mark.battery
def test_a_run_killed_between_sales_and_aggregate_is_finished_by_the_next(bench: Workbench) -> None:
    deliver_the_first(bench)
    deliver_the_rest(bench)
    killed, undisturbed = bench.folder / "killed", bench.folder / "undisturbed"
    feeds = [f"--transactions={bench.transactions}", f"--customers={bench.customers}", "--max-rejected-share=1"]
    with quick_worker(bench.folder / "worker") as worker, ThreadPoolExecutor(1) as pool:
        worker.begin("load_sales", *feeds, f"--lake={killed}")
        death = pool.submit(_kill_once_sales_are_merged, worker, killed)
        bench.lake = undisturbed
        bench.must_load()
        death.result()
    after = contents(undisturbed)
    assert_whole(killed, {}, after)
    assert contents(killed)["sales_data_partitioned"] == after["sales_data_partitioned"]
    assert contents(killed)["customer_aggregated_data"] == Counter()
    bench.lake = killed
    bench.must_load()
    assert_same(killed, after)
    assert_equals_recompute(bench)


def _kill_once_sales_are_merged(worker: Worker, lake: Path) -> None:
    while worker.process.poll() is None and versions(lake).get("sales_data_partitioned", 0) < 1:
        time.sleep(0.005)
    os.killpg(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    assert_nothing_lives_on(worker.process.pid)


@pytest.mark.battery
def test_kills(bench: Workbench, battery: Battery) -> None:
    rounds = battery.rounds(100)
    random = Random(battery.seed)
    command = Command(bench, SMALL)
    grown, from_nothing, after = _measure(bench, command)
    at_any_time, while_writing = _fractions(random), _fractions(random)
    kills: list[Kill] = []
    chains = 0
    while len(kills) < rounds:
        chains += 1
        beginning = from_nothing if random.random() < SHARE_FROM_NOTHING else grown
        bench.lake = bench.folder / f"lake_{chains}"
        shutil.copytree(beginning.lake, bench.lake)
        in_chain: list[Kill] = []
        runs: list[Run] = []
        length = min(random.randint(1, 4), rounds - len(kills))
        with _explained(battery, bench.lake, chains, beginning, in_chain):
            while True:
                runs.append(command.start(bench.lake))
                if len(in_chain) == length:
                    break
                if random.random() < SHARE_WHILE_WRITING:
                    runs[-1].wait_until_it_writes()
                    seconds = next(while_writing) * beginning.seconds_writing
                else:
                    seconds = next(at_any_time) * beginning.seconds
                (victims,) = random.choices(VICTIMS, THEIR_WEIGHTS)
                if runs[-1].ends_within(seconds):
                    break
                victims = runs[-1].kill(victims)
                in_chain.append(Kill(victims, runs[-1].phase(), is_recovery=bool(in_chain)))
                assert_whole(bench.lake, beginning.tables, after)
            report = json.loads(runs[-1].must_end_well())
            assert report["recomputed_whole"] is None or not beginning.tables, report["recomputed_whole"]
            assert_same(bench.lake, after)
            assert_equals_recompute(bench)
            for run in runs:
                assert_nothing_lives_on(run.process.pid)
        shutil.rmtree(bench.lake)
        kills += in_chain
        _LOG.info("%d of %d kills: %s", len(kills), rounds, in_chain)
    battery.passed(_figure(kills, chains))


def _measure(bench: Workbench, command: Command) -> tuple[Beginning, Beginning, dict[str, Rows]]:
    """Load the first files; then all of them, once onto these and once into nothing: the same tables, and the times."""
    nothing, base = bench.folder / "nothing", bench.folder / "base"
    nothing.mkdir()
    deliver_the_first(bench)
    command.start(base).must_end_well()
    deliver_the_rest(bench)
    beginnings = []
    for lake in (base, nothing):
        bench.lake = bench.folder / f"reference_from_{lake.name}"
        shutil.copytree(lake, bench.lake)
        started = time.monotonic()
        run = command.start(bench.lake)
        run.wait_until_it_writes()
        wrote = time.monotonic()
        run.must_end_well()
        ended = time.monotonic()
        beginnings.append(Beginning(lake.name, lake, contents(lake), ended - started, ended - wrote))
        assert_equals_recompute(bench)
    after = contents(bench.folder / "reference_from_base")
    assert_same(bench.lake, after)
    return beginnings[0], beginnings[1], after


def _fractions(random: Random) -> Iterator[float]:
    """Numbers between 0 and 1, evenly spread: one of each twentieth before the next of any."""
    while True:
        for twentieth in random.sample(range(20), 20):
            yield (twentieth + random.random()) / 20


@contextmanager
def _explained(battery: Battery, lake: Path, chain: int, beginning: Beginning, kills: list[Kill]) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        raise AssertionError(
            f"seed {battery.seed}, chain {chain} from {beginning.name}, after {kills}: {error}\n"
            f"The lake is left as it was at {lake}. To see it again: ./run-tests.sh -m battery -k kills "
            f"--seed {battery.seed} --share {battery.share:g}, which kills at the same moments as far "
            "as the machine is as fast."
        ) from error


def _figure(kills: list[Kill], recoveries: int) -> str:
    phases = Counter(kill.phase for kill in kills)
    victims = Counter(kill.victims for kill in kills)
    again = sum(kill.is_recovery for kill in kills)
    return (
        f"{len(kills)} kills ({phases['writing']} while the job wrote, {phases['reading']} while it read, "
        f"{phases['starting']} before that, {phases['after the last commit']} after its last commit; {again} of a run "
        f"that was finishing a killed one's work; {victims['python']} of Python alone, {victims['java']} of the JVM "
        f"alone), {recoveries} recoveries, 0 differences"
    )
