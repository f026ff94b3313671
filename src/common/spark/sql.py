"""SQL text from names and values: they are quoted here, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

# More hours than this are named by the first and the last one.
_MAX_HOUR_LITERALS = 1000


def range_condition(column: str, first: datetime, last: datetime) -> str:
    """SQL that is true from the first hour to the last, in literals."""
    return f"{column} BETWEEN {_instant(first)} AND {_instant(last)}"


def hours_condition(column: str, hours: Sequence[datetime]) -> str:
    """SQL that is true in the given hours (of a few) or from the first to the last (of many), in literals."""
    in_order = sorted(set(hours))
    if not in_order:
        return "false"
    if len(in_order) > _MAX_HOUR_LITERALS:
        return range_condition(column, in_order[0], in_order[-1])
    return f"{column} IN ({', '.join(map(_instant, in_order))})"


def _instant(time: datetime) -> str:
    return f"TIMESTAMP '{time.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}Z'"


def quoted(part: str) -> str:
    """A name, or a part of one, as SQL has it."""
    return "`" + part.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
