"""Read rejected rows again, by the rules of now and with corrections, and let those in that are good."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from pyspark.sql import DataFrame

from common.contract import CUSTOMERS, CUSTOMERS_FEED, REJECTED, SALES, TRANSACTIONS, Feed, Table
from common.ingest.changes import merge_changes
from common.ingest.rejected import Reread, read_corrections, read_rejected
from common.ingest.rules import load_rules
from common.marts.plan import plan_run
from common.run.command import run_command
from common.run.job import Job, LakeRun, Step
from common.run.settings import ReleaseSettings
from common.words import counted


class ReleaseRejected(LakeRun[ReleaseSettings]):
    """Decide about every rejected row once more; merge what is good, and take it out of rejected_rows. Each step is
    safe alone: a row that is in the lake, and still in rejected_rows, leaves with the next run.
    """

    customers: Reread
    sales: Reread
    released: DataFrame

    def begin(self) -> None:
        super().begin()
        self.rules = load_rules(self.settings.rules_path)
        self.begin_on_existing()

    def steps(self) -> Iterator[Step]:
        yield Step("Read and check the rejected rows", self.read)
        if self.settings.dry_run:
            yield Step("Plan the release", self.plan)
            return
        yield Step("Merge and bring the aggregate up to date", self.merge)
        yield Step("Take them out of rejected_rows", self.take_out)
        yield Step("Record the run", self.record)

    def read(self) -> str:
        corrections = read_corrections(self.lake, self.settings.corrections, follow_links=self.settings.follow_links)
        known = [self.lake.read(CUSTOMERS, self.lake.version(CUSTOMERS))]
        self.customers = self._read_feed(CUSTOMERS_FEED, CUSTOMERS, corrections, known)
        self.sales = self._read_feed(TRANSACTIONS, SALES, corrections, [*known, self.customers.decision.changes])
        for reread in (self.customers, self.sales):
            self.report.take_decision(reread.decision, self.rules)
        self.released = self.customers.released.union(self.sales.released)
        self.report.removed = {REJECTED.name: self.released.count()}
        details = f"{self.report.removed[REJECTED.name]:,} are good now"
        superseded = self.customers.superseded + self.sales.superseded
        if superseded:
            details += f", {superseded:,} stay, since the lake has other values for their ids by now"
        return details

    def _read_feed(self, feed: Feed, table: Table, corrections: DataFrame, known: list[DataFrame]) -> Reread:
        reread = read_rejected(
            self.lake, feed, table, self.rules, self.settings.format_of(feed.name), corrections, known
        )
        self.cleanup.callback(reread.decision.unpersist)
        self.cleanup.callback(reread.decision.batch.unpersist)
        return reread

    def plan(self) -> str:
        self.report.take_plan(plan_run(self.lake, self.sales.decision.changes, self.customers.decision.changes))
        return ""

    def merge(self) -> str:
        self.prepare_tables()
        for table, reread in ((CUSTOMERS, self.customers), (SALES, self.sales)):
            self.report.take_commit(table, merge_changes(self.lake, table, reread.decision, self.note))
        self.refresh_aggregate()
        return f"{counted(self.report.groups_touched, 'group')} in {counted(len(self.report.hours_touched), 'hour')}"

    def take_out(self) -> str:
        if self.report.removed[REJECTED.name]:
            self.report.take_commit(REJECTED, self.lake.remove(REJECTED, self.released, hours=None, note=self.note))
        return ""


JOB = Job("release_rejected", __doc__, ReleaseSettings, ReleaseRejected)


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, argv)


if __name__ == "__main__":
    sys.exit(main())
