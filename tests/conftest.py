"""One Spark session for the suite, configured as spark-submit.sh configures a local run, and a lake of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakes import Workbench

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    jars = os.environ["DELTA_JARS"].replace(",", ":")
    os.environ["PYSPARK_SUBMIT_ARGS"] = " ".join(
        [
            f"--properties-file {ROOT}/conf/spark-local.conf --driver-class-path {jars}",
            "--conf spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension",
            "--conf spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "--conf spark.sql.shuffle.partitions=2 --conf spark.databricks.delta.snapshotPartitions=1",
            f"--conf spark.sql.warehouse.dir={tmp_path_factory.mktemp('warehouse')}",
            "pyspark-shell",
        ]
    )
    session = SparkSession.builder.appName("tests").getOrCreate()
    yield session
    session.stop()


@pytest.fixture
def bench(spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Workbench:
    return Workbench(spark, tmp_path, capsys)
