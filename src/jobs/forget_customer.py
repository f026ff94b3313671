"""Take all that is about one customer out of the lake, for good, and search the lake for what is left."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field
from pyspark.sql import SparkSession

from common.contract import CUSTOMERS, LOGIC_VERSION, REJECTED, SALES, TABLES
from common.contract.gold import GOLD_TABLES
from common.errors import LakeError
from common.lake.lake import Lake
from common.maintenance import forgetting
from common.maintenance.compaction import check_may_maintain
from common.marts.aggregate_refresh import refresh_aggregate
from common.marts.gold_refresh import gold_tables_of, pinned_gold, refresh_gold
from common.run.command import run_command
from common.run.console import Reporter
from common.run.report import RunReport
from common.run.settings import LAKE_OPTIONS, Settings
from common.run.work import record_run, versions_of_existing, work_on_lake
from common.spark.session import check_session

JOB = "forget_customer"


class ForgetSettings(Settings):
    """The settings of forget_customer."""

    offered: ClassVar[frozenset[str]] = LAKE_OPTIONS | {"customer_id", "apply"}

    customer_id: Annotated[str, Field(description="CUSTOMER_ID of the person")]
    apply: Annotated[bool, Field(description="do it; without, only say how many rows there are")] = False

    @property
    def writes(self) -> bool:
        return self.apply


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, __doc__ or "", run, argv, ForgetSettings)


def run(spark: SparkSession, settings: ForgetSettings) -> RunReport:
    """Remove the person's rows, refuse them from then on, delete the files of older versions, and search for traces."""
    check_session(spark)
    with Reporter(steps=8 if settings.apply else 1, as_json=settings.json_) as reporter:
        report = work_on_lake(
            spark, settings, JOB, lambda lake, report: _forget(lake, settings, report, reporter), reporter
        )
    reporter.finish(report)
    if not settings.apply:
        reporter.say("Nothing was changed: add --apply to do it.")
    return report


def _forget(lake: Lake, settings: ForgetSettings, report: RunReport, reporter: Reporter) -> None:
    lake.check_files(GOLD_TABLES)
    gold_tables = gold_tables_of(lake)
    before = versions_of_existing(lake, gold_tables)
    note = {"run_id": report.run_id, "job": JOB, "logic_version": LOGIC_VERSION}
    with reporter.step("Look for the customer") as said:
        person = forgetting.find_person(lake, settings.customer_id)
        for table in forgetting.tables_with_rows(lake):
            report.removed[table.name] = forgetting.rows_about(lake, table, person).count()
        said.append(", ".join(f"{count:,} rows in {table}" for table, count in report.removed.items()))
    if not settings.apply:
        return
    check_may_maintain(lake.spark)
    with reporter.step("Refuse the customer from now on"):
        lake.create(TABLES)
        forgetting.refuse_from_now_on(lake, person, report.started_at.isoformat(), note)
    with reporter.step("Remove the rows"):
        for table in (REJECTED, SALES, CUSTOMERS):
            if report.removed.get(table.name):
                forgetting.take_out(lake, table, person, note)
    with reporter.step("Bring the aggregate up to date"):
        report.take_refresh(refresh_aggregate(lake, note))
    with reporter.step("Bring the gold tables up to date"), pinned_gold(lake) as gold:
        for table in gold_tables:
            done = refresh_gold(gold, table, note)
            if done:
                report.take_gold(table, done.change, done.whole)
    with reporter.step("Delete the files of older versions"):
        forgetting.purge(lake)
    with reporter.step("Search the lake") as said:
        traces = forgetting.traces(lake, person)
        if traces:
            raise LakeError(
                f"Something of the customer is still there: {'; '.join(traces[:5])}. Run again; what stays in a log "
                "was put there by another program, and goes when Delta deletes that file (delta.logRetentionDuration)."
            )
        said.append("nothing found")
    with reporter.step("Record the run"):
        record_run(lake, report, before)


if __name__ == "__main__":
    sys.exit(main())
