"""What the files of a feed do not say of themselves: how their bytes become values, and which value is which column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True)
class Dialect:
    """How lines become values, in the terms of Frictionless' CSV Dialect and Table Schema. `encoding` is Python's name
    for it; `comment_rows` are the numbers of the lines above the header that are passed over.
    """

    delimiter: str = ","
    quote_char: str | None = '"'
    escape_char: str | None = None
    skip_initial_space: bool = False
    comment_rows: tuple[int, ...] = ()
    encoding: str = "utf-8"
    decimal_char: str = "."
    group_char: str | None = None
    missing_values: tuple[str, ...] = ()

    @property
    def header_row(self) -> int:
        """The number of the line that holds the header."""
        return next(number for number in range(1, len(self.comment_rows) + 2) if number not in self.comment_rows)


USUAL_DIALECT = Dialect()


@dataclass(frozen=True)
class Source:
    """Where the values of a column come from: the column of the file that has one of the `headers`, or an SQL
    `expression` over the columns of the file. `format` is that of a time, in the terms of strptime; `rounds` has a
    number with too many decimals rounded half up instead of rejected. Without either, there are no values. `place` says
    where that is written, for messages.
    """

    headers: tuple[str, ...] = ()
    expression: str | None = None
    format: str | None = None
    rounds: bool = False
    place: str = ""


@dataclass(frozen=True)
class Sequence:
    """By what the newer of two rows with one id is told: a column of the file, the file's name, or the time at which it
    was last written.
    """

    kind: Literal["time", "number", "_file", "_file_modified"]
    source: Source = Source()


@dataclass(frozen=True)
class FeedFormat:
    """How the files of one feed are read. `columns` has a source for each column of the feed, and none where the
    header has the feed's own names. `time_zone` (an IANA name) is that of times without an offset.

    `allows_returns`: quantities below 0 are good. `allows_guests`: a row without a customer is a guest's.
    `last_counts`: of rows with one id in one file, the last one counts; else those that contradict each other are
    rejected. With a `sequence`, the row with the highest one counts, whenever it comes.
    """

    dialect: Dialect = USUAL_DIALECT
    time_zone: str = "UTC"
    columns: Mapping[str, Source] = field(default_factory=dict)
    ignores_other_columns: bool = False
    allows_returns: bool = False
    allows_guests: bool = False
    last_counts: bool = False
    sequence: Sequence | None = None


# How files are read that nobody described.
USUAL_FORMAT = FeedFormat()


def in_utf8(format_: FeedFormat) -> FeedFormat:
    """The same, of lines that were decoded before."""
    return replace(format_, dialect=replace(format_.dialect, encoding="utf-8"))
