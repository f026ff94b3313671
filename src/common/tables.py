"""The lake: where its tables are, how they are read at a version, and the only code that writes them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from common.contract import HOUR, Table
from common.errors import ConfigError, LakeError
from common.values import instant_of

_USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
_IS_MISSING = {
    "DELTA_MISSING_DELTA_TABLE",
    "DELTA_TABLE_NOT_FOUND",
    "DELTA_TABLE_ONLY_OPERATION",
    "PATH_NOT_FOUND",
    "TABLE_OR_VIEW_NOT_FOUND",
}
# More hours than this are named by the first and the last one.
_MAX_HOUR_LITERALS = 1000


@dataclass(frozen=True)
class Commit:
    """One version of a table: what made it, and the note that a run of ours left in it."""

    version: int
    operation: str
    at: datetime
    note: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)


class Lake:
    """The Delta tables of one lake, in a folder (`lake`) or in a catalog (`catalog` and `schema`)."""

    def __init__(self, spark: SparkSession, folder: str | None, catalog: str | None, schema: str | None) -> None:
        self.spark = spark
        self.folder = folder
        self._prefix = [part for part in (catalog, schema) if part]
        self._seen: dict[str, list[Commit]] = {}

    def name(self, table: Table) -> str:
        """The table as SQL names it, quoted."""
        parts = ["delta", f"{self.folder}/{table.name}"] if self.folder else [*self._prefix, table.name]
        return ".".join(_quoted(part) for part in parts)

    def place(self, table: Table) -> str:
        """The table as a person names it."""
        return f"{self.folder}/{table.name}" if self.folder else ".".join([*self._prefix, table.name])

    def create(self, tables: Sequence[Table]) -> None:
        """Create the tables that are not there yet, each with its constraints in its first commit."""
        for table in tables:
            if self.newest(table) is not None:
                continue
            try:
                self.spark.sql(_create_statement(self.name(table), table))
            except AnalysisException as error:
                if error.getCondition() == "SCHEMA_NOT_FOUND":
                    raise ConfigError(f"schema: {'.'.join(self._prefix)} does not exist: CREATE SCHEMA it.") from error
                raise
            del self._seen[table.name]

    def newest(self, table: Table) -> Commit | None:
        """The newest commit that this run knows of: its own, or the one it first saw; None where there is no table."""
        return next(iter(self.history(table, limit=1)), None)

    def version(self, table: Table) -> int | None:
        """The version of `newest`."""
        newest = self.newest(table)
        return newest.version if newest else None

    def history(self, table: Table, limit: int) -> list[Commit]:
        """The commits up to the newest that this run knows of, newest first; none where there is no table.

        What was looked up is kept, so that a run reads one version of a table until it writes another.
        """
        seen = self._seen.get(table.name)
        if seen is None or (len(seen) < limit and seen and seen[-1].version > 0):
            found = self._read_history(table, limit)
            seen = [commit for commit in found if not seen or commit.version <= seen[0].version]
            self._seen[table.name] = seen
        return seen[:limit]

    def _read_history(self, table: Table, limit: int) -> list[Commit]:
        try:
            rows = (
                self.spark.sql(f"DESCRIBE HISTORY {self.name(table)} LIMIT {int(limit)}")
                .select(
                    "version",
                    "operation",
                    F.unix_micros("timestamp").alias("micros"),
                    "userMetadata",
                    "operationMetrics",
                )
                .collect()
            )
        except AnalysisException as error:
            if error.getCondition() in _IS_MISSING:
                return []
            raise
        return [
            Commit(
                version=row["version"],
                operation=row["operation"],
                at=instant_of(row["micros"]),
                note=_note_in(row["userMetadata"]),
                metrics=row["operationMetrics"] or {},
            )
            for row in rows
        ]

    def read(self, table: Table, version: int | None) -> DataFrame:
        """The table at a version, checked against the contract; empty where there is none (version None)."""
        if version is None:
            return self.spark.createDataFrame([], table.ddl)
        rows = self.spark.sql(f"SELECT * FROM {self.name(table)} VERSION AS OF {int(version)}")
        self._check_columns(rows, table)
        return rows

    def changes(self, table: Table, after: int, to: int) -> DataFrame:
        """Every row version that came or went in the versions after `after` up to `to`, from Delta's change feed."""
        reader = self.spark.read.option("readChangeFeed", "true")
        reader = reader.option("startingVersion", after + 1).option("endingVersion", to)
        return reader.table(self.name(table))

    def merge(
        self,
        table: Table,
        source: DataFrame,
        *,
        hours: Sequence[datetime] | None,
        note: Mapping[str, object],
        delete_when: str | None = None,
    ) -> Commit | None:
        """Merge rows by the table's key in one commit that carries `note`; returns that commit, None if nothing came.

        `hours` are all the hours in which the source's keys may already be, written into the condition so that Delta
        reads no other. A source row for which the SQL `delete_when` is true removes its key instead.
        """
        on = [f"target.`{column}` = source.`{column}`" for column in table.key]
        if hours is not None:
            on.append(hours_condition(f"target.{HOUR}", hours))
        columns = [f"`{column}`" for column in table.column_names]
        clauses = []
        if delete_when:
            clauses.append(f"WHEN MATCHED AND {delete_when} THEN DELETE")
        clauses.append("WHEN MATCHED THEN UPDATE SET " + ", ".join(f"target.{c} = source.{c}" for c in columns))
        clauses.append(
            f"WHEN NOT MATCHED {f'AND NOT {delete_when} ' if delete_when else ''}"
            f"THEN INSERT ({', '.join(columns)}) VALUES ({', '.join(f'source.{c}' for c in columns)})"
        )
        return self._commit(
            table,
            source,
            note,
            "MERGE INTO {table} AS target USING {source} AS source ON " + " AND ".join(on) + " " + " ".join(clauses),
        )

    def insert_missing(self, table: Table, source: DataFrame, *, note: Mapping[str, object]) -> Commit | None:
        """Add the rows whose key is not there yet."""
        on = " AND ".join(f"target.`{column}` = source.`{column}`" for column in table.key)
        merge = f"MERGE INTO {{table}} AS target USING {{source}} AS source ON {on} WHEN NOT MATCHED THEN INSERT *"
        return self._commit(table, source, note, merge)

    def replace(self, table: Table, rows: DataFrame, *, note: Mapping[str, object]) -> Commit | None:
        """Make the rows the whole content of the table."""
        self._check_columns(rows, table)
        return self._commit(table, rows, note, "INSERT OVERWRITE {table} SELECT * FROM {source}")

    def append(self, table: Table, rows: DataFrame, *, note: Mapping[str, object]) -> Commit | None:
        """Add the rows."""
        self._check_columns(rows, table)
        return self._commit(table, rows, note, "INSERT INTO {table} SELECT * FROM {source}")

    def _commit(self, table: Table, source: DataFrame, note: Mapping[str, object], sql: str) -> Commit | None:
        before = self.version(table)
        view = f"source_of_{table.name}"
        source.createOrReplaceTempView(view)
        try:
            with self._note_in_commit({**note, "follows": before}):
                self.spark.sql(sql.format(table=self.name(table), source=view))
        finally:
            self.spark.catalog.dropTempView(view)
        newest = self._read_history(table, limit=1)[0]
        if newest.version == before:
            return None
        is_next = before is not None and newest.version == before + 1
        if newest.note.get("run_id") != note["run_id"] or not is_next:
            raise LakeError(
                f"{self.place(table)} was written by someone else during this run (version {newest.version}): "
                "only one writer at a time is safe. Stop the other one and run again with --reload."
            )
        self._seen[table.name] = [newest, *self._seen[table.name]]
        return newest

    @contextmanager
    def _note_in_commit(self, note: Mapping[str, object]) -> Iterator[None]:
        self.spark.conf.set(_USER_METADATA, json.dumps(note, sort_keys=True))
        try:
            yield
        finally:
            self.spark.conf.unset(_USER_METADATA)

    def _check_columns(self, rows: DataFrame, table: Table) -> None:
        expected = [(column.name, column.type) for column in table.columns]
        if rows.dtypes == expected:
            return
        found = dict(rows.dtypes)
        wrong = [
            f"{name} should be {type_}, is {found.get(name, 'missing')}"
            for name, type_ in expected
            if found.get(name) != type_
        ]
        wrong += [f"{name} should not be there" for name in found if name not in table.column_names]
        raise LakeError(
            f"{self.place(table)} does not fit the contract: {'; '.join(wrong) or 'columns in another order'}."
        )


def hours_condition(column: str, hours: Sequence[datetime]) -> str:
    """SQL that is true in the given hours (of a few) or from the first to the last (of many), in literals."""
    literals = [f"TIMESTAMP '{hour.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}Z'" for hour in sorted(set(hours))]
    if not literals:
        return "false"
    if len(literals) > _MAX_HOUR_LITERALS:
        return f"{column} BETWEEN {literals[0]} AND {literals[-1]}"
    return f"{column} IN ({', '.join(literals)})"


def check_is_writable(folder: str) -> None:
    """Raise LakeError where a local lake folder cannot be written; other stores tell by themselves."""
    if "://" in folder:
        return
    path = os.path.abspath(folder)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    if not os.path.isdir(path):
        raise LakeError(f"The lake {folder} cannot be made: {path} is a file, not a folder.")
    if not os.access(path, os.W_OK | os.X_OK):
        raise LakeError(f"The lake {folder} cannot be written: no permission in {path}.")


def _create_statement(name: str, table: Table) -> str:
    columns = ", ".join(
        f"`{c.name}` {c.type}{'' if c.nullable else ' NOT NULL'} COMMENT {_literal(c.comment)}" for c in table.columns
    )
    partitioning = f"PARTITIONED BY ({', '.join(table.partitioned_by)})" if table.partitioned_by else ""
    properties = {
        **({"delta.dataSkippingStatsColumns": ",".join(table.stats)} if table.stats else {}),
        "delta.dataSkippingNumIndexedCols": str(len(table.stats)),
        "delta.enableDeletionVectors": "false",
        "delta.enableChangeDataFeed": str(table.change_feed).lower(),
        **{f"delta.constraints.{constraint}": check for constraint, check in table.constraints},
    }
    pairs = ", ".join(f"{_literal(key)} = {_literal(value)}" for key, value in properties.items())
    return (
        f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING delta {partitioning} "
        f"COMMENT {_literal(table.grain)} TBLPROPERTIES ({pairs})"
    )


def _quoted(part: str) -> str:
    return "`" + part.replace("`", "``") + "`"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _note_in(user_metadata: str | None) -> dict[str, object]:
    try:
        note = json.loads(user_metadata or "{}")
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}
