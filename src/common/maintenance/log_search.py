"""What is found of a person in the files of a local table beside its rows: old data files, and the log.

A log is read by what it means: partition values, statistics and paths of files, notes and predicates of commits. The
settings and properties of a table are about nobody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pyspark.sql import functions as F

from common.contract import Table
from common.lake.lake import Lake
from common.maintenance.person import Person, Trace
from common.maintenance.spelling import Spelling
from common.spark.failures import SPARK_ERRORS

# Actions of a log that say something of files.
_OF_FILES = ("add", "remove", "cdc")
# Those that describe the table, and what Delta counts in a checksum.
_OF_THE_TABLE = {
    "checkpointMetadata",
    "deletedRecordCountsHistogramOpt",
    "domainMetadata",
    "fileSizeHistogram",
    "histogramOpt",
    "inCommitTimestampOpt",
    "metaData",
    "metadata",
    "numDeletedRecordsOpt",
    "numDeletionVectorsOpt",
    "numFiles",
    "numMetadata",
    "numProtocol",
    "protocol",
    "setTransactions",
    "sidecar",
    "tableSizeBytes",
    "txn",
    "txnId",
}
_STATISTICS = ("minValues", "maxValues")
# The note of a run of ours that a platform has no other place for; see lake/commits.py.
_NOTE = re.compile(r"sales-lakehouse:[A-Za-z0-9+/=]+")
_NAMES_A_PERSON = re.compile(r"\b(?:CUSTOMER_ID|NAME)\b", re.IGNORECASE)


def found_in_old_files(lake: Lake, table: Table) -> Iterator[Trace]:
    """Data files that the newest version does not have; none where the table is not in a local folder."""
    folder = lake.local_folder(table)
    if folder is None or lake.version(table) is None:
        return
    rows = lake.read(table, lake.version(table))
    plain = [re.sub(r"^file:/+", "/", uri) for uri in rows.inputFiles()]
    # Paths of partitions hold an escaped colon; Spark escapes them once more, or not.
    current = {Path(path) for path in plain} | {Path(unquote(path)) for path in plain}
    for path in sorted(Path(folder).rglob("*.parquet")):
        if "_delta_log" not in path.parts and path not in current:
            yield Trace(str(path), "a data file of an older version", is_certain=True)


def found_in_log(lake: Lake, table: Table, person: Person, *, name_is_theirs: bool) -> Iterator[Trace]:
    """What stands in the log of a local table: commits, checksums, checkpoints; each reason once a file.
    `name_is_theirs`: nobody else in the lake has the name.
    """
    folder = lake.local_folder(table)
    if folder is None or lake.version(table) is None:
        return
    log = _Log(person, name_is_theirs)
    paths = [path for path in sorted((Path(folder) / "_delta_log").rglob("*")) if not path.name.startswith(".")]
    found = {
        (str(path), *reason)
        for path in paths
        if path.suffix in (".json", ".crc")
        for reason in log.found_in(_lines(path.read_text(encoding="utf-8", errors="replace")))
    }
    checkpoints = [str(path) for path in paths if path.suffix == ".parquet"]
    if checkpoints:
        try:
            for path, action in _actions_of(lake, checkpoints):
                found |= {(path, *reason) for reason in log.found_in([action])}
        except SPARK_ERRORS:
            found.add((checkpoints[-1], "this checkpoint, or one before it, cannot be read", False))
    for place, why, is_certain in sorted(found):
        yield Trace(f"{place}, in the log of {table.name}", why, is_certain=is_certain)


def _lines(text: str) -> Iterator[Any]:
    return (_parsed(line) for line in text.splitlines() if line.strip())


def _actions_of(lake: Lake, checkpoints: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The actions of checkpoints, each with its file; in one read, since there may be many."""
    rows = lake.spark.read.option("mergeSchema", "true").parquet(*checkpoints)
    action = F.to_json(F.struct(*[F.col(name) for name in rows.columns])).alias("action")
    for row in rows.select(F.col("_metadata.file_path").alias("path"), action).collect():
        yield unquote(re.sub(r"^file:/+", "/", row["path"])), _parsed(row["action"])


class _Log:
    """What actions say of a person: a reason each, and whether it is certain."""

    def __init__(self, person: Person, name_is_theirs: bool) -> None:
        self._person = person
        self._spelling = Spelling(person)
        self._name_is_theirs = name_is_theirs

    def found_in(self, actions: Iterable[Any]) -> Iterator[tuple[str, bool]]:
        for action in actions:
            if not isinstance(action, dict):
                yield "cannot be read", False
                continue
            for key, content in action.items():
                if key in _OF_FILES and content:
                    yield from self._in_file(content)
                elif key == "allFiles":
                    for file in content or []:
                        yield from self._in_file(file)
                elif key == "commitInfo" and content:
                    yield from self._in_commit(content)
                elif key not in _OF_THE_TABLE:
                    yield from self._in_text(content, "something that only Delta knows")

    def _in_file(self, file: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
        parts = [part.partition("=") for part in unquote(str(file.get("path", ""))).split("/")]
        yield from self._in_values({key: value for key, sign, value in parts if sign}, "the path of a data file")
        for name in ("partitionValues", "partitionValues_parsed"):
            yield from self._in_values(file.get(name), "a partition")
        for name in ("stats", "stats_parsed"):
            statistics = _parsed(file.get(name))
            if isinstance(statistics, dict):
                for kind in _STATISTICS:
                    yield from self._in_values(statistics.get(kind), "statistics")
            elif statistics:
                yield "statistics cannot be read", False

    def _in_values(self, values: object, where: str) -> Iterator[tuple[str, bool]]:
        for column, value in values.items() if isinstance(values, dict) else ():
            if not isinstance(value, str):
                continue
            if column.upper() == "CUSTOMER_ID":
                if value == self._person.customer_id:
                    yield f"{where}: CUSTOMER_ID is the id", True
                elif self._spelling.is_id(value) or self._spelling.is_start_of_id(value):
                    yield f"{where}: CUSTOMER_ID may be the id", False
            elif column.upper() == "NAME":
                if self._spelling.is_name(value):
                    yield f"{where}: NAME is the name", self._name_is_theirs and value == self._person.name
            elif column in ("raw_line", "file"):
                look = self._spelling.in_line if column == "raw_line" else self._spelling.in_path
                if what := look(value):
                    yield f"{where}: {what} stands in {column}", False

    def _in_commit(self, info: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
        yield from self._in_text(info.get("userMetadata"), "the note of a commit")
        for name, value in (info.get("operationParameters") or {}).items():
            if name != "properties":
                for text in _texts(_parsed(value)):
                    yield from self._in_predicate(text)

    def _in_predicate(self, predicate: str) -> Iterator[tuple[str, bool]]:
        """What stands beside CUSTOMER_ID or NAME; Spark numbers columns, as in CUSTOMER_ID#42."""
        for part in re.split(r"\b(?:AND|OR)\b", re.sub(r"#\d+L?", "", _NOTE.sub("", predicate))):
            columns = {column.upper() for column in _NAMES_A_PERSON.findall(part)}
            values = _NAMES_A_PERSON.sub(" ", part)
            what = self._spelling.in_line(values) if columns else None
            if what:
                is_id = "CUSTOMER_ID" in columns and _is_literal(self._person.customer_id, values)
                is_name = "NAME" in columns and bool(self._person.name) and _is_literal(self._person.name or "", values)
                yield f"a predicate holds {what}", is_id or (is_name and self._name_is_theirs)

    def _in_text(self, content: object, where: str) -> Iterator[tuple[str, bool]]:
        for text in _texts(content):
            if what := self._spelling.in_line(text):
                yield f"{where} holds {what}", False


def _is_literal(value: str, text: str) -> bool:
    """Whether a predicate has the value as a whole, in quotes or without."""
    return re.search(rf"""(?:^|[('",=])\s*{re.escape(value)}\s*(?:$|[)'",])""", text) is not None


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value; JSON in a text is read as such."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        inner = _parsed(value)
        if isinstance(inner, (dict, list)):
            yield from _texts(inner)
        else:
            yield value


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text
