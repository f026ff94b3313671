"""The wheel: built as deploy/databricks builds it, installed apart from the checkout, called as a platform calls it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from support.bundles import bundle
from support.lakes import CUSTOMERS_HEADER, SALES_HEADER, arrow
from support.project import ROOT
from support.worker import submit_arguments

pytestmark = pytest.mark.platform

JOBS = sorted(path.stem for path in (ROOT / "src" / "jobs").glob("[a-z]*.py"))
# What Databricks does with a task: its CLI has it in words, in bundle/trampoline/python_wheel.go. A session is there
# before, and stays; what is returned is not looked at, and whatever is raised is a failure.
PLATFORM = """
import json, sys
from importlib import metadata
from pyspark.sql import SparkSession
remote, *tasks = json.loads(sys.stdin.read())
builder = SparkSession.builder
spark = (builder.remote(remote) if remote else builder).getOrCreate()
spark.sql("CREATE SCHEMA sales")
for entry_point, *parameters in tasks:
    if entry_point == "sql":
        spark.sql(parameters[0])
        continue
    sys.argv = ["sales-lakehouse", *parameters]
    [found] = [point for point in metadata.distribution("sales-lakehouse").entry_points if point.name == entry_point]
    raised = None
    try:
        found.load()()
    except BaseException as error:
        raised = repr(error)
    print("TASK", json.dumps([raised, sys.modules[found.module].__file__, spark.range(1).count()]))
spark.stop()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, where the bundle's tasks look for it, made by the bundle's own command."""
    project = tmp_path_factory.mktemp("project")
    for folder in ("src", "conf", "deploy"):
        shutil.copytree(
            ROOT / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "dist")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    stale = project / "build" / "lib" / "old_module.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    # Nothing is fetched: setuptools is here.
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment = {**os.environ, **offline, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    bundled = project / "deploy" / "databricks"
    command = bundle()["artifacts"]["wheel"]["build"]
    built = subprocess.run(command, shell=True, cwd=bundled, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    [found] = (bundled / "resources").glob("../dist/*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed into it."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(folder)]
    subprocess.run([*pip, str(wheel)], check=True)
    return folder


def environment_of(installed: Path) -> dict[str, str]:
    """Of a process that finds our code in the installed wheel alone."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("SALES_", "PYTHONPATH"))}
    return {**ours, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}


def test_the_wheel_holds_our_two_packages_with_their_settings_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names}
    assert top == {"common", "jobs", "sales_lakehouse-0.1.0.dist-info"}
    modules = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*.py")}
    settings = {f"common/conf/{path.name}" for path in (ROOT / "conf").glob("*.yml")}
    assert {name for name in names if not name.startswith("sales_lakehouse")} == modules | settings | {
        "common/py.typed"
    }


def test_the_wheel_asks_for_no_spark(wheel: Path) -> None:
    metadata = zipfile.ZipFile(wheel).read("sales_lakehouse-0.1.0.dist-info/METADATA").decode()
    needed = [need for need in Parser().parsestr(metadata).get_all("Requires-Dist", []) if "extra ==" not in need]
    assert needed
    assert not [need for need in needed if "spark" in need]


def test_every_job_is_an_entry_point_of_the_wheel(installed: Path) -> None:
    [metadata] = installed.glob("*.dist-info")
    points = PathDistribution(metadata).entry_points
    assert {(point.name, point.value, point.group) for point in points} == {
        *[(job, f"jobs.{job}:main", "console_scripts") for job in JOBS],
        ("sales-lakehouse", "common.start.dispatch:main", "console_scripts"),
    }


def test_one_command_of_the_wheel_knows_every_job(installed: Path, tmp_path: Path) -> None:
    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(installed / "bin" / "sales-lakehouse"), *options]
        return subprocess.run(command, cwd=tmp_path, env=environment_of(installed), capture_output=True, text=True)

    helped = run("--help")
    assert helped.returncode == 0, helped.stderr
    assert all(f"  {job} " in helped.stdout for job in JOBS)
    assert run("--version").stdout.strip() == "0.1.0"
    made = run("make_sample", "--folder", str(tmp_path), "--transactions", "3", "--customers", "2")
    assert made.returncode == 0, made.stderr
    assert len((tmp_path / "transactions.csv").read_text().splitlines()) == 1 + 3
    unknown = run("load_sale")
    assert unknown.returncode == 2
    assert "Did you mean load_sales?" in unknown.stderr
    assert run("maintain", "--no-such-option").returncode == 2


@pytest.mark.parametrize("job", JOBS)
def test_a_command_of_the_wheel_explains_itself_anywhere(job: str, installed: Path, tmp_path: Path) -> None:
    def run(option: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(installed / "bin" / job), option]
        return subprocess.run(command, cwd=tmp_path, env=environment_of(installed), capture_output=True, text=True)

    helped = run("--help")
    assert helped.returncode == 0, helped.stderr
    assert f"{job} [OPTIONS]" in helped.stdout
    assert run("--no-such-option").returncode == 2


@pytest.mark.parametrize("remote", ["", "local[2]"], ids=["job_cluster", "spark_connect"])
def test_tasks_run_in_the_platforms_session_and_only_failures_raise(
    remote: str, installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "transactions.csv").write_text(
        f"{SALES_HEADER}\nt1,c1,p1,2,1.50,2025-02-22 09:15:00\nt2,c1,p1,1,3.00,2025-02-22 09:45:00\n"
    )
    (tmp_path / "customers.csv").write_text(f"{CUSTOMERS_HEADER}\nc1,Ann,30,Mali\n")
    place = ["--env=managed", "--catalog=spark_catalog", "--schema=sales"]
    customers = f"--customers={tmp_path}/customers.csv"
    load = ["load_sales", *place, f"--transactions={tmp_path}/transactions.csv", customers]
    hours = ["--first-hour=2025-02-22T09", "--last-hour=2025-02-22T09", f"--from-files={tmp_path}/transactions.csv"]
    tasks = [
        load,
        load,
        ["verify_aggregate", *place],
        ["restate", *place, *hours, "--apply"],
        ["maintain", *place, "--retain-hours=168"],
        ["load_sales", *place, "--transactions=nowhere.csv", customers],
        ["sql", "UPDATE spark_catalog.sales.customer_aggregated_data SET QUANTITY = 7"],
        ["verify_aggregate", *place],
        ["verify_aggregate", "--env=no_such_environment"],
    ]
    environment = {
        **environment_of(installed),
        "PYSPARK_SUBMIT_ARGS": submit_arguments(tmp_path / "warehouse"),
        # Spark has a Connect server of its own listen on a free port then.
        "SPARK_TESTING": "1",
    }
    ran = subprocess.run(
        [sys.executable, "-c", PLATFORM],
        input=json.dumps([remote, *tasks]),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    outcomes = [json.loads(line.removeprefix("TASK ")) for line in ran.stdout.splitlines() if line.startswith("TASK ")]
    raised = [outcome[0] for outcome in outcomes]
    assert raised == [None] * 5 + ["SystemExit(2)", "SystemExit(5)", "SystemExit(2)"], ran.stdout + ran.stderr
    assert all(module.startswith(str(installed)) and is_alive == 1 for _, module, is_alive in outcomes)
    sold = arrow(str(tmp_path / "warehouse" / "sales.db" / "sales_data_partitioned"))
    assert sorted(sold.column("TRANSACTION_ID").to_pylist()) == ["t1", "t2"]
