"""The one door, ./spark-submit.sh, as a person at a terminal or a scheduler meets it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from support.lakes import REAL_DATA, arrow, needs_real_data
from support.project import ROOT

SCRIPT = ROOT / "spark-submit.sh"
SATURDAY, SUNDAY = 5, 6
JOBS = sorted(path.stem for path in (ROOT / "src" / "jobs").glob("[a-z]*.py"))


def bare_environment() -> dict[str, str]:
    """The variables that a scheduler has: none of ours, and no language."""
    ours = ("SALES_", "PYSPARK", "SPARK", "LANG", "LC_")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours)}


def submit(
    *arguments: str, folder: Path, programs: Path | None = None, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the script in a folder, as a scheduler does, with no terminal.

    `programs` are found before others of the same name, and `typed` is what the script reads.
    """
    environment = bare_environment()
    if programs:
        environment["PATH"] = f"{programs}:{environment['PATH']}"
    command = [str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, input=typed)


@pytest.mark.parametrize("job", JOBS)
def test_every_job_explains_itself(job: str, tmp_path: Path) -> None:
    help_ = submit(job, "--help", folder=tmp_path)
    assert help_.returncode == 0
    assert f"./spark-submit.sh {job}" in help_.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no_such_job"], f"there are: {', '.join(JOBS)}"),
        (["--master"], "--master needs a value"),
        (["--conf=spark.x={{y}}"], "placeholder that nobody filled in"),
        (["--properties-file", "nowhere.conf"], "there is no nowhere.conf"),
    ],
)
def test_a_mistake_is_named_before_spark_starts(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    failed = submit(*arguments, folder=tmp_path)
    assert failed.returncode == 2
    assert sentence in failed.stderr


def test_too_few_open_files_are_said_before_java_fails_for_want_of_them(tmp_path: Path) -> None:
    for most in (64, 511):
        command = ["bash", "-c", f"ulimit -n {most}; exec {SCRIPT} --lake=lake --transactions=t"]
        failed = subprocess.run(command, cwd=tmp_path, env=bare_environment(), capture_output=True, text=True)
        assert failed.returncode == 2
        sentence = f"spark-submit.sh: only {most} files may be open at once, and Spark needs 512: ulimit -n 4096.\n"
        assert failed.stderr == sentence


def test_help_and_the_version_are_the_first_things_that_are_asked_for(tmp_path: Path) -> None:
    for arguments in (["--help"], ["help"], ["-h"]):
        asked = submit(*arguments, folder=tmp_path)
        assert asked.returncode == 0, asked.stderr
        assert all(re.search(rf"^  {job} +[A-Z]", asked.stdout, re.MULTILINE) for job in JOBS)
    assert submit("help", "restate", folder=tmp_path).stdout == submit("restate", "--help", folder=tmp_path).stdout
    assert submit("--version", folder=tmp_path).stdout == "0.1.0\n"


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder of data with a yaml.py and the like. What is planted there would say that it has run."""
    modules = ["yaml", "rich", "pydantic", "pydantic_settings", "hashlib", "zipfile", "re", "json", "sitecustomize"]
    for name in modules:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('planted code has run')\n")
    for name in ("pyspark", "common", "jobs", "py4j"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('planted code has run')\n")
    (tmp_path / "plain.conf").touch()
    return tmp_path


@pytest.mark.thorough
def test_code_in_the_current_folder_is_not_run(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An empty place is the current folder for Python. One is left where something is added to an empty PYTHONPATH.
    monkeypatch.setenv("PYTHONPATH", ":/lib::.:")
    there = {path.name for path in planted.iterdir()}
    for arguments in (["--help"], ["--version"], ["load_sales", "--help"], ["make_sample", "--folder=sample"]):
        done = submit(*arguments, folder=planted)
        assert done.returncode == 0, done.stdout + done.stderr
    # Down to the start of Spark, with the input looked at, and with all that travels to a cluster packed.
    feeds = ["--transactions=sample/transactions.csv", "--customers=sample/customer.csv", "--lake=lake", "--dry-run"]
    done = submit(*feeds, folder=planted)
    assert done.returncode == 0, done.stdout + done.stderr
    elsewhere = ["--env=cluster", "--master=nowhere://", "--deploy-mode=cluster", "--lake=/lake"]
    assert "planted" not in str(submit(*elsewhere, folder=planted))
    assert {path.name for path in planted.iterdir()} == there | {"sample"}


@pytest.mark.thorough
def test_nor_is_it_by_the_shell_and_the_functions_that_are_written_there(planted: Path) -> None:
    there = {path.name for path in planted.iterdir()}
    # For functions, Spark starts Python with -m, which looks into the current folder in 3.10 whatever it is told.
    has_safe_path = sys.version_info >= (3, 11)
    rows = (
        "spark.range(3).rdd.map(lambda row: row.id).sum()"
        if has_safe_path
        else "sum(map(sum, spark.range(3).collect()))"
    )
    said = submit(
        *("shell", "--master=local[1]"),
        folder=planted,
        typed=f"import json, yaml; from common.serve.reader import open_lake_in_spark\nprint('rows', {rows})\n",
    )
    assert "rows 3" in said.stdout, said.stdout + said.stderr
    assert "planted" not in said.stdout + said.stderr
    assert {path.name for path in planted.iterdir()} == there


def test_an_unknown_option_is_refused_through_spark_submit_with_its_exit_code(tmp_path: Path) -> None:
    failed = submit("--env=local", "--master", "local[1]", "--no-such-option", "--lake", "lake", folder=tmp_path)
    assert failed.returncode == 2
    # spark-submit merges a Python job's standard error into its standard output.
    assert "--no-such-option" in failed.stdout
    assert "Traceback" not in failed.stdout + failed.stderr
    assert not (tmp_path / "lake").exists()


def test_the_sample_is_three_weeks_of_a_shop_with_opening_hours(tmp_path: Path) -> None:
    from jobs import make_sample

    assert make_sample.main([f"--folder={tmp_path}"]) == 0
    with (tmp_path / "transactions.csv").open() as file:
        times = [datetime.fromisoformat(row["TRANSACTION_DATE"]) for row in csv.DictReader(file)]
    assert len(times) == 5000
    assert timedelta(days=20) < max(times) - min(times) <= timedelta(days=21)
    assert {time.hour for time in times} == set(range(8, 20))
    by_weekday = Counter(time.weekday() for time in times)
    assert max(by_weekday, key=by_weekday.__getitem__) == SATURDAY
    assert min(by_weekday, key=by_weekday.__getitem__) == SUNDAY


@pytest.mark.thorough
def test_make_sample_makes_the_same_files_for_the_same_seed(tmp_path: Path) -> None:
    from jobs import make_sample

    for folder in ("one", "two"):
        assert make_sample.main(["--folder", str(tmp_path / folder), "--transactions=200", "--seed=7"]) == 0
    for name in ("transactions.csv", "customer.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert len((tmp_path / "one" / "transactions.csv").read_text().splitlines()) == 201


@pytest.mark.battery
def test_the_first_command_makes_a_lake_and_the_second_changes_nothing(tmp_path: Path) -> None:
    folder, programs = tmp_path / "Läden", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    for name in ("chmod", "readlink"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@" >>{programs}/started\nexec /bin/{name} "$@"\n')
        (programs / name).chmod(0o755)
    first = submit(folder=folder, programs=programs)
    assert first.returncode == 0, first.stdout
    assert "5,000" in first.stdout
    # Files have the permissions that Hadoop gives them, without a program started for each.
    assert not (programs / "started").exists()
    written = [path for path in (folder / "lake").rglob("*") if path.name != ".lock"]
    assert {path.stat().st_mode & 0o777 for path in written if path.is_file()} == {0o644}
    assert {path.stat().st_mode & 0o777 for path in written if path.is_dir()} == {0o755}
    # A collector of one's own takes the place of the one that the script chooses; Java refuses two. What Java says for
    # itself, such as that it runs out of room for compiled code, is not in the midst of the report.
    own_java = "-XX:+UseG1GC -XX:+PrintCommandLineFlags"
    second = submit("--json", "--driver-java-options", own_java, folder=folder)
    assert second.returncode == 0, second.stdout
    assert f"-XX:ReservedCodeCacheSize={240 * 2**20} " in second.stderr
    assert json.loads(second.stdout)["changed_nothing"]
    assert arrow(str(folder / "lake" / "sales_data_partitioned")).num_rows == 5000
    assert {path.name for path in folder.iterdir()} == {"data", "lake"}
    # Nothing is named here either: it is the lake of the sample. With the settings of large runs, of which Java would
    # say on standard output what it has read.
    verified = submit("verify_aggregate", "--json", folder=folder)
    assert verified.returncode == 0, verified.stdout
    assert json.loads(verified.stdout)["findings"] == []
    # Delta has a line about each VACUUM, and Java one at each start: they are in nobody's way.
    maintained = submit("maintain", "--json", folder=folder)
    assert json.loads(maintained.stdout)["job"] == "maintain"
    assert maintained.stderr == ""


@pytest.mark.battery
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_stopped_says_so_in_one_sentence(tmp_path: Path, number: signal.Signals) -> None:
    """By Ctrl-C, by a terminal that is closed or by a scheduler: all processes of the run get the signal."""
    assert submit("make_sample", folder=tmp_path).returncode == 0
    feeds = ["--transactions=data/transactions.csv", "--customers=data/customer.csv", "--lake=lake"]
    run = subprocess.Popen(
        [str(SCRIPT), *feeds],
        cwd=tmp_path,
        env=bare_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # As at a terminal, though the tests may have been started by nohup.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    with run:
        assert run.stdout
        assert run.stdout.readline().startswith("[1/6]")
        os.killpg(run.pid, number)
        said, errors = run.communicate()
    assert run.returncode == 128 + number
    *steps, sentence = said.splitlines()
    assert sentence == "load_sales: stopped; the next run finishes what this one could not."
    assert all(step.startswith("[") for step in steps)
    assert errors == ""


@pytest.mark.battery
@needs_real_data
def test_the_real_files_are_loaded_through_the_script(tmp_path: Path) -> None:
    inputs = [f"--transactions={REAL_DATA}/transactions.csv", "--customers", f"{REAL_DATA}/customer.csv"]
    dry = submit(*inputs, "--lake=lake", "--dry-run", folder=tmp_path)
    assert dry.returncode == 0, dry.stdout
    assert "16,084" in dry.stdout
    assert list(tmp_path.iterdir()) == []
