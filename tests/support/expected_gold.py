"""The gold tables as another engine computes them from sales and customers, and as delta-rs reads the stored ones."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from common.marts.registry import gold_tables
from support.lakes import Workbench, arrow

Rows = list[tuple[Any, ...]]

# Net, gross and returned: each by itself from the rows, whose QUANTITY is below 0 for a return.
_MONEY = """
    CAST(coalesce(sum(QUANTITY), 0) AS BIGINT), coalesce(sum(amount), 0),
    CAST(coalesce(sum(QUANTITY) FILTER (QUANTITY > 0), 0) AS BIGINT), coalesce(sum(amount) FILTER (QUANTITY > 0), 0),
    CAST(coalesce(-sum(QUANTITY) FILTER (QUANTITY < 0), 0) AS BIGINT), coalesce(-sum(amount) FILTER (QUANTITY < 0), 0)
"""
_SUMS = f"{_MONEY}, count(*) FILTER (QUANTITY > 0), count(*) FILTER (QUANTITY < 0)"
_QUERIES = {
    "sales_hourly": f"""
        SELECT epoch_us(transaction_hour), {_SUMS},
               count(DISTINCT CUSTOMER_ID) FILTER (QUANTITY > 0 AND CUSTOMER_ID != 'guest')
        FROM sold GROUP BY transaction_hour
    """,
    "product_performance": f"""
        SELECT PRODUCT_ID, {_SUMS},
               count(DISTINCT CUSTOMER_ID) FILTER (QUANTITY > 0 AND CUSTOMER_ID != 'guest'),
               epoch_us(min(TRANSACTION_DATE) FILTER (QUANTITY > 0)),
               epoch_us(max(TRANSACTION_DATE) FILTER (QUANTITY > 0)),
               row_number() OVER (ORDER BY sum(amount) DESC, PRODUCT_ID),
               coalesce(sum(amount) FILTER (transaction_hour > newest - INTERVAL 168 HOURS), 0),
               coalesce(sum(amount) FILTER (transaction_hour <= newest - INTERVAL 168 HOURS
                                            AND transaction_hour > newest - INTERVAL 336 HOURS), 0)
        FROM sold, (SELECT max(transaction_hour) AS newest FROM sales)
        GROUP BY PRODUCT_ID, newest
    """,
    "customer_summary": f"""
        SELECT CUSTOMER_ID, any_value(AGE), any_value(COUNTRY), CUSTOMER_ID IN (SELECT CUSTOMER_ID FROM customers),
               count(DISTINCT PRODUCT_ID) FILTER (QUANTITY > 0),
               count(*) FILTER (QUANTITY > 0), count(*) FILTER (QUANTITY < 0), {_MONEY},
               epoch_us(min(TRANSACTION_DATE) FILTER (QUANTITY > 0)),
               epoch_us(max(TRANSACTION_DATE) FILTER (QUANTITY > 0))
        FROM customers FULL JOIN sold USING (CUSTOMER_ID)
        WHERE CUSTOMER_ID != 'guest'
        GROUP BY CUSTOMER_ID
    """,
    # A score counts the buyers who are worse, one by one.
    "customer_segments": """
        WITH spenders AS (
            SELECT CUSTOMER_ID, count(*) FILTER (QUANTITY > 0) AS orders, sum(amount) AS spent,
                   max(TRANSACTION_DATE) FILTER (QUANTITY > 0) AS last_sale,
                   ((SELECT epoch_us(max(TRANSACTION_DATE)) FROM sales)
                    - epoch_us(max(TRANSACTION_DATE) FILTER (QUANTITY > 0))) // 86400000000 AS days
            FROM sold WHERE CUSTOMER_ID != 'guest' GROUP BY CUSTOMER_ID
        ),
        buyers AS (SELECT * FROM spenders WHERE orders > 0),
        everyone AS (SELECT count(*) AS of_all FROM buyers),
        scored AS (
            SELECT b.*, 1 + (SELECT count(*) FROM buyers AS o WHERE o.last_sale < b.last_sale) * 5 // of_all AS r,
                   1 + (SELECT count(*) FROM buyers AS o WHERE o.orders < b.orders) * 5 // of_all AS f,
                   1 + (SELECT count(*) FROM buyers AS o WHERE o.spent < b.spent) * 5 // of_all AS m
            FROM buyers AS b, everyone
        )
        SELECT CUSTOMER_ID,
               CASE WHEN AGE < 18 THEN '0-17' WHEN AGE < 25 THEN '18-24' WHEN AGE < 35 THEN '25-34'
                    WHEN AGE < 45 THEN '35-44' WHEN AGE < 55 THEN '45-54' WHEN AGE < 65 THEN '55-64'
                    WHEN AGE >= 65 THEN '65+' END,
               COUNTRY, days, coalesce(orders, 0), coalesce(spent, 0), r, f, m,
               CASE WHEN r IS NULL THEN 'no purchases'
                    WHEN least(r, f, m) >= 4 THEN 'champions'
                    WHEN least(r, f) >= 3 THEN 'loyal'
                    WHEN r > 3 THEN 'promising'
                    WHEN r > 2 THEN 'needs attention'
                    WHEN f > 2 THEN 'at risk'
                    ELSE 'hibernating' END
        FROM customers FULL JOIN (SELECT s.*, r, f, m FROM spenders AS s LEFT JOIN scored USING (CUSTOMER_ID))
        USING (CUSTOMER_ID)
        WHERE CUSTOMER_ID != 'guest'
    """,
    "sales_enriched": """
        SELECT TRANSACTION_ID, sold.CUSTOMER_ID, NAME, AGE, COUNTRY, PRODUCT_ID, QUANTITY, PRICE, amount,
               epoch_us(TRANSACTION_DATE), epoch_us(transaction_hour)
        FROM sold LEFT JOIN customers ON customers.CUSTOMER_ID = sold.CUSTOMER_ID
    """,
}


def database_of(sales: pa.Table, customers: pa.Table) -> duckdb.DuckDBPyConnection:
    """DuckDB with the two source tables."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    database.register("sales", sales)
    database.register("customers", customers)
    database.execute("CREATE VIEW sold AS SELECT *, QUANTITY * CAST(PRICE AS DECIMAL(38, 2)) AS amount FROM sales")
    return database


def gold_by_duckdb(sales: pa.Table, customers: pa.Table) -> dict[str, Rows]:
    """The rows that the gold tables and the view should have, by name; instants are microseconds since 1970."""
    database = database_of(sales, customers)
    found = {name: database.execute(query).fetchall() for name, query in _QUERIES.items()}
    found["product_performance"] = [(*row, _trend(*row[-2:])) for row in found["product_performance"]]
    return {name: in_order(rows) for name, rows in found.items()}


def stored_gold(bench: Workbench) -> dict[str, Rows]:
    """The rows of the gold tables, as delta-rs reads them."""
    return {
        table.name: in_order([tuple(map(plain, row)) for row in bench.rows(table.name, *table.column_names)])
        for table in gold_tables()
    }


def wrong_gold(bench: Workbench, sales: pa.Table, customers: pa.Table) -> list[str]:
    """Where the gold tables are not what DuckDB computes from the two source tables."""
    expected, stored = gold_by_duckdb(sales, customers), stored_gold(bench)
    return [
        f"{name}: {[row for row in rows if row not in expected[name]]} should be "
        f"{[row for row in expected[name] if row not in rows]}"
        for name, rows in stored.items()
        if rows != expected[name]
    ]


def assert_gold_is_right(bench: Workbench) -> None:
    """Every gold table is what DuckDB computes from the stored sales and customers, cell by cell."""
    assert wrong_gold(bench, arrow(bench.path("sales_data_partitioned")), arrow(bench.path("customers"))) == []


def gold_versions(bench: Workbench) -> dict[str, int]:
    return {table.name: DeltaTable(bench.path(table.name)).version() for table in gold_tables()}


def plain(value: Any) -> Any:
    """An instant as microseconds since 1970."""
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
    return value


def in_order(rows: Rows) -> Rows:
    return sorted(rows, key=repr)


def _trend(last: Decimal, before: Decimal) -> Decimal | None:
    return ((last - before) / before).quantize(Decimal("0.000001"), rounding=ROUND_HALF_UP) if before > 0 else None
