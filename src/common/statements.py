"""SQL text from contract tables and values: names and literals are quoted here, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from common.contract import Table, View
from common.contract.gold import SALES_ENRICHED

# More hours than this are named by the first and the last one.
_MAX_HOUR_LITERALS = 1000


def range_condition(column: str, first: datetime, last: datetime) -> str:
    """SQL that is true from the first hour to the last, in literals."""
    return f"{column} BETWEEN {_instant(first)} AND {_instant(last)}"


def hours_condition(column: str, hours: Sequence[datetime]) -> str:
    """SQL that is true in the given hours (of a few) or from the first to the last (of many), in literals."""
    in_order = sorted(set(hours))
    if not in_order:
        return "false"
    if len(in_order) > _MAX_HOUR_LITERALS:
        return range_condition(column, in_order[0], in_order[-1])
    return f"{column} IN ({', '.join(map(_instant, in_order))})"


def _instant(time: datetime) -> str:
    return f"TIMESTAMP '{time.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}Z'"


def create_statement(name: str, table: Table) -> str:
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
        f"COMMENT {_literal(table.comment)} TBLPROPERTIES ({pairs})"
    )


def create_view_statement(name: str, view: View, query: str) -> str:
    columns = ", ".join(f"{quoted(column.name)} COMMENT {_literal(column.comment)}" for column in view.columns)
    return f"CREATE OR REPLACE VIEW {name} ({columns}) COMMENT {_literal(view.comment)} AS {query}"


def sales_enriched_sql(sales: str, customers: str) -> str:
    """The query of the view sales_enriched over two tables, named as SQL names them; for Spark and DuckDB alike."""
    of_customer = {"NAME", "AGE", "COUNTRY"}
    computed = {"AMOUNT": "s.QUANTITY * CAST(s.PRICE AS DECIMAL(38, 2)) AS AMOUNT"}
    columns = [
        computed.get(name, f"{'c' if name in of_customer else 's'}.{name}") for name in SALES_ENRICHED.column_names
    ]
    return f"SELECT {', '.join(columns)} FROM {sales} AS s LEFT JOIN {customers} AS c ON c.CUSTOMER_ID = s.CUSTOMER_ID"


def quoted(part: str) -> str:
    return "`" + part.replace("`", "``") + "`"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
