"""Keep a table's files few, and none of them older than it needs: no row changes."""

from __future__ import annotations

from collections import Counter

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from common.contract import Table
from common.errors import ConfigError
from common.lake.commit_note import CommitNote
from common.lake.commits import Carried, Commit
from common.lake.lake import Lake
from common.spark import jvm
from common.spark.session import set_property, unset_property

_CHECKS_RETENTION = "spark.databricks.delta.retentionDurationCheck.enabled"


def check_may_maintain(spark: SparkSession) -> None:
    """Raise ConfigError where `compact` and `vacuum` are not possible."""
    if not set_property(spark, _CHECKS_RETENTION, "false"):
        raise ConfigError(
            "This job sets properties of the session that serverless compute does not let it set: run it on a job "
            "cluster. No table was changed."
        )
    unset_property(spark, _CHECKS_RETENTION)


def files_to_compact(lake: Lake, table: Table) -> tuple[int, int]:
    """How many data files share their hour (or, without hours, the table) with others, and how many there are."""
    files = lake.read(table, lake.version(table)).inputFiles()
    in_folder = Counter(file.rpartition("/")[0] for file in files)
    return sum(count for count in in_folder.values() if count > 1), len(files)


def compact(lake: Lake, table: Table, *, note: CommitNote) -> Commit | None:
    """Put the data files of each hour together. None where Delta finds that it does not pay."""

    def optimize(carried: Carried) -> None:
        with carried.as_properties(lake.spark):
            lake.spark.sql(f"OPTIMIZE {lake.name(table)}")

    return lake.commit(table, note, optimize)


def old_files(lake: Lake, table: Table, retain_hours: int) -> int:
    """How many files `vacuum` would delete, as far as Delta lists them (up to a thousand). It lists folders, too, which
    have no age in an object store.
    """
    listed = lake.spark.sql(f"VACUUM {lake.name(table)} RETAIN {int(retain_hours)} HOURS DRY RUN")
    return listed.where(F.col("path").endswith(".parquet")).count()


def vacuum(lake: Lake, table: Table, retain_hours: int) -> None:
    """Delete every data file that no version has that was the newest within `retain_hours`, 0 for the newest alone;
    older versions can then not be read.
    """
    jvm.silence_console(lake.spark)
    lake.spark.conf.set(_CHECKS_RETENTION, "false")
    try:
        lake.spark.sql(f"VACUUM {lake.name(table)} RETAIN {int(retain_hours)} HOURS").collect()
    finally:
        lake.spark.conf.unset(_CHECKS_RETENTION)
    lake.look_again(table)


def write_checkpoint(lake: Lake, table: Table) -> bool:
    """Have the log's state stand in one file, as Delta has it every ten commits: what reads the table need not read
    each commit before. False where it does, or where the platform offers no way.
    """
    version = lake.version(table)
    return jvm.write_checkpoint(lake.spark, lake.name(table), version) if version else False
