"""How much a run of load_sales has to read, estimated before Spark starts, so that settings are chosen by it. A wrong
guess costs time and nothing else.
"""

from __future__ import annotations

import argparse
import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from common.contract import RUNS
from common.errors import SalesLakehouseError
from common.lake.delta_log import commit_path, read_log
from common.run.arguments import argument_parser
from common.run.configuration import load_settings
from common.run.settings import LoadSettings

# Up to so many bytes of CSV, starting takes longer than reading; see docs/explanation/performance.md.
SMALL_BYTES = 16 * 1024 * 1024
# What a compressed file is counted as, by its size.
_UNPACKED = 8


def is_small(options: Sequence[str]) -> bool:
    """Whether load_sales with these options has little to read; False where that cannot be told."""
    parser = argument_parser("load_sales", "", LoadSettings)
    try:
        known, _ = parser.parse_known_args(list(options))
        size = bytes_to_read(load_settings(vars(known), LoadSettings))
    except (SalesLakehouseError, OSError, argparse.ArgumentError, SystemExit):
        # The job itself will say what is wrong.
        return False
    return size is not None and size <= SMALL_BYTES


def bytes_to_read(settings: LoadSettings) -> int | None:
    """Bytes of CSV in files that have arrived since the last run on the lake; None where they cannot be told."""
    paths = list(settings.paths.values())
    if any("://" in path for path in paths):
        return None
    since = 0.0 if settings.reload or not settings.lake else _last_run(settings.lake)
    total = 0
    for file in (file for path in paths for file in _files(path)):
        found = file.stat()
        if found.st_mtime >= since:
            total += found.st_size * (_UNPACKED if file.suffix in (".gz", ".bz2", ".zst") else 1)
    return total


def _files(path: str) -> Iterator[Path]:
    for place in glob.glob(path) or [path]:
        if os.path.isfile(place):
            yield Path(place)
        for folder, _, names in os.walk(place):
            yield from (Path(folder) / name for name in names)


def _last_run(lake: str) -> float:
    """When the last run on a local lake recorded itself, 0 where there was none or the lake is elsewhere."""
    log = None if "://" in lake else read_log(Path(lake) / RUNS.name / "_delta_log")
    return commit_path(log.folder, log.commits[-1]).stat().st_mtime if log and log.commits else 0.0
