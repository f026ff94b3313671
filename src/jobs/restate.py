"""State a range of hours anew: the aggregate from the stored sales, or the sales themselves from files given."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import Annotated, ClassVar

from pydantic import Field, field_validator, model_validator
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from common.contract import CUSTOMERS, HOUR, LOGIC_VERSION, SALES, TABLES, TRANSACTIONS
from common.errors import DataRefusedError
from common.ingest.batch import ROW, check_unchanged, read_feed
from common.ingest.changes import Decision, check_may_load, decide, no_changes, reasons_of, rejected_rows_of
from common.ingest.rules import QualityRules, load_rules
from common.lake.lake import Lake
from common.lake.provenance import pin_sources
from common.marts.aggregate_refresh import differing_groups, refresh_aggregate, restate_groups
from common.marts.plan import plan_run
from common.run.command import run_command
from common.run.console import Reporter
from common.run.report import RunReport
from common.run.settings import LAKE_OPTIONS, READING_OPTIONS, Settings
from common.run.work import record_run, versions_of_existing, work_on_lake
from common.spark.session import check_session
from common.spark.sql import range_condition
from common.spark.times import hours_in

JOB = "restate"


class RestateSettings(Settings):
    """The settings of restate."""

    offered: ClassVar[frozenset[str]] = (
        LAKE_OPTIONS | READING_OPTIONS | {"first_hour", "last_hour", "from_files", "apply"}
    )

    first_hour: Annotated[datetime, Field(description="first hour of the range in UTC, such as 2025-02-22T09")]
    last_hour: Annotated[datetime, Field(description="last hour of the range in UTC; it belongs to the range")]
    from_files: Annotated[
        str | None,
        Field(description="file, folder or glob of all the sales of the range; others in it are removed"),
    ] = None
    apply: Annotated[bool, Field(description="do it; without, only show the plan")] = False

    @property
    def writes(self) -> bool:
        return self.apply

    @property
    def steps(self) -> int:
        with_files = 1 if self.from_files else 0
        return 1 + with_files + (2 + with_files if self.apply else 0)

    @property
    def range(self) -> str:
        """SQL that is true in the hours of the range."""
        return range_condition(HOUR, self.first_hour, self.last_hour)

    @field_validator("first_hour", "last_hour", mode="before")
    @classmethod
    def _is_an_hour(cls, value: object) -> object:
        for form in ("%Y-%m-%dT%H", "%Y-%m-%d %H", "%Y-%m-%dT%H:00", "%Y-%m-%d %H:00"):
            try:
                return datetime.strptime(str(value), form).replace(tzinfo=timezone.utc)
            except ValueError:
                continue
        raise ValueError(f"{value} is no hour; write it in UTC like 2025-02-22T09")

    @model_validator(mode="after")
    def _is_a_range(self) -> RestateSettings:
        if self.first_hour > self.last_hour:
            raise ValueError("first_hour is later than last_hour")
        return self


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, __doc__ or "", run, argv, RestateSettings)


def run(spark: SparkSession, settings: RestateSettings) -> RunReport:
    """Make the sales of the range those of the files, where files are given, and compute the aggregate of it anew."""
    check_session(spark)
    rules = load_rules(settings.rules_path)
    with Reporter(steps=settings.steps, as_json=settings.json_) as reporter:
        report = work_on_lake(
            spark, settings, JOB, lambda lake, report: _restate(lake, settings, rules, report, reporter), reporter
        )
    reporter.finish(report)
    if not settings.apply:
        reporter.say("Nothing was changed: add --apply to do it.")
    return report


def _restate(lake: Lake, settings: RestateSettings, rules: QualityRules, report: RunReport, reporter: Reporter) -> None:
    before = versions_of_existing(lake)
    with ExitStack() as held:
        sales: Decision | None = None
        changes, removed = no_changes(lake, SALES), no_changes(lake, SALES).select(*SALES.column_names)
        if settings.from_files:
            with reporter.step("Read and check the files") as said:
                sales, removed = _decide(lake, settings, settings.from_files, rules, held)
                changes = sales.changes
                report.take_decision(sales, rules)
                report.removed = {SALES.name: removed.count()}
                said.append(f"{sales.ledger.rows_read:,} rows, {report.removed[SALES.name]:,} to be removed")
        with reporter.step("Plan the restatement") as said:
            plan = plan_run(lake, changes, no_changes(lake, CUSTOMERS), removed)
            report.take_plan(plan)
            said.append(f"{plan.groups:,} groups in {len(plan.hours):,} hours change with the sales")
            if not plan.groups:
                differing = differing_groups(lake, pin_sources(lake), settings.range).count()
                said.append(f"{differing:,} others are not what they should be")
        if not settings.apply:
            return
        reporter.show_plan(plan)
        note = {"run_id": report.run_id, "job": JOB, "logic_version": LOGIC_VERSION}
        lake.create(TABLES)
        if sales is not None and (sales.changed_rows or report.removed[SALES.name]):
            with reporter.step("Merge sales"):
                source = changes.select(*SALES.column_names, F.lit(False).alias("is_gone")).union(
                    removed.select(*SALES.column_names, F.lit(True).alias("is_gone"))
                )
                hours = sorted({*sales.hours, *hours_in(removed)})
                with_ledger = note | {"ledger": vars(sales.ledger), "removed": report.removed[SALES.name]}
                report.take_commit(
                    SALES, lake.merge(SALES, source, hours=hours, note=with_ledger, delete_when="source.is_gone")
                )
        with reporter.step("Compute the aggregate anew") as said:
            report.take_refresh(refresh_aggregate(lake, note))
            restated = restate_groups(lake, note, settings.range)
            said.append(f"{report.groups_touched:,} groups followed the sales, {restated.groups:,} others differed")
            report.take_restated(restated)
        with reporter.step("Record the run"):
            record_run(lake, report, before, [sales] if sales else [])


def _decide(
    lake: Lake, settings: RestateSettings, path: str, rules: QualityRules, held: ExitStack
) -> tuple[Decision, DataFrame]:
    """The sales of the files, decided, and the stored sales of the range that the files do not have.

    Raises DataRefusedError where a row is not good or not in the range: a sale would be removed for a mistake.
    """
    batch = read_feed(lake, TRANSACTIONS, SALES, path, rules, settings.dialect, skip_loaded=False)
    held.callback(batch.release)
    customers = lake.read(CUSTOMERS, lake.version(CUSTOMERS))
    sales = decide(lake, batch, SALES, lake.version(SALES), rules, [customers])
    held.callback(sales.release)
    check_may_load(sales, rules, max_rejected_share=1)
    check_unchanged(lake.spark, path, batch)
    if sales.outcomes is None:
        raise DataRefusedError(f"There is no file in {path}: this would remove every sale of the range.")
    if rejected_rows_of(sales):
        raise DataRefusedError(
            f"{rejected_rows_of(sales):,} rows are not good, and the range would lose the sales that they stand for. "
            f"No table was changed. {reasons_of(sales, rules)}"
        )
    accepted = sales.outcomes.where(~F.col("is_rejected"))
    outside = accepted.where(f"NOT ({settings.range})")
    first = outside.agg(F.count(F.lit(1)).alias("rows"), F.min(F.struct(*ROW)).alias("first")).collect()[0]
    if first["rows"]:
        raise DataRefusedError(
            f"{batch.place(*first['first'])}: {first['rows']:,} rows are of hours outside the range. No table was "
            "changed. Name a range that holds all rows of the files."
        )
    stored = lake.read(SALES, lake.version(SALES)).where(settings.range)
    removed = stored.join(accepted.select("TRANSACTION_ID"), on="TRANSACTION_ID", how="left_anti")
    return sales, removed.select(*SALES.column_names)


if __name__ == "__main__":
    sys.exit(main())
