"""What a job asks of the Spark session that the platform hands to it."""

from __future__ import annotations

import os

from pyspark.sql import DataFrame, SparkSession, is_remote

from common.errors import SPARK_ERRORS, ConfigError

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
# How Databricks' serverless compute says that it lets a session not read or set a property, and keep no rows.
_NOT_OFFERED = ("CONFIG_NOT_AVAILABLE", "NOT_SUPPORTED_WITH_SERVERLESS")


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
        if str(property_of(spark, key)).lower() == unsafe:
            raise ConfigError(f"The Spark setting {key}={unsafe} would lose or change rows in silence: take it away.")
    set_property(spark, _VERIFY_PAGES, "true")
    if not set_property(spark, _TIME_ZONE, "UTC"):
        raise ConfigError(f"The session must keep UTC, and the platform does not let {_TIME_ZONE} be set.")


def property_of(spark: SparkSession, key: str) -> str | None:
    """A property of the session; None where it is not set, or where the platform does not say."""
    try:
        return spark.conf.get(key, None)
    except SPARK_ERRORS as error:
        _must_be_not_offered(error)
        return None


def set_property(spark: SparkSession, key: str, value: str) -> bool:
    """Set a property of the session; returns whether the platform lets it be set."""
    try:
        spark.conf.set(key, value)
    except SPARK_ERRORS as error:
        _must_be_not_offered(error)
        return False
    return True


def unset_property(spark: SparkSession, key: str) -> None:
    """Take back what `set_property` set, if it did."""
    try:
        spark.conf.unset(key)
    except SPARK_ERRORS as error:
        _must_be_not_offered(error)


def keep(rows: DataFrame) -> bool:
    """Have Spark keep the rows in memory and on local disk, once it has computed them, until `give_back`; returns
    whether it does. Where the platform lets no session keep rows, they are computed each time they are read.
    """
    try:
        rows.persist()
    except SPARK_ERRORS as error:
        _must_be_not_offered(error)
        return False
    return True


def give_back(rows: DataFrame) -> None:
    """Free what `keep` takes."""
    try:
        rows.unpersist()
    except SPARK_ERRORS as error:
        _must_be_not_offered(error)


def _must_be_not_offered(error: Exception) -> None:
    """Raise an error that says anything else than that the platform does not offer what was asked."""
    if not any(condition in str(error) for condition in _NOT_OFFERED):
        raise error
