"""Keep the lake fast: index the ids of the sales, put small data files together, and delete those that only versions of
long ago have.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial

from common.contract import OPTIONAL_TABLES, SALE_IDS, TABLES, Table
from common.lake import id_index
from common.maintenance.compaction import (
    check_may_maintain,
    compact,
    files_to_compact,
    old_files,
    vacuum,
    write_checkpoint,
)
from common.maintenance.times import may_have_old_times, rewrite_times
from common.marts.registry import built_tables
from common.run.command import run_command
from common.run.job import Job, LakeRun, Step
from common.run.settings import MaintainSettings
from common.words import counted


class Maintain(LakeRun[MaintainSettings]):
    """Index the ids, write files of earlier code anew, compact every table, then delete what is older than
    `retain_hours`; with dry_run, only say how much there is to do.
    """

    def begin(self) -> None:
        super().begin()
        self.begin_on_existing(built_tables())
        if not self.settings.dry_run:
            check_may_maintain(self.lake.spark)
            self.upgrade_tables()

    def steps(self) -> Iterator[Step]:
        if not self.settings.dry_run:
            yield Step("Index the ids of the sales", self.index)
        for table in (*TABLES, *OPTIONAL_TABLES, *built_tables()):
            yield Step(f"Maintain {table.name}", partial(self.maintain, table))
        if not self.settings.dry_run:
            yield Step("Record the run", self.record)

    def index(self) -> str:
        self.report.take_commit(SALE_IDS, id_index.extend(self.lake, self.note))
        return ""

    def maintain(self, table: Table) -> str:
        if self.lake.version(table) is None:
            return "not there"
        retain_hours, is_dry = self.settings.retain_hours, self.settings.dry_run
        would = "would be " if is_dry else ""
        small, total = files_to_compact(self.lake, table)
        details = []
        if may_have_old_times(self.lake, table):
            details.append(f"{counted(total, 'file')} {would}written anew, for times with statistics")
            if not is_dry:
                self.report.take_commit(table, rewrite_times(self.lake, table, note=self.note))
                small, total = files_to_compact(self.lake, table)
        details.append(f"{small:,} of {counted(total, 'file')} {would}put together")
        if small and not is_dry:
            self.report.take_commit(table, compact(self.lake, table, note=self.note))
        old = old_files(self.lake, table, retain_hours)
        if old and not is_dry:
            vacuum(self.lake, table, retain_hours)
        details.append(
            f"{counted(old, 'file')} of older versions {would}deleted" if old else "none is old enough to be deleted"
        )
        if not is_dry and write_checkpoint(self.lake, table):
            details.append("a checkpoint written")
        return ", ".join(details)


JOB = Job("maintain", __doc__, MaintainSettings, Maintain)


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, argv)


if __name__ == "__main__":
    sys.exit(main())
