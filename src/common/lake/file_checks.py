"""Tables in local folders, as files: whether log and data files are whole and agree, and flushing a commit to disk.

Delta reads a commit file without a byte as a commit that changed nothing, and answers a count from the log alone. So a
power cut, or a copy that was cut short, can lose rows in silence. Object stores keep a file whole or not at all; their
missing files are found when they are read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from common.contract import Table
from common.errors import ConfigError
from common.lake.delta_log import Damage, Log, actions_of, commit_path, read_log

_PARQUET = b"PAR1"
# What Delta says of a commit, and the kind of action whose number it is.
_METRICS = {
    "numTargetFilesAdded": "add",
    "numTargetFilesRemoved": "remove",
    "numTargetChangeFilesAdded": "cdc",
    "numRemovedFiles": "remove",
}


def check_table_files(table_folder: str, *, everything: bool = False) -> list[str]:
    """What is wrong with the files of a local table, a sentence each that begins with the file; none where all is well.

    Looks at the commits since the last checkpoint, of which Delta writes one every ten commits, and at the data files
    that they added; `everything`: at all the commits that are still there.
    """
    log = read_log(Path(table_folder) / "_delta_log")
    if log is None:
        return []
    found = list(_gaps(log))
    added: dict[str, int] = {}
    for version in log.commits:
        if version <= log.last_checkpoint and not everything:
            continue
        path = commit_path(log.folder, version)
        actions = actions_of(path)
        if isinstance(actions, Damage):
            found.append(f"{path} {actions.problem}")
            continue
        found += [f"{path} {problem}" for problem in _contradictions(actions)]
        before, after = _checksum(log.folder, version - 1), _checksum(log.folder, version)
        if after is not None and _differs(before, actions, after, version):
            found.append(f"{path} does not agree with {version:020}.crc beside it")
        for action in actions:
            if "add" in action:
                added[action["add"]["path"]] = action["add"]["size"]
            elif "remove" in action:
                added.pop(action["remove"]["path"], None)
    return found + list(_wrong_data_files(Path(table_folder), added))


def flush_commit(table_folder: str, version: int) -> None:
    """Have the disk hold a commit and the data files that it added, before anything is done that rests on it."""
    log = Path(table_folder) / "_delta_log"
    path = commit_path(log, version)
    actions = actions_of(path)
    files = {path}
    for action in actions if isinstance(actions, list) else []:
        for kind in ("add", "cdc"):
            if kind in action and _is_relative(action[kind]["path"]):
                files.add(Path(table_folder) / unquote(action[kind]["path"]))
    folders = {folder for file in files for folder in file.parents if folder.is_relative_to(table_folder)}
    for place in [*sorted(files), *sorted(folders), Path(table_folder).parent]:
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def repair_of(table: Table) -> str:
    """What a person does about a damaged table."""
    if table.computed_from:
        return f"Delete the folder of {table.name} and run {table.kept_by}: it is computed anew."
    return (
        f"Bring the file back from a backup. Without one, delete the folder of {table.name}, or, where only the newest "
        "commit is damaged, that commit with its .crc files, hidden ones too; then load the files that it came from "
        "again with --reload."
    )


def check_is_writable(folder: str) -> None:
    """Raise ConfigError where a local lake folder cannot be written; other stores tell by themselves."""
    path = os.path.abspath(folder)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    if not os.path.isdir(path):
        raise ConfigError(f"The lake {folder} cannot be made: {path} is a file, not a folder.")
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(f"The lake {folder} cannot be written: no permission in {path}.")


def _gaps(log: Log) -> Iterator[str]:
    """Commits that are not there although others show that they were, and the last checkpoint where it is torn."""
    newest = max([*log.commits, *log.checksums, log.last_checkpoint])
    first = log.last_checkpoint + 1 if log.checkpoints else 0
    missing = sorted(set(range(first, newest + 1)) - set(log.commits))
    for version in missing:
        yield f"{commit_path(log.folder, version)} is missing"
    for name in log.checkpoints.get(log.last_checkpoint, []):
        content = (log.folder / name).read_bytes()
        if not (content.startswith(_PARQUET) and content.endswith(_PARQUET)):
            yield f"{log.folder / name} is torn"


def _contradictions(actions: list[dict[str, Any]]) -> Iterator[str]:
    """Where a commit has other actions than its own metrics say."""
    info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    metrics = info.get("operationMetrics") or {}
    for metric, kind in _METRICS.items():
        found = sum(kind in action for action in actions)
        if found != int(metrics.get(metric, found)):
            yield f"is torn: it has {found} actions of kind {kind}, and says itself that it has {metrics[metric]}"
            return
    if info.get("operation") == "WRITE" and "numOutputRows" in metrics:
        rows = sum(json.loads(action["add"]["stats"])["numRecords"] for action in actions if "add" in action)
        if rows != int(metrics["numOutputRows"]):
            yield f"is torn: its files have {rows} rows, and it says itself that there are {metrics['numOutputRows']}"


def _checksum(log: Path, version: int) -> dict[str, Any] | None:
    """What Delta noted beside a version: files and bytes of the table; None where that is not there."""
    try:
        content = json.loads((log / f"{version:020}.crc").read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and {"numFiles", "tableSizeBytes"} <= set(content) else None


def _differs(before: dict[str, Any] | None, actions: list[dict[str, Any]], after: dict[str, Any], version: int) -> bool:
    if version == 0:
        before = {"numFiles": 0, "tableSizeBytes": 0}
    if before is None:
        return False
    added = [action["add"] for action in actions if "add" in action]
    removed = [action["remove"] for action in actions if "remove" in action]
    if any(file.get("size") is None for file in removed):
        return False
    files = before["numFiles"] + len(added) - len(removed)
    size = before["tableSizeBytes"] + sum(f["size"] for f in added) - sum(f["size"] for f in removed)
    return bool((files, size) != (after["numFiles"], after["tableSizeBytes"]))


def _wrong_data_files(table_folder: Path, sizes: dict[str, int]) -> Iterator[str]:
    for name, size in sizes.items():
        if not _is_relative(name):
            continue
        path = table_folder / unquote(name)
        try:
            found = path.stat().st_size
        except FileNotFoundError:
            yield f"{path} is missing"
            continue
        if found != size:
            yield f"{path} has {found:,} bytes instead of {size:,}"


def _is_relative(path: str) -> bool:
    return not path.startswith("/") and not re.match(r"^[a-z][a-z0-9+.-]*:", path)
