"""The real feeds, which lie beside the project, and the figures of the lake that they make."""

from __future__ import annotations

from decimal import Decimal

from support.lakes import CUSTOMERS_HEADER, REAL_DATA, SALES_HEADER, Workbench, aggregate_rows, assert_equals_recompute


def real_sales() -> list[str]:
    header, *lines = (REAL_DATA / "transactions.csv").read_text().splitlines()
    assert header == SALES_HEADER
    return lines


def real_people() -> list[str]:
    header, *lines = (REAL_DATA / "customer.csv").read_text().splitlines()
    assert header == CUSTOMERS_HEADER
    return lines


def assert_is_the_real_lake(bench: Workbench) -> None:
    """The figures of the real files, and every cell of the aggregate as DuckDB computes it."""
    sales = bench.rows("sales_data_partitioned", "TRANSACTION_ID", "QUANTITY", "PRICE", "transaction_hour")
    assert len({id_ for id_, *_ in sales}) == len(sales) == 16_084
    assert len({hour for *_, hour in sales}) == 50
    assert sum(units for _, units, *_ in sales) == 88_259
    assert sum(units * price for _, units, price, _ in sales) == Decimal("218763852.17")
    assert len(bench.rows("customers", "CUSTOMER_ID")) == 1_001
    aggregate = aggregate_rows(bench)
    assert sum(row[8] for row in aggregate) == Decimal("218763852.17")
    assert all(row[1] is not None for row in aggregate)
    assert_equals_recompute(bench)
