"""Query a lake: all tables as one run left them, so that a load at work meanwhile changes nothing under a query.

    lake = open_lake("lake")                      # without Spark: delta-rs reads, DuckDB answers
    lake.sql("SELECT * FROM product_performance").df()

    lake = open_lake_in_spark(spark, "lake")      # the same tables as temporary views of a Spark session
    lake.sql("SELECT * FROM product_performance").show()

Neither writes, nor takes the lake's lock.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from common.contract import CUSTOMERS, RUNS, SALES, TABLES
from common.contract.formats import FORMAT, format_in, newer_format
from common.contract.gold import SALES_ENRICHED
from common.errors import NewerFormatError
from common.marts.sales_enriched import sales_enriched_sql
from common.spark.sql import quoted

if TYPE_CHECKING:
    import duckdb
    from pyspark.sql import DataFrame, SparkSession

# The tables that any run records.
_OF_EVERY_LOAD = {table.name for table in TABLES}

Answer_co = TypeVar("Answer_co", covariant=True)


class RunNotFoundError(LookupError):
    """There is no lake, or no run of that id; the message says which there are."""


class TableNotFoundError(LookupError):
    """A query names a table that is not there; the message says which there are, or what makes it."""


@dataclass(frozen=True)
class Run:
    """One row of pipeline_runs: which job ended when, and the version that it left each table with."""

    run_id: str
    job: str
    finished_at: datetime
    versions: Mapping[str, int]

    @property
    def has_gold(self) -> bool:
        """Whether computed tables are as this run left sales and customers: no other run records them."""
        return not self.versions.keys() <= _OF_EVERY_LOAD


class _Answers(Protocol[Answer_co]):
    def __call__(self, query: str, /) -> Answer_co: ...


@dataclass(frozen=True)
class LakeAtRun(Generic[Answer_co]):
    """The tables of a lake as `run` left them. `runs` are all the runs that can be asked for, oldest first."""

    run: Run
    runs: Sequence[Run]
    sql: _Answers[Answer_co]

    @property
    def tables(self) -> list[str]:
        """The names that `sql` knows: the tables, the view sales_enriched, and pipeline_runs with all the runs."""
        return _names_in(self.run)


def open_lake(
    folder: str, run_id: str | None = None, storage_options: Mapping[str, str] | None = None
) -> LakeAtRun[duckdb.DuckDBPyRelation]:
    """Open a lake without Spark. `run_id` names a run, else it is the newest one that left computed tables, if any did.

    `storage_options` are those of delta-rs, for a lake on an object store. Times are shown in UTC. Raises
    RunNotFoundError, and NewerFormatError for a lake that a newer version of the code has made.
    """
    import duckdb
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError as NoDeltaTableError

    options = dict(storage_options or {})
    try:
        runs = DeltaTable(f"{folder}/{RUNS.name}", storage_options=options)
    except NoDeltaTableError as error:
        raise RunNotFoundError(f"There is no lake at {folder}: load_sales makes it.") from error
    _check_format(f"{folder}/{RUNS.name}", runs.metadata().configuration)
    found = _runs(runs.to_pyarrow_table(columns=["run_id", "job", "finished_at", "tables"]).to_pylist())
    run = _chosen(found, run_id, folder)
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    for name, version in run.versions.items():
        table = DeltaTable(f"{folder}/{name}", version=version, storage_options=options)
        database.register(name, table.to_pyarrow_dataset())
    database.register(RUNS.name, runs.to_pyarrow_dataset())
    database.execute(f"CREATE VIEW {SALES_ENRICHED.name} AS {sales_enriched_sql(SALES.name, CUSTOMERS.name)}")

    def sql(query: str, /) -> duckdb.DuckDBPyRelation:
        try:
            return database.sql(query)
        except duckdb.CatalogException as error:
            missing = re.search(r"Table with name (\S+) does not exist", str(error))
            if missing is None:
                raise
            raise _no_table(missing[1], run) from error

    return LakeAtRun(run, found, sql)


def open_lake_in_spark(
    spark: SparkSession,
    folder: str | None = None,
    run_id: str | None = None,
    *,
    catalog: str | None = None,
    schema: str | None = None,
) -> LakeAtRun[DataFrame]:
    """Open a lake in a folder, or in a catalog's schema, in Spark: its tables become temporary views. The rest is as in
    `open_lake`; so that times are shown in UTC, have `spark.sql.session.timeZone` say so.
    """
    if folder and "://" not in folder:
        # Spark takes a path for one only where it is whole.
        folder = os.path.abspath(folder)
    place = [part for part in (catalog, schema) if part]

    def name_of(table: str) -> str:
        return ".".join(map(quoted, ["delta", f"{folder}/{table}"] if folder else [*place, table]))

    from pyspark.errors import AnalysisException

    from common.lake.commits import IS_MISSING
    from common.marts.registry import built_tables
    from common.spark.times import instant_of

    try:
        rows = spark.sql(f"SELECT run_id, job, unix_micros(finished_at), tables FROM {name_of(RUNS.name)}").collect()
    except AnalysisException as error:
        if error.getCondition() not in IS_MISSING:
            raise
        raise RunNotFoundError(f"There is no lake at {folder or '.'.join(place)}: load_sales makes it.") from error
    properties = spark.sql(f"SHOW TBLPROPERTIES {name_of(RUNS.name)}").collect()
    _check_format(folder or ".".join(place), {row["key"]: row["value"] for row in properties})
    found = _runs(
        [
            {"run_id": run_id, "job": job, "finished_at": instant_of(micros), "tables": tables}
            for run_id, job, micros, tables in rows
        ]
    )
    run = _chosen(found, run_id, folder or ".".join(place))
    tables = {
        name: spark.sql(f"SELECT * FROM {name_of(name)} VERSION AS OF {version}")
        for name, version in run.versions.items()
    }
    tables[RUNS.name] = spark.table(name_of(RUNS.name))

    def sql(query: str, /) -> DataFrame:
        # Another lake, or the same at another run, may have been opened since: a view is named anew for each query.
        for name, rows in tables.items():
            rows.createOrReplaceTempView(name)
        for table in built_tables():
            if table.name not in tables:
                spark.catalog.dropTempView(table.name)
        spark.sql(sales_enriched_sql(SALES.name, CUSTOMERS.name)).createOrReplaceTempView(SALES_ENRICHED.name)
        try:
            return spark.sql(query)
        except AnalysisException as error:
            if error.getCondition() != "TABLE_OR_VIEW_NOT_FOUND":
                raise
            missing = (error.getMessageParameters() or {}).get("relationName", "of that name")
            raise _no_table(missing.replace("`", ""), run) from error

    return LakeAtRun(run, found, sql)


def _check_format(place: str, properties: Mapping[str, str]) -> None:
    """Raise NewerFormatError where the table of runs, with these properties, is of a format that is not known here."""
    number = format_in(properties)
    if number > FORMAT:
        raise NewerFormatError(newer_format(place, number))


def _names_in(run: Run) -> list[str]:
    return [*run.versions, SALES_ENRICHED.name, RUNS.name]


def _no_table(name: str, run: Run) -> TableNotFoundError:
    there = f"There is no table {name}. There are {', '.join(_names_in(run))}."
    return TableNotFoundError(
        there if run.has_gold else f"{there} Run build_gold, recommend_products or forecast_sales, and open again."
    )


def _runs(rows: Sequence[Mapping[str, Any]]) -> list[Run]:
    """The runs that left tables, oldest first."""
    runs = [
        Run(
            run_id=row["run_id"],
            job=row["job"],
            finished_at=row["finished_at"],
            versions={
                table["table"]: table["version_written"]
                for table in row["tables"]
                if table["version_written"] is not None
            },
        )
        for row in rows
    ]
    return _with_tables_beside(sorted((run for run in runs if run.versions), key=lambda run: run.finished_at))


def _with_tables_beside(runs: Sequence[Run]) -> list[Run]:
    """The runs, each that left computed tables with those that another job had made of the same sales and customers."""
    beside: dict[tuple[int | None, int | None], dict[str, int]] = {}
    found = []
    for run in runs:
        if run.has_gold:
            made = beside.setdefault((run.versions.get(SALES.name), run.versions.get(CUSTOMERS.name)), {})
            made |= {name: version for name, version in run.versions.items() if name not in _OF_EVERY_LOAD}
            run = replace(run, versions={**run.versions, **made})
        found.append(run)
    return found


def _chosen(runs: Sequence[Run], run_id: str | None, place: str) -> Run:
    if not runs:
        raise RunNotFoundError(f"No run has left a table in the lake at {place} yet.")
    if run_id is None:
        return next((run for run in reversed(runs) if run.has_gold), runs[-1])
    chosen = next((run for run in runs if run.run_id == run_id), None)
    if chosen is None:
        newest = ", ".join(f"{run.run_id} ({run.job})" for run in runs[:-6:-1])
        raise RunNotFoundError(f"No run of the lake at {place} is called {run_id}; the newest are {newest}.")
    return chosen
