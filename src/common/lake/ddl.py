"""The statements that create tables and views, from the contract."""

from __future__ import annotations

from common.contract import Table, View
from common.spark.sql import literal, quoted


def create_statement(name: str, table: Table) -> str:
    """Creates a table (named as in SQL) with its comments, constraints and properties, unless it is there."""
    columns = ", ".join(
        f"`{c.name}` {c.type}{'' if c.nullable else ' NOT NULL'} COMMENT {literal(c.comment)}" for c in table.columns
    )
    partitioning = f"PARTITIONED BY ({', '.join(table.partitioned_by)})" if table.partitioned_by else ""
    properties = {
        **({"delta.dataSkippingStatsColumns": ",".join(table.stats)} if table.stats else {}),
        "delta.dataSkippingNumIndexedCols": str(len(table.stats)),
        "delta.enableDeletionVectors": "false",
        "delta.enableChangeDataFeed": str(table.change_feed).lower(),
        **{f"delta.constraints.{constraint}": check for constraint, check in table.constraints},
    }
    pairs = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in properties.items())
    return (
        f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING delta {partitioning} "
        f"COMMENT {literal(table.comment)} TBLPROPERTIES ({pairs})"
    )


def create_view_statement(name: str, view: View, query: str) -> str:
    """Creates a view (named as in SQL) of a query, or replaces the one that is there."""
    columns = ", ".join(f"{quoted(column.name)} COMMENT {literal(column.comment)}" for column in view.columns)
    return f"CREATE OR REPLACE VIEW {name} ({columns}) COMMENT {literal(view.comment)} AS {query}"
