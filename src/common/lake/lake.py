"""The lake: where its tables are, how they are read at a version, and the only code that writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, DataFrameWriterV2, Row, SparkSession
from pyspark.sql import functions as F

from common.contract import HOUR, Relation, Table
from common.contract.formats import FORMAT, format_in
from common.errors import ConfigError, LakeConflictError, LakeError
from common.lake.commit_note import CommitNote
from common.lake.commits import Carried, Commit, format_by, read_commits
from common.lake.ddl import columns_or_nulls, create_statement, merge_clauses
from common.lake.delta_log import remove_log_without_commits
from common.lake.file_checks import check_table_files, flush_commit, repair_of
from common.spark.driver_rows import no_rows
from common.spark.failures import SPARK_ERRORS, is_conflict
from common.spark.parallel import from_one_task_each
from common.spark.paths import is_on_this_disk
from common.spark.sql import hours_condition, quoted

# How far back commits are read: a little at first.
_LOOK_BACK = ((0, 1), (1, 32), (32, 1024))


class Lake:
    """The Delta tables of one lake, in a folder (`lake`) or in a catalog (`catalog` and `schema`)."""

    def __init__(self, spark: SparkSession, folder: str | None, catalog: str | None, schema: str | None) -> None:
        self.spark = spark
        self.folder = folder
        self._prefix = [part for part in (catalog, schema) if part]
        self._seen: dict[str, list[Commit]] = {}

    def name(self, table: Relation) -> str:
        """The table or view as SQL names it, quoted."""
        parts = ["delta", f"{self.folder}/{table.name}"] if self.folder else [*self._prefix, table.name]
        return ".".join(quoted(part) for part in parts)

    def place(self, table: Table) -> str:
        """The table as a person names it."""
        return f"{self.folder}/{table.name}" if self.folder else ".".join([*self._prefix, table.name])

    def create(self, tables: Sequence[Table]) -> None:
        """Create the tables that are not there yet, each with its constraints in its first commit."""
        missing = [table for table in tables if self.newest(table) is None]
        if missing:
            # Side by side: a new table is planning and a commit, without a row.
            with ThreadPoolExecutor(len(missing)) as pool:
                list(pool.map(self._create, missing))

    def _create(self, table: Table) -> None:
        folder = self.local_folder(table)
        if folder:
            remove_log_without_commits(folder)
        try:
            self.spark.sql(create_statement(self.spark, self.name(table), table))
        except SPARK_ERRORS as error:
            if isinstance(error, AnalysisException) and error.getCondition() == "SCHEMA_NOT_FOUND":
                raise ConfigError(f"schema: {'.'.join(self._prefix)} does not exist: CREATE SCHEMA it.") from error
            if is_conflict(error):
                raise self._conflict(table, "at the same moment") from error
            if "DELTA_CREATE_TABLE_WITH_NON_EMPTY_LOCATION" in str(error):
                raise self._no_table(table) from error
            raise
        del self._seen[table.name]
        version = self.version(table)
        if version is None:
            # Delta takes some folders for a table that exists, and does nothing.
            raise self._no_table(table)
        if version > 0:
            # What was decided beside an empty table does not hold beside the rows that are there by now.
            raise self._conflict(table, "since it looked")
        self._flush(table, version)

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
            found = self._read_commits(table, limit)
            seen = [commit for commit in found if not seen or commit.version <= seen[0].version]
            self._seen[table.name] = seen
        return seen[:limit]

    def _read_commits(self, table: Table, limit: int) -> list[Commit]:
        return read_commits(self.spark, self.name(table), self.local_folder(table), limit)

    def commits(self, table: Table) -> Iterator[Commit]:
        """The same commits, as far back as the caller asks."""
        for known, limit in _LOOK_BACK:
            history = self.history(table, limit)
            yield from history[known:]
            if len(history) < limit:
                return

    def format_of(self, table: Table) -> int | None:
        """Of which lake format the table is; None where there is no table."""
        is_there = self.newest(table) is not None
        return (format_by(self.commits(table)) or format_in(self.detail(table)["properties"])) if is_there else None

    def detail(self, table: Table) -> Row:
        """What the table says of itself: its `description` and its `properties`."""
        return self.spark.sql(f"DESCRIBE DETAIL {self.name(table)}").select("description", "properties").collect()[0]

    def look_again(self, table: Table) -> None:
        """Forget what was seen of the table's commits: for after a step that made some by itself."""
        self._seen.pop(table.name, None)

    def read(self, table: Table, version: int | None) -> DataFrame:
        """The table at a version, as the contract has it; empty where there is none (version None). Of a table of an
        older lake format, columns that it does not have are null.
        """
        if version is None:
            return no_rows(self.spark, table.ddl)
        rows = self.spark.sql(f"SELECT * FROM {self.name(table)} VERSION AS OF {int(version)}")
        if table.misfits(rows.dtypes) and (self.format_of(table) or FORMAT) < FORMAT:
            rows = rows.selectExpr(*columns_or_nulls(table, rows.columns))
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
        note: CommitNote,
        delete_when: str | None = None,
    ) -> Commit | None:
        """Merge rows by the table's key in one commit that carries `note`; returns that commit, None if nothing came.

        `hours` are all the hours in which the source's keys may already be, written into the condition so that Delta
        reads no other. A source row for which the SQL `delete_when` is true removes its key instead.
        """
        return self._merge(table, source, merge_clauses(table, delete_when), hours, note)

    def insert_missing(self, table: Table, source: DataFrame, *, note: CommitNote) -> Commit | None:
        """Append the rows whose key is not there yet, in one commit; None if all are."""
        held = self.read(table, self.version(table)).select(*table.key)
        missing = source.join(held, on=list(table.key), how="left_anti").select(*table.column_names)
        return None if missing.isEmpty() else self.append(table, missing, note=note)

    def remove(
        self, table: Table, keys: DataFrame, *, hours: Sequence[datetime] | None, note: CommitNote
    ) -> Commit | None:
        """Remove the rows with the given keys. `hours` are all those in which they may be; None: anywhere."""
        return self._merge(table, keys, "WHEN MATCHED THEN DELETE", hours, note)

    def _merge(
        self,
        table: Table,
        source: DataFrame,
        clauses: str,
        hours: Sequence[datetime] | None,
        note: CommitNote,
    ) -> Commit | None:
        on = [f"target.`{column}` = source.`{column}`" for column in table.key]
        if hours is not None:
            on.append(hours_condition(f"target.{HOUR}", hours))
        view = f"source_of_{table.name}"

        def merge(carried: Carried) -> None:
            with carried.as_properties(self.spark) as are_set:
                in_condition = [] if are_set else [carried.as_condition(f"target.`{table.key[0]}`")]
                source.createOrReplaceTempView(view)
                try:
                    self.spark.sql(
                        f"MERGE INTO {self.name(table)} AS target USING {view} AS source "
                        f"ON {' AND '.join([*on, *in_condition])} {clauses}"
                    )
                finally:
                    self.spark.catalog.dropTempView(view)

        return self.commit(table, note, merge)

    def overwrite(self, table: Table, rows: DataFrame, *, note: CommitNote) -> Commit | None:
        """Make the rows the whole content of the table."""
        self._check_columns(rows, table)
        return self.commit(table, note, lambda carried: self._writer(table, rows, carried).overwrite(F.lit(True)))

    def append(self, table: Table, rows: DataFrame, *, note: CommitNote, beside_others: bool = False) -> Commit | None:
        """Add the rows, whose keys the caller knows not to be there; with `beside_others`, whoever else adds some."""
        self._check_columns(rows, table)
        return self.commit(
            table, note, lambda carried: self._writer(table, rows, carried).append(), beside_others=beside_others
        )

    def _writer(self, table: Table, rows: DataFrame, carried: Carried) -> DataFrameWriterV2:
        """Writes the rows. A task writes a file of its own into the folder of every hour that it has rows for."""
        rows = from_one_task_each(rows, HOUR) if HOUR in table.partitioned_by else rows
        return carried.as_options(rows.writeTo(self.name(table)))

    def commit(
        self,
        table: Table,
        note: CommitNote,
        write: Callable[[Carried], None],
        *,
        beside_others: bool = False,
    ) -> Commit | None:
        """Do a write that makes one commit or none, and see that it is ours, and the only one unless it may stand
        `beside_others`.
        """
        before = self.version(table)
        if before is None:
            raise LakeError(f"There is no table {self.place(table)}; load_sales makes it.")
        try:
            write(Carried(replace(note, follows=before, format=FORMAT), None if beside_others else before))
        except SPARK_ERRORS as error:
            if is_conflict(error):
                raise self._conflict(table, "at the same moment") from error
            raise
        since = self._read_commits(table, limit=1)
        if since[0].version == before:
            return None
        if since[0].version > before + 1:
            since = self._read_commits(table, limit=since[0].version - before)
        ours = next((commit for commit in reversed(since) if commit.note and commit.note.run_id == note.run_id), None)
        # A table may compact itself after a commit, which changes no row.
        others = [commit for commit in since if commit is not ours and commit.operation != "OPTIMIZE"]
        is_first = ours is not None and ours.version == before + 1
        if ours is None or not (beside_others or (is_first and not others)):
            raise self._conflict(table, f"as version {since[0].version}")
        self._seen[table.name] = [*since, *self._seen[table.name]]
        for commit in reversed(since):
            self._flush(table, commit.version)
        return ours

    def alter(self, table: Table, statement: str, note: CommitNote) -> None:
        """Do a statement that makes one commit of the table's description, or makes it anew; it may carry no note."""
        before = self.version(table)
        try:
            with Carried(note, None).as_properties(self.spark):
                self.spark.sql(statement)
        except SPARK_ERRORS as error:
            if is_conflict(error):
                raise self._conflict(table, "at the same moment") from error
            raise
        newest = self._read_commits(table, limit=1)[0]
        if newest.version != (before or 0) + 1 or not (newest.changes_description or newest.makes_table):
            raise self._conflict(table, f"as version {newest.version}")
        self._seen[table.name] = [newest, *self._seen[table.name]]
        self._flush(table, newest.version)

    def _conflict(self, table: Table, when: str) -> LakeConflictError:
        return LakeConflictError(
            f"{self.place(table)} was written by someone else during this run, {when}. Run again when that one is done."
        )

    def _no_table(self, table: Table) -> LakeConflictError:
        """Files where a table should be made: strange ones, or those of a run that has not committed its table yet."""
        return LakeConflictError(
            f"{self.place(table)} cannot be made: files are there already that are no table. If no other run is making "
            "it just now, take them away."
        )

    def local_folder(self, table: Table) -> str | None:
        """Where the table's files are on this machine's disk; None where they are elsewhere."""
        return f"{self.folder}/{table.name}" if self.folder and is_on_this_disk(self.folder) else None

    def check_files(self, tables: Sequence[Table]) -> None:
        """Raise LakeError where the newest commits of a local table, or data files that they added, are not whole."""
        for table in tables:
            folder = self.local_folder(table)
            for problem in check_table_files(folder) if folder else []:
                raise LakeError(f"{problem}: no table was changed. {repair_of(table)}")

    def _flush(self, table: Table, version: int) -> None:
        folder = self.local_folder(table)
        if folder:
            flush_commit(folder, version)

    def _check_columns(self, rows: DataFrame, table: Table) -> None:
        misfits = table.misfits(rows.dtypes)
        if misfits:
            raise LakeError(f"{self.place(table)} does not fit the contract: {'; '.join(misfits)}.")
