"""What verify_aggregate found, in words and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from rich.table import Table as RichTable

from common.lake.provenance import Sources
from common.words import counted

# So many keys of a finding are kept, and so many of them printed; all are counted.
EXAMPLES_KEPT = 100
_EXAMPLES_PRINTED = 20
NOT_SHOWN = "(personal, not shown)"


@dataclass(frozen=True)
class Cell:
    """One column of a key that is not as expected, as text; None is null, or that there is no row."""

    column: str
    stored: str | None
    expected: str | None


@dataclass(frozen=True)
class Difference:
    """One key that is `changed`, `missing`, or `extra`: there, but not to be there."""

    key: str
    kind: str
    cells: list[Cell]

    def __str__(self) -> str:
        shown = [cell for cell in self.cells if cell.stored != NOT_SHOWN]
        if self.kind == "missing":
            return f"{self.key} is missing: {', '.join(f'{cell.column} should be {cell.expected}' for cell in shown)}"
        if self.kind == "extra":
            return f"{self.key} should not be there: {', '.join(f'{cell.column} is {cell.stored}' for cell in shown)}"
        return f"{self.key}: {', '.join(map(_changed, self.cells))}"


@dataclass(frozen=True)
class Finding:
    """One kind of thing in a table that is not as it should be: how often, and the first keys, files or reasons."""

    table: str
    what: str
    count: int
    examples: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.table}: {self.what}: {self.count:,}"


@dataclass
class TableChecked:
    """A table at the version that was checked; `rows` is None where it could not be read. A gold table was compared
    with a recompute from the versions `made_of`.
    """

    table: str
    place: str
    version: int
    rows: int | None = None
    made_of: Sources | None = None


@dataclass
class Verification:
    """What was checked and compared, and everything that is not as it should be."""

    job: str
    started_at: datetime
    finished_at: datetime | None = None
    tables: list[TableChecked] = field(default_factory=list)
    sources: Sources | None = None
    groups_compared: int = 0
    hours_compared: int = 0
    gold_rows_compared: int = 0
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """All findings in one sentence."""
        return f"The lake is not as it should be. {'; '.join(map(str, self.findings))}."

    def as_dict(self) -> dict[str, object]:
        """The report for machines."""
        return dataclasses.asdict(self) | {"is_sound": not self.findings}

    @property
    def title(self) -> str:
        return self.job

    def table(self) -> RichTable:
        table = RichTable()
        table.add_column("")
        for column in ("version", "rows", "findings"):
            table.add_column(column, justify="right")
        for checked in self.tables:
            rows = "not read" if checked.rows is None else f"{checked.rows:,}"
            findings = sum(finding.table == checked.table for finding in self.findings)
            table.add_row(checked.table, str(checked.version), rows, f"{findings:,}" if findings else "none")
        return table

    def lines(self) -> Iterator[str]:
        if self.sources:
            compared = (
                f"{counted(self.groups_compared, 'group')} and the sums of {counted(self.hours_compared, 'hour')}"
            )
            yield f"Compared: {compared}, with the versions {self.sources.in_words}"
        if self.gold_rows_compared:
            rows = counted(self.gold_rows_compared, "row")
            yield f"Compared: {rows} of gold tables, with the versions that they were made of"
        yield from self.notes
        for finding in self.findings:
            yield str(finding)
            examples = [*finding.examples, *map(str, finding.differences)]
            yield from (f"  {example}" for example in examples[:_EXAMPLES_PRINTED])
            if finding.count > _EXAMPLES_PRINTED:
                yield f"  and {finding.count - _EXAMPLES_PRINTED:,} more"
        if not self.findings:
            yield "All is as it should be."


def _changed(cell: Cell) -> str:
    if cell.stored == NOT_SHOWN:
        return f"{cell.column} differs {NOT_SHOWN}"
    stored, expected = ("null" if value is None else value for value in (cell.stored, cell.expected))
    return f"{cell.column} is {stored}, should be {expected}"
