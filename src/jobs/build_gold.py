"""Bring the gold layer up to date: the tables and the view that answer questions about sales and customers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import ClassVar

from pyspark.sql import SparkSession

from common.contract import CUSTOMERS, SALES
from common.contract.gold import GOLD_TABLES, SALES_ENRICHED
from common.lake.lake import Lake
from common.lake.views import define_view
from common.marts.gold_refresh import pinned_gold, plan_gold, refresh_gold
from common.marts.plan import Plan
from common.marts.sales_enriched import sales_enriched_sql
from common.run.command import run_command
from common.run.console import Reporter
from common.run.report import RunReport
from common.run.settings import LAKE_OPTIONS, Settings
from common.run.work import record_run, versions_of_existing, work_on_lake
from common.spark.session import check_session

JOB = "build_gold"


class GoldSettings(Settings):
    """The settings of build_gold."""

    offered: ClassVar[frozenset[str]] = LAKE_OPTIONS | {"dry_run"}


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, __doc__ or "", run, argv, GoldSettings)


def run(spark: SparkSession, settings: GoldSettings) -> RunReport:
    """Write the rows of the gold tables that are not as sales and customers have them now; with dry_run, count them."""
    check_session(spark)
    steps = len(GOLD_TABLES) + (1 if settings.schema_ else 0) + (0 if settings.dry_run else 1)
    with Reporter(steps=steps, as_json=settings.json_) as reporter:
        report = work_on_lake(
            spark, settings, JOB, lambda lake, report: _build(lake, settings, report, reporter), reporter
        )
    reporter.finish(report)
    return report


def _build(lake: Lake, settings: GoldSettings, report: RunReport, reporter: Reporter) -> None:
    lake.check_files(GOLD_TABLES)
    before = versions_of_existing(lake, GOLD_TABLES)
    report.plan = Plan() if settings.dry_run else None
    note = {"run_id": report.run_id, "job": JOB}
    would = "would be " if settings.dry_run else ""
    if not settings.dry_run:
        lake.create(GOLD_TABLES)
    with pinned_gold(lake) as gold:
        for table in GOLD_TABLES:
            with reporter.step(f"Bring {table.name} up to date") as said:
                done = plan_gold(gold, table) if settings.dry_run else refresh_gold(gold, table, note)
                if done is None:
                    said.append("as it should be")
                    continue
                report.take_gold(table, done.change, done.whole)
                written = done.change.inserted + done.change.updated
                said.append(f"{written:,} rows {would}written, {done.change.deleted:,} {would}removed")
    if settings.schema_:
        with reporter.step(f"Define {SALES_ENRICHED.name}") as said:
            query = sales_enriched_sql(lake.name(SALES), lake.name(CUSTOMERS))
            if define_view(lake, SALES_ENRICHED, query, only_look=settings.dry_run):
                report.views_defined.append(SALES_ENRICHED.name)
            said.append(f"{would}defined anew" if report.views_defined else "as it should be")
    if not settings.dry_run:
        with reporter.step("Record the run"):
            record_run(lake, report, before)


if __name__ == "__main__":
    sys.exit(main())
