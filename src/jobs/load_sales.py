"""Load transactions and customers into the lake and bring the aggregate up to date: the main job."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial, reduce

from pyspark.sql import DataFrame

from common.contract import AGGREGATE, CUSTOMERS, CUSTOMERS_FEED, REJECTED, SALES, TRANSACTIONS, Feed, Table
from common.ingest.batch import Batch, check_unchanged, no_batch, read_feed
from common.ingest.changes import Decision, check_may_load, decide, merge_changes
from common.ingest.out_of_order import replaced_by_older
from common.ingest.rejected import rejected_rows
from common.ingest.rules import load_rules
from common.ingest.sequences import as_rejected, take_over
from common.lake.provenance import check_no_commit_is_lost
from common.marts.plan import plan_run
from common.run.command import run_command
from common.run.job import Job, LakeRun, Step
from common.run.record import versions_of
from common.run.settings import LoadSettings
from common.spark.parallel import side_by_side
from common.words import counted


class LoadSales(LakeRun[LoadSettings]):
    """Read the feeds that are named, check every row, and merge what is new or changed. Each step that writes is safe
    alone: what a crash leaves out, the next run does.
    """

    batches: tuple[Batch, Batch]
    customers: Decision
    sales: Decision

    def begin(self) -> None:
        super().begin()
        self.rules = load_rules(self.settings.rules_path)
        if not self.settings.reload:
            check_no_commit_is_lost(self.lake)
        self.before = versions_of(self.lake)

    def steps(self) -> Iterator[Step]:
        feeds = self.settings.paths
        yield Step(f"Read and check {'both feeds' if len(feeds) > 1 else next(iter(feeds))}", self.read)
        yield Step("Compare with the lake", self.compare)
        if self.settings.dry_run:
            yield Step("Plan the run", self.plan)
            return
        yield Step("Merge customers", self.merge_customers)
        yield Step("Merge sales", self.merge_sales)
        yield Step("Bring the aggregate up to date", self.refresh)
        yield Step("Record the run", self.record)

    def read(self) -> str:
        self.batches = side_by_side(
            partial(self._read_feed, CUSTOMERS_FEED, CUSTOMERS), partial(self._read_feed, TRANSACTIONS, SALES)
        )
        return ", ".join(
            f"{batch.rows_read:,} {batch.feed.name} in {counted(len(batch.files), 'file')}, {batch.skipped:,} skipped"
            + (f", {batch.not_read:,} left out" if batch.not_read else "")
            for batch in self.batches
            if batch.feed.name in self.settings.paths
        )

    def _read_feed(self, feed: Feed, table: Table) -> Batch:
        path = self.settings.paths.get(feed.name)
        if path is None:
            return no_batch(self.lake.spark, feed)
        batch = read_feed(
            self.lake,
            feed,
            table,
            path,
            self.rules,
            self.settings.format_of(feed.name),
            skip_loaded=not self.settings.reload,
            follow_links=self.settings.follow_links,
            newest_counts=self.settings.loads_repeated[feed.name],
        )
        self.cleanup.callback(batch.unpersist)
        return batch

    def compare(self) -> str:
        """Decide what becomes of every row; raises where a feed is not fit to be loaded, before anything is written."""
        of_customers, of_sales = self.batches
        version = self.before[CUSTOMERS.name]
        self.customers = decide(self.lake, of_customers, CUSTOMERS, version, self.rules, [])
        self.cleanup.callback(self.customers.unpersist)
        known = [self.lake.read(CUSTOMERS, version), self.customers.changes]
        self.sales = decide(self.lake, of_sales, SALES, self.before[SALES.name], self.rules, known)
        self.cleanup.callback(self.sales.unpersist)
        self.decisions = [d for d in (self.customers, self.sales) if d.batch.feed.name in self.settings.paths]
        for decision in self.decisions:
            check_may_load(decision, self.rules, self.settings.max_rejected_share)
            self._check_unchanged(decision.batch)
            self.report.take_decision(decision, self.rules)
            self.report.replaced_by_older += replaced_by_older(self.lake, decision)
        for decision, table in self._by_table():
            if decision.withdrawn_rows:
                self.report.removed[table.name] = decision.withdrawn_rows
        return f"{counted(self.customers.changed_rows + self.sales.changed_rows, 'row')} new or changed"

    def plan(self) -> str:
        gone = [_withdrawn(decision, table) for decision, table in ((self.sales, SALES), (self.customers, CUSTOMERS))]
        plan = plan_run(self.lake, self.sales.changes, self.customers.changes, *gone)
        self.report.take_plan(plan)
        return f"{counted(plan.groups, 'group')} in {counted(len(plan.hours), 'hour')}"

    def merge_customers(self) -> str:
        self.prepare_tables()
        rejected = [
            rejected_rows(decision.batch, self.run_id, self.started_at.isoformat(), decision.rejected_together)
            for decision in self.decisions
            if decision.ledger.rejected
        ]
        rejected += [
            as_rejected(decision.withdrawn, decision.batch.feed, self.lake.place(table), self.run_id, self.started_at)
            for decision, table in self._by_table()
            if decision.withdrawn is not None and decision.withdrawn_rows
        ]
        if rejected:
            self.lake.insert_missing(REJECTED, reduce(DataFrame.union, rejected), note=self.note)
        self._merge(CUSTOMERS, self.customers)
        return f"{self.customers.changed_rows:,} written"

    def merge_sales(self) -> str:
        self._merge(SALES, self.sales)
        return f"{self.sales.changed_rows:,} written in {counted(len(self.sales.hours), 'hour')}"

    def _by_table(self) -> Sequence[tuple[Decision, Table]]:
        return (self.customers, CUSTOMERS), (self.sales, SALES)

    def _merge(self, table: Table, decision: Decision) -> None:
        self.report.take_commit(table, merge_changes(self.lake, table, decision, self.note))
        if decision.outcomes is not None and decision.batch.format.sequence:
            take_over(self.lake, decision.batch.feed, decision.outcomes, self.note)

    def refresh(self) -> str:
        self.refresh_aggregate()
        for decision in self.decisions:
            if not decision.batch.kept:
                # Its files were read once more to be written.
                self._check_unchanged(decision.batch)
        return f"{counted(self.report.groups_touched, 'group')} in {counted(len(self.report.hours_touched), 'hour')}"

    def conclude(self) -> None:
        """Say what a person may do next, where there is something new to look at."""
        if self.settings.dry_run or self.report.changed_nothing:
            return
        place = f"--lake {self.settings.lake}" if self.settings.lake else f"--schema {self.settings.schema_}"
        rejected = sum(ledger.rejected for ledger in self.report.feeds)
        self.console.say("Next:")
        query = f"SELECT * FROM {self.lake.name(AGGREGATE)} LIMIT 10"  # noqa: S608 - it is shown, not run
        self.console.say(f"  look at it:     {query}  (docs/guides/query.md)")
        if rejected:
            rows, table = counted(rejected, "row"), self.lake.place(REJECTED)
            self.console.say(f"  rejected rows:  {rows} in {table}, with the reasons  (docs/guides/rejected-rows.md)")
        self.console.say(f"  answers:        ./spark-submit.sh build_gold {place}")

    def _check_unchanged(self, batch: Batch) -> None:
        check_unchanged(self.lake.spark, self.settings.paths[batch.feed.name], batch)


def _withdrawn(decision: Decision, table: Table) -> DataFrame | None:
    gone = decision.withdrawn
    return None if gone is None else gone.select(*table.column_names)


JOB = Job("load_sales", __doc__, LoadSettings, LoadSales)


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, argv)


if __name__ == "__main__":
    sys.exit(main())
