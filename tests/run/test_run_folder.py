"""What Spark keeps on disk during a run is in a folder that nobody else reads, and that does not outlast the run."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.start import run_folder
from common.start.command_line import UsageError, parse
from common.start.spark_options import Host
from common.start.submit import decide
from support.project import ROOT

SCRIPT = ROOT / "spark-submit.sh"
NAME = "sales-lakehouse-"


def folder_of_a_run(temporary: Path, name: str, *, owner: str = run_folder.OWNER, seconds_ago: float = 0) -> Path:
    """A folder with rows, as a run leaves it that is killed."""
    folder = temporary / f"{NAME}{name}"
    (folder / "blockmgr").mkdir(parents=True)
    (folder / "blockmgr" / "rows").write_text("c1,Alice\n")
    (folder / owner).touch()
    os.utime(folder / owner, (time.time() - seconds_ago,) * 2)
    return folder


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def mine(temporary: Path) -> Iterator[Path]:
    """This run's own folder."""
    folder = folder_of_a_run(temporary, "mine", owner="owner.new")
    with (folder / "owner.new").open("w") as file:
        run_folder.take(folder, file.fileno())
        yield folder


def test_the_folders_of_dead_runs_are_removed_and_no_others(temporary: Path, mine: Path) -> None:
    dead = folder_of_a_run(temporary, "dead")
    died_at_its_start = folder_of_a_run(temporary, "early", owner="owner.new", seconds_ago=7200)
    starting = folder_of_a_run(temporary, "starting", owner="owner.new")
    alive = folder_of_a_run(temporary, "alive")
    no_run = temporary / f"{NAME}something-else"
    no_run.mkdir()
    target = folder_of_a_run(temporary / "elsewhere", "target")
    (temporary / f"{NAME}link").symlink_to(target)
    with (alive / run_folder.OWNER).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run_folder.remove_abandoned(mine)
    assert not dead.exists()
    assert not died_at_its_start.exists()
    assert all((folder / "blockmgr" / "rows").exists() for folder in (mine, starting, alive, target))
    assert no_run.exists()
    # Once it has ended, it is removed as well.
    run_folder.remove_abandoned(mine)
    assert not alive.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_folders_of_other_users_are_left_alone(temporary: Path, mine: Path) -> None:
    others = folder_of_a_run(temporary, "others")
    os.chown(others, 12345, 12345)
    run_folder.remove_abandoned(mine)
    assert others.exists()


def test_a_path_that_spark_would_take_for_two_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a,b" / f"{NAME}x"
    host = Host(ROOT, {"RUN_FOLDER": str(folder), "SPARK_HOME": "/none"})
    with pytest.raises(UsageError, match=r"TMPDIR: .*a,b has a comma"):
        decide(parse(["verify_aggregate", "--lake=lake"], host.environment, ["verify_aggregate"]), host)


def start(temporary: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK", "PYSPARK"))}
    return subprocess.Popen(
        [str(SCRIPT), *arguments],
        cwd=temporary.parent,
        env={**environment, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        umask=0o077,
    )


def test_what_needs_no_spark_leaves_no_folder(temporary: Path) -> None:
    for arguments in (["make_sample", "--folder=data"], ["load_sales", "--help"], ["load_sales", "--master"]):
        run = start(temporary, *arguments)
        run.communicate()
        assert list(temporary.iterdir()) == []


@pytest.mark.battery
def test_a_run_has_a_folder_for_its_user_alone_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    # A person's own temporary folder may have any name.
    temporary = tmp_path / "a 'quoted\" folder"
    temporary.mkdir()
    start(temporary, "make_sample", "--folder=data").communicate()
    feeds = ["--transactions=data/transactions.csv", "--customers=data/customer.csv", "--lake=lake"]
    killed = start(temporary, *feeds)
    with killed:
        assert killed.stdout
        assert killed.stdout.readline().startswith("[1/6]")
        [folder] = temporary.iterdir()
        os.killpg(killed.pid, signal.SIGKILL)
    assert folder.name.startswith(NAME)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.glob("blockmgr-*"))
    # Where it ends by itself, by a mistake or by a signal, and where one before it was killed.
    for arguments in ([*feeds], [*feeds, "--no-such-option"]):
        ended = start(temporary, *arguments)
        said, _ = ended.communicate()
        assert list(temporary.iterdir()) == [], said
    # Nor is what it leaves in the lake for others.
    modes = {str(path): path.stat().st_mode & 0o777 for path in (tmp_path / "lake").rglob("*")}
    assert len(modes) > 100
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}
    stopped = start(temporary, *feeds)
    with stopped:
        assert stopped.stdout
        assert stopped.stdout.readline().startswith("[1/6]")
        os.killpg(stopped.pid, signal.SIGTERM)
        stopped.communicate()
    assert list(temporary.iterdir()) == []
