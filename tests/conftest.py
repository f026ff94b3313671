"""One Spark session for the suite, configured as spark-submit.sh configures a local run, and a lake of one's own."""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession, is_remote

from support.batteries import Battery, record
from support.canaries import Canaries, Searched
from support.lakes import Workbench
from support.worker import MANY_RUNS, submit_arguments

_FIGURES = pytest.StashKey[list[Battery]]()
_SEARCHED = pytest.StashKey[Searched]()
_LONGEST = ("test_over_connect.py", "test_recommendations.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("batteries")
    group.addoption("--seed", type=int, default=20250222, help="what the random choices of the batteries start from")
    group.addoption("--share", type=float, default=1.0, help="this share of each battery's rounds, such as 0.1")
    group.addoption(
        "--record", action="store_true", help="write the figures of the batteries into docs/explanation/proof.md"
    )
    parser.addoption("--part", metavar="K/N", help="of all tests that are chosen, run the K-th of N parts, such as 1/3")
    parser.addoption("--seconds", action="store_true", help="say in the end how many seconds each file of tests took")
    parser.addoption("--connect", metavar="URL", help="run the tests over Spark Connect: local[2], or sc://HOST:PORT")
    parser.addoption(
        "--serverless",
        metavar="FILES",
        default="",
        help="have the jobs in these files of tests, with commas, refused what serverless compute refuses",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash.setdefault(_FIGURES, [])
    config.stash.setdefault(_SEARCHED, Searched())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the part that is asked for. Of several processes, none is to begin the longest file when the others are
    done.
    """
    part = config.getoption("--part")
    if part:
        number, parts = map(int, part.split("/"))
        assert 1 <= number <= parts, "--part takes K/N, such as 1/3"
        chosen = [item for group in _groups(items)[number - 1 :: parts] for item in group]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
    items.sort(key=lambda item: item.path.name not in _LONGEST)


def _groups(items: list[pytest.Item]) -> list[list[pytest.Item]]:
    """Each test by itself, but for those that go on from one another."""
    groups: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        name, _, _ = item.nodeid.partition("[")
        groups[name if item.get_closest_marker("in_order") else item.nodeid].append(item)
    return [*groups.values()]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where tests run in several processes, each hands on what it has for the summary."""
    config = session.config
    output: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if output is not None:
        output["figures"] = [asdict(battery) for battery in config.stash[_FIGURES]]
        output["searched"] = asdict(config.stash[_SEARCHED])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a process of tests has handed on; one that died has nothing."""
    output, stash = getattr(node, "workeroutput", None), node.config.stash
    if output is not None:
        stash[_FIGURES] += [Battery(**figures) for figures in output["figures"]]
        stash[_SEARCHED].add(Searched(**output["searched"]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--seconds"):
        _say_seconds(terminalreporter)
    searched, seed = config.stash[_SEARCHED], config.getoption("--seed")
    if searched.files and config.getoption("-m") in config.getini("addopts"):
        canaries = Battery("canary_names", seed, 1.0, "./run-tests.sh", str(searched))
        config.stash[_FIGURES].append(canaries)
    for battery in config.stash[_FIGURES]:
        terminalreporter.write_line(f"battery {battery.name}, seed {battery.seed}: {battery.figure}")
    if config.getoption("--record"):
        record(config.stash[_FIGURES])


def _say_seconds(terminalreporter: pytest.TerminalReporter) -> None:
    """The seconds of each file of tests, the longest first."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for report in itertools.chain(*terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport):
            seconds[report.nodeid.partition("::")[0]] += report.duration
    for path, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        terminalreporter.write_line(f"{spent:7.1f} s  {path}")


@pytest.fixture(scope="session")
def spark(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    os.environ["PYSPARK_SUBMIT_ARGS"] = submit_arguments(tmp_path_factory.mktemp("warehouse"), java=MANY_RUNS)
    builder = SparkSession.builder.appName("tests")
    url = request.config.getoption("--connect")
    if url:
        # Spark has a server of its own listen on a free port then.
        os.environ["SPARK_TESTING"] = "1"
        builder = builder.remote(url)
    session = builder.getOrCreate()
    assert is_remote() is bool(url)
    yield session
    session.stop()


@pytest.fixture
def bench(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> Iterator[Workbench]:
    canaries = Canaries(request.config.stash[_SEARCHED])
    is_of_a_job_cluster = request.node.get_closest_marker("job_cluster") is not None
    on_serverless = request.path.name in request.config.option.serverless.split(",") and not is_of_a_job_cluster
    bench = Workbench(spark, tmp_path, canaries=canaries, on_serverless=on_serverless)
    yield bench
    bench.canaries.search_logs(bench.lake)


@pytest.fixture
def battery(request: pytest.FixtureRequest) -> Iterator[Battery]:
    """The size and seed of a battery, and where its figure goes when it has passed."""
    options = request.config.option
    battery = Battery(
        name=request.node.originalname.removeprefix("test_"),
        seed=options.seed,
        share=options.share,
        command=f"./run-tests.sh -m battery {request.node.nodeid}",
    )
    yield battery
    if battery.figure:
        request.config.stash[_FIGURES].append(battery)
