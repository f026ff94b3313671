"""The archive in which Java keeps what it learned of Spark's classes, so that later runs start in half the time.

Java maps the file into its memory: where it is cut short, each start dies with SIGBUS. So it is used only where a
record beside it says that it is whole: its size, its time and its SHA-256. Size and time, which every writer changes,
are looked at by each start. The content is read where the time is another one, as it is of a copy: that takes a third
of a second for 200 MB.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# Java writes the head of the file when all else is written.
_HEAD = 4


def java_options(archive: Path, pid: int) -> tuple[list[str], dict[str, str]]:
    """The options by which Java uses the archive or, as the process `pid`, makes one; and variables for the latter."""
    if usable_archive(archive):
        return [f"-XX:SharedArchiveFile={archive}"], {}
    unfinished = f"{archive}.{pid}"
    return [f"-XX:ArchiveClassesAtExit={unfinished}"], {"MARK_OF_DONE": f"{unfinished}.whole"}


def usable_archive(archive: Path) -> bool:
    """Whether there is an archive, and it is whole. What cannot be used is deleted, and made again by the next run.

    What runs have left beside it since is taken over, if they did their work: only such a run has seen the classes that
    it takes.
    """
    for unfinished in _left_behind(archive):
        whole = unfinished.with_name(f"{unfinished.name}.whole")
        # Where the folder belongs to somebody else, it is left as it is.
        with suppress(OSError):
            if whole.exists() and _is_finished(unfinished):
                _take_over(unfinished, archive)
            unfinished.unlink(missing_ok=True)
            whole.unlink(missing_ok=True)
    if _is_whole(archive):
        return True
    with suppress(OSError):
        archive.unlink(missing_ok=True)
        _record_of(archive).unlink(missing_ok=True)
    return False


def _left_behind(archive: Path) -> Iterator[Path]:
    """Files of archives, each named after the process that writes it, of processes that have ended."""
    for unfinished in archive.parent.glob(f"{archive.name}.*[0-9]"):
        if not _is_alive(int(unfinished.suffix[1:])):
            yield unfinished


def _is_finished(unfinished: Path) -> bool:
    """Whether Java has written it to its end, since the machine was started: of what was written before a power cut,
    nobody knows how much reached the disk.
    """
    started = time.time() - time.monotonic()
    with unfinished.open("rb") as file:
        return any(file.read(_HEAD)) and unfinished.stat().st_mtime > started


def _take_over(unfinished: Path, archive: Path) -> None:
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    # Another process may do the same with another file: a record that does not belong to the archive makes it void.
    record = _said_of(unfinished, _checksum(unfinished))
    unfinished.replace(archive)
    _write_record(archive, record)


def _is_whole(archive: Path) -> bool:
    try:
        record = _record_of(archive).read_text(encoding="ascii").split()
        found = archive.stat()
        size, modified, checksum = int(record[0]), int(record[1]), record[2]
    except (OSError, ValueError, IndexError):
        return False
    if found.st_size != size:
        return False
    if found.st_mtime_ns != modified:
        if _checksum(archive) != checksum:
            return False
        with suppress(OSError):
            _write_record(archive, _said_of(archive, checksum))
    return True


def _said_of(file: Path, checksum: str) -> str:
    found = file.stat()
    return f"{found.st_size} {found.st_mtime_ns} {checksum}\n"


def _checksum(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while part := content.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _record_of(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.record")


def _write_record(archive: Path, text: str) -> None:
    unfinished = archive.with_name(f"{archive.name}.record.{os.getpid()}.new")
    unfinished.write_text(text, encoding="ascii")
    unfinished.replace(_record_of(archive))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
