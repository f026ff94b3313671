"""What DuckDB's sniffer finds in samples of files: the dialect, the names of the columns, and the rows as text."""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common.csv_files.feed_format import Dialect
from common.csv_files.header import names_in
from common.describe.names import is_known_name
from common.describe.sample import Sample
from common.errors import ConfigError, DataRefusedError
from common.words import shown

_NOTHING = "(empty)"
# No value of a file is this, so that those alone are null that a row does not have.
_NO_VALUE = "\0 none"
_DELIMITERS = (",", ";", "\t", "|")
_SAYS_DELIMITER = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
_MOST_TITLE_LINES = 30


@dataclass(frozen=True)
class Look:
    """How files of one kind look: `samples` of all, in one dialect, with the same `header` line. `rows` are the values
    of each row as text, with the number of its sample before them; an empty value is null.
    """

    samples: tuple[Sample, ...]
    dialect: Dialect
    header: str
    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...] = ()

    @property
    def titles(self) -> int:
        """How many lines stand above the header."""
        return len(self.dialect.comment_rows)

    def values(self, name: str) -> list[str]:
        """The values of a column that are there, without the spaces around them."""
        index = self.names.index(name) + 1
        return [value for row in self.rows if (value := row[index])]


def look_at(samples: Sequence[Sample]) -> list[Look]:
    """The kinds of files that the samples are of. Raises DataRefusedError naming a file whose columns cannot be seen,
    ConfigError where DuckDB is not there.
    """
    database = _database()
    kinds: list[tuple[Look, list[Sample]]] = []
    with tempfile.TemporaryDirectory(prefix="describe_feed-") as folder:
        for sample in samples:
            for kind, files in kinds:
                if sample.lines[kind.titles : kind.titles + 1] == (kind.header,):
                    files.append(sample)
                    break
            else:
                kinds.append((_sniffed(database, sample, Path(folder)), [sample]))
        return [_with_rows(database, kind, files, Path(folder)) for kind, files in kinds]


def _database() -> Any:
    try:
        import duckdb
    except ImportError as error:
        raise ConfigError("describe_feed needs DuckDB: pip install 'sales-lakehouse[describe]'.") from error
    return duckdb.connect()


def _sniffed(database: Any, sample: Sample, folder: Path) -> Look:
    said = _SAYS_DELIMITER.fullmatch(sample.lines[0])
    offset = 1 if said else 0
    with _written(folder, sample.lines[offset:]) as path:
        found = _sniff(database, path, said[1] if said else None)
        if found is None or len(found["Columns"]) == 1:
            # Rows of other widths than most may make a delimiter look like none.
            tries = [_sniff(database, path, delimiter) for delimiter in _DELIMITERS]
            found = max((one for one in tries if one), key=lambda one: len(one["Columns"]), default=found)
    if found is None or len(found["Columns"]) == 1:
        raise DataRefusedError(
            f"{shown(sample.path)}: no columns can be told apart. Is it separated by a character that is none of "
            "comma, semicolon, tab and vertical bar? docs/guides/describe-a-feed.md has what a description says then."
        )
    dialect = _dialect(found, sample, offset)
    dialect = _below_titles(dialect, sample)
    lines = sample.lines[dialect.header_row - 1 :]
    try:
        names = names_in(lines[0], dialect) if lines else ()
    except csv.Error as error:
        place = f"{shown(sample.path)}, line {dialect.header_row}"
        raise DataRefusedError(f"{place}: a quote of the header is astray, or not closed.") from error
    # Where all is text, a header cannot be told from a row by types.
    if not names or not (found["HasHeader"] or any(map(is_known_name, names))):
        raise DataRefusedError(
            f"{shown(sample.path)} has no header: its first line looks like a row. Write a line with the names of the "
            "columns above it."
        )
    return Look((sample,), dialect, lines[0], names)


def _sniff(database: Any, path: str, delimiter: str | None) -> dict[str, Any] | None:
    """What DuckDB says of a file, by its own names; None where it sees no table."""
    import duckdb

    known = ", delim = ?, strict_mode = false, null_padding = true" if delimiter else ""
    query = f"FROM sniff_csv(?, sample_size = -1{known})"
    try:
        found = database.execute(query, [path, *([delimiter] if delimiter else [])])
        names = [column[0] for column in found.description]
        [row] = found.fetchall()
    except duckdb.Error:
        return None
    return dict(zip(names, row, strict=True))


def _dialect(found: dict[str, Any], sample: Sample, offset: int) -> Dialect:
    def character(name: str) -> str | None:
        return None if found[name] in (_NOTHING, "") else str(found[name])

    text = "\n".join(sample.lines)
    delimiter, quote = found["Delimiter"], character("Quote") or '"'
    escape = character("Escape")
    starts_with_quote = re.search(rf"(?:^|{re.escape(delimiter)}){quote}", text, re.MULTILINE)
    if escape == quote or (escape and escape + quote not in text):
        escape = None
    spaced = rf"{re.escape(delimiter)} +{quote}"
    titles = min(offset + int(found["SkipRows"]), _MOST_TITLE_LINES, len(sample.lines) - 1)
    # A blank line after those that DuckDB skips is no header.
    while titles < len(sample.lines) - 1 and not sample.lines[titles].strip():
        titles += 1
    return Dialect(
        delimiter=delimiter,
        # Quotes that stand at no value's start, or that are not closed, mean nothing; the usual ones do no harm then.
        quote_char=None if character("Quote") is None and starts_with_quote else quote,
        escape_char=escape,
        skip_initial_space=len(re.findall(spaced, text)) * 2
        > len(re.findall(rf"{re.escape(delimiter)} *{quote}", text)),
        comment_rows=tuple(range(1, titles + 1)),
        encoding=sample.encoding,
    )


def _below_titles(dialect: Dialect, sample: Sample) -> Dialect:
    """The dialect with the header where known names are: titles that a spreadsheet has saved are as wide as rows, and
    a header is not where rows begin that are alike.
    """

    def known_names(line: str) -> int:
        with suppress(csv.Error):
            return sum(map(is_known_name, names_in(line, dialect)))
        return 0

    first = dialect.header_row - 1
    found = [known_names(line) for line in sample.lines[: first + _MOST_TITLE_LINES]]
    best = found.index(max(found))
    if found[first] > 1 or found[best] < 3:
        return dialect
    return replace(dialect, comment_rows=tuple(range(1, best + 1)))


def _with_rows(database: Any, look: Look, samples: Sequence[Sample], folder: Path) -> Look:
    """All samples of the kind, with their rows. What stands in more than one encoding is taken for the odd one."""
    encodings = [sample.encoding for sample in samples if sample.encoding != "utf-8"]
    dialect = look.dialect
    rows: list[tuple[Any, ...]] = []
    # One more than the header has: it is null where a row has no value too many.
    columns = {f"c{index}": "VARCHAR" for index in range(len(look.names) + 1)}
    for number, sample in enumerate(samples):
        with _written(folder, sample.lines[look.titles + 1 :]) as path:
            if os.path.getsize(path):
                found = database.read_csv(
                    path,
                    sep=dialect.delimiter,
                    quotechar=dialect.quote_char or "",
                    escapechar=dialect.escape_char or dialect.quote_char or "",
                    header=False,
                    auto_detect=False,
                    columns=columns,
                    null_padding=True,
                    na_values=_NO_VALUE,
                    ignore_errors=True,
                    strict_mode=False,
                    parallel=False,
                )
                rows += [(number, *row) for row in found.fetchall()]
    # A load rejects rows with fewer or more values than the header, so they say nothing, unless all are like that.
    well_formed = [row for row in rows if row[-1] is None and None not in row[:-1]]
    values = [(number, *map(_without_spaces, row)) for number, *row, _ in well_formed or rows]
    return Look(
        samples=tuple(samples),
        dialect=replace(dialect, encoding=next(iter(encodings), "utf-8")),
        header=look.header,
        names=look.names,
        # A line of spaces is no row.
        rows=tuple(row for row in values if any(row[1:]) and row[1:] != look.names),
    )


def _without_spaces(value: str | None) -> str | None:
    return (value or "").strip(" \t") or None


@contextmanager
def _written(folder: Path, lines: Sequence[str]) -> Iterator[str]:
    """A file of the lines that only the user may read, while it is looked at."""
    path = folder / "sample.csv"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="") as file:
        file.writelines(f"{line}\n" for line in lines)
    try:
        yield str(path)
    finally:
        path.unlink()
