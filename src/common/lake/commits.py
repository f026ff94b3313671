"""What commits carry, beside rows: the note of the run that made them, and a token that keeps two writers apart.

A write takes both as options. A MERGE has none: it takes them from properties of the session, or, where the platform
lets a session set few of those, the note from its own condition, which Delta keeps in the commit.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrameWriterV2, Row, SparkSession
from pyspark.sql import functions as F

from common.contract import Table
from common.contract.formats import FORMAT_PROPERTY, format_in
from common.lake.commit_note import CommitNote
from common.lake.delta_log import commit_infos
from common.spark.session import set_property, unset_property
from common.spark.times import instant_of

# By the option of a write, the property of a session.
_PROPERTIES = {
    "userMetadata": "spark.databricks.delta.commitInfo.userMetadata",
    "txnAppId": "spark.databricks.delta.write.txnAppId",
    "txnVersion": "spark.databricks.delta.write.txnVersion",
}
_OURS = "sales-lakehouse"
IS_MISSING = {
    "DELTA_MISSING_DELTA_TABLE",
    "DELTA_TABLE_NOT_FOUND",
    "DELTA_TABLE_ONLY_OPERATION",
    "PATH_NOT_FOUND",
    "TABLE_OR_VIEW_NOT_FOUND",
}
_OF_FILES = {"OPTIMIZE", "VACUUM START", "VACUUM END"}
_OF_DESCRIPTION = {
    "ADD COLUMNS",
    "ADD CONSTRAINT",
    "CHANGE COLUMN",
    "DROP CONSTRAINT",
    "SET TBLPROPERTIES",
    "UNSET TBLPROPERTIES",
}
# These may make a table of another format what it was before, or is elsewhere.
_OF_WHOLE_TABLES = {"CLONE", "CONVERT", "CREATE OR REPLACE TABLE AS SELECT", "REPLACE TABLE AS SELECT", "RESTORE"}
_NOTE_IN_CONDITION = re.compile(rf"{_OURS}:([A-Za-z0-9+/=]+)")


@dataclass(frozen=True)
class Commit:
    """One version of a table: what made it, and the note that a run of ours left in it; None where none did.

    `properties` are those of the table that the commit set.
    """

    version: int
    operation: str
    at: datetime
    note: CommitNote | None = None
    metrics: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        """Whether a run of ours made it. A RESTORE brings back rows that no run has decided on."""
        return self.note is not None and self.operation != "RESTORE"

    @property
    def is_maintenance(self) -> bool:
        """Whether it moved rows between files, dropped old files, or changed what the table says of itself: no row."""
        return self.operation in _OF_FILES or self.changes_description

    @property
    def changes_description(self) -> bool:
        """Whether it changed only what the table says of itself: its columns, constraints and properties."""
        return self.operation in _OF_DESCRIPTION

    @property
    def makes_table(self) -> bool:
        """Whether it made the table, or made it anew, without a row."""
        return self.operation in ("CREATE TABLE", "REPLACE TABLE", "CREATE OR REPLACE TABLE")

    @property
    def table_format(self) -> int | None:
        """The lake format of the table by this commit; None where it does not say, and the one before it may."""
        if FORMAT_PROPERTY in self.properties or self.makes_table:
            return format_in(self.properties)
        if self.is_ours and not self.is_maintenance:
            return (self.note and self.note.format) or 1
        return None

    @property
    def may_change_format(self) -> bool:
        """Whether only the table itself can tell of which format it is after this commit."""
        return self.operation in _OF_WHOLE_TABLES


@dataclass(frozen=True)
class TableChange:
    """One commit to a table: its rows, and the data files that it replaces."""

    table: str
    inserted: int
    updated: int
    deleted: int
    files_replaced: int
    bytes_replaced: int


class Carried:
    """What a commit of ours is to carry: a note, and the version that it must be the only one to follow, if one is
    given: of two commits under one token, Delta refuses the later one or drops it.
    """

    def __init__(self, note: CommitNote, follows: int | None) -> None:
        self._note = note.to_json()
        self._options = {"userMetadata": self._note}
        if follows is not None:
            self._options |= {"txnAppId": _OURS, "txnVersion": str(follows + 1)}

    def as_options(self, writer: DataFrameWriterV2) -> DataFrameWriterV2:
        for option, value in self._options.items():
            writer = writer.option(option, value)
        return writer

    @contextmanager
    def as_properties(self, spark: SparkSession) -> Iterator[bool]:
        """Have statements put it into their commits meanwhile; yields whether the platform lets them be told so."""
        try:
            yield all(set_property(spark, _PROPERTIES[option], value) for option, value in self._options.items())
        finally:
            for option in self._options:
                unset_property(spark, _PROPERTIES[option])

    def as_condition(self, key: str) -> str:
        """SQL that holds the note, and is true of every value of a column of keys."""
        return f"CAST({key} AS STRING) <> '{_OURS}:{b64encode(self._note.encode()).decode()}'"


def _commit_in_log(version: int, info: Mapping[str, Any]) -> Commit:
    """A commit by its commitInfo, as it stands in the log."""
    return Commit(
        version=version,
        operation=str(info.get("operation")),
        at=instant_of(int(info["timestamp"]) * 1000),
        note=_note_in(info.get("userMetadata"), (info.get("operationParameters") or {}).get("predicate")),
        metrics={name: str(value) for name, value in (info.get("operationMetrics") or {}).items()},
        properties=_properties_in((info.get("operationParameters") or {}).get("properties")),
    )


def read_commits(spark: SparkSession, name: str, folder: str | None, limit: int) -> list[Commit]:
    """The newest commits of a table (named as in SQL), newest first; none where there is no table. From the log's files
    where they are local (in `folder`), which takes no Spark job; else from DESCRIBE HISTORY.
    """
    if folder:
        return [_commit_in_log(version, info) for version, info in commit_infos(folder, limit)]
    try:
        history = spark.sql(f"DESCRIBE HISTORY {name} LIMIT {int(limit)}")
        return [_commit_in_history(row) for row in history.select(*_columns_of_history()).collect()]
    except AnalysisException as error:
        if error.getCondition() in IS_MISSING:
            return []
        raise


def _columns_of_history() -> list[Column]:
    """What `_commit_in_history` needs of a row of DESCRIBE HISTORY."""
    return [
        F.col("version"),
        F.col("operation"),
        # Object stores keep whole seconds, and Delta tells commits of one second apart by milliseconds that depend on
        # how many commits it lists.
        F.unix_seconds("timestamp").alias("second"),
        F.col("userMetadata"),
        F.col("operationParameters")["predicate"].alias("condition"),
        F.col("operationParameters")["properties"].alias("properties"),
        F.col("operationMetrics"),
    ]


def _commit_in_history(row: Row) -> Commit:
    """A commit by its row of DESCRIBE HISTORY."""
    return Commit(
        version=row["version"],
        operation=row["operation"],
        at=instant_of(row["second"] * 1_000_000),
        note=_note_in(row["userMetadata"], row["condition"]),
        metrics=row["operationMetrics"] or {},
        properties=_properties_in(row["properties"]),
    )


def format_by(commits: Iterable[Commit]) -> int | None:
    """The lake format of a table by its commits, newest first; None where only the table itself can tell."""
    for commit in commits:
        if commit.table_format is not None or commit.may_change_format:
            return commit.table_format
    return None


def change_of(table: Table, commit: Commit | None) -> TableChange:
    """What a commit did, as Delta counted it."""
    metrics = commit.metrics if commit else {}

    def count(*names: str) -> int:
        return next((int(metrics[name]) for name in names if name in metrics), 0)

    return TableChange(
        table=table.name,
        inserted=count("numTargetRowsInserted", "numOutputRows"),
        updated=count("numTargetRowsUpdated"),
        deleted=count("numTargetRowsDeleted"),
        files_replaced=count("numTargetFilesRemoved", "numRemovedFiles"),
        bytes_replaced=count("numTargetBytesRemoved", "numRemovedBytes"),
    )


def _note_in(user_metadata: str | None, condition: str | None) -> CommitNote | None:
    found = _NOTE_IN_CONDITION.search(condition or "")
    return CommitNote.from_json(b64decode(found[1]).decode() if found else user_metadata)


def _properties_in(text: str | None) -> dict[str, str]:
    try:
        properties = json.loads(text or "{}")
    except ValueError:
        return {}
    return properties if isinstance(properties, dict) else {}
