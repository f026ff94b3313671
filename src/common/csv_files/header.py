"""The header of every file: it names the columns, in any order, or the file is refused in words."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import SparkSession

from common.contract import Feed
from common.csv_files.feed_format import USUAL_DIALECT, USUAL_FORMAT, Dialect, FeedFormat, Source
from common.errors import DataRefusedError
from common.landing.archives import not_packed, not_plain, not_utf8_text
from common.landing.files import InputFile, first_bytes
from common.landing.first_lines import first_lines

_LONGEST_HEADER = 10_000
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_DESCRIBE = "describe_feed writes a description of such files (docs/guides/describe-a-feed.md)"
_BYTES_OF_EMPTY_BZ2 = 14


@dataclass(frozen=True)
class Header:
    """The line that names the columns of a file, each byte as its ISO-8859-1 character, with the lines `above` it;
    `names` are the columns as they stand there. `file` is the order of the file, `file_name` its name,
    `modified_at` when it was last written, where that is known.
    """

    line: str
    names: tuple[str, ...]
    above: tuple[str, ...] = ()
    file: int = 0
    file_name: str = ""
    modified_at: datetime | None = None

    @property
    def lines(self) -> list[str]:
        """The header and the lines above it that are not blank: each stands once in a file."""
        return [*(line for line in self.above if line.strip(" \t")), self.line]

    @property
    def row(self) -> int:
        """The number of its line."""
        return len(self.above) + 1

    @property
    def text(self) -> str:
        """The names in capitals and separated by commas, however they stood in the file."""
        written = io.StringIO()
        csv.writer(written, lineterminator="").writerow([name.upper() for name in self.names])
        return written.getvalue()

    def places_of(self, names: Sequence[str]) -> list[int]:
        """Where columns stand that have one of the names, in any case."""
        wanted = {name.strip().upper() for name in names}
        return [index for index, name in enumerate(self.names) if name.upper() in wanted]


def sources_of(feed: Feed, format_: FeedFormat) -> dict[str, Source]:
    """Where the values of each column of a feed come from: its own name in the header, unless a description says. With
    a sequence that the file has, that too.
    """
    sequence = {"sequence": format_.sequence.source} if format_.sequence else {}
    if not format_.columns:
        return {name: Source((name,)) for name in feed.column_names} | sequence
    # A column of which the description says nothing has no values.
    return {name: format_.columns.get(name, Source()) for name in feed.column_names} | sequence


def names_in(line: str, dialect: Dialect = USUAL_DIALECT) -> tuple[str, ...]:
    """The names in a header line, without the spaces around them; raises csv.Error where its quotes are not right."""
    return tuple(name.strip() for name in values_in(line, dialect))


def values_in(line: str, dialect: Dialect = USUAL_DIALECT) -> list[str]:
    """The values of a line; raises csv.Error where its quotes are not right."""
    reader = csv.reader(
        [line],
        delimiter=dialect.delimiter,
        quotechar=dialect.quote_char,
        quoting=csv.QUOTE_MINIMAL if dialect.quote_char else csv.QUOTE_NONE,
        escapechar=dialect.escape_char,
        skipinitialspace=dialect.skip_initial_space,
        strict=True,
    )
    return next(reader, [])


def read_headers(
    spark: SparkSession, files: list[InputFile], feed: Feed, format_: FeedFormat = USUAL_FORMAT
) -> dict[int, Header]:
    """The header of each file, by the file's order; none of one that unpacks to nothing. Raises DataRefusedError
    naming the file and the column.
    """
    first = first_lines(spark, files, format_.dialect.header_row)
    headers = {file.order: _header_of(file, first[file.order], feed, format_) for file in files}
    return {order: header for order, header in headers.items() if header is not None}


def _header_of(file: InputFile, lines: list[bytes], feed: Feed, format_: FeedFormat) -> Header | None:
    row = format_.dialect.header_row
    problem = _problem_of(file, lines)
    if not problem and 0 < len(lines) < row:
        found = "1 line" if len(lines) == 1 else f"{len(lines)} lines"
        problem = f"{file.path} holds {found}, and the header is in line {row} by the description of {feed.name}."
    if problem:
        raise DataRefusedError(problem)
    if not lines:
        return None
    *above, line = [line.decode("iso-8859-1") for line in lines]
    place = f"{file.path}, line {row}"
    if len(line) > _LONGEST_HEADER:
        raise DataRefusedError(f"{place}: {len(line):,} characters long, this is no header.")
    try:
        # Names beyond ASCII are compared as the encoding has them.
        names = names_in(line.encode("iso-8859-1").decode(format_.dialect.encoding, "replace"), format_.dialect)
    except csv.Error as error:
        raise DataRefusedError(f"{place}: a quote of the header is astray, or not closed.") from error
    header = Header(line, names, tuple(above), file.order, file.path.rpartition("/")[2], file.modified_at)
    _check_header(header, place, feed, format_)
    return header


def _problem_of(file: InputFile, lines: Sequence[bytes]) -> str | None:
    """Why a file cannot be read that begins with these lines, as Spark reads them."""
    if lines:
        problem = not_plain(file.path, lines[0], is_unpacked=True)
        return problem or next((found for line in lines if (found := not_utf8_text(file.path, line))), None)
    # Spark finds no line in a file that is called .bz2 and is no such file.
    problem = not_packed(file.path, first_bytes(file.path))
    if problem is None and file.path.lower().endswith(".bz2") and file.size > _BYTES_OF_EMPTY_BZ2:
        return f"{file.path} cannot be unpacked: it is damaged, or no .bz2 file. Deliver it again."
    return problem


def _check_header(header: Header, place: str, feed: Feed, format_: FeedFormat) -> None:
    sources = sources_of(feed, format_)
    wanted = [name for source in sources.values() for name in source.headers]
    if wanted and not header.places_of(wanted):
        # What stands there is not quoted: it may be the first row of a file without a header, and personal.
        raise DataRefusedError(
            f"{place}: none of the columns of {feed.name} ({', '.join(wanted)}) stands there; {_hint(header)}"
        )
    for name in header.names:
        if format_.ignores_other_columns or header.places_of([name])[0] in _used(header, sources, feed):
            continue
        if not name:
            raise DataRefusedError(
                f"{place}: the header has a column without a name, as where lines end with a delimiter. Write "
                f"other_columns: ignore in the description of the feed; {_DESCRIBE}."
            )
        owner = "of which the description of the feed says nothing"
        if not format_.columns:
            owner = f"which {feed.name} do not have"
        raise DataRefusedError(
            f"{place}: the header has the column {name!r}, {owner}; expected {_expected(sources)} in any order. "
            f"Where such columns may be passed over, write other_columns: ignore; {_DESCRIBE}."
        )
    for name, source in sources.items():
        found = header.places_of(source.headers)
        if source.headers and not found:
            described = "" if source.headers == (name,) else f" for {name}"
            raise DataRefusedError(f"{place}: the header lacks the column {' or '.join(source.headers)}{described}.")
        if len({header.names[index].upper() for index in found}) > 1:
            names = ", ".join(header.names[index] for index in found)
            raise DataRefusedError(f"{place}: the header has several columns for {name}: {names}.")
        if len(found) > 1:
            raise DataRefusedError(f"{place}: the header has the column {header.names[found[0]]} twice.")


def _used(header: Header, sources: dict[str, Source], feed: Feed) -> list[int]:
    """The places of columns whose use is known. An expression may use any."""
    if any(source.expression for source in sources.values()):
        return list(range(len(header.names)))
    wanted = [name for source in sources.values() for name in source.headers]
    return header.places_of([*wanted, *feed.passed_over])


def _hint(header: Header) -> str:
    """What may be the matter with a file whose header has no name that is wanted."""
    if header.line.lower().startswith("sep="):
        return f"it says which delimiter the file has: write commentRows: [1] and that delimiter; {_DESCRIBE}."
    for delimiter, name in _OTHER_DELIMITERS.items():
        if header.line.count(delimiter) > 1 and len(header.names) <= header.line.count(delimiter):
            return f"it is separated by {name}; {_DESCRIBE}."
    if len(header.names) == 1:
        return f"is there a title above the header, or another delimiter? {_DESCRIBE}."
    return f"is the header missing, or are its {len(header.names)} columns named otherwise? {_DESCRIBE}."


def _expected(sources: dict[str, Source]) -> str:
    return ", ".join(" or ".join(source.headers) for source in sources.values() if source.headers)
