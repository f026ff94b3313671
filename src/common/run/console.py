"""What a person sees of a run while it works: its steps as they happen; and its report at the end, or that as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from common.marts.plan import Plan
from common.spark.times import json_value

_WIDTH_OF_NO_TERMINAL = 120
# A plan prints so many of the keys and hours that it would recompute; the JSON report has a hundred, and all.
_KEYS_PRINTED = 10
_HOURS_PRINTED = 50


class Report(Protocol):
    """What a job ends with: one JSON object; or, for a person, a table and the lines below it."""

    def as_dict(self) -> dict[str, object]: ...

    def table(self) -> RichTable | str: ...

    def lines(self) -> Iterator[str]: ...


class Reporter:
    """Prints steps as they happen: a progress bar where the output is a terminal, plain lines where it is not."""

    def __init__(self, *, steps: int, as_json: bool) -> None:
        self._as_json = as_json
        # spark-submit merges what a Python job writes to standard error into its standard output: beside JSON, silence.
        self._console = Console(file=sys.stdout, quiet=as_json, highlight=False, soft_wrap=True)
        if not self._console.is_terminal:
            self._console.width = _WIDTH_OF_NO_TERMINAL
        self._done: list[dict[str, object]] = []
        self._steps = steps
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=steps)

    def __enter__(self) -> Reporter:
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
        self._done.append({"step": description, "started_at": started_at, "seconds": round(seconds, 3)})
        self._progress.advance(self._task)
        progress = f"[{len(self._done)}/{self._steps}]"
        self.say(f"{progress} {description:<34} {seconds:5.1f} s  {', '.join(details)}".rstrip())

    def show_plan(self, plan: Plan) -> None:
        """Say what is about to be done."""
        for line in plan_lines(plan):
            self.say(line)

    def start_again(self, reason: str) -> None:
        """Say why the steps are done once more, and count them anew."""
        self.say(reason)
        self._done.clear()
        self._progress.reset(self._task)

    def say(self, line: str) -> None:
        self._console.print(line, markup=False)

    def finish(self, report: Report) -> None:
        """Print the report: a table for a person; or one JSON object on standard output, its times ISO 8601 in UTC,
        which also has how long each step took.
        """
        if self._as_json:
            print(json.dumps(report.as_dict() | {"steps": self._done}, default=json_value), flush=True)
            return
        self.say("")
        self._console.print(report.table())
        for line in report.lines():
            self.say(line)


def plan_lines(plan: Plan) -> Iterator[str]:
    """What a run would change, a line each."""
    for hour in plan.hours[:_HOURS_PRINTED]:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in hour.by_reason.items())
        yield f"  {hour.hour:%Y-%m-%d %H:00}: {hour.groups:,} groups ({reasons})"
    if len(plan.hours) > _HOURS_PRINTED:
        yield f"  and {len(plan.hours) - _HOURS_PRINTED:,} hours more; --json has them all"
    if plan.first_keys:
        yield "Keys (customer, product, hour): " + ", ".join(plan.first_keys[:_KEYS_PRINTED])
    if plan.first_customers:
        yield "Customers: " + ", ".join(plan.first_customers[:_KEYS_PRINTED])
    for change in plan.tables:
        if not (change.inserted or change.updated or change.deleted):
            continue
        yield (
            f"  {change.table}: {change.inserted:,} rows new, {change.updated:,} changed, {change.deleted:,} removed; "
            f"{change.files_replaced:,} files of {change.bytes_replaced:,} bytes replaced"
        )
