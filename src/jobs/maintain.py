"""Keep the lake fast: index the ids of the sales, put small data files together, and delete those that only versions of
long ago have.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field
from pyspark.sql import SparkSession

from common.contract import LOGIC_VERSION, OPTIONAL_TABLES, SALE_IDS, TABLES
from common.contract.gold import GOLD_TABLES
from common.lake import id_index
from common.lake.lake import Lake
from common.maintenance import compaction
from common.marts.gold_refresh import gold_tables_of
from common.run.command import run_command
from common.run.console import Reporter
from common.run.report import RunReport
from common.run.settings import LAKE_OPTIONS, Settings
from common.run.work import record_run, versions_of_existing, work_on_lake
from common.spark.session import check_session

JOB = "maintain"
_MAINTAINED = (*TABLES, *OPTIONAL_TABLES, *GOLD_TABLES)


class MaintainSettings(Settings):
    """The settings of maintain."""

    offered: ClassVar[frozenset[str]] = LAKE_OPTIONS | {"retain_hours", "dry_run"}

    retain_hours: Annotated[
        int,
        Field(ge=168, description="how long versions stay readable that are no longer the newest (default: 168)"),
    ] = 168


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, __doc__ or "", run, argv, MaintainSettings)


def run(spark: SparkSession, settings: MaintainSettings) -> RunReport:
    """Index the ids, compact every table, then delete what is older than `retain_hours`; with dry_run, only say how
    much there is to compact and to delete.
    """
    check_session(spark)
    with Reporter(steps=len(_MAINTAINED) + (0 if settings.dry_run else 2), as_json=settings.json_) as reporter:
        report = work_on_lake(
            spark, settings, JOB, lambda lake, report: _maintain(lake, settings, report, reporter), reporter
        )
    reporter.finish(report)
    return report


def _maintain(lake: Lake, settings: MaintainSettings, report: RunReport, reporter: Reporter) -> None:
    lake.check_files(GOLD_TABLES)
    before = versions_of_existing(lake, gold_tables_of(lake))
    note = {"run_id": report.run_id, "job": JOB, "logic_version": LOGIC_VERSION}
    would = "would be " if settings.dry_run else ""
    if not settings.dry_run:
        compaction.check_may_maintain(lake.spark)
        with reporter.step("Index the ids of the sales"):
            report.take_commit(SALE_IDS, id_index.extend(lake, note))
    for table in _MAINTAINED:
        with reporter.step(f"Maintain {table.name}") as said:
            if lake.version(table) is None:
                said.append("not there")
                continue
            small, total = compaction.files_to_compact(lake, table)
            said.append(f"{small:,} of {total:,} files {would}put together")
            if small and not settings.dry_run:
                report.take_commit(table, compaction.compact(lake, table, note=note))
            old = compaction.old_files(lake, table, settings.retain_hours)
            if old and not settings.dry_run:
                compaction.vacuum(lake, table, settings.retain_hours)
            said.append(
                f"{old:,} files of older versions {would}deleted" if old else "none is old enough to be deleted"
            )
            if not settings.dry_run and compaction.write_checkpoint(lake, table):
                said.append("a checkpoint written")
    if not settings.dry_run:
        with reporter.step("Record the run"):
            record_run(lake, report, before)


if __name__ == "__main__":
    sys.exit(main())
