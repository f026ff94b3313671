"""What a feed, a table and a view are: the words in which the contract is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MONEY = "decimal(18,2)"
HOUR = "transaction_hour"
# The CUSTOMER_ID of sales without a customer, where a feed has such sales. It is no customer.
GUEST = "guest"
# SQL that is true of the start of an hour.
IS_WHOLE_HOUR = f"pmod(unix_micros({HOUR}), 3600000000) = 0"


@dataclass(frozen=True)
class Column:
    """One column: its Spark SQL type, what it means, whether it may be null, and whether it says who somebody is."""

    name: str
    type: str
    comment: str
    nullable: bool = False
    personal: bool = False


@dataclass(frozen=True)
class Relation:
    """What a reader finds under a name, a table or a view: what it is about, one row per what, and its columns."""

    name: str
    about: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def comment(self) -> str:
        """What a catalog says of it."""
        return f"{self.about}. {self.grain}."

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def ddl(self) -> str:
        return ", ".join(f"`{column.name}` {column.type}" for column in self.columns)


@dataclass(frozen=True)
class Table(Relation):
    """One Delta table. `stats` names the columns kept in Delta's statistics, which stay in its log: none that is
    personal or that names a customer. A table that is computed from others names them in `computed_from`, the job that
    keeps it in step in `kept_by`, and has a `logic_version`, which is raised when its meaning changes.
    """

    stats: tuple[str, ...]
    partitioned_by: tuple[str, ...] = ()
    constraints: tuple[tuple[str, str], ...] = ()
    change_feed: bool = False
    computed_from: tuple[str, ...] = ()
    kept_by: str = ""
    logic_version: int = 0

    @property
    def names_customers(self) -> bool:
        """Whether its rows say to which customer they belong."""
        return "CUSTOMER_ID" in self.column_names

    def misfits(self, columns: Sequence[tuple[str, str]]) -> list[str]:
        """How columns, each a name and a Spark SQL type, differ from the table's; none where they are the same."""
        expected = [(column.name, column.type) for column in self.columns]
        if list(columns) == expected:
            return []
        found = dict(columns)
        wrong = [
            f"{name} should be {type_}, is {found.get(name, 'missing')}"
            for name, type_ in expected
            if found.get(name) != type_
        ]
        wrong += [f"{name} should not be there" for name in found if name not in self.column_names]
        return wrong or ["columns in another order"]


@dataclass(frozen=True)
class View(Relation):
    """A query under a name; nothing of it is stored."""


@dataclass(frozen=True)
class Feed:
    """One CSV feed: its columns, in any order in the file, and the column that identifies a row. A file may have the
    columns `passed_over` as well.
    """

    name: str
    columns: tuple[Column, ...]
    key: str
    passed_over: tuple[str, ...] = ()

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def values(self) -> list[str]:
        """The columns beside the key: two rows with the same key and the same values are duplicates."""
        return [name for name in self.column_names if name != self.key]
