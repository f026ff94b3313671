"""What a CSV file holds by two parsers that know nothing of docs/explanation/csv.md: Python's csv module and DuckDB."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from common.contract import CUSTOMERS_FEED, TRANSACTIONS, Feed

csv.field_size_limit(10_000_000)

_IS_CLEAN_ID = (
    "{0} IS NOT NULL AND length({0}) <= 256 AND NOT regexp_matches(replace({0}, ' ', ''), '[\\p{{C}}\\p{{Z}}\"]')"
)
_TYPED = {
    TRANSACTIONS.name: f"""
        SELECT TRANSACTION_ID, CUSTOMER_ID, PRODUCT_ID, TRY_CAST(QUANTITY AS INTEGER) AS quantity,
            TRY_CAST(PRICE AS DECIMAL(18, 2)) AS price,
            TRY_CAST(
                regexp_replace(TRANSACTION_DATE, '([+-][0-9][0-9])([0-9][0-9])$', '\\1:\\2') AS TIMESTAMPTZ
            ) AS time
        FROM texts
        WHERE {" AND ".join(_IS_CLEAN_ID.format(name) for name in TRANSACTIONS.column_names[:3])}
            AND regexp_full_match(QUANTITY, '[+-]?[0-9]+')
            AND regexp_full_match(PRICE, '[+-]?0*[0-9]{{1,16}}([.][0-9]{{1,2}}0*)?')
            AND regexp_full_match(TRANSACTION_DATE, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T]([01][0-9]|2[0-3]):[0-5][0-9]'
                || '(:[0-5][0-9]([.][0-9]{{1,6}}0*)?)?(Z|[+-](0[0-9]|1[0-8])(:?[0-5][0-9])?)?')
    """,
    CUSTOMERS_FEED.name: f"""
        SELECT CUSTOMER_ID, NAME, TRY_CAST(AGE AS INTEGER) AS age, COUNTRY
        FROM texts
        WHERE {_IS_CLEAN_ID.format("CUSTOMER_ID")} AND (AGE IS NULL OR regexp_full_match(AGE, '[+-]?[0-9]+'))
            AND (AGE IS NULL OR TRY_CAST(AGE AS INTEGER) BETWEEN 0 AND 120)
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

    def accepted(self, content: bytes, feed: Feed) -> list[tuple[Any, ...]] | None:
        """The rows of a file that our rules accept, read and judged by DuckDB; None where one of the two parsers calls
        the file malformed, or they do not find the same rows of the right width in it.
        """
        by_csv, by_duckdb = _read_by_csv(content), self._read_by_duckdb(content, len(feed.columns))
        if by_csv is None or by_duckdb is None:
            return None
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


def _read_by_csv(content: bytes) -> list[list[str]] | None:
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        return [[re.sub(r"\r\n?", "\n", value) for value in row] for row in csv.reader(text, strict=True)]
    except (UnicodeDecodeError, csv.Error):
        return None
