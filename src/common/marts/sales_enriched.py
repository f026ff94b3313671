"""The view sales_enriched as a query: its only definition."""

from __future__ import annotations

from common.contract.gold import SALES_ENRICHED


def sales_enriched_sql(sales: str, customers: str) -> str:
    """The query of the view sales_enriched over two tables, named as SQL names them; for Spark and DuckDB alike."""
    of_customer = {"NAME", "AGE", "COUNTRY"}
    computed = {"AMOUNT": "s.QUANTITY * CAST(s.PRICE AS DECIMAL(38, 2)) AS AMOUNT"}
    columns = [
        computed.get(name, f"{'c' if name in of_customer else 's'}.{name}") for name in SALES_ENRICHED.column_names
    ]
    return f"SELECT {', '.join(columns)} FROM {sales} AS s LEFT JOIN {customers} AS c ON c.CUSTOMER_ID = s.CUSTOMER_ID"
