"""The log of a Delta table in a local folder, read as files: a few lines of JSON are not worth a Spark job."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import LakeError

_COMMIT = re.compile(r"^(\d{20})\.json$")
_CHECKSUM = re.compile(r"^(\d{20})\.crc$")
_CHECKPOINT = re.compile(r"^(\d{20})\.checkpoint.*\.parquet$")


@dataclass(frozen=True)
class Log:
    """What stands in a _delta_log: versions of commits and checksums, and checkpoint files by version."""

    folder: Path
    commits: list[int]
    checksums: list[int]
    checkpoints: dict[int, list[str]]

    @property
    def last_checkpoint(self) -> int:
        return max(self.checkpoints, default=-1)


def read_log(folder: Path) -> Log | None:
    """The names in a _delta_log, None where there is no such folder."""
    if not folder.is_dir():
        return None
    names = sorted(os.listdir(folder))
    checkpoints: dict[int, list[str]] = {}
    for name in names:
        if match := _CHECKPOINT.match(name):
            checkpoints.setdefault(int(match[1]), []).append(name)
    return Log(
        folder=folder,
        commits=[int(match[1]) for name in names if (match := _COMMIT.match(name))],
        checksums=[int(match[1]) for name in names if (match := _CHECKSUM.match(name))],
        checkpoints=checkpoints,
    )


def remove_log_without_commits(table_folder: str) -> None:
    """Take away what a run left that died while it created the table: Spark takes any folder with something in it for a
    table that is there, and then creates none.
    """
    log = read_log(Path(table_folder) / "_delta_log")
    if log and not (log.commits or log.checksums or log.checkpoints):
        shutil.rmtree(log.folder)


def commit_path(log: Path, version: int) -> Path:
    return log / f"{version:020}.json"


@dataclass(frozen=True)
class Damage:
    """What is wrong with a file: as the end of a sentence that begins with it."""

    problem: str


def actions_of(path: Path) -> list[dict[str, Any]] | Damage:
    """The actions of a commit, or what is wrong with its file."""
    content = path.read_bytes()
    if not content.strip():
        return Damage("is empty")
    try:
        actions = [json.loads(line) for line in content.splitlines() if line.strip()]
    except ValueError:
        return Damage("is torn")
    return actions if all(isinstance(action, dict) for action in actions) else Damage("is torn")


def commit_infos(table_folder: str, limit: int) -> list[tuple[int, dict[str, Any]]]:
    """The newest versions of a table with the commitInfo of each, newest first; none where there is no table.

    Raises LakeError, naming the file, where one cannot be read.
    """
    log = read_log(Path(table_folder) / "_delta_log")
    if log is None:
        return []
    return [(version, _commit_info(commit_path(log.folder, version))) for version in log.commits[: -limit - 1 : -1]]


def _commit_info(path: Path) -> dict[str, Any]:
    """The commitInfo, which Delta writes first, with a timestamp in milliseconds."""
    try:
        with path.open("rb") as lines:
            for line in lines:
                if b'"commitInfo"' in line and "commitInfo" in (action := json.loads(line)):
                    return {"timestamp": _modified_at(path), **action["commitInfo"]}
    except (OSError, ValueError) as error:
        raise LakeError(f"{path} cannot be read: it is missing, torn or not permitted.") from error
    return {"timestamp": _modified_at(path)}


def _modified_at(path: Path) -> int:
    return path.stat().st_mtime_ns // 1_000_000
