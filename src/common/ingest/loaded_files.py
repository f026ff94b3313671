"""Which files were loaded before, from the lake's own record of its runs: they are not loaded again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import RUNS, Feed, Table
from common.lake.lake import Lake
from common.landing.files import InputFile
from common.spark.times import instant_of
from common.words import as_people_count

# A file that changed this shortly before a run read it may have changed again within the clock's grain.
_CLOCK_GRAIN = timedelta(seconds=2)
_PACKING = re.compile(r"\.(gz|bz2|zst)$", re.IGNORECASE)


def loaded_files(lake: Lake, feed: Feed, table: Table) -> DataFrame | None:
    """The files that earlier runs loaded, as far as the feed's table still holds what they loaded; None where none.

    A table that was deleted, or brought back from an older copy, has fewer versions than those runs wrote.
    """
    runs, version = lake.version(RUNS), lake.version(table)
    if runs is None or version is None:
        return None
    still_holds = f"exists(tables, t -> t.table = '{table.name}' AND t.version_written <= {int(version)})"
    files = lake.read(RUNS, runs).where(still_holds).select("started_at", F.inline("files"))
    return files.where(F.col("feed") == feed.name)


def is_as_last_run_left(
    lake: Lake, feed: Feed, table: Table, files: Sequence[InputFile], *, newest_counts: bool
) -> bool:
    """Whether the last run of all found just these files and left none of them unloaded: its commit says so, which
    takes no query. False where the commit does not say.
    """
    last, version = lake.newest(RUNS), lake.version(table)
    if last is None or version is None:
        return False
    if last.note is None:
        return False
    left = last.note.versions.get(table.name)
    listing = listing_of(files, newest_counts=newest_counts)
    return left is not None and left <= version and last.note.listed.get(feed.name) == listing


def listing_to_trust(files: Sequence[InputFile], started_at: datetime, *, newest_counts: bool) -> str | None:
    """What `listing_of` says, for a run that started at a time; None where a file changed too shortly before that."""
    is_trusted = all(file.modified_at < started_at - _CLOCK_GRAIN for file in files)
    return listing_of(files, newest_counts=newest_counts) if is_trusted else None


def listing_of(files: Sequence[InputFile], *, newest_counts: bool) -> str:
    """A digest of the files by path, size and modification time; where `newest_counts`, others of them are loaded."""
    listed: list[object] = [*sorted((file.path, file.size, file.modified_at.isoformat()) for file in files)]
    if newest_counts:
        listed.append("the newest counts")
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def not_loaded(loaded: DataFrame | None, files: list[InputFile]) -> list[InputFile]:
    """The files that no earlier run loaded, by path, size and modification time; the others are not even opened."""
    if loaded is None or not files:
        return files
    clock_grain = F.expr(f"INTERVAL {_CLOCK_GRAIN.total_seconds():.0f} SECONDS")
    is_trusted = F.col("modified_at") < F.col("started_at") - clock_grain
    is_listed = F.col("path").isin([file.path for file in files])
    same = loaded.where(is_trusted & is_listed).select("path", "size", F.unix_micros("modified_at"))
    seen = {(path, size, instant_of(micros)) for path, size, micros in same.collect()}
    return [file for file in files if (file.path, file.size, file.modified_at) not in seen]


def repeated_files(
    loaded: DataFrame | None, files: Sequence[InputFile], fingerprints: dict[int, str], *, newest_counts: bool
) -> dict[int, str]:
    """Of the files, those to skip, since their content was loaded before or stands in an earlier file of this run: by
    the file's order, the path of that other file.

    With `newest_counts`, a file is loaded again where it is newer than all that had its content: by modification time,
    then by name. So a copy that kept its time, moved or compressed, brings nothing back.
    """
    seen = _newest_with(loaded, set(fingerprints.values()))
    skipped: dict[int, str] = {}
    for file in files:
        fingerprint, arrival = fingerprints[file.order], _Arrival.of(file.path, file.modified_at)
        before = seen.get(fingerprint)
        if before and not (newest_counts and arrival > before):
            skipped[file.order] = before.path
        else:
            seen[fingerprint] = arrival
    return skipped


@dataclass(frozen=True, order=True)
class _Arrival:
    """When a file came, so that what came later is greater: its name counts without folder and packing."""

    modified_at: datetime
    name: tuple[list[tuple[int, str]], str]
    path: str = field(compare=False)

    @classmethod
    def of(cls, path: str, modified_at: datetime) -> _Arrival:
        return cls(modified_at, as_people_count(_PACKING.sub("", path.rpartition("/")[2])), path)


def _newest_with(loaded: DataFrame | None, fingerprints: set[str]) -> dict[str, _Arrival]:
    """By fingerprint, the newest file that was loaded with it."""
    newest: dict[str, _Arrival] = {}
    if loaded is None:
        return newest
    found = loaded.where(F.col("fingerprint").isin(sorted(fingerprints)))
    columns = found.select("fingerprint", "path", F.unix_micros("modified_at")).distinct()
    for fingerprint, path, micros in columns.collect():
        arrival = _Arrival.of(path, instant_of(micros))
        newest[fingerprint] = max(arrival, newest.get(fingerprint, arrival))
    return newest
