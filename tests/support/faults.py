"""Runs whose file system changes are counted one by one (by fschanges.c): copied before each of them, or refused."""

from __future__ import annotations

import errno
import hashlib
import json
import mmap
import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from deltalake import DeltaTable

from support.canaries import Canaries, Searched
from support.lakes import Workbench
from support.worker import Worker, submit_arguments

needs_fschanges = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("cc") is None,
    reason="changes are counted with LD_PRELOAD by a library compiled here: that needs Linux and cc",
)
ERRORS = {"disk full": errno.ENOSPC, "read-only": errno.EROFS, "permission lost": errno.EACCES}
# What differs between two runs that did the same.
_OF_THE_RUN = ("run_id", "rejected_at")
_PATH_SIZE = 1024
_COPY, _REFUSE = 1, 2

Rows = list[tuple[Any, ...]]
Versions = dict[str, dict[int, Rows]]


class FileSystemChanges:
    """Watches the processes that are started with `environment`, while one of its contexts is open."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        library, control = folder / "fschanges.so", folder / "control"
        source = Path(__file__).with_name("fschanges.c")
        subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source], check=True)
        self._layout = struct.Struct(f"8i{_PATH_SIZE}s{_PATH_SIZE}s")
        control.write_bytes(bytes(self._layout.size))
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), self._layout.size)
        self.environment = {"LD_PRELOAD": str(library), "FSCHANGES_CONTROL": str(control)}

    @contextmanager
    def copied(self, lake: Path, images: Path) -> Iterator[None]:
        """Before each change below `lake`, make a copy of it: images/1, images/2, ..."""
        with self._watch(_COPY, lake, images, 0, 0):
            yield

    @contextmanager
    def refused(self, lake: Path, notes: Path, error: int, first: int) -> Iterator[None]:
        """From the change of number `first` on, have those below `lake` fail with the error."""
        with self._watch(_REFUSE, lake, notes, error, first):
            yield

    @contextmanager
    def _watch(self, mode: int, lake: Path, notes: Path, error: int, first: int) -> Iterator[None]:
        notes.mkdir(parents=True)
        paths = bytes(lake), bytes(notes)
        assert max(map(len, paths)) < _PATH_SIZE / 2
        # The mode comes last: it is what switches on.
        self._layout.pack_into(self._control, 0, 0, 0, first, error, *[0] * 4, *paths)
        struct.pack_into("i", self._control, 0, mode)
        try:
            yield
        finally:
            struct.pack_into("i", self._control, 0, 0)


def changes_in(notes: Path) -> list[str]:
    """What was counted, a line each: number, kind of change, path."""
    return (notes / "changes").read_text().splitlines()


def assert_nothing_missed(images: Path, end: Path) -> None:
    """From one image to the next, and to the lake at the end, only the file that the change names is another one; a
    rename also takes one away. So there was no change that was not counted.
    """
    changes = changes_in(images)
    before = _listing(images / "1")
    for number, line in enumerate(changes, start=1):
        after = _listing(end if number == len(changes) else images / str(number + 1))
        changed = {path for path in after if after[path] != before.get(path)}
        gone = before.keys() - after.keys()
        named = line.split(" ", 2)[2].lstrip("/")
        assert changed <= {named}, f"{line}: {changed}"
        assert len(gone) <= 1, f"{line}: {gone}"
        before = after


def _listing(lake: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file."""
    files = [path for path in lake.rglob("*") if path.is_file()]
    return {str(path.relative_to(lake)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@dataclass
class Crash:
    """A state of the lake that a job can tell from others, in one of the images that show it, and what came next."""

    image: Path
    next_change: str


@dataclass
class Reader:
    """Reads images by delta-rs and by their files; a table or file with the same content is read once."""

    _hashes: dict[tuple[int, int, int], str] = field(default_factory=dict)
    _checked: set[str] = field(default_factory=set)

    def distinct(self, images: Path, choices: random.Random) -> list[Crash]:
        """The states of the lake that a job can tell apart, each in one of its images, chosen at random.

        What a job cannot see, and what alone may differ between images of one state: temporary files of Delta's log,
        which have random names and are never listed; data files that no commit of their table names; checksums beside
        both; and empty folders. The rest counts byte by byte, times too: commits, checksums, checkpoints, data files
        that a commit names, the lock file.
        """
        found: dict[str, list[Crash]] = {}
        for line in changes_in(images):
            image = images / line.split(" ")[0]
            found.setdefault(self._fingerprint(image, _visible(image)), []).append(Crash(image, line))
        return [choices.choice(alike) for alike in found.values()]

    def check_readable(self, lake: Path, versions: Versions) -> None:
        """Every table opens in delta-rs, at a version that the uninterrupted run had too, with just its rows."""
        for name, expected in versions.items():
            folder = lake / name
            fingerprint = self._fingerprint(lake, sorted(path for path in folder.rglob("*") if path.is_file()))
            if fingerprint in self._checked:
                continue
            table = DeltaTable(folder)
            version = table.version()
            assert version in expected, f"{name} is at version {version}"
            assert rows_of(table) == expected[version], f"{name} at version {version} has other rows"
            self._checked.add(fingerprint)

    def _fingerprint(self, root: Path, paths: list[Path]) -> str:
        parts = [f"{path.relative_to(root)} {self._hash(path)}" for path in paths]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _hash(self, path: Path) -> str:
        """Of the content and time of a file, once for all images that share the file."""
        stat = path.stat()
        known = stat.st_ino, stat.st_mtime_ns, stat.st_size
        if known not in self._hashes:
            self._hashes[known] = f"{stat.st_mtime_ns} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        return self._hashes[known]


def _visible(lake: Path) -> list[Path]:
    """The files by which a job can tell a lake from another."""
    visible: set[Path] = set()
    for place in lake.iterdir():
        if place.is_file():
            visible.add(place)
            continue
        log = [path for path in (place / "_delta_log").rglob("*") if path.is_file()]
        visible |= {path for path in log if not path.name.endswith((".tmp", ".tmp.crc"))}
        for data in _named_files(place):
            visible |= {path for path in (data, data.with_name(f".{data.name}.crc")) if path.exists()}
    return sorted(visible)


def _named_files(table: Path) -> Iterator[Path]:
    for commit in (table / "_delta_log").glob("*.json"):
        for line in commit.read_text().splitlines():
            action: dict[str, Any] = json.loads(line)
            for kind in ("add", "cdc", "remove"):
                if kind in action:
                    yield table / unquote(action[kind]["path"])


def rows_of(table: DeltaTable) -> Rows:
    """The rows of a table, ordered, without what differs between two runs that did the same."""
    rows = table.to_pyarrow_table()
    columns = [name for name in rows.column_names if name not in _OF_THE_RUN]
    return sorted((tuple(row[name] for name in columns) for row in rows.to_pylist()), key=repr)


def versions_of(lake: Path) -> Versions:
    """The rows of each version of each table but pipeline_runs."""
    newest = {path.parent.name: DeltaTable(path.parent).version() for path in lake.glob("*/_delta_log")}
    return {
        name: {v: rows_of(DeltaTable(lake / name, version=v)) for v in range(version + 1)}
        for name, version in sorted(newest.items())
        if name != "pipeline_runs"
    }


def files_recorded(lake: Path) -> set[str]:
    """The names of the files that pipeline_runs counts as loaded."""
    runs = DeltaTable(lake / "pipeline_runs").to_pyarrow_table(columns=["files"])
    return {file["path"].rpartition("/")[2] for files in runs["files"].to_pylist() for file in files}


def assert_ended_like(lake: Path, versions: Versions, bench: Workbench) -> None:
    """The tables are those of the uninterrupted run, each with as many commits, and all files count as loaded."""
    for name, expected in versions.items():
        table = DeltaTable(lake / name)
        assert rows_of(table) == expected[max(expected)], f"{name} ends in other rows"
        assert table.version() == max(expected), f"{name} was committed {table.version()}, not {max(expected)} times"
    delivered = {name for folder in (bench.transactions, bench.customers) for name in os.listdir(folder)}
    assert files_recorded(lake) == delivered, "pipeline_runs does not name all files"


class WorkerBench(Workbench):
    """A workbench without Spark in this process: its files are loaded by a worker, into any lake."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder, self.arrivals, self.canaries = folder, 0, Canaries(Searched())
        self.__post_init__()
        # A checkpoint at every second version, so that a small history has some.
        checkpoints = "--conf spark.databricks.delta.properties.defaults.checkpointInterval=2"
        submit = {"PYSPARK_SUBMIT_ARGS": submit_arguments(folder / "warehouse", checkpoints)}
        self.worker = Worker(folder / "worker", {**environment, **submit})

    def load_into(self, lake: Path) -> tuple[int, str]:
        """Exit code of load_sales, and all that it printed."""
        feeds = f"--transactions={self.transactions}", f"--customers={self.customers}"
        return self.worker.run("load_sales", *feeds, f"--lake={lake}", "--max-rejected-share=1", "--json")

    def must_load_into(self, lake: Path) -> None:
        exit_code, printed = self.load_into(lake)
        assert exit_code == 0, printed
