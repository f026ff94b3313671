"""What a job asks of the Spark session that the platform hands to it."""

from __future__ import annotations

import os

from pyspark.sql import SparkSession, is_remote

from common.errors import ConfigError

_UNSAFE = {
    "spark.sql.files.ignoreCorruptFiles": "true",
    "spark.sql.files.ignoreMissingFiles": "true",
    "spark.sql.sources.partitionOverwriteMode": "dynamic",
    "spark.databricks.delta.schema.autoMerge.enabled": "true",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.storeAssignmentPolicy": "legacy",
}
# A damaged page of a Parquet file is an error, never a wrong value.
_VERIFY_PAGES = "parquet.page.verify-checksum.enabled"
# Delta writes an hour into a partition's name as the session's clock shows it: where clocks are set back in autumn, two
# hours have one name, and the sales of both would be in one.
_TIME_ZONE = "spark.sql.session.timeZone"


def is_on_this_disk(folder: str) -> bool:
    """Whether Spark finds under a folder's path the files that this process finds there.

    Over Spark Connect, the server may run on another machine; it does not where PySpark has started it for us.
    """
    is_elsewhere = is_remote() and "SPARK_LOCAL_REMOTE" not in os.environ
    return "://" not in folder and not is_elsewhere


def check_session(spark: SparkSession) -> None:
    """Raise ConfigError where a Spark setting would lose or change rows in silence; have page checksums verified, and
    the session keep UTC.
    """
    for key, unsafe in _UNSAFE.items():
        if str(spark.conf.get(key, None)).lower() == unsafe:
            raise ConfigError(f"The Spark setting {key}={unsafe} would lose or change rows in silence: take it away.")
    spark.conf.set(_VERIFY_PAGES, "true")
    spark.conf.set(_TIME_ZONE, "UTC")
