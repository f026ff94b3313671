"""What was found in the files of one kind: where each column of a feed comes from, and what a description has to say.

Nothing is guessed: what the values leave open is an open question, with the choices that there are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from common.contract import CUSTOMERS_FEED, TRANSACTIONS, Feed
from common.describe.entries import (
    Choice,
    Columns,
    Entry,
    id_entry,
    id_of_line,
    in_sql,
    price_entry,
    repeated_ids,
    simple_entry,
    time_entry,
)
from common.describe.names import is_known_name, names_for, normalized, parts_of_name_in
from common.describe.numbers import have_currency, missing_words, negatives_among, number_styles, without_currency
from common.describe.sniffing import Look
from common.describe.times import have_offsets
from common.errors import DataRefusedError
from common.words import counted, shown

_OF_SALES = ("PRODUCT_ID", "QUANTITY", "PRICE", "TRANSACTION_DATE")
_OF_PEOPLE = ("NAME", "AGE", "COUNTRY")
_NUMBERS = ("QUANTITY", "PRICE", "AGE")
_MOST_NAMES_SHOWN = 40


@dataclass(frozen=True)
class Finding:
    """What a description of a feed has to say of files of one kind. The texts of `returns`, `guests`, `other_columns`
    and `repeated_ids` say why they are needed; empty where they are not. `sequence` has the keys of what tells the
    newer of two rows, none where the last one counts.
    """

    feed: Feed
    look: Look
    entries: tuple[Entry, ...]
    styles: tuple[tuple[str, str | None], ...] = ((".", None),)
    missing: tuple[str, ...] = ()
    has_times_without_offset: bool = False
    other_columns: str = ""
    returns: str = ""
    guests: str = ""
    repeated_ids: str = ""
    sequence: dict[str, Any] = field(default_factory=dict)
    may_repeat_ids: str = ""

    @property
    def open_questions(self) -> list[str]:
        """What a person has to fill in before the description can be used."""
        columns = [entry.column for entry in self.entries if entry.is_open]
        return columns + (["decimalChar"] if len(self.styles) > 1 else [])


def findings_in(looks: Sequence[Look]) -> list[Finding]:
    """The feeds that kinds of files are: at most one of sales and one of customers. Raises DataRefusedError where there
    are more kinds than that.
    """
    sales = [look for look in looks if _is_of_sales(look)]
    people = [look for look in looks if look not in sales]
    for kinds, name in ((sales, "sales"), (people, "customers")):
        if len(kinds) > 1:
            first, second = (shown(look.samples[0].path) for look in kinds[:2])
            raise DataRefusedError(
                f"{first} and {second} are both {name}, and differ in header or dialect. A feed has files of one kind: "
                "describe one kind, and convert the other, or load it into a lake of its own."
            )
    found = [_sales_in(look) for look in sales] + [_people_in(look, beside_sales=False) for look in people]
    if sales and not people:
        found += [finding for finding in [_people_in(sales[0], beside_sales=True)] if _says_who(finding)]
    return found


def _is_of_sales(look: Look) -> bool:
    """Whether files are of sales; those of which nothing is known are taken for such."""
    of_sales = sum(1 for column in _OF_SALES if names_for(column, look.names))
    of_people = sum(1 for column in _OF_PEOPLE if names_for(column, look.names))
    return of_sales >= 2 or of_sales >= of_people


def _says_who(finding: Finding) -> bool:
    return any(entry.column in _OF_PEOPLE for entry in finding.entries) and not finding.entries[0].is_open


def _sales_in(look: Look) -> Finding:
    columns = Columns(look, {name: names_for(name, look.names) for name in TRANSACTIONS.column_names})
    missing = _missing_in(columns)
    has_currency = have_currency(columns.values("PRICE", missing))
    styles = _styles_in(columns, missing, has_currency)
    style = styles[0]
    time = time_entry(columns, missing)
    entries = [
        id_of_line(columns),
        id_entry(columns, "CUSTOMER_ID"),
        id_entry(columns, "PRODUCT_ID"),
        simple_entry(columns, "QUANTITY"),
        price_entry(columns, missing, style, has_currency),
        time,
    ]
    rows = len(look.rows)
    negative = negatives_among(columns.values("QUANTITY", missing), style)
    guests = rows - len(columns.values("CUSTOMER_ID", missing)) if columns.the("CUSTOMER_ID") else 0
    as_it_is = not time.is_open and "format" not in time.keys and "expression" not in time.keys
    has_offsets = as_it_is and have_offsets(columns.values("TRANSACTION_DATE", missing))
    return Finding(
        feed=TRANSACTIONS,
        look=look,
        entries=tuple(entries),
        styles=tuple(styles),
        missing=tuple(missing),
        has_times_without_offset=not has_offsets,
        other_columns=_other_columns(look, entries),
        returns=f"{negative:,} of {rows:,} rows have a negative quantity" if negative else "",
        guests=f"{guests:,} of {rows:,} rows have no customer" if guests else "",
    )


def _people_in(look: Look, *, beside_sales: bool) -> Finding:
    columns = Columns(look, {name: names_for(name, look.names) for name in CUSTOMERS_FEED.column_names})
    # One column is not two things: Shopify calls orders Name, and a customer may be an id or a name.
    taken = [*columns.found["CUSTOMER_ID"], *(names_for("TRANSACTION_ID", look.names) if beside_sales else [])]
    columns.found["NAME"] = [name for name in columns.found["NAME"] if name not in taken]
    missing = _missing_in(columns)
    entries = [id_entry(columns, "CUSTOMER_ID")]
    parts = parts_of_name_in(look.names)
    for name in _OF_PEOPLE:
        if name == "NAME" and len(parts) == 2 and not columns.the(name):
            both = ", ".join(in_sql(part) for part in parts)
            entries.append(Entry(name, (Choice({"expression": f"concat_ws(' ', {both})"}),)))
        elif columns.found[name]:
            entries.append(simple_entry(columns, name))
    sequence: dict[str, Any] = {}
    if beside_sales:
        times = Columns(look, {"TRANSACTION_DATE": names_for("TRANSACTION_DATE", look.names)})
        time = time_entry(times, missing_words(times.values("TRANSACTION_DATE")))
        sequence = {} if time.is_open else time.keys
    rows = len(look.rows)
    guests = rows - len(columns.values("CUSTOMER_ID", missing)) if columns.the("CUSTOMER_ID") else 0
    silent = _rows_that_say_nothing(columns) if beside_sales and columns.the("CUSTOMER_ID") else 0
    if silent and not entries[0].is_open:
        entries[0] = _only_where_something_is_said(entries[0], columns)
    repeated = repeated_ids(columns, "CUSTOMER_ID") if columns.the("CUSTOMER_ID") else 0
    return Finding(
        feed=CUSTOMERS_FEED,
        look=look,
        entries=tuple(entries),
        styles=tuple(_styles_in(columns, missing, has_currency=False)),
        missing=tuple(missing),
        other_columns=_other_columns(look, entries),
        guests=f"{guests + silent:,} of {rows:,} rows say nothing of a customer"
        if guests + silent and beside_sales
        else "",
        repeated_ids=f"a customer stands in each of his sales: the {'newest' if sequence else 'last'} one counts"
        if beside_sales
        else "",
        sequence=sequence,
        may_repeat_ids=f"{counted(repeated, 'customer')} repeated with other values; so, the last one would count"
        if repeated and not beside_sales
        else "",
    )


def _rows_that_say_nothing(columns: Columns) -> int:
    """How many rows have a customer's id alone, where others have more of him."""
    key, *others = [columns.look.names.index(name) + 1 for name in _known_of_people(columns)]
    return sum(1 for row in columns.look.rows if row[key] and not any(row[place] for place in others)) if others else 0


def _only_where_something_is_said(entry: Entry, columns: Columns) -> Entry:
    """The id only in rows that say more: the last row of a customer is the one that counts."""
    key, *others = map(in_sql, _known_of_people(columns))
    what = others[0] if len(others) == 1 else f"coalesce({', '.join(others)})"
    expression = f"if({what} IS NULL, NULL, {entry.keys.get('expression', key)})"
    return Entry(entry.column, (Choice({"expression": expression}),), "some lines of an order say no more than the id")


def _known_of_people(columns: Columns) -> list[str]:
    return [name for column in ("CUSTOMER_ID", *_OF_PEOPLE) if (name := columns.the(column))]


def _missing_in(columns: Columns) -> list[str]:
    delimiter = columns.look.dialect.delimiter
    lines = (line for sample in columns.look.samples for line in sample.lines)
    # An escape would hide it.
    is_value = re.compile(rf"(?:^|{re.escape(delimiter)})\\N(?:{re.escape(delimiter)}|$)")
    has_slash_n = any(map(is_value.search, lines))
    words = {"\\N"} if has_slash_n else set()
    for column in (*_NUMBERS, "TRANSACTION_DATE"):
        words |= set(missing_words(columns.values(column)))
    return sorted(words | set(missing_words(columns.values("CUSTOMER_ID"), are_ids=True)))


def _styles_in(columns: Columns, missing: Sequence[str], has_currency: bool) -> list[tuple[str, str | None]]:
    values = [value for column in _NUMBERS if column != "PRICE" for value in columns.values(column, missing)]
    prices = columns.values("PRICE", missing)
    return number_styles(values + [without_currency(price) if has_currency else price for price in prices])


def _other_columns(look: Look, entries: Sequence[Entry]) -> str:
    """The columns of the file that are not used."""
    choices = [choice.keys for entry in entries for choice in entry.choices]
    used = {normalized(keys["header"]) for keys in choices if "header" in keys}
    expressions = " ".join(keys["expression"] for keys in choices if "expression" in keys)
    left = [
        name or "one without a name"
        for name in look.names
        if normalized(name) not in used and in_sql(name) not in expressions
    ]
    return ", ".join(left[:_MOST_NAMES_SHOWN]) + (", ..." if len(left) > _MOST_NAMES_SHOWN else "")


def knows_header(look: Look) -> bool:
    """Whether a name of the header is one that exports have, so that it is no row and may be shown."""
    return any(map(is_known_name, look.names))
