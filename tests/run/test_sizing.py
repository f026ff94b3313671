"""The script chooses settings by what has arrived since the last run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from common.run.settings import LoadSettings
from common.start import input_size

LAST_RUN = 1_700_000_000


@pytest.fixture
def arrived(tmp_path: Path) -> Path:
    """Files of 10, 100 and 1,000 bytes, the first before the last run on the lake."""
    log = tmp_path / "lake" / "pipeline_runs" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020}.json").write_text("{}")
    os.utime(log / f"{0:020}.json", (LAST_RUN, LAST_RUN))
    (tmp_path / "sales" / "today").mkdir(parents=True)
    files = {"sales/old.csv": (10, -1), "sales/today/new.csv": (100, 1), "sales/today/new.csv.gz": (1000, 1)}
    for name, (size, seconds) in files.items():
        (tmp_path / name).write_bytes(b"x" * size)
        os.utime(tmp_path / name, (LAST_RUN + seconds, LAST_RUN + seconds))
    return tmp_path


@pytest.mark.parametrize(
    ("transactions", "options", "expected"),
    [
        ("sales", {}, 100 + 8 * 1000),
        ("sales/*.csv", {}, 0),
        ("sales/*.csv", {"reload": True}, 10),
        ("sales/today/new.csv", {"lake": "no_lake_yet"}, 100),
        ("s3a://bucket/sales", {}, None),
    ],
)
def test_the_bytes_that_a_run_has_to_read_are_those_since_the_last(
    arrived: Path, transactions: str, options: dict[str, str | bool], expected: int | None
) -> None:
    path = transactions if "://" in transactions else str(arrived / transactions)
    lake = str(arrived / str(options.get("lake", "lake")))
    settings = LoadSettings(transactions=path, lake=lake, reload=bool(options.get("reload")))
    assert input_size.bytes_to_read(settings) == expected


def test_a_few_bytes_are_small_and_what_cannot_be_told_is_large(arrived: Path) -> None:
    here = [f"--lake={arrived / 'lake'}", f"--customers={arrived / 'sales'}"]
    assert input_size.is_small([f"--transactions={arrived / 'sales'}", *here])
    assert not input_size.is_small(["--transactions=s3a://bucket/sales", *here])
    assert not input_size.is_small(["--no-such-option", "--env=none"])
