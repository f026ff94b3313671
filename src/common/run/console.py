"""What a person sees of a run while it works: its steps as they happen; and its report at the end, or that as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Protocol

from rich.console import Console as Terminal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from common.maintenance.person import Trace
from common.marts.plan import Plan
from common.spark.times import json_value
from common.words import ID_SHOWN, counted, shown

# Raised when a property of a report is taken away, or means something else; see report_schema.py.
SCHEMA_VERSION = 1
_WIDTH_OF_NO_TERMINAL = 120
# A plan prints so many of the keys and hours that it would recompute; the JSON report has a hundred, and all.
_KEYS_PRINTED = 10
_HOURS_PRINTED = 50
_FINDINGS_PRINTED = 50


@dataclass(frozen=True)
class StepDone:
    """One step of a run: when it began, and how many seconds it took."""

    step: str
    started_at: datetime
    seconds: float


class Report(Protocol):
    """What a job ends with: one JSON object; or, for a person, a title, a table and the lines below it."""

    @property
    def title(self) -> str: ...

    def as_dict(self) -> dict[str, object]: ...

    def table(self) -> RichTable | None: ...

    def lines(self) -> Iterator[str]: ...


class Console:
    """Prints steps as they happen: a progress bar where the output is a terminal, plain lines where it is not."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        # spark-submit merges what a Python job writes to standard error into its standard output: beside JSON, silence.
        self._console = Terminal(file=sys.stdout, quiet=as_json, highlight=False)
        if not self._console.is_terminal:
            self._console.width = _WIDTH_OF_NO_TERMINAL
        self._done: list[StepDone] = []
        self._steps = 0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Console:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def step(self, description: str) -> Iterator[list[str]]:
        """Time one step; what the caller appends to the list is said when it is done."""
        self._progress.update(self._task, description=description)
        started_at, started = datetime.now(timezone.utc), time.monotonic()
        details: list[str] = []
        yield details
        seconds = time.monotonic() - started
        self._done.append(StepDone(description, started_at, round(seconds, 3)))
        self._progress.advance(self._task)
        progress = f"[{len(self._done)}/{self._steps}]"
        self.say(f"{progress} {description:<34} {seconds:5.1f} s  {', '.join(filter(None, details))}".rstrip())

    def begin(self, steps: int) -> None:
        """Count the steps from here on: of a run, or of one that starts again."""
        self._steps = steps
        self._done.clear()
        self._progress.reset(self._task, total=steps)

    def say(self, line: str) -> None:
        """Print a line: broken between words in a terminal, and as it is in a log."""
        is_terminal = self._console.is_terminal
        self._console.print(
            shown(line), markup=False, soft_wrap=not is_terminal, overflow="ignore" if is_terminal else None
        )

    def show(self, table: RichTable) -> None:
        """Print a table."""
        self._console.print(table)

    def finish(self, report: Report) -> None:
        """Print the report: a table for a person; or one JSON object on standard output, its times ISO 8601 in UTC,
        which also has how long each step took. docs/reference/report.schema.json is its schema.
        """
        if self._as_json:
            steps = [asdict(step) for step in self._done]
            content = {"schema_version": SCHEMA_VERSION, **report.as_dict(), "steps": steps}
            print(json.dumps(content, default=json_value), flush=True)
            return
        self.say("")
        self.say(report.title)
        table = report.table()
        if table:
            self.show(table)
        for line in report.lines():
            self.say(line)


def plan_lines(plan: Plan) -> Iterator[str]:
    """What a run would change, a line each."""
    for hour in plan.hours[:_HOURS_PRINTED]:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in hour.by_reason.items())
        yield f"  {hour.hour:%Y-%m-%d %H:00}: {counted(hour.groups, 'group')} ({reasons})"
    if len(plan.hours) > _HOURS_PRINTED:
        yield f"  and {counted(len(plan.hours) - _HOURS_PRINTED, 'hour')} more; --json has them all"
    if plan.first_keys:
        yield "Keys (customer, product, hour): " + ", ".join(plan.first_keys[:_KEYS_PRINTED])
    if plan.first_customers:
        yield "Customers: " + ", ".join(plan.first_customers[:_KEYS_PRINTED])
    for change in plan.tables:
        if not (change.inserted or change.updated or change.deleted):
            continue
        rows, files = counted(change.inserted, "row"), counted(change.files_replaced, "file")
        yield (
            f"  {change.table}: {rows} new, {change.updated:,} changed, {change.deleted:,} removed; "
            f"{files} of {counted(change.bytes_replaced, 'byte')} replaced"
        )


def finding_lines(heading: str, findings: Sequence[Trace]) -> Iterator[str]:
    """What was found of a person and is not certain, a line each; none where there is nothing."""
    if not findings:
        return
    yield f"{heading}: {counted(len(findings), 'place')}"
    for found in findings[:_FINDINGS_PRINTED]:
        name = f" (rejected_id {found.rejected_id[:ID_SHOWN]})" if found.rejected_id else ""
        yield f"  {found}{name}"
    if len(findings) > _FINDINGS_PRINTED:
        yield f"  and {counted(len(findings) - _FINDINGS_PRINTED, 'place')} more; --json has them all"
