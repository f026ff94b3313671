"""What is held of one customer, how it is taken out of the lake, and how the lake is searched for it afterwards."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import AGGREGATE, CUSTOMERS, FORGOTTEN, HOUR, OPTIONAL_TABLES, REJECTED, RUNS, SALES, Table
from common.ingest.forgotten import SEPARATORS, words
from common.lake.commit_note import CommitNote
from common.lake.lake import Lake
from common.maintenance.compaction import vacuum
from common.marts.registry import gold_tables
from common.spark.driver_rows import local_rows
from common.spark.times import hours_in
from common.words import counted

# Parts of a commit that hold no text of the rows: counts, paths that name hours, and the table's own description.
_NOT_SEARCHED = {"operationMetrics", "path", "metaData", "metadata", "fileSizeHistogram", "histogramOpt"}


@dataclass(frozen=True)
class Person:
    """One customer: the id, and the name where the lake knows it."""

    customer_id: str
    name: str | None

    @property
    def customer_hash(self) -> str:
        return hashlib.sha256(self.customer_id.encode()).hexdigest()


def _about_customers() -> Sequence[Table]:
    """The tables that have, or count, what a customer did."""
    return (SALES, CUSTOMERS, AGGREGATE, REJECTED, *gold_tables())


def find_person(lake: Lake, customer_id: str) -> Person:
    """The customer with that id; one whom the lake does not know has no name."""
    known = lake.read(CUSTOMERS, lake.version(CUSTOMERS)).where(F.col("CUSTOMER_ID") == customer_id).head()
    return Person(customer_id, known["NAME"] if known else None)


def tables_with_rows(lake: Lake) -> list[Table]:
    """The tables in which a customer may have rows, as far as the lake has them."""
    return [
        table
        for table in _about_customers()
        if (table is REJECTED or table.names_customers) and lake.version(table) is not None
    ]


def rows_about(lake: Lake, table: Table, person: Person) -> DataFrame:
    """The rows of a table about the person; of rejected rows, those whose line has the id as a word, or the name."""
    rows = lake.read(table, lake.version(table))
    if table is not REJECTED:
        return rows.where(F.col("CUSTOMER_ID") == person.customer_id)
    is_theirs = F.array_contains(words(), person.customer_id)
    if SEPARATORS.search(person.customer_id):
        is_theirs |= F.col("raw_line").contains(person.customer_id)
    if person.name:
        is_theirs |= F.col("raw_line").contains(person.name)
    return rows.where(is_theirs)


def take_out(lake: Lake, table: Table, person: Person, note: CommitNote) -> None:
    """Remove the person's rows from a table, in one commit or none."""
    rows = rows_about(lake, table, person)
    hours = hours_in(rows) if HOUR in table.partitioned_by else None
    lake.remove(table, rows.select(*table.key), hours=hours, note=note)


def reject_from_now_on(lake: Lake, person: Person, at: str, note: CommitNote) -> None:
    """Have every later run reject the person's rows, whatever file they come from."""
    lake.create([FORGOTTEN])
    row = local_rows(lake.spark, [(person.customer_hash, at)], "customer_hash string, at string")
    row = row.select("customer_hash", F.col("at").cast("timestamp").alias("forgotten_at"))
    lake.insert_missing(FORGOTTEN, row, note=note)


def purge(lake: Lake) -> None:
    """Delete the files of older versions, and of change feeds, of every table in which the person was."""
    for table in _about_customers():
        if lake.version(table) is None:
            continue
        vacuum(lake, table, retain_hours=0)


def traces(lake: Lake, person: Person) -> list[str]:
    """Where anything of the person still stands, a place each; none where nothing is found.

    Searched are the rows of the tables; and, for a lake in a local folder, data files of older versions and every file
    of the logs: commits, checksums, checkpoints.
    """
    found = [
        f"{counted(count, 'row')} of {lake.place(table)}"
        for table in tables_with_rows(lake)
        if (count := rows_about(lake, table, person).count())
    ]
    spellings = [re.escape(word) for word in (person.customer_id, person.name) if word]
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(spellings)})(?![\w-])")
    for table in (*_about_customers(), RUNS, *OPTIONAL_TABLES):
        folder = lake.local_folder(table)
        if folder and lake.version(table) is not None:
            found += _old_files(lake, table, Path(folder))
            found += _mentions(lake, table, Path(folder) / "_delta_log", pattern)
    return found


def _old_files(lake: Lake, table: Table, folder: Path) -> Iterator[str]:
    """Data files that the newest version does not have."""
    if table not in _about_customers():
        return
    rows = lake.read(table, lake.version(table))
    plain = [re.sub(r"^file:/+", "/", uri) for uri in rows.inputFiles()]
    # Paths of partitions hold an escaped colon; Spark escapes them once more, or not.
    current = {Path(path) for path in plain} | {Path(unquote(path)) for path in plain}
    for path in sorted(folder.rglob("*.parquet")):
        if "_delta_log" not in path.parts and path not in current:
            yield f"{path}, a data file of an older version"


def _mentions(lake: Lake, table: Table, log: Path, pattern: re.Pattern[str]) -> Iterator[str]:
    not_searched = _NOT_SEARCHED | set(table.stats)
    for path in sorted(log.rglob("*")):
        if path.suffix in (".json", ".crc") and not path.name.startswith("."):
            texts: Iterable[str] = path.read_text(encoding="utf-8", errors="replace").splitlines()
        elif path.suffix == ".parquet":
            actions = lake.spark.read.parquet(str(path))
            texts = [row["action"] for row in actions.select(F.to_json(F.struct("*")).alias("action")).collect()]
        else:
            continue
        if any(pattern.search(value) for text in texts for value in _strings(_parsed(text), not_searched)):
            yield f"{path}, in the log of {table.name}"


def _strings(value: Any, not_searched: set[str]) -> Iterator[str]:
    """Every text in a JSON value, but for those under keys that are not searched; JSON in a text is read as such."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key not in not_searched:
                yield from _strings(part, not_searched)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part, not_searched)
    elif isinstance(value, str):
        inner = _parsed(value)
        if isinstance(inner, (dict, list)):
            yield from _strings(inner, not_searched)
        else:
            yield value


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
