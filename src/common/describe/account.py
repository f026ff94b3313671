"""What a person sees of a look at files: what was found, the first rows as they would be loaded, and what would not.

All of it may end in a log: no raw line stands here, and no value of a column that is personal.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.table import Table as RichTable

from common.contract import GUEST, Column
from common.describe.entries import Entry
from common.describe.findings import Finding, knows_header
from common.describe.preview import Preview
from common.words import counted, shown

_ROWS_SHOWN = 8
_REJECTED_SHOWN = 20
_HIDDEN = "***"
_LONGEST = 40
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def found_lines(finding: Finding) -> Iterator[str]:
    """What was found of a feed, before its columns."""
    look, dialect = finding.look, finding.look.dialect
    files = counted(len(look.samples), "file")
    first = shown(look.samples[0].path)
    yield f"{finding.feed.name}: {files}, {first}{' and more' if len(look.samples) > 1 else ''}"
    parts = [f"separated by {_DELIMITERS.get(dialect.delimiter, dialect.delimiter)}"]
    if dialect.quote_char != '"':
        parts.append(f"quoted by {dialect.quote_char}" if dialect.quote_char else "no quotes")
    if dialect.escape_char:
        parts.append(f"escaped by {dialect.escape_char}")
    parts.append("in UTF-8" if dialect.encoding == "utf-8" else f"not in UTF-8, read as {dialect.encoding}")
    parts.append(f"the header in line {dialect.header_row}")
    parts.append(f"{counted(len(look.rows), 'row')} looked at")
    yield f"  {', '.join(parts)}"


def columns_table(finding: Finding) -> RichTable:
    """Where each column of the feed comes from."""
    table = RichTable("column", "comes from", "")
    shows_names = knows_header(finding.look)
    for entry in finding.entries:
        table.add_row(entry.column, _origin(entry, shows_names), shown(entry.note))
    return table


def _origin(entry: Entry, shows_names: bool) -> str:
    if entry.is_open or not shows_names:
        return "(open)"
    more = [f"as {entry.keys['format']}"] if "format" in entry.keys else []
    return ", ".join([shown(entry.keys.get("header") or entry.keys["expression"]), *more])


def notes_of(finding: Finding) -> Iterator[str]:
    """What else the description says, and why."""
    which = "sequence_by" if finding.sequence else "repeated_ids"
    for key, why in (("returns", finding.returns), ("guests", finding.guests), (which, finding.repeated_ids)):
        if why:
            yield f"  {key}: {why}"
    if finding.missing:
        yield f"  missingValues: {', '.join(finding.missing)}"


def loaded_table(preview: Preview) -> RichTable:
    """The first rows as they would be loaded, personal values hidden."""
    table = RichTable()
    for column in preview.feed.columns:
        table.add_column(column.name, justify="left" if column.type in ("string", "timestamp") else "right")
    for row in preview.loaded[:_ROWS_SHOWN]:
        pairs = zip(preview.feed.columns, row, strict=True)
        table.add_row(*(_cell(value, column) for column, value in pairs))
    return table


def _cell(value: Any, column: Column) -> str:
    if value is None:
        return ""
    text = value.isoformat(sep=" ") if isinstance(value, datetime) else shown(str(value))
    if column.personal or (column.name == "CUSTOMER_ID" and _may_be_a_person(text)):
        return _HIDDEN
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _may_be_a_person(customer_id: str) -> bool:
    """Whether the id of a customer may be a name or an address."""
    has_digits, has_spaces = any(map(str.isdigit, customer_id)), any(map(str.isspace, customer_id))
    return customer_id != GUEST and ("@" in customer_id or has_spaces or not has_digits)


def rejected_table(preview: Preview) -> RichTable:
    """The lines that would be rejected, and why."""
    table = RichTable("line", "broken rules", "what to do")
    for line in preview.rejected[:_REJECTED_SHOWN]:
        table.add_row(str(line.number), ", ".join(line.rules), line.advice)
    return table


def preview_line(preview: Preview) -> str:
    """How many of the first rows would be loaded and rejected."""
    more = max(0, len(preview.rejected) - _REJECTED_SHOWN)
    others = preview.rows_read - len(preview.loaded) - len(preview.rejected)
    parts = [
        f"{len(preview.loaded):,} would be loaded",
        f"{others:,} left out, as their ids come again" if others else "",
        f"{len(preview.rejected):,} rejected{f' ({more:,} are not shown)' if more else ''}",
    ]
    first = f"the first {counted(preview.rows_read, 'row')} of {shown(preview.path)}"
    return f"Of {first}, {', '.join(filter(None, parts))}."
