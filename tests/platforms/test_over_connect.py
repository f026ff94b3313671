"""The tests that carry the product, once more over Spark Connect, which is what serverless compute is; and
a server that has other disks than its client.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.lakes import CUSTOMERS_HEADER, SALES_HEADER, arrow
from support.project import ROOT, path_of_test
from support.worker import Worker, submit_arguments

pytestmark = pytest.mark.platform

# What deploy/databricks runs on serverless compute, load_sales, build_gold and verify_aggregate, and the jobs that
# may run there too, by the files of their everyday tests.
ON_SERVERLESS = {
    "loads": (
        "test_changed_rows.py",
        "test_load_incrementally.py",
        "test_other_writers.py",
        "test_reading_csv.py",
        "test_refused_runs.py",
    ),
    "gold and verification": ("test_gold.py", "test_verify_aggregate.py"),
    "forecasts and offers": ("test_forecast_sales.py", "test_recommendations.py"),
}
# All other jobs, and what load_sales does besides; of the longest files the test that does the most.
ON_A_JOB_CLUSTER = (
    "test_forget_customer.py::test_a_customer_is_forgotten_everywhere_and_does_not_come_back",
    "test_maintain.py",
    "test_release_rejected.py",
    "test_restate.py",
    "test_sequences.py::test_the_newer_row_counts_whenever_it_comes_and_rows_that_tie_are_rejected_together",
    "test_tables.py",
    "test_touched_hours.py::test_a_run_reads_and_rewrites_only_the_hours_that_change_as_planned",
)
# Says its port, and stays until its standard input ends.
SERVER = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
service = getattr(spark._jvm, "org.apache.spark.sql.connect.service.SparkConnectService$")
print(getattr(service, "MODULE$").localPort(), flush=True)
sys.stdin.read()
spark.stop()
"""


@pytest.mark.parametrize("files", ON_SERVERLESS.values(), ids=ON_SERVERLESS)
def test_what_carries_the_product_runs_over_connect_and_under_the_limits_of_serverless_compute(
    files: tuple[str, ...], tmp_path: Path
) -> None:
    passes_over_connect(files, tmp_path, f"--serverless={','.join(files)}")


def test_what_runs_on_a_job_cluster_runs_over_connect(tmp_path: Path) -> None:
    passes_over_connect(ON_A_JOB_CLUSTER, tmp_path)


def passes_over_connect(tests: tuple[str, ...], folder: Path, *options: str) -> None:
    """Run them in a process of its own: Spark has one kind of session in each."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={folder}/tests"]
    command += ["--connect=local[2]", *options, *map(path_of_test, tests)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-5000:]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The URL of a Connect server to which / is a folder of its own, in a process of its own."""
    conf = {
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": "0",
        "spark.hadoop.fs.defaultFS": "viewfs://server/",
        "spark.hadoop.fs.viewfs.mounttable.server.link./data": f"file://{tmp_path}/disk",
    }
    (tmp_path / "disk").mkdir()
    options = [f"--conf {key}={value}" for key, value in conf.items()]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=tmp_path,
        env={**os.environ, "PYSPARK_SUBMIT_ARGS": submit_arguments(Path(f"file://{tmp_path}/warehouse"), *options)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    assert port, "the server did not start"
    yield f"sc://127.0.0.1:{port}"
    process.stdin.close()
    process.wait()


def test_a_server_with_disks_of_its_own_keeps_the_lake(server: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / "customer.csv").write_text(f"{CUSTOMERS_HEADER}\nc1,Ann,30,Mali\n")
    (disk / "sales").mkdir()
    (disk / "sales" / "1.csv").write_text(f"{SALES_HEADER}\nt1,c1,p1,2,1.50,2025-02-22 09:15:00\n")
    load = ["load_sales", "--lake=/data/lake", "--transactions=/data/sales", "--customers=/data/customer.csv"]
    with Worker(tmp_path / "client", {"SPARK_REMOTE": server}) as client:
        assert client.run(*load)[0] == 0
        (disk / "sales" / "2.csv").write_text(f"{SALES_HEADER}\nt1,c1,p1,5,1.50,2025-02-22 10:15:00\n")
        for command in (load, ["verify_aggregate", "--lake=/data/lake"], ["maintain", "--lake=/data/lake"]):
            exit_code, printed = client.run(*command)
            assert exit_code == 0, printed
    assert not Path("/data/lake").exists()
    aggregate = arrow(str(disk / "lake" / "customer_aggregated_data"))
    assert [(row["QUANTITY"], row["transaction_hour"].hour) for row in aggregate.to_pylist()] == [(5, 10)]
