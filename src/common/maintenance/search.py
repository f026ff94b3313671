"""What is found of a person in the lake, however it is written, and how certain that is.

Nothing here knows how rows are removed. Every value is decoded in Python and compared by spelling.py, so that what a
removal misses is seen. A row that can be parsed says whom it is about in CUSTOMER_ID and NAME; its numbers and products
are not looked at. Certain is what is the id to the letter, in its own column; the rest is for a person to decide.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import reduce
from urllib.parse import unquote

from pyspark.sql import Column, Row
from pyspark.sql import functions as F

from common.contract import REJECTED, RUNS, Table
from common.csv_files.feed_format import FeedFormat, Source
from common.csv_files.header import Header, names_in, values_in
from common.ingest.batch import REDACTED
from common.lake.lake import Lake
from common.maintenance.person import Person, Trace, line_of
from common.maintenance.spelling import Spelling, words_of
from common.words import counted


def found_in_tables(lake: Lake, tables: list[Table], person: Person) -> Iterator[Trace]:
    """What stands in the columns CUSTOMER_ID and NAME of tables, by table and kind."""
    spelling = Spelling(person)
    for table in tables:
        if not table.names_customers or lake.version(table) is None:
            continue
        columns = [name for name in ("CUSTOMER_ID", "NAME") if name in table.column_names]
        rows = lake.read(table, lake.version(table)).where(_may_be_about(person, *columns))
        counts: Counter[tuple[str, bool]] = Counter()
        for row in rows.groupBy(*columns).count().toLocalIterator():
            customer = row["CUSTOMER_ID"]
            if (why := _why(person, spelling, customer, row["NAME"] if "NAME" in columns else None)) is not None:
                counts[why, customer == person.customer_id] += row["count"]
        for (why, is_certain), count in sorted(counts.items()):
            yield Trace(f"{counted(count, 'row')} of {lake.place(table)}", why, is_certain=is_certain)


def found_in_rejected(lake: Lake, person: Person, formats: Mapping[str, FeedFormat]) -> Iterator[Trace]:
    """Which rejected rows have something of the person, by line. `formats` are those of the feeds, by name."""
    if lake.version(REJECTED) is None:
        return
    spelling = Spelling(person)
    rows = lake.read(REJECTED, lake.version(REJECTED)).where(F.col("raw_line") != REDACTED)
    columns = ["feed", "rejected_id", "file", "line_number", "header", "raw_line"]
    for row in rows.where(_may_be_about(person, "raw_line")).select(*columns).toLocalIterator():
        values = _values(row, formats[row["feed"]])
        if values is None:
            what = spelling.in_line(row["raw_line"])
            why = f"cannot be parsed, and {what} stands in it" if what else None
        else:
            customer = values.get("CUSTOMER_ID", "").strip(" \t")
            why = _why(person, spelling, customer, values.get("NAME"))
        if why is not None:
            is_certain = values is not None and customer == person.customer_id
            yield Trace(line_of(row["file"], row["line_number"]), why, row["rejected_id"], is_certain)


def found_in_paths(lake: Lake, person: Person) -> Iterator[Trace]:
    """Which files of the feeds, as the lake keeps their paths, have something of the person in their name."""
    spelling = Spelling(person)
    loaded = lake.read(RUNS, lake.version(RUNS)).select(F.inline("files")).select("path")
    rejected = lake.read(REJECTED, lake.version(REJECTED)).select(F.col("file").alias("path"))
    for row in loaded.union(rejected).distinct().orderBy("path").toLocalIterator():
        if what := spelling.in_path(unquote(row["path"])):
            yield Trace(row["path"], f"{what} stands in the path of a file that was loaded")


def _why(person: Person, spelling: Spelling, customer: str | None, name: str | None) -> str | None:
    """Why a row may be about the person, None where nothing says so."""
    if customer == person.customer_id:
        return "CUSTOMER_ID is the id"
    if spelling.is_id(customer):
        return "CUSTOMER_ID is the id in another spelling"
    return "NAME is the name, and CUSTOMER_ID is another" if spelling.is_name(name) else None


def _may_be_about(person: Person, *columns: str) -> Column:
    """Whether values hold the letters and digits of the id or the name: most rows do not. Letters beyond ASCII have too
    many forms for this, and are left to Python.
    """
    id_text = "".join(words_of(person.customer_id))
    name_words = words_of(person.name or "")
    condition = F.col(columns[0]) == person.customer_id
    for column in columns:
        plain = F.lower(F.regexp_replace(column, "[^a-zA-Z0-9]", ""))
        condition |= F.col(column).rlike(r"[^\x00-\x7F]")
        if column == "CUSTOMER_ID":
            condition |= plain == id_text
        elif column != "NAME":
            condition |= plain.contains(id_text)
        if column != "CUSTOMER_ID" and name_words:
            condition |= reduce(Column.__and__, [plain.contains(word) for word in name_words])
    return F.coalesce(condition, F.lit(False))


def _values(row: Row, format_: FeedFormat) -> dict[str, str] | None:
    """The id and the name in a rejected row, by the header of its file and the description of its feed; None where it
    is no record with as many values, and where the id is computed.
    """
    header = Header(row["header"], names_in(row["header"]))
    try:
        values = values_in(row["raw_line"], format_.dialect)
    except csv.Error:
        return None
    if len(values) != len(header.names):
        return None
    found: dict[str, str] = {}
    for column in ("CUSTOMER_ID", "NAME"):
        source = format_.columns.get(column, Source(() if format_.columns else (column,)))
        if source.expression:
            return None
        for place in header.places_of(source.headers)[:1]:
            found[column] = values[place]
    return found
