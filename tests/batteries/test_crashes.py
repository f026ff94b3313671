"""A crash at every change of the file system, crashes of the runs that clean up after them, and disks that fail."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from common.contract import TABLES
from support.batteries import Battery
from support.faults import (
    ERRORS,
    Crash,
    FileSystemChanges,
    Reader,
    Versions,
    WorkerBench,
    assert_ended_like,
    assert_nothing_missed,
    changes_in,
    needs_fschanges,
    versions_of,
)
from support.lakes import Workbench, assert_equals_recompute

T = TypeVar("T")

SAID = {
    "disk full": ("No space left on device", "cannot be written"),
    "read-only": ("Read-only file system", "cannot be written"),
    "permission lost": ("Permission denied", "Operation not permitted", "cannot be written"),
}
NINE, TEN, ELEVEN = "2025-02-22 09:15:00", "2025-02-22 10:15:00", "2025-02-22 11:15:00"


def deliver_first(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali", "c2,Bob,40,Peru")
    bench.sales(
        f"t1,c1,p1,2,1.50,{NINE}", f"t2,c2,p1,1,2.00,{NINE}", f"t3,c1,p2,4,0.33,{TEN}", f"t4,c3,p2,1,9.00,{TEN}"
    )


def deliver_second(bench: Workbench) -> None:
    """A new sale, a late one, a correction, a move, refused rows of both feeds, a changed and a new customer."""
    bench.people("c1,Ann,31,Mali", "c3,Cy,50,Chad", "c4,Di,999,Cuba")
    bench.sales(
        f"t5,c2,p1,3,5.00,{ELEVEN}",
        f"t6,c1,p3,1,7.00,{NINE}",
        f"t1,c1,p1,5,1.50,{NINE}",
        f"t3,c1,p2,4,0.33,{ELEVEN}",
        f"t7,c1,p1,none,1.00,{TEN}",
    )


@dataclass
class Story:
    """The lake before the second delivery, and that delivery's run with an image before each of its changes."""

    bench: WorkerBench
    changes: FileSystemChanges
    base: Path
    images: Path
    versions: Versions
    reader: Reader

    def fresh(self, source: Path, name: str) -> Path:
        """A copy of a lake, at a path that the worker has not seen."""
        return shutil.copytree(source, self.bench.folder / "lakes" / name)

    def check_images(self, images: Path, end: Path) -> None:
        """There is an image before each change, and delta-rs reads all tables of all of them."""
        assert_nothing_missed(images, end)
        for number, line in enumerate(changes_in(images), start=1):
            with described(f"before change {line}, by delta-rs"):
                self.reader.check_readable(images / str(number), self.versions)

    def recover(self, image: Path, name: str) -> None:
        """The next run brings the lake to the end of the uninterrupted one."""
        lake = self.fresh(image, name)
        self.bench.must_load_into(lake)
        assert_ended_like(lake, self.versions, self.bench)
        shutil.rmtree(lake)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("crashes")
    changes = FileSystemChanges(folder / "fschanges")
    bench = WorkerBench(folder, changes.environment)
    with bench.worker:
        base, images = folder / "base", folder / "images"
        deliver_first(bench)
        bench.must_load_into(base)
        deliver_second(bench)
        bench.lake = shutil.copytree(base, folder / "uninterrupted")
        with changes.copied(bench.lake, images):
            bench.must_load_into(bench.lake)
        assert_equals_recompute(bench)
        yield Story(bench, changes, base, images, versions_of(bench.lake), Reader())


@contextmanager
def described(what: str) -> Iterator[None]:
    """Say where it was that something did not hold."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}") from error


def thinned(things: Sequence[T], battery: Battery) -> list[T]:
    """The battery's share of them, evenly spread, from a place that follows from the seed."""
    wanted = battery.rounds(len(things))
    start = random.Random(battery.seed).random()
    return [things[int((i + start) * len(things) / wanted)] for i in range(wanted)]


def recover_all(story: Story, crashes: Sequence[Crash], battery: Battery) -> int:
    """Recover the battery's share of them; returns how many."""
    chosen = thinned(crashes, battery)
    for number, crash in enumerate(chosen, start=1):
        again = f"see it again: load into a copy (cp -a) of {crash.image}"
        with described(f"seed {battery.seed}, round {number}, crash before change {crash.next_change}; {again}"):
            story.recover(crash.image, f"{crash.image.parent.name}_{crash.image.name}")
    return len(chosen)


@pytest.mark.battery
@needs_fschanges
def test_crashes(story: Story, battery: Battery) -> None:
    """An image is what a kill at that moment leaves. All are read by delta-rs, and one of each state is recovered."""
    story.check_images(story.images, story.bench.lake)
    crashes = story.reader.distinct(story.images, random.Random(battery.seed))
    recovered = recover_all(story, crashes, battery)
    battery.passed(
        f"{len(changes_in(story.images))} changes of one run, all tables readable before each; "
        f"{len(crashes)} states distinct to a job, {recovered} recovered"
    )


@pytest.mark.battery
@needs_fschanges
def test_crashes_in_recovery(story: Story, battery: Battery) -> None:
    """The runs that recover from five crashes, early to late in the run, are crashed at each change themselves. A
    share of the battery takes that share of the five, and of the states of their runs.
    """
    choices = random.Random(battery.seed)
    crashes = story.reader.distinct(story.images, choices)
    again: list[Crash] = []
    changes = 0
    first = thinned([crashes[len(crashes) * tenth // 10] for tenth in (1, 3, 5, 7, 9)], battery)
    for crash in first:
        images = story.bench.folder / f"recovery_from_{crash.image.name}"
        lake = story.fresh(crash.image, images.name)
        with described(f"seed {battery.seed}, recovery from a crash before change {crash.next_change}"):
            with story.changes.copied(lake, images):
                story.bench.must_load_into(lake)
            story.check_images(images, lake)
        again += story.reader.distinct(images, choices)
        changes += len(changes_in(images))
    recovered = recover_all(story, again, battery)
    battery.passed(
        f"{changes} changes of {len(first)} recovering runs, all tables readable before each; "
        f"{len(again)} states distinct to a job, {recovered} recovered"
    )


@pytest.mark.battery
@needs_fschanges
def test_failing_disks(story: Story, battery: Battery) -> None:
    """From every tenth change of the run on, the disk is full, read-only, or not permitted, and then well again."""
    points = range(1 + random.Random(battery.seed).randrange(10), len(changes_in(story.images)) + 1, 10)
    chosen = thinned([(fault, first) for first in points for fault in ERRORS], battery)
    completed = 0
    for number, (fault, first) in enumerate(chosen, start=1):
        with described(f"seed {battery.seed}, round {number}, {fault} from change {first} on"):
            completed += fail_and_recover(story, fault, first)
    battery.passed(
        f"{len(chosen)} runs on a disk that is full, read-only or not permitted from a change on: "
        f"{len(chosen) - completed} failed with a sentence, {completed} could do without; all recovered"
    )


def fail_and_recover(story: Story, fault: str, first: int) -> bool:
    """Whether the run on the failing disk came to its end all the same, as Delta can do without some files."""
    name = f"{fault.replace(' ', '_')}_{first}"
    lake, notes = story.fresh(story.base, name), story.bench.folder / f"changes_{name}"
    with story.changes.refused(lake, notes, ERRORS[fault], first):
        exit_code, printed = story.bench.load_into(lake)
    refused = [line for line in changes_in(notes) if int(line.split(" ")[0]) >= first]
    with described(f"first refused {refused[:1]}, exit code {exit_code}, printed {printed!r}"):
        story.reader.check_readable(lake, story.versions)
        if exit_code == 0:
            assert_ended_like(lake, story.versions, story.bench)
        else:
            assert exit_code == 1
            assert re.fullmatch(r"load_sales: [^\n]+\.\n", printed)
            assert any(words in printed for words in SAID[fault])
        story.recover(lake, f"{name}_again")
    shutil.rmtree(lake)
    return exit_code == 0


def died_after(lake: Path, base: Versions, commits: int, copy: Path) -> Path:
    """A copy of the lake as it was when only the first commits of its last run were there."""
    logs = shutil.copytree(lake, copy).glob("*/_delta_log")
    written = [path for log in logs for path in log.glob("*.json") if int(path.stem) not in base[log.parent.name]]
    for commit in sorted(written, key=lambda path: path.stat().st_mtime_ns)[commits:]:
        for file in commit.parent.glob(f"*{commit.stem}*"):
            file.unlink()
    return copy


def test_a_run_that_died_between_two_tables_is_finished_by_the_next(bench: Workbench) -> None:
    deliver_first(bench)
    bench.must_load()
    base = versions_of(bench.lake) | {"pipeline_runs": {0: [], 1: []}}
    deliver_second(bench)
    bench.must_load()
    assert_equals_recompute(bench)
    versions, whole = versions_of(bench.lake), bench.lake
    # Rejected rows and customers are written; then sales too, but not their aggregate.
    for commits, newest in ((2, "customers"), (3, "sales_data_partitioned")):
        bench.lake = died_after(whole, base, commits, bench.folder / f"died_after_{newest}")
        at = bench.versions()
        assert at[newest] == max(versions[newest])
        assert at["customer_aggregated_data"] == max(base["customer_aggregated_data"])
        bench.must_load()
        assert_ended_like(bench.lake, versions, bench)


@pytest.mark.thorough
def test_a_run_that_died_while_it_created_tables_is_finished_by_the_next(bench: Workbench) -> None:
    """Found by the battery of kills: a log without a commit was taken for a table that is there."""
    for table in TABLES:
        log = bench.lake / table.name / "_delta_log"
        log.mkdir(parents=True)
        (log / f".{0:020}.json.of_a_run_that_died.tmp").write_text("{}")
    deliver_first(bench)
    bench.must_load()
    assert_equals_recompute(bench)
    assert len(bench.rows("sales_data_partitioned")) == 4
