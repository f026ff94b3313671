"""The first line of every file: it names the feed's columns, in any order, or the file is refused in words."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from common.contract import Feed
from common.csv_files.files import InputFile, read_text
from common.errors import DataRefusedError

_LONGEST_HEADER = 10_000


def columns_in(header: str) -> list[str]:
    """The column names of a header line, in its order and in capitals: `quantity` is QUANTITY."""
    return [name.strip().upper() for name in next(csv.reader([header], strict=True), [])]


def read_headers(spark: SparkSession, files: list[InputFile], feed: Feed) -> dict[int, str]:
    """The header line of each file, by the file's order; raises DataRefusedError naming the file and the column."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        return dict(pool.map(lambda file: (file.order, _read_header(spark, file, feed)), files))


def _read_header(spark: SparkSession, file: InputFile, feed: Feed) -> str:
    first = read_text(spark, [file]).select(F.col("value").cast("binary").alias("line")).head()
    if first is None:
        raise DataRefusedError(f"{file.path} holds no line: a {feed.name} file starts with {_header_of(feed)}.")
    line = bytes(first["line"])
    if line.startswith((b"\x1f\x8b", b"PK\x03\x04", b"BZh")):
        raise DataRefusedError(f"{file.path} is compressed, which its name does not say: rename it to end in .gz.")
    if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in line:
        raise DataRefusedError(
            f"{file.path} is not in UTF-8 but looks like UTF-16: convert it with iconv -f UTF-16 -t UTF-8."
        )
    header = line.decode("iso-8859-1")
    _check_header(header, file, feed)
    return header


def _check_header(header: str, file: InputFile, feed: Feed) -> None:
    if len(header) > _LONGEST_HEADER:
        raise DataRefusedError(f"{file.path}, line 1: {len(header):,} characters long, this is no header.")
    try:
        names = columns_in(header)
    except csv.Error as error:
        raise DataRefusedError(f"{file.path}, line 1: a quote of the header is astray, or not closed.") from error
    if not set(names) & set(feed.column_names):
        # What stands there is not quoted: it may be the first row of a file without a header, and personal.
        hint = "is it separated by something else than commas?" if len(names) == 1 else "is the header missing?"
        raise DataRefusedError(
            f"{file.path}, line 1: none of the columns of {feed.name} ({_header_of(feed)}) stands there; {hint}"
        )
    for name in names:
        if name not in (*feed.column_names, *feed.passed_over):
            raise DataRefusedError(
                f"{file.path}, line 1: the header has the column {name!r}, which {feed.name} do not have; "
                f"expected {_header_of(feed)} in any order."
            )
        if names.count(name) > 1:
            raise DataRefusedError(f"{file.path}, line 1: the header has the column {name} twice.")
    missing = [name for name in feed.column_names if name not in names]
    if missing:
        raise DataRefusedError(f"{file.path}, line 1: the header lacks the column {', '.join(missing)}.")


def _header_of(feed: Feed) -> str:
    return ",".join(feed.column_names)
