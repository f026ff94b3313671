"""What others than our jobs do to a table, with Spark or delta-rs: maintenance, RESTORE, rows changed by hand."""

from __future__ import annotations

from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

ENGINES = ("Spark", "delta-rs")
_CHECKS_RETENTION = "spark.databricks.delta.retentionDurationCheck.enabled"


def optimize(spark: SparkSession, path: str, engine: str) -> None:
    if engine == "Spark":
        spark.sql(f"OPTIMIZE delta.`{path}`").collect()
    else:
        DeltaTable(path).optimize.compact()


def vacuum(spark: SparkSession, path: str, engine: str) -> None:
    """Delete every file that the newest version does not need."""
    if engine == "Spark":
        spark.conf.set(_CHECKS_RETENTION, "false")
        spark.sql(f"VACUUM delta.`{path}` RETAIN 0 HOURS").collect()
        spark.conf.unset(_CHECKS_RETENTION)
    else:
        DeltaTable(path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)


def restore(spark: SparkSession, path: str, engine: str, version: int) -> None:
    if engine == "Spark":
        spark.sql(f"RESTORE TABLE delta.`{path}` TO VERSION AS OF {version}").collect()
    else:
        DeltaTable(path).restore(version)


def delete(spark: SparkSession, path: str, engine: str, column: str, key: str) -> None:
    if engine == "Spark":
        spark.sql(f"DELETE FROM delta.`{path}` WHERE {column} = '{key}'").collect()
    else:
        DeltaTable(path).delete(f"\"{column}\" = '{key}'")


def update(spark: SparkSession, path: str, column: str, key: str, other: str, value: str) -> None:
    """Set another column of the rows with the key to an SQL literal. By Spark: delta-rs cannot evaluate the constraints
    of our tables, and so writes no row.
    """
    spark.sql(f"UPDATE delta.`{path}` SET {other} = {value} WHERE {column} = '{key}'").collect()


def insert_copy(spark: SparkSession, path: str, column: str, key: str, new_key: str) -> None:
    """Add the rows with the key once more, under a new key."""
    rows = spark.read.format("delta").load(path).where(F.col(column) == key)
    rows.withColumn(column, F.lit(new_key)).write.format("delta").mode("append").save(path)
