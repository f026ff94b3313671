"""The folder of a run's own for what Spark writes to this machine's disk meanwhile: rows that memory has no room for.

spark-submit.sh makes it, for its user alone, in TMPDIR or the system's temporary folder, and opens the file `owner.new`
in it. That stays open in the process that becomes Java, and with it the kernel's lock that is taken here: it ends with
that process, however that ends, and holds in containers too, which see no processes of others. Java deletes the folder
when it ends; after a kill, the next run does.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from contextlib import suppress
from pathlib import Path

OWNER = "owner"
_UNFINISHED = "owner.new"
_PATTERN = "sales-lakehouse-*"
# So long after it was made, a folder without an owner has none that is still about to take it.
_SECONDS_TO_TAKE = 3600


def take(folder: Path, descriptor: int) -> None:
    """Lock the folder by the file that the descriptor has open. From then on, others know that it has an owner."""
    # A disk may have no locks. Then nobody else can lock the file either, and the folder stays.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (folder / _UNFINISHED).rename(folder / OWNER)


def remove(folder: Path) -> None:
    """Take away a folder that nobody needs."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(beside: Path) -> None:
    """Take away the folders of this user's runs that have died, in the folder in which this run has its own."""
    for folder in beside.parent.glob(_PATTERN):
        if folder != beside and _is_ours(folder) and not _may_have_owner(folder):
            remove(folder)


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _may_have_owner(folder: Path) -> bool:
    """Whether a process that lives has it, or may be about to take it."""
    file = folder / OWNER
    try:
        if not file.exists():
            file = folder / _UNFINISHED
            if time.time() - file.stat().st_mtime < _SECONDS_TO_TAKE:
                return True
        with file.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def java_option(folder: str) -> str:
    """What tells Java of the folder, as Spark splits a line of options."""
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f'"-Djava.io.tmpdir={escaped}"'
