"""Check that the lake holds what it should, down to every value of every row; changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

from common.audit.findings import Verification
from common.audit.verification import Audit, checked_tables
from common.contract import AGGREGATE
from common.errors import LakeDiffersError
from common.marts.registry import built_tables
from common.run.command import run_command
from common.run.job import Job, Run, Step
from common.run.settings import VerifySettings
from common.words import counted


class VerifyAggregate(Run[VerifySettings]):
    """Check every table, and compare the computed ones with their sources. Prints what is not as it should be, then
    raises LakeDiffersError where there is any.
    """

    report: Verification

    def begin(self) -> None:
        self.report = Verification(self.job, started_at=self.started_at)
        self.audit = Audit(self.lake, self.report)
        self.cleanup.callback(self.audit.close)

    def steps(self) -> Iterator[Step]:
        yield Step("Pin the versions", self.pin)
        yield Step("Check every row of every table", self.check)
        yield Step("Compare with a full recompute", self.compare_aggregate)
        yield Step("Compare the sums with the sales", self.compare_totals)
        yield Step("Compare the index of ids with the sales", self.audit.compare_index)
        yield Step("Compare the other computed tables with a full recompute", self.compare_built)

    def pin(self) -> str:
        self.audit.pin()
        return ""

    def check(self) -> str:
        for table in checked_tables():
            self.audit.check(table)
        rows = sum(table.rows or 0 for table in self.report.tables)
        return f"{counted(rows, 'row')} in {counted(len(self.report.tables), 'table')}"

    def compare_aggregate(self) -> str:
        self.report.groups_compared = self.audit.compare([AGGREGATE])
        return counted(self.report.groups_compared, "group")

    def compare_totals(self) -> str:
        self.report.hours_compared = self.audit.compare_totals()
        return counted(self.report.hours_compared, "hour")

    def compare_built(self) -> str:
        self.report.gold_rows_compared = self.audit.compare(built_tables())
        self.report.finished_at = datetime.now(timezone.utc)
        return counted(self.report.gold_rows_compared, "row")

    def conclude(self) -> None:
        if self.report.findings:
            raise LakeDiffersError(self.report.summary, is_in_report=self.settings.json_)


JOB = Job("verify_aggregate", __doc__, VerifySettings, VerifyAggregate)


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, argv)


if __name__ == "__main__":
    sys.exit(main())
