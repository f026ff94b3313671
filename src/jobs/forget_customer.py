"""Take all that is about one customer out of the lake, for good, and search the lake for what is left."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from common.contract import CUSTOMERS, GUEST, REJECTED, SALE_IDS, SALES
from common.errors import ConfigError, LakeError
from common.lake import id_index
from common.lake.upgrade import upgrades
from common.maintenance import forgetting
from common.maintenance.compaction import check_may_maintain
from common.maintenance.person import Person, Trace, find_person
from common.maintenance.rejected_lines import lines_about
from common.maintenance.search import found_in_rejected
from common.marts.mart import Mart
from common.marts.registry import built_tables, check_extras, marts
from common.run.command import run_command
from common.run.job import Job, LakeRun, Step
from common.run.settings import ForgetSettings
from common.words import counted


class ForgetCustomer(LakeRun[ForgetSettings]):
    """Remove the person's rows, reject them from then on, delete the files of older versions, and search for traces."""

    person: Person
    lines: list[Trace]

    def begin(self) -> None:
        if self.settings.customer_id == GUEST:
            raise ConfigError(
                f"--customer-id: {GUEST} stands for all sales without a customer. There is nobody to forget."
            )
        super().begin()
        self.begin_on_existing(built_tables())
        if self.settings.apply:
            check_extras(self.marts_there())
        if not self.settings.apply:
            self.report.upgrades += upgrades(self.lake, built_tables())

    def steps(self) -> Iterator[Step]:
        yield Step("Look for the customer", self.look)
        if not self.settings.apply:
            yield Step("Look for what is not certain", self.look_for_more)
            return
        yield Step("Reject the customer from now on", self.reject)
        yield Step("Remove the rows", self.remove)
        yield Step("Bring the computed tables up to date", self.refresh)
        yield Step("Delete the files of older versions", self.purge)
        yield Step("Search the lake", self.search)
        yield Step("Record the run", self.record)

    def look(self) -> str:
        self.person = find_person(self.lake, self.settings.customer_id)
        for table in forgetting.tables_with_rows(self.lake):
            self.report.removed[table.name] = forgetting.rows_about(self.lake, table, self.person).count()
        self.lines = self.lines_to_remove()
        self.report.removed[REJECTED.name] = len(self.lines)
        self.report.removed_uncertain = [line for line in self.lines if not line.is_certain]
        return ", ".join(f"{counted(count, 'row')} in {table}" for table, count in self.report.removed.items())

    def lines_to_remove(self) -> list[Trace]:
        """The rejected rows about the person, without those that are to be kept, and with those named beside them."""
        lines = lines_about(self.lake, self.person, self.settings.formats)
        keep, also = _ids(self.settings.keep_rejected), _ids(self.settings.also_rejected)
        kept = forgetting.named_lines("--keep-rejected", keep, [line for line in lines if not line.is_certain])
        more: list[Trace] = []
        if also:
            known = {line.rejected_id for line in lines}
            found = found_in_rejected(self.lake, self.person, self.settings.formats)
            others = [line for line in found if line.rejected_id not in known]
            more = forgetting.named_lines("--also-rejected", also, others)
        return [line for line in lines if line not in kept] + more

    def look_for_more(self) -> str:
        removed = {line.rejected_id for line in self.lines}
        self.report.left_uncertain = [
            found
            for found in forgetting.traces(self.lake, self.person, self.settings.formats)
            if found.rejected_id not in removed and (found.rejected_id or not found.is_certain)
        ]
        return f"{counted(len(self.report.left_uncertain), 'place')} to look at"

    def reject(self) -> str:
        check_may_maintain(self.lake.spark)
        self.prepare_tables()
        forgetting.reject_from_now_on(self.lake, self.person, self.started_at.isoformat(), self.note)
        return ""

    def remove(self) -> str:
        if self.lines:
            forgetting.take_out_lines(self.lake, self.lines, self.note)
        for table in (SALES, CUSTOMERS):
            if self.report.removed.get(table.name):
                forgetting.take_out(self.lake, table, self.person, self.note)
        return ""

    def refresh(self) -> str:
        self.refresh_marts(self.marts_there())
        if self.lake.version(SALE_IDS) is not None:
            # It belongs to a version of the sales whose files are deleted in the next step.
            id_index.make_anew(self.lake, self.note)
        return ""

    def marts_there(self) -> list[Mart]:
        """The computed tables that the lake has: they count what the person did."""
        return [mart for mart in marts() if self.lake.version(mart.table) is not None]

    def purge(self) -> str:
        forgetting.purge(self.lake)
        return ""

    def search(self) -> str:
        found = list(forgetting.traces(self.lake, self.person, self.settings.formats))
        certain = [str(finding) for finding in found if finding.is_certain]
        if certain:
            raise LakeError(
                f"Something of the customer is still there: {'; '.join(certain[:5])}. Run again; what stays in a log "
                "was put there by another program, and goes when Delta deletes that file (delta.logRetentionDuration). "
                "Rejected rows that stay are listed without --apply, and go with --also-rejected."
            )
        self.report.left_uncertain = found
        return f"nothing certain found, {counted(len(found), 'place')} to look at" if found else "nothing found"

    def conclude(self) -> None:
        if not self.settings.apply:
            self.console.say("Nothing was changed: add --apply to do it.")


def _ids(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


JOB = Job("forget_customer", __doc__, ForgetSettings, ForgetCustomer)


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, argv)


if __name__ == "__main__":
    sys.exit(main())
