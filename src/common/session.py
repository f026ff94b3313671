"""What a job asks of the Spark session that the platform hands to it."""

from __future__ import annotations

from pyspark.sql import SparkSession

from common.errors import ConfigError

_UNSAFE = {
    "spark.sql.files.ignoreCorruptFiles": "true",
    "spark.sql.files.ignoreMissingFiles": "true",
    "spark.sql.sources.partitionOverwriteMode": "dynamic",
    "spark.databricks.delta.schema.autoMerge.enabled": "true",
    "spark.sql.ansi.enabled": "false",
}


def check_session(spark: SparkSession) -> None:
    """Raise ConfigError where a Spark setting would make reads or writes silently wrong."""
    for key, unsafe in _UNSAFE.items():
        if str(spark.conf.get(key, None)).lower() == unsafe:
            raise ConfigError(f"The Spark setting {key}={unsafe} would lose or change rows in silence: take it away.")
