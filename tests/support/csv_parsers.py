"""What a CSV file holds by two parsers that know nothing of docs/explanation/csv.md: Python's csv module and DuckDB."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from common.contract import CUSTOMERS_FEED, TRANSACTIONS
from common.csv_files.feed_format import USUAL_DIALECT, Dialect
from support.csv_by_docs import WARNINGS, judge, text_of_columns
from support.fuzzing import FuzzedFile

csv.field_size_limit(10_000_000)

_IS_CLEAN_ID = (
    "{0} IS NOT NULL AND length({0}) <= 256 AND NOT regexp_matches(replace({0}, ' ', ''), '[\\p{{C}}\\p{{Z}}\"]') "
    "AND NOT regexp_full_match({0}, '[0-9]([.,][0-9]+)?[eE][+][0-9]{{1,3}}')"
)
_IS_TOTAL = (
    "regexp_matches(lower(CUSTOMER_ID), '^[^a-z0-9]*(((grand|sub)[ -]?)?(totals?|sum|count|summe|gesamt|insgesamt)"
    "|end of (report|file|data|export|list)|[0-9]+ (rows?|records?))([^a-z0-9]|$)')"
)
_IS_WHOLE = "regexp_full_match({0}, '[+-]?[0-9]{{1,18}}([.]0*)?')"
_OFFSET = "( ?(Z|z|UTC|GMT|[+-](0[0-9]|1[0-8])(:?[0-5][0-9])?))?"
_IS_TIME = (
    "(regexp_full_match(TRANSACTION_DATE, '([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}/[0-9]{2}/[0-9]{2})[ Tt]"
    f"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?{_OFFSET}') OR regexp_full_match(TRANSACTION_DATE, "
    f"'[0-9]{{8}}[Tt]([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]([.][0-9]+)?{_OFFSET}'))"
)
# From the shapes above to the one that DuckDB casts, step by step.
_STEPS_TO_A_TIME = (
    (r"^([0-9]{4})([0-9]{2})([0-9]{2})[Tt]([0-9]{2})([0-9]{2})([0-9]{2})", r"\1-\2-\3 \4:\5:\6"),
    (r"^([0-9]{4})/([0-9]{2})/", r"\1-\2-"),
    (r"^(.{10})[Tt]", r"\1 "),
    (r"^(.{10} )([0-9]:)", r"\10\2"),
    (r"([.][0-9]{6})[0-9]+", r"\1"),
    (r" ?(Z|z|UTC|GMT)$", "+00"),
    (r" ([+-])", r"\1"),
    (r"([+-][0-9][0-9])([0-9][0-9])$", r"\1:\2"),
)
_CASTABLE_TIME = "TRANSACTION_DATE"
for _pattern, _replacement in _STEPS_TO_A_TIME:
    _CASTABLE_TIME = f"regexp_replace({_CASTABLE_TIME}, '{_pattern}', '{_replacement}')"
_TYPED = {
    TRANSACTIONS.name: f"""
        SELECT TRANSACTION_ID, CUSTOMER_ID, PRODUCT_ID,
            TRY_CAST(split_part(QUANTITY, '.', 1) AS INTEGER) AS quantity,
            TRY_CAST(PRICE AS DECIMAL(18, 2)) AS price, TRY_CAST({_CASTABLE_TIME} AS TIMESTAMPTZ) AS time
        FROM texts
        WHERE {" AND ".join(_IS_CLEAN_ID.format(name) for name in TRANSACTIONS.column_names[:3])}
            AND {_IS_WHOLE.format("QUANTITY")} AND {_IS_TIME} AND CUSTOMER_ID <> 'guest'
            AND regexp_full_match(PRICE, '[+-]?(0*[0-9]{{1,16}}([.]([0-9]{{1,2}}0*)?)?|[.][0-9]{{1,2}}0*)')
    """,
    CUSTOMERS_FEED.name: f"""
        SELECT CUSTOMER_ID, NAME, TRY_CAST(split_part(AGE, '.', 1) AS INTEGER) AS age, COUNTRY
        FROM texts
        WHERE {_IS_CLEAN_ID.format("CUSTOMER_ID")} AND (AGE IS NULL OR {_IS_WHOLE.format("AGE")})
            AND CUSTOMER_ID <> 'guest'
            AND (AGE IS NULL OR TRY_CAST(split_part(AGE, '.', 1) AS INTEGER) BETWEEN 0 AND 120)
            AND NOT (NAME IS NULL AND AGE IS NULL AND COUNTRY IS NULL AND {_IS_TOTAL})
    """,
}
_ACCEPTED = {
    TRANSACTIONS.name: """
        SELECT TRANSACTION_ID, CUSTOMER_ID, PRODUCT_ID, quantity, price, epoch_us(time) FROM typed
        WHERE quantity > 0 AND price >= 0 AND time BETWEEN TIMESTAMPTZ '2000-01-01 00:00:00Z' AND now() + INTERVAL 1 DAY
    """,
    CUSTOMERS_FEED.name: "SELECT * FROM typed",
}


@dataclass
class Parsers:
    """DuckDB and Python's csv module, each reading a whole file by its own lights."""

    folder: Path

    def __post_init__(self) -> None:
        self.database = duckdb.connect()
        self.database.execute("SET threads = 1; SET TimeZone = 'UTC'")

    def accepted(self, file: FuzzedFile) -> list[tuple[Any, ...]] | None:
        """The rows of a file that our rules accept, as other parsers read them; None where these cannot tell. A file
        that nobody describes is read by DuckDB, to typed values, and by Python's csv module, which have to find the
        same rows of the right width in it. One that is described is read by the csv module; what becomes of its texts
        is written down in csv_by_docs.py alone.
        """
        if file.described.text:
            return _accepted_by_csv(file)
        content, feed = file.content, file.feed
        rows_by_csv, by_duckdb = _read_by_csv(content), self._read_by_duckdb(content, len(feed.columns))
        if rows_by_csv is None or by_duckdb is None:
            return None
        by_csv = [row for _, row in rows_by_csv]
        whole = [tuple(value or None for value in row) for row in by_csv if len(row) == len(feed.columns)]
        if whole != by_duckdb:
            return None
        names = [str(name).strip(' \t"').upper() for name in by_csv[0]]
        texts = ", ".join(f"nullif(trim(column{at}, ' ' || chr(9)), '') AS {name}" for at, name in enumerate(names))
        return self.database.execute(
            f"WITH texts AS (SELECT {texts} FROM rows WHERE rowid > 0), typed AS ({_TYPED[feed.name]}) "
            + _ACCEPTED[feed.name]
        ).fetchall()

    def _read_by_duckdb(self, content: bytes, width: int) -> list[tuple[Any, ...]] | None:
        """Rows of the right width in the table `rows`, line breaks inside values as LF."""
        path = self.folder / "for_duckdb.csv"
        columns = ", ".join(f"'column{at}': 'VARCHAR'" for at in range(width))
        normal = ", ".join(
            f"replace(replace(column{at}, chr(13) || chr(10), chr(10)), chr(13), chr(10)) AS column{at}"
            for at in range(width)
        )
        # Different line ends in one file are an error to it: it gets a second try with one kind.
        for bytes_ in (content, re.sub(rb"\r\n?", b"\n", content)):
            path.write_bytes(bytes_)
            try:
                self.database.execute(
                    f"CREATE OR REPLACE TABLE rows AS SELECT {normal} FROM read_csv('{path}', auto_detect = false, "
                    f"header = false, columns = {{{columns}}}, delim = ',', quote = '\"', "
                    "escape = '\"', strict_mode = true, null_padding = false, ignore_errors = true, parallel = false, "
                    "max_line_size = 4000000)"
                )
            except duckdb.InvalidInputException:
                continue
            return self.database.execute("SELECT * FROM rows ORDER BY rowid").fetchall()
        return None


def _accepted_by_csv(file: FuzzedFile) -> list[tuple[Any, ...]] | None:
    format_ = file.described.format
    dialect = format_.dialect
    rows = _read_by_csv(file.content, dialect)
    # An escaped missing value is no escape to us. A line of tabs is blank to us.
    has_escaped_words = dialect.escape_char and any(dialect.escape_char in word for word in dialect.missing_values)
    has_blank_rows = dialect.delimiter == "\t" and any(not any(value.strip() for value in row) for _, row in rows or [])
    if rows is None or has_escaped_words or has_blank_rows:
        return None
    names = [name.strip() for name in rows[0][1]]
    accepted = []
    for line, row in rows[1:]:
        if len(row) == len(names):
            text_of = text_of_columns(names, row, file.feed, file.described, file.name, line)
            reasons, values = judge(text_of, file.feed, format_)
            if set(reasons) <= WARNINGS:
                accepted.append(values)
    return accepted


def _read_by_csv(content: bytes, dialect: Dialect = USUAL_DIALECT) -> list[tuple[int, list[str]]] | None:
    """Each row from the header on, with the number of its first line."""
    try:
        text = content.decode("utf-8-sig" if dialect.encoding == "utf-8" else dialect.encoding)
        lines = iter(io.StringIO(text, newline=""))
        above = len(dialect.comment_rows)
        for _ in range(above):
            next(lines)
        reader = csv.reader(
            lines,
            strict=True,
            delimiter=dialect.delimiter,
            quotechar=dialect.quote_char,
            quoting=csv.QUOTE_MINIMAL if dialect.quote_char else csv.QUOTE_NONE,
            escapechar=dialect.escape_char,
            skipinitialspace=dialect.skip_initial_space,
        )
        rows, line = [], above + 1
        for row in reader:
            rows.append((line, [re.sub(r"\r\n?", "\n", value) for value in row]))
            line = above + reader.line_num + 1
    except (UnicodeDecodeError, csv.Error):
        return None
    return rows
