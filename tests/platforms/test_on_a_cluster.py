"""The same script on clusters of real processes: what it sends along is enough, and every table ends as here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from common.start.cluster_archive import PACKAGES, with_dependencies
from jobs import make_sample
from support.clusters import Cluster, Server, standalone, wait_until, without_ours, yarn, yarn_printed
from support.killing import Rows, assert_same, contents, deliver_the_first, deliver_the_rest, versions
from support.lakes import REAL_DATA, Workbench, needs_real_data
from support.project import ROOT
from support.real_files import assert_is_the_real_lake

pytestmark = pytest.mark.platform

SPARK_HOME = Path(os.environ["SPARK_HOME"])
RUNS_TABLE = "pipeline_runs"
ANY_SHARE = "--max-rejected-share=1"


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python without any package, as the machines of a cluster have it."""
    folder = tmp_path_factory.mktemp("python")
    venv.create(folder, symlinks=True)
    return f"{folder}/bin/python"


@pytest.fixture(scope="module")
def spark_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    # Executors need no Python.
    with standalone(tmp_path_factory.mktemp("standalone"), "/there/is/no/python") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def yarn_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    script = """
        source ./setup.sh requirements-dev.lock &&
            setup_jars "$PWD/tests/support/yarn-jars.lock" yarn-jars && echo $SETUP_JARS
    """
    found = subprocess.run(["bash", "-c", script], cwd=ROOT, env=without_ours(), capture_output=True, text=True)
    if found.returncode:
        pytest.skip(f"no YARN: {found.stderr.strip()}")
    with yarn(tmp_path_factory.mktemp("yarn"), found.stdout.strip().replace(",", ":")) as cluster:
        yield cluster


@dataclass
class Platform:
    """A Spark that somebody else has set up, as far as the script can see: it only prints what it is called with."""

    folder: Path

    def __post_init__(self) -> None:
        self.home = self.folder / "spark"
        for name in ("bin", "jars", "conf"):
            (self.home / name).mkdir(parents=True)
        submit = self.home / "bin" / "spark-submit"
        submit.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@" --- "SPARK_CONF_DIR=${SPARK_CONF_DIR:-}"; env\n')
        submit.chmod(0o755)

    def has(self, *jars: str) -> None:
        for jar in jars:
            (self.home / "jars" / jar).touch()

    def submit(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [f"{ROOT}/spark-submit.sh", *arguments],
            cwd=self.folder,
            env={**without_ours(), "SPARK_HOME": str(self.home), **environment},
            capture_output=True,
            text=True,
        )

    def must_submit(self, *arguments: str, **environment: str) -> Submitted:
        done = self.submit(*arguments, **environment)
        assert done.returncode == 0, done.stderr
        options, _, variables = done.stdout.partition("---\n")
        return Submitted(
            options.splitlines(), dict(line.split("=", 1) for line in variables.splitlines() if "=" in line)
        )


@dataclass
class Submitted:
    """What spark-submit was called with."""

    options: list[str]
    variables: dict[str, str]

    def values(self, option: str) -> list[str]:
        return [self.options[i + 1] for i, name in enumerate(self.options) if name == option]

    def conf(self) -> dict[str, str]:
        return dict(value.split("=", 1) for value in self.values("--conf"))

    def jars(self) -> list[str]:
        return [Path(jar).name for value in self.values("--jars") for jar in value.split(",")]


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


@dataclass(frozen=True)
class Delivery:
    """Files of both feeds, and what a local run makes of them."""

    feeds: list[str]
    expected: dict[str, Rows]

    @classmethod
    def loaded_here(cls, bench: Workbench) -> Delivery:
        """All that has arrived."""
        bench.must_load()
        return cls([f"--transactions={bench.transactions}", f"--customers={bench.customers}"], contents(bench.lake))


@pytest.fixture(scope="module")
def delivery(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """A sample of 2,000 sales, and all that a delivery can bring: corrections, duplicates, refused rows."""
    bench = Workbench(spark, tmp_path_factory.mktemp("delivery"))
    assert make_sample.main(["--folder", str(bench.folder / "sample"), "--transactions=2000", "--hours=50"]) == 0
    bench.file(bench.transactions / "sample.csv", (bench.folder / "sample" / "transactions.csv").read_bytes())
    bench.file(bench.customers / "sample.csv", (bench.folder / "sample" / "customer.csv").read_bytes())
    deliver_the_first(bench)
    deliver_the_rest(bench)
    return Delivery.loaded_here(bench)


def runs_and_others(lake: Path) -> tuple[int, dict[str, int]]:
    """The newest version of pipeline_runs, and those of the other tables."""
    found = versions(lake)
    return found.pop(RUNS_TABLE), found


@needs_real_data
def test_the_real_files_on_two_workers_end_as_here(bench: Workbench, spark_cluster: Cluster) -> None:
    shutil.copy2(REAL_DATA / "transactions.csv", bench.transactions)
    shutil.copy2(REAL_DATA / "customer.csv", bench.customers)
    real = Delivery.loaded_here(bench)
    assert_is_the_real_lake(bench)
    lake = bench.folder / "cluster"
    printed = spark_cluster.run(bench.folder / "output.txt", "load_sales", *real.feeds, f"--lake={lake}")
    assert "16,084 written in 50 hours" in printed
    assert_same(lake, real.expected)
    workers = spark_cluster.servers.folder
    executors = {path.parts[-4]: path.read_text() for path in workers.glob("worker_*/app-*/*/stderr")}
    assert {"worker_1", "worker_2"} == set(executors)
    # Java's compiler is told what to do on both sides.
    assert all("-XX:Tier4InvocationThreshold=" in started for started in executors.values())


def test_tables_in_a_catalog_are_found_by_name_in_another_session_which_writes_nothing(
    delivery: Delivery, spark_cluster: Cluster, tmp_path: Path
) -> None:
    warehouse, output = tmp_path / "warehouse", tmp_path / "output.txt"
    metastore = f"jdbc:derby:;databaseName={tmp_path}/metastore;create=true"
    arguments = [
        *("--conf=spark.sql.catalogImplementation=hive", f"--conf=spark.sql.warehouse.dir={warehouse}"),
        f"--conf=spark.hadoop.javax.jdo.option.ConnectionURL={metastore}",
        f"--driver-java-options=-Dderby.stream.error.file={tmp_path}/derby.log",
        *("--catalog=spark_catalog", "--schema=default"),
        *(*delivery.feeds, ANY_SHARE),
    ]
    printed = spark_cluster.run(output, "load_sales", *arguments)
    assert "spark_catalog.default.sales_data_partitioned: new, now version 1" in printed
    assert_same(warehouse, delivery.expected)

    runs, others = runs_and_others(warehouse)
    again = spark_cluster.run(output, "load_sales", *arguments)
    assert "Nothing new: no table was changed." in again
    assert runs_and_others(warehouse) == (runs + 1, others)


def test_code_that_travels_is_imported_by_executors_without_our_packages(
    platform: Platform, spark_cluster: Cluster, bare_python: str
) -> None:
    """No Python code of ours runs on executors by itself: this job has them import the zip that the script sends."""
    platform.has(DELTA_JAR)
    (code,) = platform.must_submit("--master=spark://127.0.0.1:1").values("--py-files")
    with zipfile.ZipFile(code) as packed:
        assert {name.partition("/")[0] for name in packed.namelist()} == {"common", "jobs"}
    job = platform.folder / "job.py"
    job.write_text(
        "from pyspark.sql import SparkSession\n"
        "def imported(_):\n"
        "    import importlib.util, os, common.contract, jobs\n"
        "    yield os.path.abspath(common.contract.__file__), importlib.util.find_spec('pydantic') is None\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "print(spark.sparkContext.parallelize([1, 2], 2).mapPartitions(imported).collect())\n"
    )
    submit = [f"{SPARK_HOME}/bin/spark-submit", *spark_cluster.options, "--py-files", code]
    submit += ["--conf", f"spark.pyspark.python={bare_python}"]
    environment = {**without_ours(), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_CONF_DIR": f"{ROOT}/conf"}
    environment |= {"SPARK_HOME": str(SPARK_HOME)}
    done = subprocess.run([*submit, str(job)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"'\S+/worker_\d/\S+/sales_lakehouse\.zip/common/contract/__init__\.py', True", done.stdout)
    assert len(found) == 2, done.stdout


def test_a_driver_on_yarn_has_its_packages_and_settings_with_it_and_one_here_finds_the_same_lake(
    delivery: Delivery, yarn_cluster: Cluster, bare_python: str, tmp_path: Path
) -> None:
    """The Python of the cluster has none of our packages."""
    lake, output = tmp_path / "cluster", tmp_path / "output.txt"
    arguments = ["--env=cluster", f"--lake={lake}", *delivery.feeds]
    # A variable of here counts there.
    environment = {"SALES_LAKEHOUSE_MAX_REJECTED_SHARE": "0.9", "PYSPARK_PYTHON": bare_python}

    submitted = yarn_cluster.run(output, "load_sales", "--deploy-mode=cluster", *arguments, **environment)
    assert "[6/6]" not in submitted
    assert "[6/6] Record the run" in yarn_printed(yarn_cluster)
    assert_same(lake, delivery.expected)

    runs, others = runs_and_others(lake)
    in_client_mode = yarn_cluster.run(output, "load_sales", *arguments, **environment)
    assert "Nothing new: no table was changed." in in_client_mode
    assert runs_and_others(lake) == (runs + 1, others)


def test_a_worker_killed_in_the_middle_of_a_load(delivery: Delivery, spark_cluster: Cluster, tmp_path: Path) -> None:
    """With one core for the job, all that it keeps in memory and all that it has shuffled is on the worker that dies.

    Comes last on this cluster, which has one worker from then on.
    """
    lake, output = tmp_path / "cluster", tmp_path / "output.txt"
    load = spark_cluster.start(
        output,
        "load_sales",
        *("--conf", "spark.cores.max=1", f"--lake={lake}"),
        *(*delivery.feeds, ANY_SHARE),
        SALES_SPARK_LOG_LEVEL="warn",
    )
    merged = lake / "customers" / "_delta_log" / "00000000000000000001.json"
    wait_until("customers are merged", merged.exists, lambda: load.poll() is None)
    assert versions(lake)["sales_data_partitioned"] == 0
    (victim,) = [server for server in spark_cluster.servers.running if has_executor(server)]
    victim.kill()

    assert load.wait() == 0, output.read_text()
    # Spark's own words for rows that were kept and are gone.
    assert re.search(r"No more replicas available for rdd_\d+_\d+", output.read_text()), output.read_text()
    assert_same(lake, delivery.expected)


def has_executor(server: Server) -> bool:
    return any("CoarseGrainedExecutorBackend" in program for program in server.programs())


OUR_JARS = [Path(jar).name for jar in os.environ["DELTA_JARS"].split(",")]
DELTA_JAR = "delta-spark_2.13-4.0.1.jar"
EXTENSIONS, CATALOG = "spark.sql.extensions", "spark.sql.catalog.spark_catalog"


def test_a_platforms_own_spark_and_delta_are_used_as_they_are(platform: Platform) -> None:
    platform.has("spark-core_2.13-4.0.1.jar", DELTA_JAR)
    (platform.home / "conf" / "spark-defaults.conf").write_text(f"{EXTENSIONS} theirs\n# {CATALOG} not.set\n")
    called = platform.must_submit("--env", "cluster", "--master", "yarn")
    assert called.jars() == []
    assert called.values("--properties-file") == []
    assert called.variables["SPARK_CONF_DIR"] == ""
    assert called.conf().keys() == {CATALOG, "spark.pyspark.driver.python"}


@pytest.mark.parametrize(
    "option",
    [
        ["--packages", "io.delta:delta-spark_2.13:4.0.1"],
        ["--conf", f"spark.jars=local:///opt/{DELTA_JAR}"],
        ["--properties-file", "mine.conf"],
    ],
    ids=["a package", "a property", "a file of properties"],
)
def test_a_delta_that_an_option_brings_is_not_joined_by_another(platform: Platform, option: list[str]) -> None:
    (platform.folder / "mine.conf").write_text(f"spark.jars /opt/{DELTA_JAR}\n")
    jars = platform.must_submit("--env=cluster", "--master=yarn", *option).jars()
    assert jars in ([], [DELTA_JAR])


def test_a_platforms_spark_without_delta_gets_ours_if_it_fits(platform: Platform) -> None:
    platform.has("spark-core_2.13-4.2.0.jar")
    (platform.home / "conf" / "spark-defaults.conf").write_text("spark.master yarn\nspark.jars /opt/theirs.jar\n")
    called = platform.must_submit("--env=cluster")
    assert called.jars() == [*OUR_JARS, "theirs.jar"]  # or Spark would not read their property
    assert {EXTENSIONS, CATALOG} <= called.conf().keys()


def test_a_platforms_spark_that_no_delta_fits_is_named(platform: Platform) -> None:
    platform.has("spark-core_2.12-3.5.1.jar")
    refused = platform.submit("--env=cluster", "--master=yarn")
    assert refused.returncode == 2
    assert f"SPARK_HOME is {platform.home}, which is not Spark 4.2" in refused.stderr


def test_on_one_machine_the_projects_own_spark_runs(platform: Platform) -> None:
    refused = platform.submit("--master", "local[1]", "--conf=nonsense")
    assert refused.returncode == 1
    assert "Invalid argument to --conf: nonsense" in refused.stderr + refused.stdout


def test_a_driver_on_kubernetes_has_its_packages_and_settings_with_it(platform: Platform, bare_python: str) -> None:
    """No pod is started here: what the pod would be given is laid out as Spark does it, and read by a bare Python."""
    platform.has(DELTA_JAR)
    called = platform.must_submit(
        *("load_sales", "--env=cluster", "--master=k8s://https://127.0.0.1:1", "--deploy-mode=cluster"),
        "--archives=theirs.zip#theirs",
        SALES_LAKEHOUSE_LAKE="hdfs://store/lake",
        SALES_LAKEHOUSE_TRANSACTIONS="hdfs://store/sales",
        SALES_LAKEHOUSE_CUSTOMERS="hdfs://store/customers",
    )
    ours, theirs = called.values("--archives")[0].split(",")
    archive, _, link = ours.partition("#")
    assert theirs == "theirs.zip#theirs"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(platform.folder / link)
    prefix = "spark.kubernetes.driverEnv."
    given = {name.removeprefix(prefix): value for name, value in called.conf().items() if name.startswith(prefix)}
    script = (
        "from common.run.configuration import load_settings; from common.run.settings import LoadSettings; "
        "s = load_settings({'env': 'cluster'}, LoadSettings); print(s.lake, s.rules_path)"
    )
    (code,) = called.values("--py-files")
    sparks = [str(path) for path in (SPARK_HOME / "python" / "lib").glob("*.zip")]
    path = os.pathsep.join([*sparks, code, given.pop("PYTHONPATH")])
    done = subprocess.run(
        [bare_python, "-c", f"{script}; import yaml, rich, tzdata; print(yaml.__file__)"],
        cwd=platform.folder,
        env={**given, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"hdfs://store/lake {link}/conf/quality.yml"
    assert f"{link}/packages/yaml/" in done.stdout
    assert called.variables["PYSPARK_PYTHON"] == f"python{sys.version_info[0]}.{sys.version_info[1]}"
    assert "PYSPARK_DRIVER_PYTHON" not in called.variables


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (["--env=cluster", "--lake", "lake"], "--lake lake: a driver on the cluster"),
        (["--env=cluster", "--transactions=landing/*.csv"], "--transactions landing/*.csv: a driver on the cluster"),
        (["--lake=/lake"], "use --env cluster"),
    ],
)
def test_a_driver_elsewhere_is_told_of_nothing_that_is_only_here(
    platform: Platform, option: list[str], sentence: str
) -> None:
    platform.has(DELTA_JAR)
    refused = platform.submit("--master=yarn", "--deploy-mode=cluster", *option)
    assert refused.returncode == 2
    assert sentence in refused.stderr


def test_the_packages_for_a_driver_are_those_that_the_project_names() -> None:
    named = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    assert named
    assert tuple(re.findall(r'^ *"([\w-]+)', named[1], re.MULTILINE)) == PACKAGES
    assert with_dependencies(PACKAGES).isdisjoint({"pyspark", "delta-spark", "py4j"})
