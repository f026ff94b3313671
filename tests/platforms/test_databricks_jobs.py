"""The bundle in deploy/databricks: what the platform would refuse or misread when it is deployed is found here."""

from __future__ import annotations

import copy
import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from databricks.bundles.jobs import Job
from setuptools.config.pyprojecttoml import read_configuration

from common.run.arguments import argument_parser
from common.run.configuration import load_settings
from support.bundles import bundle, jobs, resolved, wrong_values
from support.project import ROOT

TARGETS = ("dev", "prod")
PROJECT: dict[str, Any] = dict(read_configuration(ROOT / "pyproject.toml", expand=False)["project"])
ENTRY_POINTS: dict[str, str] = PROJECT["scripts"]
# What a run is told, by job parameter: where the default is not fit to be run with.
TOLD = {"first_hour": "2025-02-22T09", "last_hour": "2025-02-22T11", "from_files": "/Volumes/main/sales/landing/fixes/"}


def tasks() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every task that runs an entry point, with the name of its job."""
    for name, job in resolved(jobs(), "prod").items():
        yield from ((name, task) for task in job["tasks"] if "python_wheel_task" in task)


TASKS = [pytest.param(job, task, id=f"{job}-{task['task_key']}") for job, task in tasks()]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", jobs())
def test_a_job_is_as_the_vendors_classes_say(name: str, target: str) -> None:
    job: Any = resolved(jobs()[name], target)
    assert Job.from_dict(copy.deepcopy(job)).name == f"sales-lakehouse {name}"
    assert list(wrong_values(job, Job, name)) == []
    # As it is written, with its variables, it is one too.
    written: Any = jobs()[name]
    assert Job.from_dict(written)


@pytest.mark.parametrize(
    ("place", "wrong", "found"),
    [
        (["max_concurrent_runs"], "1", "max_concurrent_runs: '1' is no int"),
        (["timeout_seconds"], True, "timeout_seconds: True is no int"),
        (["queue", "enabled"], "true", "queue.enabled: 'true' is no bool"),
        (["tasks", 0, "max_retries"], 2.0, "tasks[0].max_retries: 2.0 is no int"),
        (["parameters", 0, "default"], 168, "parameters[0].default: 168 is no str"),
        (["health", "rules", 0, "op"], "MORE_THAN", "health.rules[0].op: 'MORE_THAN' is none of JobsHealthOperator"),
        (
            ["job_clusters", 0, "new_cluster", "spark_conf", "spark.sql.session.timeZone"],
            0,
            "job_clusters[0].new_cluster.spark_conf.spark.sql.session.timeZone: 0 is no str",
        ),
    ],
)
def test_a_value_of_a_wrong_type_is_found(place: list[str | int], wrong: Any, found: str) -> None:
    job = resolved(jobs()["load_hourly"], "prod")
    part = job
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = wrong
    assert list(wrong_values(job, Job, "job")) == [f"job.{found}"]


@pytest.mark.parametrize(
    "place", [[], ["schedule"], ["tasks", 0], ["tasks", 0, "python_wheel_task"], ["job_clusters", 0]]
)
def test_a_typo_is_found(place: list[str | int]) -> None:
    job = resolved(jobs()["load_hourly"], "prod")
    part = job
    for step in place:
        part = part[step]
    part["entrypoint"] = "load_sales"
    with pytest.raises(ValueError, match="Unexpected field 'entrypoint'"):
        Job.from_dict(job)


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_gives_every_variable_a_value_and_no_other(target: str) -> None:
    content = bundle()
    assert set(content["targets"]) == set(TARGETS)
    assert set(content["targets"][target]["variables"]) <= set(content["variables"])
    assert "${" not in str(resolved([jobs(), content["targets"][target]], target))


def test_a_variable_that_nobody_declares_is_found() -> None:
    with pytest.raises(KeyError, match=r"var\.catalogue"):
        resolved({"default": "${var.catalogue}"}, "dev")


def test_every_variable_and_every_job_parameter_is_used_and_declared() -> None:
    variables = set(re.findall(r"\$\{var\.(\w+)\}", str([jobs(), bundle()])))
    assert variables == set(bundle()["variables"])
    for job in jobs().values():
        used = set(re.findall(r"\{\{job\.parameters\.(\w+)\}\}", str(job["tasks"])))
        assert used == {parameter["name"] for parameter in job["parameters"]}


def test_every_job_of_ours_is_an_entry_point() -> None:
    modules = {path.stem for path in (ROOT / "src" / "jobs").glob("[a-z]*.py")}
    assert {name: f"jobs.{name}:main" for name in modules} == {
        name: place for name, place in ENTRY_POINTS.items() if place.startswith("jobs.")
    }


@pytest.mark.parametrize(("job", "task"), TASKS)
def test_a_task_runs_an_entry_point_with_options_that_it_has(
    job: str, task: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = task["python_wheel_task"]
    assert wheel["package_name"] == PROJECT["name"]
    assert wheel["entry_point"] in ENTRY_POINTS
    told = {parameter["name"]: parameter["default"] for parameter in resolved(jobs()[job]["parameters"], "prod")} | TOLD
    arguments = [re.sub(r"\{\{job\.parameters\.(\w+)\}\}", lambda p: told[p[1]], text) for text in wheel["parameters"]]
    assert "{{" not in str(arguments)

    kind = importlib.import_module(f"jobs.{wheel['entry_point']}").JOB.settings
    parsed = argument_parser(wheel["entry_point"], "", kind).parse_args(arguments)
    settings = load_settings(vars(parsed), kind)
    assert (settings.env, settings.catalog, settings.schema_, settings.lake) == ("managed", "main", "sales", None)


@pytest.mark.parametrize(("job", "task"), TASKS)
def test_a_task_has_a_place_to_run_the_wheel_and_brings_nothing_else(job: str, task: dict[str, Any]) -> None:
    places = resolved(jobs()[job], "prod")
    if "environment_key" in task:
        [environment] = [e for e in places["environments"] if e["environment_key"] == task["environment_key"]]
        wheels = environment["spec"]["dependencies"]
        assert not {"job_cluster_key", "libraries"} & set(task)
    else:
        [cluster] = [c for c in places["job_clusters"] if c["job_cluster_key"] == task["job_cluster_key"]]
        conf = cluster["new_cluster"]["spark_conf"]
        assert not [key for key in conf if key.startswith(("spark.jars", "spark.sql.extensions", "spark.sql.catalog"))]
        wheels = [library["whl"] for library in task["libraries"]]
    # Where the build of databricks.yml leaves it, from the folder of the resource.
    assert wheels == ["../dist/*.whl"]


def test_the_wheel_asks_for_no_spark_of_its_own() -> None:
    needed = [re.split(r"[^\w-]", requirement)[0] for requirement in PROJECT["dependencies"]]
    assert needed
    assert not {"pyspark", "delta-spark", "pyspark-client"} & set(needed)


@pytest.mark.parametrize("name", jobs())
def test_tasks_follow_tasks_that_there_are_and_a_change_is_verified(name: str) -> None:
    by_key = {task["task_key"]: task for task in jobs()[name]["tasks"]}
    before: dict[str, set[str]] = {}
    for key, task in by_key.items():
        # In the order in which they stand, so that there is no circle.
        following = [dependency["task_key"] for dependency in task.get("depends_on", [])]
        before[key] = {*following, *[earlier for other in following for earlier in before[other]]}
    runs = {key: task["python_wheel_task"] for key, task in by_key.items() if "python_wheel_task" in task}
    verified = {key for checks in runs if runs[checks]["entry_point"] == "verify_aggregate" for key in before[checks]}
    changing = {
        key for key, wheel in runs.items() if wheel["entry_point"] == "load_sales" or "--apply" in wheel["parameters"]
    }
    assert changing <= verified
    assert jobs()[name]["email_notifications"]["on_failure"]
    assert all("max_retries" in by_key[key] for key in runs if runs[key]["entry_point"] == "load_sales")
