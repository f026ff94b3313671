"""Read rejected rows again, by the rules of now and with corrections, and let those in that are good."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Annotated, ClassVar

from pydantic import Field
from pyspark.sql import DataFrame, SparkSession

from common.contract import CUSTOMERS, CUSTOMERS_FEED, LOGIC_VERSION, REJECTED, SALES, TABLES, TRANSACTIONS
from common.ingest.changes import merge_changes
from common.ingest.rejected import Release, read_corrections, read_rejected
from common.ingest.rules import QualityRules, load_rules
from common.lake.lake import Lake
from common.marts.aggregate_refresh import refresh_aggregate
from common.marts.plan import plan_run
from common.run.command import run_command
from common.run.console import Reporter
from common.run.report import RunReport
from common.run.settings import LAKE_OPTIONS, READING_OPTIONS, Settings
from common.run.work import record_run, versions_of_existing, work_on_lake
from common.spark.session import check_session

JOB = "release_rejected"


class ReleaseSettings(Settings):
    """The settings of release_rejected."""

    offered: ClassVar[frozenset[str]] = LAKE_OPTIONS | READING_OPTIONS | {"corrections", "dry_run"}

    corrections: Annotated[
        str | None,
        Field(description="CSV file of REJECTED_ID,CORRECTED_LINE: rows as they should have been"),
    ] = None


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, __doc__ or "", run, argv, ReleaseSettings)


def run(spark: SparkSession, settings: ReleaseSettings) -> RunReport:
    """Decide about every rejected row once more; merge what is good, and take it out of rejected_rows."""
    check_session(spark)
    rules = load_rules(settings.rules_path)
    with Reporter(steps=2 if settings.dry_run else 4, as_json=settings.json_) as reporter:
        report = work_on_lake(
            spark, settings, JOB, lambda lake, report: _release(lake, settings, rules, report, reporter), reporter
        )
    reporter.finish(report)
    return report


def _release(lake: Lake, settings: ReleaseSettings, rules: QualityRules, report: RunReport, reporter: Reporter) -> None:
    before = versions_of_existing(lake)
    with ExitStack() as held:
        with reporter.step("Read and check the rejected rows") as said:
            customers, sales = _read(lake, settings, rules, held)
            for release in (customers, sales):
                report.take_decision(release.decision, rules)
            released = customers.released.union(sales.released)
            report.removed = {REJECTED.name: released.count()}
            said.append(f"{report.removed[REJECTED.name]:,} are good now")
            superseded = customers.superseded + sales.superseded
            if superseded:
                said.append(f"{superseded:,} stay, since the lake has other values for their ids by now")
        if settings.dry_run:
            with reporter.step("Plan the release"):
                report.take_plan(plan_run(lake, sales.decision.changes, customers.decision.changes))
            return
        _write(lake, customers, sales, released, report, reporter)
        with reporter.step("Record the run"):
            record_run(lake, report, before)


def _read(lake: Lake, settings: ReleaseSettings, rules: QualityRules, held: ExitStack) -> tuple[Release, Release]:
    corrections = read_corrections(lake, settings.corrections)
    releases: list[Release] = []
    for feed, table in ((CUSTOMERS_FEED, CUSTOMERS), (TRANSACTIONS, SALES)):
        known = [lake.read(CUSTOMERS, lake.version(CUSTOMERS)), *[r.decision.changes for r in releases]]
        release = read_rejected(lake, feed, table, rules, settings.dialect, corrections, known)
        held.callback(release.decision.release)
        held.callback(release.decision.batch.release)
        releases.append(release)
    customers, sales = releases
    return customers, sales


def _write(
    lake: Lake, customers: Release, sales: Release, released: DataFrame, report: RunReport, reporter: Reporter
) -> None:
    """Each step is safe alone: a row that is in the lake, and still in rejected_rows, leaves with the next run."""
    note = {"run_id": report.run_id, "job": JOB, "logic_version": LOGIC_VERSION}
    with reporter.step("Merge and bring the aggregate up to date") as said:
        lake.create(TABLES)
        for table, decision in ((CUSTOMERS, customers.decision), (SALES, sales.decision)):
            report.take_commit(table, merge_changes(lake, table, decision, note))
        report.take_refresh(refresh_aggregate(lake, note))
        said.append(f"{report.groups_touched:,} groups in {len(report.hours_touched):,} hours")
    with reporter.step("Take them out of rejected_rows"):
        if report.removed[REJECTED.name]:
            report.take_commit(REJECTED, lake.remove(REJECTED, released, hours=None, note=note))


if __name__ == "__main__":
    sys.exit(main())
