"""What a job asks of the Spark session that the platform hands to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pyspark.sql import DataFrame, SparkSession

from common.errors import ConfigError
from common.spark.failures import SPARK_ERRORS

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
# Times as INT64 microseconds: INT96, Spark's default, has no statistics, and some readers cannot filter on it.
_TIMES = ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
# Delta writes an hour into a partition's name as the session's clock shows it: where clocks are set back in autumn, two
# hours have one name, and the sales of both would be in one.
_TIME_ZONE = "spark.sql.session.timeZone"
# How Databricks' serverless compute says that it lets a session not read or set a property, and keep no rows.
_NOT_OFFERED = ("CONFIG_NOT_AVAILABLE", "NOT_SUPPORTED_WITH_SERVERLESS")


def check_session(spark: SparkSession) -> None:
    """Raise ConfigError where a Spark setting would lose or change rows in silence; have page checksums verified,
    times written as INT64 where the platform lets that be set, and the session keep UTC.
    """
    for key, unsafe in _UNSAFE.items():
        if str(property_of(spark, key)).lower() == unsafe:
            raise ConfigError(f"The Spark setting {key}={unsafe} would lose or change rows in silence: take it away.")
    set_property(spark, _VERIFY_PAGES, "true")
    set_property(spark, *_TIMES)
    if not set_property(spark, _TIME_ZONE, "UTC"):
        raise ConfigError(f"The session must keep UTC, and the platform does not let {_TIME_ZONE} be set.")


def writes_micros(spark: SparkSession) -> bool:
    """Whether the session is known to write times as INT64 microseconds."""
    key, value = _TIMES
    return property_of(spark, key) == value


def property_of(spark: SparkSession, key: str) -> str | None:
    """A property of the session; None where it is not set, or where the platform does not say."""
    value = None
    with _where_offered():
        value = spark.conf.get(key, None)
    return value


def set_property(spark: SparkSession, key: str, value: str) -> bool:
    """Set a property of the session; returns whether the platform lets it be set."""
    is_set = False
    with _where_offered():
        spark.conf.set(key, value)
        is_set = True
    return is_set


def unset_property(spark: SparkSession, key: str) -> None:
    """Take back what `set_property` set, if it did."""
    with _where_offered():
        spark.conf.unset(key)


def keep(rows: DataFrame) -> bool:
    """Have Spark keep the rows in memory and on local disk, once it has computed them, until `unpersist`; returns
    whether it does. Where the platform lets no session keep rows, they are computed each time they are read.
    """
    is_kept = False
    with _where_offered():
        rows.persist()
        is_kept = True
    return is_kept


def cut_off(rows: DataFrame) -> DataFrame:
    """The rows, computed once and kept by Spark until nobody has them any more. A plan that reads them ends there; with
    `keep` it still names all that they are computed from, and the more so where such rows are made of each other. Where
    the platform does not offer it, the rows are as they were.
    """
    with _where_offered():
        return rows.localCheckpoint(eager=False)
    return rows


def unpersist(rows: DataFrame) -> None:
    """Free what `keep` takes."""
    with _where_offered():
        rows.unpersist()


def cancel_all_jobs() -> None:
    """Have the session, if there is one, do nothing more: where its JVM outlives this process, it works for nobody."""
    with suppress(Exception):
        session = SparkSession.getActiveSession()
        if session is not None:
            session.sparkContext.cancelAllJobs()


@contextmanager
def kept(rows: DataFrame) -> Iterator[DataFrame]:
    """The rows, kept meanwhile."""
    keep(rows)
    try:
        yield rows
    finally:
        unpersist(rows)


@contextmanager
def _where_offered() -> Iterator[None]:
    """Pass over an error that says that the platform does not offer what was asked; any other is raised."""
    try:
        yield
    except SPARK_ERRORS as error:
        if not any(condition in str(error) for condition in _NOT_OFFERED):
            raise
