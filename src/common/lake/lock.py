"""One run at a time on a lake in a local folder.

The lock is an operating system's lock on a file, taken by the JVM, since it is the JVM that commits: a Python process
that is killed while its JVM lives on does not set it free, and nothing is left to clean up once that is gone too.

Whoever can read a file can lock it against those who write it. So the file can be opened by those alone who may write
the lake's folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from common.errors import ConfigError, LakeBusyError
from common.spark.failures import SPARK_ERRORS
from common.spark.jvm import has_jvm, open_file, try_lock
from common.spark.paths import is_on_this_disk

LOCK_FILE = ".lock"
# Runs that are refused take their lock away; so many may do so just when another one has opened it.
_ATTEMPTS = 100


@contextmanager
def lock_lake(spark: SparkSession, folder: str | None, run_id: str) -> Iterator[None]:
    """Hold the lake for one run; raises LakeBusyError, naming the holder, where another run holds it. A run that ends
    without a table in the folder leaves neither the lock nor a folder that it made.

    Lakes in catalogs and on object stores, and sessions without a JVM of their own (Spark Connect), are not locked:
    there Delta's own conflict detection stops the later of two runs; on S3, with the log store of conf/s3a.conf.
    """
    if folder is None or not has_jvm(spark) or not is_on_this_disk(folder):
        yield
        return
    made: list[str] = []
    path = os.path.join(folder, LOCK_FILE)
    file = _taken(spark, folder, path, f"run {run_id}, process {os.getpid()}", made)
    try:
        yield
    finally:
        # While the lock is held, so that nobody else has taken it by then.
        if not _holds_tables(folder):
            _take_away(path, made)
        try:
            # Else a run that finds the lake busy before the next holder has written its name would name this one.
            file.setLength(0)
        finally:
            file.close()


def _taken(spark: SparkSession, folder: str, path: str, holder: str, made: list[str]) -> Any:
    """The file of the lock, open and locked, with the holder's name in it. Folders that it takes go into `made`."""
    for attempts_left in reversed(range(_ATTEMPTS)):
        made += _made_folders(folder)
        try:
            _give_to_writers(folder, path)
            file = open_file(spark, path)
        except PermissionError as error:
            raise ConfigError(
                f"The lake {folder} cannot be locked: no permission for {path}. Whoever writes the lake has to be able "
                "to write that file; where no run is at work, it can be deleted."
            ) from error
        except (FileNotFoundError, *SPARK_ERRORS):
            # A run that was refused took the folder away before the file was in it; another may have made it anew.
            if not attempts_left:
                raise
            continue
        if not try_lock(file):
            file.close()
            raise LakeBusyError(f"The lake {folder} is busy: {_holder(path)} holds it. Try again when it is done.")
        file.setLength(0)
        file.writeBytes(holder)
        if _holder(path) == holder:
            return file
        # A run that was refused took the file away between the two: what is locked is no longer what others find.
        file.close()
    raise LakeBusyError(f"The lake {folder} is busy: other runs come and go there. Try again when they are done.")


def _give_to_writers(folder: str, path: str) -> None:
    """Make the file of the lock if it is not there, and have those open it, and nobody else, who may write the folder.
    Raises OSError where this process may not, or where the folder is gone.
    """
    of_folder = os.stat(folder)
    writers = of_folder.st_mode & 0o222 | 0o200
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        of_file = os.fstat(descriptor)
        if of_file.st_uid != os.geteuid():
            return
        if writers & 0o020 and of_file.st_gid != of_folder.st_gid:
            # Else the file belongs to the first group of whoever made it.
            with suppress(PermissionError):
                os.fchown(descriptor, -1, of_folder.st_gid)
        wanted = writers | writers << 1
        if stat.S_IMODE(of_file.st_mode) != wanted:
            os.fchmod(descriptor, wanted)
    finally:
        os.close(descriptor)


def _holder(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read() or "another run"
    except FileNotFoundError:
        return "another run"


def _made_folders(folder: str) -> list[str]:
    """Make the folder, and those above it that are not there; returns those that it made, the innermost first."""
    made: list[str] = []
    missing = [place for place in (folder, *map(str, Path(folder).parents)) if not os.path.exists(place)]
    for place in reversed(missing):
        # Another run may make it at the same moment, or take away the one above it.
        with suppress(FileExistsError, FileNotFoundError):
            os.mkdir(place)
            made.insert(0, place)
    return made


def _holds_tables(folder: str) -> bool:
    try:
        return any(os.path.exists(os.path.join(place.path, "_delta_log")) for place in os.scandir(folder))
    except OSError:
        # Whoever took the folder away, or made it another's, is left alone.
        return True


def _take_away(path: str, folders: list[str]) -> None:
    """Leave nothing of a run that made no table: neither the lock nor the folders that it made."""
    with suppress(OSError):
        os.unlink(path)
        for folder in folders:
            os.rmdir(folder)
