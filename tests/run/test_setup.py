"""setup.sh sets up a checkout once, however many commands are started in it at the same time, and however they end."""

from __future__ import annotations

import hashlib
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.project import ROOT

LOCKS = tuple(f"requirements{extra}.lock" for extra in ("", "-query", "-describe", "-forecast", "-dev"))
# Builds a wheel without anything in it.
BACKEND = """
import zipfile
def build_wheel(folder, *_, **__):
    with zipfile.ZipFile(folder + "/tiny-1.0-py3-none-any.whl", "w") as wheel:
        info = "tiny-1.0.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return "tiny-1.0-py3-none-any.whl"
"""
# Says that it is at work, and is until it reads a line.
HOLD = "hold() { echo at work; read -r _; }; setup_under_lock hold"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with setup.sh, in which nothing is set up."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    shutil.copy(ROOT / "setup.sh", folder)
    return folder


@pytest.fixture
def started() -> Iterator[ExitStack]:
    """Closes what a test has started."""
    with ExitStack() as stack:
        yield stack


def start(checkout: Path, script: str) -> subprocess.Popen[str]:
    """A shell that knows the functions of setup.sh and does with them what the script says."""
    return subprocess.Popen(
        ["bash", "-euc", f"source ./setup.sh --python; {script}"],
        cwd=checkout,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line_of(stream: object) -> str:
    return str(stream.readline()).strip()  # type: ignore[attr-defined]


@pytest.mark.parametrize("end", ["well", "killed"])
def test_a_second_command_says_that_it_waits_and_goes_on_when_the_first_has_ended(
    checkout: Path, started: ExitStack, end: str
) -> None:
    first = started.enter_context(start(checkout, HOLD))
    assert line_of(first.stdout) == "at work"
    second = started.enter_context(start(checkout, HOLD))
    assert "another command is setting up this folder" in line_of(second.stderr)
    if end == "well":
        first.communicate("\n")
    else:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert line_of(second.stdout) == "at work"
    second.communicate("\n")
    assert (first.returncode, second.returncode) == (0 if end == "well" else -signal.SIGKILL, 0)


def test_packages_are_installed_by_one_of_several_commands(checkout: Path, started: ExitStack) -> None:
    nothing = "# so that no network is needed\n"
    (checkout / "requirements.lock").write_text(nothing)
    install = "setup_under_lock setup_packages requirements.lock"
    commands = [started.enter_context(start(checkout, install)) for _ in range(3)]
    said = "".join(command.communicate()[1] for command in commands)
    assert [command.returncode for command in commands] == [0, 0, 0], said
    assert said.count("setup: installing the Python packages") == 1
    assert (checkout / ".venv" / "installed-requirements.lock").read_text() == nothing


@pytest.mark.platform
def test_two_first_commands_in_one_fresh_checkout_both_work(checkout: Path, started: ExitStack) -> None:
    for folder in ("src", "conf"):
        shutil.copytree(ROOT / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("spark-submit.sh", "pyproject.toml", *LOCKS):
        shutil.copy(ROOT / name, checkout)
    commands = [started.enter_context(start(checkout, "exec ./spark-submit.sh restate --help")) for _ in range(2)]
    ended = [command.communicate() for command in commands]
    said = "".join(errors for _, errors in ended)
    if "could not be" in said:
        pytest.skip(f"no network: {said.strip()}")
    assert [command.returncode for command in commands] == [0, 0], said
    assert all("--first-hour" in helped for helped, _ in ended)
    assert said.count("setup: installing") == said.count("setup: fetching") == said.count("setup: compiling") == 1


def test_an_installation_that_fails_is_begun_again_by_the_next_command(checkout: Path, started: ExitStack) -> None:
    install = "setup_under_lock setup_packages requirements.lock"
    (checkout / "requirements.lock").write_text("no-such-package==1.0 --hash=sha256:00\n")
    failed = started.enter_context(start(checkout, f"export PIP_NO_INDEX=1; {install}"))
    assert "could not be installed" in failed.communicate()[1]
    assert failed.returncode == 2
    assert not list((checkout / ".venv").glob("installed-*"))
    (checkout / "requirements.lock").write_text("")
    again = started.enter_context(start(checkout, install))
    again.communicate()
    assert again.returncode == 0


def test_what_builds_a_package_is_not_fetched_beside_the_lock(checkout: Path, started: ExitStack) -> None:
    """PySpark is built from source. Here it is a package whose source asks for one that is nowhere."""
    source = checkout / "found" / "tiny-1.0"
    source.mkdir(parents=True)
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["nowhere"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (source / "backend.py").write_text(BACKEND)
    packed = shutil.make_archive(str(source), "gztar", source.parent, source.name)
    digest = hashlib.sha256(Path(packed).read_bytes()).hexdigest()
    (checkout / "requirements.lock").write_text(f"tiny==1.0 \\\n    --hash=sha256:{digest}\n")
    install = "export PIP_NO_INDEX=1 PIP_FIND_LINKS=found; setup_under_lock setup_packages requirements.lock"
    command = started.enter_context(start(checkout, install))
    _, said = command.communicate()
    assert command.returncode == 0, said
    assert len(list(checkout.glob(".venv/lib/python*/site-packages/tiny-1.0.dist-info/METADATA"))) == 1


def test_a_file_is_written_whole_or_not_at_all(checkout: Path, started: ExitStack) -> None:
    writing = started.enter_context(start(checkout, 'echo ready; setup_write "$PWD/stamp"'))
    assert line_of(writing.stdout) == "ready"
    assert writing.stdin
    writing.stdin.write("half of it")
    writing.stdin.flush()
    assert not (checkout / "stamp").exists()
    writing.communicate(", and the rest")
    assert (checkout / "stamp").read_text() == "half of it, and the rest"


def test_locks_name_hashes_and_no_place() -> None:
    for lock in LOCKS:
        text = (ROOT / lock).read_text()
        assert not re.search(r"https?:|--index|--find-links", text), lock
        pinned = re.findall(r"^[\w.-]+==\S+(?: ; [^\\\n]+)?(.*)$", text, re.MULTILINE)
        assert pinned
        assert {rest.strip() for rest in pinned} == {"\\"}, f"{lock} has a package without a hash"


def test_the_lock_of_the_tests_holds_all_that_the_others_do() -> None:
    """By which setup.sh leaves an environment alone that has the packages of the tests."""
    of_tests = set((ROOT / "requirements-dev.lock").read_text().splitlines())
    for lock in LOCKS:
        packages = [line.removesuffix(" \\") for line in (ROOT / lock).read_text().splitlines() if "==" in line]
        # What others need with an older Python alone, the tests may need with each.
        missing = [each for each in packages if not {f"{each} \\", f"{each.partition(' ;')[0]} \\"} & of_tests]
        assert missing == [], lock
