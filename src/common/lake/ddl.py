"""The statements that create, change and merge into tables and views, from the contract."""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import SparkSession

from common.contract import Table, View
from common.contract.formats import FORMAT, FORMAT_PROPERTY
from common.spark.session import writes_micros
from common.spark.sql import literal, quoted

# A constraint is such a property of its table.
CONSTRAINT_PROPERTY = "delta.constraints."
# Of a table whose data files all keep times as INT64, which has statistics. Spark's default, and that of earlier code,
# is INT96.
TIMES_PROPERTY, INT64 = "saleslakehouse.times", "INT64 microseconds"


def create_statement(spark: SparkSession, name: str, table: Table) -> str:
    """Creates a table (named as in SQL) with its comments, constraints and properties, unless it is there."""
    return f"CREATE TABLE IF NOT EXISTS {name} {_definition(spark, table)}"


def replace_statement(spark: SparkSession, name: str, table: Table) -> str:
    """Makes a table that is there what `create_statement` would make it: without a row."""
    return f"REPLACE TABLE {name} {_definition(spark, table)}"


def _definition(spark: SparkSession, table: Table) -> str:
    columns = ", ".join(
        f"`{c.name}` {c.type}{'' if c.nullable else ' NOT NULL'} COMMENT {literal(c.comment)}" for c in table.columns
    )
    partitioning = f"PARTITIONED BY ({', '.join(table.partitioned_by)})" if table.partitioned_by else ""
    properties = {
        **({"delta.dataSkippingStatsColumns": ",".join(table.stats)} if table.stats else {}),
        "delta.dataSkippingNumIndexedCols": str(len(table.stats)),
        "delta.enableDeletionVectors": "false",
        "delta.enableChangeDataFeed": str(table.change_feed).lower(),
        **{f"{CONSTRAINT_PROPERTY}{constraint}": check for constraint, check in table.constraints},
        FORMAT_PROPERTY: str(FORMAT),
        **({TIMES_PROPERTY: INT64} if writes_micros(spark) else {}),
    }
    pairs = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in properties.items())
    return f"({columns}) USING delta {partitioning} COMMENT {literal(table.comment)} TBLPROPERTIES ({pairs})"


def columns_or_nulls(table: Table, there: Collection[str]) -> list[str]:
    """The columns of a table in order, for a SELECT from rows that may not have all: null where one is not there."""
    columns = [(quoted(column.name), column.type, column.name in there) for column in table.columns]
    return [name if is_there else f"CAST(NULL AS {type_}) AS {name}" for name, type_, is_there in columns]


def merge_clauses(table: Table, delete_when: str | None) -> str:
    """What a MERGE into a table does with rows that match and others; `delete_when` is true of rows that go."""
    columns = [f"`{column}`" for column in table.column_names]
    clauses = [f"WHEN MATCHED AND {delete_when} THEN DELETE"] if delete_when else []
    clauses.append("WHEN MATCHED THEN UPDATE SET " + ", ".join(f"target.{c} = source.{c}" for c in columns))
    clauses.append(
        f"WHEN NOT MATCHED {f'AND NOT {delete_when} ' if delete_when else ''}"
        f"THEN INSERT ({', '.join(columns)}) VALUES ({', '.join(f'source.{c}' for c in columns)})"
    )
    return " ".join(clauses)


def create_view_statement(name: str, view: View, query: str) -> str:
    """Creates a view (named as in SQL) of a query, or replaces the one that is there."""
    columns = ", ".join(f"{quoted(column.name)} COMMENT {literal(column.comment)}" for column in view.columns)
    return f"CREATE OR REPLACE VIEW {name} ({columns}) COMMENT {literal(view.comment)} AS {query}"
