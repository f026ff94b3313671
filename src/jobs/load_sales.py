"""Load transactions and customers into the lake and bring the aggregate up to date: the main job."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial, reduce

from pyspark.sql import DataFrame, SparkSession

from common.contract import (
    CUSTOMERS,
    CUSTOMERS_FEED,
    LOGIC_VERSION,
    REJECTED,
    SALES,
    TABLES,
    TRANSACTIONS,
    Feed,
    Table,
)
from common.errors import ConfigError
from common.ingest.batch import Batch, check_unchanged, read_feed
from common.ingest.changes import Decision, check_may_load, decide, merge_changes
from common.ingest.rejected import rejected_rows
from common.ingest.rules import QualityRules, load_rules
from common.lake.lake import Lake
from common.marts.aggregate_refresh import refresh_aggregate
from common.marts.plan import plan_run
from common.run.command import run_command
from common.run.console import Reporter
from common.run.report import RunReport
from common.run.settings import Settings
from common.run.work import check_no_commit_is_lost, record_run, versions_of, work_on_lake
from common.spark.parallel import side_by_side
from common.spark.session import check_session

JOB = "load_sales"


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, __doc__ or "", run, argv, Settings)


def run(spark: SparkSession, settings: Settings) -> RunReport:
    """Read both feeds, check every row, and merge what is new or changed; returns what the run did."""
    check_session(spark)
    rules = load_rules(settings.rules_path)
    with Reporter(steps=3 if settings.dry_run else 6, as_json=settings.json_) as reporter:
        report = work_on_lake(
            spark, settings, JOB, lambda lake, report: _load(lake, settings, rules, report, reporter), reporter
        )
    reporter.finish(report)
    return report


def _load(lake: Lake, settings: Settings, rules: QualityRules, report: RunReport, reporter: Reporter) -> None:
    if not settings.reload:
        check_no_commit_is_lost(lake)
    before = versions_of(lake)
    with ExitStack() as held:
        customers, sales = _decide(lake, settings, rules, before, reporter, held)
        _judge(lake, settings, rules, (customers, sales), report)
        if settings.dry_run:
            _plan(lake, customers, sales, report, reporter)
            return
        _write(lake, customers, sales, report, reporter)
        for batch in (customers.batch, sales.batch):
            if not batch.kept:
                # Its files were read once more to be written.
                check_unchanged(lake.spark, _path(settings, batch.feed), batch)
    with reporter.step("Record the run"):
        record_run(lake, report, before, [customers, sales])


def _decide(
    lake: Lake,
    settings: Settings,
    rules: QualityRules,
    versions: dict[str, int | None],
    reporter: Reporter,
    held: ExitStack,
) -> tuple[Decision, Decision]:
    """Read and check both feeds and compare them with the lake; `held` gives back what their rows take."""

    def read(feed: Feed, table: Table) -> Batch:
        path = _path(settings, feed)
        batch = read_feed(lake, feed, table, path, rules, settings.dialect, skip_loaded=not settings.reload)
        held.callback(batch.release)
        return batch

    with reporter.step("Read and check both feeds") as said:
        customers_read, sales_read = side_by_side(
            partial(read, CUSTOMERS_FEED, CUSTOMERS), partial(read, TRANSACTIONS, SALES)
        )
        for batch in (customers_read, sales_read):
            said.append(
                f"{batch.rows_read:,} {batch.feed.name} in {len(batch.files):,} files, {batch.skipped:,} skipped"
            )
    with reporter.step("Compare with the lake") as said:
        customers = decide(lake, customers_read, CUSTOMERS, versions[CUSTOMERS.name], rules, [])
        held.callback(customers.release)
        known = [lake.read(CUSTOMERS, versions[CUSTOMERS.name]), customers.changes]
        sales = decide(lake, sales_read, SALES, versions[SALES.name], rules, known)
        held.callback(sales.release)
        said.append(f"{customers.changed_rows + sales.changed_rows:,} rows are new or changed")
    return customers, sales


def _judge(
    lake: Lake, settings: Settings, rules: QualityRules, decisions: tuple[Decision, Decision], report: RunReport
) -> None:
    """Put the counts into the report; raises where a feed is not fit to be loaded, before anything is written."""
    for decision in decisions:
        check_may_load(decision, rules, settings.max_rejected_share)
        check_unchanged(lake.spark, _path(settings, decision.batch.feed), decision.batch)
        report.take_decision(decision, rules)


def _path(settings: Settings, feed: Feed) -> str:
    path = settings.customers if feed is CUSTOMERS_FEED else settings.transactions
    if not path:
        raise ConfigError("Name both feeds: --transactions and --customers.")
    return path


def _plan(lake: Lake, customers: Decision, sales: Decision, report: RunReport, reporter: Reporter) -> None:
    with reporter.step("Plan the run") as said:
        plan = plan_run(lake, sales.changes, customers.changes)
        report.take_plan(plan)
        said.append(f"{plan.groups:,} groups in {len(plan.hours):,} hours")


def _write(lake: Lake, customers: Decision, sales: Decision, report: RunReport, reporter: Reporter) -> None:
    """Each step is safe alone: what a crash leaves out, the next run does."""
    note = {"run_id": report.run_id, "job": JOB, "logic_version": LOGIC_VERSION}
    with reporter.step("Merge customers") as said:
        lake.create(TABLES)
        refused = [
            rejected_rows(decision.batch, report.run_id, report.started_at.isoformat(), decision.refused)
            for decision in (customers, sales)
            if decision.ledger.rejected
        ]
        if refused:
            lake.insert_missing(REJECTED, reduce(DataFrame.union, refused), note=note)
        report.take_commit(CUSTOMERS, merge_changes(lake, CUSTOMERS, customers, note))
        said.append(f"{customers.changed_rows:,} written")
    with reporter.step("Merge sales") as said:
        report.take_commit(SALES, merge_changes(lake, SALES, sales, note))
        said.append(f"{sales.changed_rows:,} written in {len(sales.hours):,} hours")
    with reporter.step("Bring the aggregate up to date") as said:
        refreshed = refresh_aggregate(lake, note)
        report.take_refresh(refreshed)
        said.append(f"{refreshed.groups:,} groups in {len(refreshed.hours):,} hours")


if __name__ == "__main__":
    sys.exit(main())
