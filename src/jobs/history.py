"""Show the last runs of the lake: what each read, counted and rejected; or which run loaded a file; changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from common.audit.history import RunHistory, read_history
from common.run.command import run_command
from common.run.job import Job, Run, Step
from common.run.settings import HistorySettings
from common.words import counted


class History(Run[HistorySettings]):
    """Read the record of runs, and no other table."""

    report: RunHistory

    def begin(self) -> None:
        self.report = RunHistory(self.job, started_at=self.started_at, file=self.settings.file)

    def steps(self) -> Iterator[Step]:
        yield Step("Read the record of runs", self.look_up)

    def look_up(self) -> str:
        read_history(self.lake, self.report, last=self.settings.last)
        return counted(self.report.runs_recorded, "run")


JOB = Job("history", __doc__, HistorySettings, History)


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, argv)


if __name__ == "__main__":
    sys.exit(main())
