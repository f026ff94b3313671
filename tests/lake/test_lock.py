"""Who may write a lake can hold its lock, and nobody else: a reader who could would keep every run away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from common.errors import ConfigError
from common.lake.lock import LOCK_FILE, lock_lake
from common.spark.jvm import has_jvm

NOBODY = 65534
# A shared lock needs a file to be open for reading only, and keeps away those who want it for themselves.
LOCKED_BY_A_READER = """
import fcntl, sys
file = open(sys.argv[1], "rb")
fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _with_a_jvm(spark: SparkSession) -> None:
    if not has_jvm(spark):
        pytest.skip("there is no lock over Spark Connect")


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user can look into, as that of the tests is not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("folder_mode", "lock_mode"), [(0o755, 0o600), (0o700, 0o600), (0o775, 0o660), (0o2770, 0o660), (0o777, 0o666)]
)
@pytest.mark.parametrize("before", [None, 0o644])
def test_the_file_of_the_lock_is_for_those_who_write_the_folder(
    spark: SparkSession, tmp_path: Path, folder_mode: int, lock_mode: int, before: int | None
) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    lake.chmod(folder_mode)
    file = lake / LOCK_FILE
    if before is not None:
        # As runs of earlier versions left it.
        file.touch(before)
    with lock_lake(spark, str(lake), "a run"):
        assert file.stat().st_mode & 0o777 == lock_mode
        assert file.read_text().startswith("run a run, process ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_reader_cannot_lock_a_lake(spark: SparkSession, public: Path) -> None:
    lake = public / "lake"
    with lock_lake(spark, str(lake), "first"):
        # With a table, so that the file stays.
        (lake / "customers" / "_delta_log").mkdir(parents=True)
    reader = subprocess.run(
        [_python_of_nobody(), "-I", "-c", LOCKED_BY_A_READER, str(lake / LOCK_FILE)],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        input="",
        capture_output=True,
        text=True,
    )
    assert "PermissionError" in reader.stderr
    assert reader.stdout == ""


def _python_of_nobody() -> str:
    """A Python that another user may start: that of the tests may be in a folder of root's own."""
    for python in (sys.executable, *(path for path in ("/usr/bin/python3", "/usr/local/bin/python3"))):
        try:
            subprocess.run([python, "-I", "-c", ""], user=NOBODY, group=NOBODY, extra_groups=[], check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("no Python here may be started by another user")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to a group")
def test_the_file_of_the_lock_belongs_to_the_group_of_the_folder(spark: SparkSession, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    os.chown(lake, -1, 12345)
    lake.chmod(0o770)
    with lock_lake(spark, str(lake), "a run"):
        assert (lake / LOCK_FILE).stat().st_gid == 12345


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_lock_that_cannot_be_opened_is_named(spark: SparkSession, public: Path) -> None:
    """As in a lake of a group where the file belongs to one of them alone."""
    public.chmod(0o777)
    (public / LOCK_FILE).touch(0o600)
    os.seteuid(NOBODY)
    try:
        with (
            pytest.raises(ConfigError, match=rf"cannot be locked: no permission for {public}/\.lock"),
            lock_lake(spark, str(public), "a run"),
        ):
            raise AssertionError
    finally:
        os.seteuid(0)
