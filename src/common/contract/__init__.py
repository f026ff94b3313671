"""The data contract: every feed and table, its columns, key and grain. All other code agrees on it."""

from common.contract.model import GUEST, HOUR, IS_WHOLE_HOUR, MONEY, Column, Feed, Relation, Table, View
from common.contract.tables import (
    AGGREGATE,
    CUSTOMERS,
    CUSTOMERS_FEED,
    FORGOTTEN,
    LOGIC_VERSION,
    OPTIONAL_TABLES,
    REJECTED,
    ROW_SEQUENCES,
    RUNS,
    SALE_IDS,
    SALES,
    TABLES,
    TRANSACTIONS,
)

__all__ = [
    "AGGREGATE",
    "CUSTOMERS",
    "CUSTOMERS_FEED",
    "FORGOTTEN",
    "GUEST",
    "HOUR",
    "IS_WHOLE_HOUR",
    "LOGIC_VERSION",
    "MONEY",
    "OPTIONAL_TABLES",
    "REJECTED",
    "ROW_SEQUENCES",
    "RUNS",
    "SALES",
    "SALE_IDS",
    "TABLES",
    "TRANSACTIONS",
    "Column",
    "Feed",
    "Relation",
    "Table",
    "View",
]
