"""What a lake should hold, worked out in plain Python from the files that arrived: the model that histories follow.

It knows nothing of Spark, Delta or the code of the jobs; it says in a page what README.md and the page on CSV promise.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa

Row = tuple[Any, ...]
# The values of a row beside its id, in the order of the header.
Values = tuple[Any, ...]

_TIME = pa.timestamp("us", tz="UTC")
SALES_SCHEMA = pa.schema(
    {
        "TRANSACTION_ID": pa.string(),
        "CUSTOMER_ID": pa.string(),
        "PRODUCT_ID": pa.string(),
        "QUANTITY": pa.int32(),
        "PRICE": pa.decimal128(18, 2),
        "TRANSACTION_DATE": _TIME,
        "transaction_hour": _TIME,
    }
)
CUSTOMERS_SCHEMA = pa.schema(
    {"CUSTOMER_ID": pa.string(), "NAME": pa.string(), "AGE": pa.int32(), "COUNTRY": pa.string()}
)


@dataclass(frozen=True)
class File:
    """A file as it lies in its folder: its rows without the header, and its place in the order of arrival."""

    path: str
    arrived: int
    header: str
    rows: tuple[str, ...]

    @property
    def content(self) -> tuple[str, ...]:
        """What tells it from other files: its lines in any order."""
        return (self.header, *sorted(self.rows))


@dataclass
class Loaded:
    """What one run should say of a feed: its counts, as the report names them, and its rejected rows by rule."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    last_values: dict[str, Values] = field(default_factory=dict)


@dataclass
class ExpectedFeed:
    """One feed and its table. With `newest_counts`, content that came before counts again in a newer file. `rejected`
    has the reasons of each refused row by file, content, line number and line.
    """

    kind: str
    reasons_of: Callable[[dict[str, str]], list[str]]
    values_of: Callable[[dict[str, str]], Values]
    newest_counts: bool
    rows: dict[str, Values] = field(default_factory=dict)
    # By content, when the newest file that was loaded with it arrived.
    seen: dict[tuple[str, ...], int] = field(default_factory=dict)
    rejected: dict[tuple[str, tuple[str, ...], int, str], tuple[str, ...]] = field(default_factory=dict)

    def load(self, files: Iterable[File], *, everything_again: bool) -> Loaded:
        """Take in the files of a folder in order of arrival, but for those whose lines were taken in before, or were
        in a file at least as new.
        """
        loaded = Loaded()
        seen = {} if everything_again else dict(self.seen)
        before = dict(self.rows)
        for file in sorted(files, key=lambda file: (file.arrived, file.path)):
            if file.content in seen and not (self.newest_counts and file.arrived > seen[file.content]):
                loaded.counts["files_skipped"] += 1
                continue
            seen[file.content] = file.arrived
            loaded.counts["files"] += 1
            self._load_file(file, before, loaded)
        self.seen = {content: max(seen.get(content, 0), self.seen.get(content, 0)) for content in self.seen | seen}
        self.rows.update(loaded.last_values)
        return loaded

    def _load_file(self, file: File, before: dict[str, Values], loaded: Loaded) -> None:
        accepted: list[tuple[int, str, str, Values]] = []
        for number, line in enumerate(file.rows, start=2):
            loaded.counts["rows_read"] += 1
            texts = next(csv.reader([line]))
            names = file.header.split(",")
            reasons = _reasons_of_structure(line, texts, file.header)
            row = dict(zip(names, texts, strict=False))
            reasons = reasons or self.reasons_of(row)
            if reasons:
                self._reject(file, number, line, reasons, loaded)
            else:
                accepted.append((number, line, row[f"{self.kind.upper()}_ID"], self.values_of(row)))
        contents: dict[str, set[Values]] = {}
        for _, _, key, values in accepted:
            contents.setdefault(key, set()).add(values)
        for number, line, key, values in accepted:
            if len(contents[key]) > 1:
                self._reject(file, number, line, [f"{self.kind}_is_unambiguous"], loaded)
            else:
                loaded.counts[_outcome(key, values, before, loaded.last_values)] += 1
                loaded.last_values[key] = values

    def _reject(self, file: File, number: int, line: str, reasons: list[str], loaded: Loaded) -> None:
        loaded.counts["rejected"] += 1
        loaded.reasons.update(reasons)
        self.rejected[file.path, file.content, number, line] = tuple(sorted(reasons))


def _outcome(key: str, values: Values, before: dict[str, Values], in_this_run: dict[str, Values]) -> str:
    if key in in_this_run:
        return "duplicate" if in_this_run[key] == values else "corrected"
    if key not in before:
        return "new"
    return "unchanged" if before[key] == values else "corrected"


def _reasons_of_structure(line: str, texts: list[str], header: str) -> list[str]:
    if line == header:
        return ["header_is_not_repeated"]
    return [] if len(texts) == header.count(",") + 1 else ["row_is_well_formed"]


def _reasons_of_sale(row: dict[str, str]) -> list[str]:
    reasons = [f"{name.lower()}_is_present" for name, text in row.items() if not text]
    if row["QUANTITY"] and not _is_whole(row["QUANTITY"]):
        reasons.append("quantity_is_a_whole_number")
    elif row["QUANTITY"] and int(Decimal(row["QUANTITY"])) <= 0:
        reasons.append("quantity_is_positive")
    if row["PRICE"] and not re.fullmatch(r"[+-]?\d+(\.\d{1,2}0*)?", row["PRICE"]):
        reasons.append("price_is_an_amount_of_money")
    elif row["PRICE"].startswith("-"):
        reasons.append("price_is_not_negative")
    if row["TRANSACTION_DATE"] and _instant(row["TRANSACTION_DATE"]) is None:
        reasons.append("transaction_date_is_a_time")
    return reasons


def _reasons_with_returns_and_guests(row: dict[str, str]) -> list[str]:
    reasons = _reasons_of_sale(_with_guest(row))
    if "quantity_is_positive" in reasons:
        reasons.remove("quantity_is_positive")
        reasons += ["quantity_is_not_zero"] if not Decimal(row["QUANTITY"]) else []
    return reasons


def _with_guest(row: dict[str, str]) -> dict[str, str]:
    return row | {"CUSTOMER_ID": row["CUSTOMER_ID"] or "guest"}


def _sale(row: dict[str, str]) -> Values:
    time = _instant(row["TRANSACTION_DATE"])
    return row["CUSTOMER_ID"], row["PRODUCT_ID"], int(Decimal(row["QUANTITY"])), Decimal(row["PRICE"]), time


def _reasons_of_customer(row: dict[str, str]) -> list[str]:
    reasons = [] if row["CUSTOMER_ID"] else ["customer_id_is_present"]
    if row["AGE"] and not _is_whole(row["AGE"]):
        reasons.append("age_is_a_whole_number")
    elif row["AGE"] and not 0 <= int(row["AGE"]) <= 120:
        reasons.append("age_is_plausible")
    return reasons


def _customer(row: dict[str, str]) -> Values:
    return row["NAME"] or None, int(row["AGE"]) if row["AGE"] else None, row["COUNTRY"] or None


def _is_whole(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]+(\.0*)?", text) is not None


def _instant(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text if len(text) > 10 else "")
    except ValueError:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


@dataclass
class ExpectedLake:
    """Both feeds, and what a load should do to them."""

    sales: ExpectedFeed = field(
        default_factory=lambda: ExpectedFeed("transaction", _reasons_of_sale, _sale, newest_counts=False)
    )
    customers: ExpectedFeed = field(
        default_factory=lambda: ExpectedFeed("customer", _reasons_of_customer, _customer, newest_counts=True)
    )

    @classmethod
    def of_returns_and_guests(cls) -> ExpectedLake:
        """One whose description of the feed lets both in."""
        of_sales = ExpectedFeed(
            "transaction",
            _reasons_with_returns_and_guests,
            lambda row: _sale(_with_guest(row)),
            newest_counts=False,
        )
        return cls(sales=of_sales)

    @property
    def sales_table(self) -> pa.Table:
        rows = [(key, *values, _hour(values[-1])) for key, values in self.sales.rows.items()]
        return _arrow(rows, SALES_SCHEMA)

    @property
    def customers_table(self) -> pa.Table:
        return _arrow([(key, *values) for key, values in self.customers.rows.items()], CUSTOMERS_SCHEMA)

    @property
    def rejected(self) -> list[Row]:
        return [
            (kind, file, number, line, reasons)
            for kind, feed in (("transactions", self.sales), ("customers", self.customers))
            for (file, _, number, line), reasons in feed.rejected.items()
        ]

    def unknown_customer_rows(self, sales: Loaded) -> int:
        """Of the sales that a run read: how many ids end with a customer who is not known."""
        return sum(values[0] not in {*self.customers.rows, "guest"} for values in sales.last_values.values())


def differences(table: str, found: Iterable[Row], expected: Iterable[Row]) -> list[str]:
    """What a table lacks and what it has too much, a sentence each."""
    has, should_have = Counter(found), Counter(expected)
    return [f"{table} lacks {row}" for row in (should_have - has).elements()] + [
        f"{table} should not have {row}" for row in (has - should_have).elements()
    ]


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def _arrow(rows: list[Row], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)
