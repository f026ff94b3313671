"""State a range of hours anew: the aggregate from the stored sales, or the sales themselves from files given."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import CUSTOMERS, SALES, TRANSACTIONS
from common.errors import DataRefusedError
from common.ingest.batch import ROW, Batch, check_unchanged, read_feed
from common.ingest.changes import (
    Decision,
    check_may_load,
    decide,
    no_changes,
    reasons_of,
    rejected_rows_of,
)
from common.ingest.rules import load_rules
from common.lake.provenance import pin_sources
from common.landing.listing import REPEATED, SECOND_NAME, WHY_LEFT_OUT
from common.marts.aggregate_refresh import differing_groups, restate_groups
from common.marts.plan import plan_run
from common.run.command import run_command
from common.run.console import plan_lines
from common.run.job import Job, LakeRun, Step
from common.run.settings import RestateSettings
from common.spark.times import hours_in
from common.words import counted


class Restate(LakeRun[RestateSettings]):
    """Make the sales of the range those of the files, where files are given, and compute the aggregate of it anew."""

    sales: Decision | None = None

    def begin(self) -> None:
        super().begin()
        self.rules = load_rules(self.settings.rules_path)
        self.begin_on_existing()
        self.changes = no_changes(self.lake, SALES)
        self.removed = self.changes.select(*SALES.column_names)

    def steps(self) -> Iterator[Step]:
        if self.settings.from_files:
            yield Step("Read and check the files", self.read)
        yield Step("Plan the restatement", self.plan)
        if not self.settings.apply:
            return
        if self.settings.from_files:
            yield Step("Merge sales", self.merge_sales)
        yield Step("Compute the aggregate anew", self.restate)
        yield Step("Record the run", self.record)

    def read(self) -> str:
        """Decide about the sales of the files, and find the stored sales of the range that the files do not have.

        Raises DataRefusedError where a row is not good or not in the range: a sale would be removed for a mistake.
        """
        path = str(self.settings.from_files)
        batch = read_feed(
            self.lake,
            TRANSACTIONS,
            SALES,
            path,
            self.rules,
            self.settings.format_of(TRANSACTIONS.name),
            skip_loaded=False,
            follow_links=self.settings.follow_links,
        )
        self.cleanup.callback(batch.unpersist)
        self._check_all_is_read(batch)
        customers = self.lake.read(CUSTOMERS, self.lake.version(CUSTOMERS))
        sales = decide(self.lake, batch, SALES, self.lake.version(SALES), self.rules, [customers], by_sequence=False)
        self.cleanup.callback(sales.unpersist)
        check_may_load(sales, self.rules, max_rejected_share=1)
        check_unchanged(self.lake.spark, path, batch)
        accepted = self._accepted(sales, batch)
        stored = self.lake.read(SALES, self.lake.version(SALES)).where(self.settings.range)
        removed = stored.join(accepted.select("TRANSACTION_ID"), on="TRANSACTION_ID", how="left_anti")
        self.sales, self.changes, self.decisions = sales, sales.changes, [sales]
        self.removed = removed.select(*SALES.column_names)
        self.report.take_decision(sales, self.rules)
        self.report.removed = {SALES.name: self.removed.count()}
        return f"{counted(sales.ledger.rows_read, 'row')}, {self.report.removed[SALES.name]:,} to be removed"

    def _check_all_is_read(self, batch: Batch) -> None:
        for left_out in batch.left_out:
            if left_out.reason not in (SECOND_NAME, REPEATED):
                raise DataRefusedError(
                    f"{left_out.path} would be left out ({WHY_LEFT_OUT[left_out.reason]}), and the range would lose "
                    "the sales that it stands for. No table was changed."
                )

    def _accepted(self, sales: Decision, batch: Batch) -> DataFrame:
        """The rows of the files, all of which have to be good and of the range."""
        if sales.outcomes is None:
            raise DataRefusedError(
                f"There is no file in {self.settings.from_files}: this would remove every sale of the range."
            )
        if rejected_rows_of(sales):
            raise DataRefusedError(
                f"{rejected_rows_of(sales):,} rows are not good, and the range would lose the sales that they stand "
                f"for. No table was changed. {reasons_of(sales, self.rules)}"
            )
        accepted = sales.outcomes.where(~F.col("is_rejected"))
        outside = accepted.where(f"NOT ({self.settings.range})")
        first = outside.agg(F.count(F.lit(1)).alias("rows"), F.min(F.struct(*ROW)).alias("first")).collect()[0]
        if first["rows"]:
            raise DataRefusedError(
                f"{batch.place(*first['first'])}: {first['rows']:,} rows are of hours outside the range. No table was "
                "changed. Name a range that holds all rows of the files."
            )
        return accepted

    def plan(self) -> str:
        plan = plan_run(self.lake, self.changes, no_changes(self.lake, CUSTOMERS), self.removed)
        self.report.take_plan(plan)
        details = f"{counted(plan.groups, 'group')} in {counted(len(plan.hours), 'hour')} would change with the sales"
        if not plan.groups:
            differing = differing_groups(self.lake, pin_sources(self.lake), self.settings.range).count()
            details += f", {counted(differing, 'other')} not what they should be"
        if self.settings.apply:
            for line in plan_lines(plan):
                self.console.say(line)
        return details

    def merge_sales(self) -> str:
        self.prepare_tables()
        if self.sales is None or not (self.sales.changed_rows or self.report.removed[SALES.name]):
            return "as they are"
        source = self.changes.select(*SALES.column_names, F.lit(False).alias("is_gone")).union(
            self.removed.select(*SALES.column_names, F.lit(True).alias("is_gone"))
        )
        hours = sorted({*self.sales.hours, *hours_in(self.removed)})
        note = replace(self.note, ledger=vars(self.sales.ledger), removed=self.report.removed[SALES.name])
        commit = self.lake.merge(SALES, source, hours=hours, note=note, delete_when="source.is_gone")
        self.report.take_commit(SALES, commit)
        return ""

    def restate(self) -> str:
        self.prepare_tables()
        self.refresh_aggregate()
        restated = restate_groups(self.lake, self.note, self.settings.range)
        followed = counted(self.report.groups_touched, "group")
        details = f"{followed} followed the sales, {counted(restated.groups, 'other')} differed"
        self.report.take_restated(restated)
        return details

    def conclude(self) -> None:
        if not self.settings.apply:
            self.console.say("Nothing was changed: add --apply to do it.")


JOB = Job("restate", __doc__, RestateSettings, Restate)


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, argv)


if __name__ == "__main__":
    sys.exit(main())
