"""Take all that is about one customer out of the lake, for good, and search the lake for what is left."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from common.contract import CUSTOMERS, REJECTED, SALE_IDS, SALES, TABLES
from common.errors import LakeError
from common.lake import id_index
from common.maintenance import forgetting
from common.maintenance.compaction import check_may_maintain
from common.marts.registry import gold_tables, marts
from common.run.command import run_command
from common.run.job import Job, LakeRun, Step
from common.run.settings import ForgetSettings
from common.words import counted


class ForgetCustomer(LakeRun[ForgetSettings]):
    """Remove the person's rows, reject them from then on, delete the files of older versions, and search for traces."""

    person: forgetting.Person

    def begin(self) -> None:
        super().begin()
        self.begin_on_existing(gold_tables())

    def steps(self) -> Iterator[Step]:
        yield Step("Look for the customer", self.look)
        if not self.settings.apply:
            return
        yield Step("Reject the customer from now on", self.reject)
        yield Step("Remove the rows", self.remove)
        yield Step("Bring the computed tables up to date", self.refresh)
        yield Step("Delete the files of older versions", self.purge)
        yield Step("Search the lake", self.search)
        yield Step("Record the run", self.record)

    def look(self) -> str:
        self.person = forgetting.find_person(self.lake, self.settings.customer_id)
        for table in forgetting.tables_with_rows(self.lake):
            self.report.removed[table.name] = forgetting.rows_about(self.lake, table, self.person).count()
        return ", ".join(f"{counted(count, 'row')} in {table}" for table, count in self.report.removed.items())

    def reject(self) -> str:
        check_may_maintain(self.lake.spark)
        self.lake.create(TABLES)
        forgetting.reject_from_now_on(self.lake, self.person, self.started_at.isoformat(), self.note)
        return ""

    def remove(self) -> str:
        for table in (REJECTED, SALES, CUSTOMERS):
            if self.report.removed.get(table.name):
                forgetting.take_out(self.lake, table, self.person, self.note)
        return ""

    def refresh(self) -> str:
        self.refresh_marts([mart for mart in marts() if self.lake.version(mart.table) is not None])
        if self.lake.version(SALE_IDS) is not None:
            # It belongs to a version of the sales whose files are deleted in the next step.
            id_index.make_anew(self.lake, self.note)
        return ""

    def purge(self) -> str:
        forgetting.purge(self.lake)
        return ""

    def search(self) -> str:
        traces = forgetting.traces(self.lake, self.person)
        if traces:
            raise LakeError(
                f"Something of the customer is still there: {'; '.join(traces[:5])}. Run again; what stays in a log "
                "was put there by another program, and goes when Delta deletes that file (delta.logRetentionDuration)."
            )
        return "nothing found"

    def conclude(self) -> None:
        if not self.settings.apply:
            self.console.say("Nothing was changed: add --apply to do it.")


JOB = Job("forget_customer", __doc__, ForgetSettings, ForgetCustomer)


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, argv)


if __name__ == "__main__":
    sys.exit(main())
