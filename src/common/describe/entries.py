"""Where the values of each column of a feed come from, as far as the files show it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from common.describe.names import line_numbers_in, times_of_day_in, totals_in
from common.describe.numbers import (
    are_ids_with_decimals,
    decimals_of,
    have_currency,
    number_styles,
    without_currency,
)
from common.describe.sniffing import Look
from common.describe.times import are_instants, date_formats, seconds_function, time_formats, time_of_day_formats
from common.words import counted

_IN_DIGITS = ("QUANTITY", "PRICE", "TRANSACTION_DATE")
_HAS_DIGIT = re.compile("[0-9]")
_WITHOUT_CUSTOMERS = "where no sale has one, write {expression: CAST(NULL AS STRING)} and guests: allow"


@dataclass(frozen=True)
class Choice:
    """What may be written of a column, and what it would mean: as keys of a description."""

    keys: dict[str, Any]
    meaning: str = ""


@dataclass(frozen=True)
class Entry:
    """What is written of one column: the one choice there is, or an open question that a person answers."""

    column: str
    choices: tuple[Choice, ...]
    note: str = ""

    @property
    def is_open(self) -> bool:
        return len(self.choices) != 1 or bool(self.choices[0].meaning)

    @property
    def keys(self) -> dict[str, Any]:
        return self.choices[0].keys


@dataclass
class Columns:
    """The values of a kind's columns by the name of ours, where there is one such column."""

    look: Look
    found: dict[str, list[str]] = field(default_factory=dict)

    def the(self, column: str) -> str | None:
        names = self.found.get(column, [])
        return names[0] if len(names) == 1 else None

    def values(self, column: str, missing: Sequence[str] = ()) -> list[str]:
        name = self.the(column)
        return [value for value in self.look.values(name) if value not in missing] if name else []


def simple_entry(columns: Columns, column: str) -> Entry:
    names = columns.found[column]
    if len(names) == 1:
        return Entry(column, (Choice({"header": names[0]}),))
    if not names:
        more = _WITHOUT_CUSTOMERS if column == "CUSTOMER_ID" else ""
        return Entry(column, (), "; ".join(filter(None, ["not found: write the name of the file's column", more])))
    return Entry(
        column,
        tuple(Choice({"header": name}, "this one") for name in names),
        f"{counted(len(names), 'column')} may be meant: take the # away from one line",
    )


def id_entry(columns: Columns, column: str) -> Entry:
    entry = simple_entry(columns, column)
    if entry.is_open or not are_ids_with_decimals(columns.values(column)):
        return entry
    expression = _without_decimals(str(columns.the(column)))
    return Entry(column, (Choice({"expression": expression}),), "all ids end in .0, as where numbers had gaps")


def id_of_line(columns: Columns) -> Entry:
    """The id of a sale; where it is that of an order with several lines, one of the line."""
    column = "TRANSACTION_ID"
    entry, name = id_entry(columns, column), columns.the(column)
    if entry.is_open or name is None or not repeated_ids(columns, column):
        return entry
    order = entry.keys.get("expression", in_sql(name))
    numbers = [number for number in line_numbers_in(columns.look.names) if not repeated_ids(columns, column, number)]
    if numbers:
        expression = f"concat({order}, '-', {in_sql(numbers[0])})"
        return Entry(column, (Choice({"expression": expression}),), "an order has several lines, which have numbers")
    return Entry(
        column,
        (Choice({"expression": f"concat({order}, '-', _line)"}),),
        "an order has several lines; _line is the number of the line in its file",
    )


def repeated_ids(columns: Columns, column: str, beside: str | None = None) -> int:
    """How many ids stand in one file more than once with different content; with the value of a column `beside` them,
    more than once at all. A row in which a quantity, a price or a time has no digit says nothing: it is no sale.
    """
    look = columns.look
    in_digits = [look.names.index(name) + 1 for column in _IN_DIGITS if (name := columns.the(column))]
    names = [name for found in columns.found.values() for name in found]
    places = [look.names.index(name) + 1 for name in names]
    key = look.names.index(str(columns.the(column))) + 1
    more = look.names.index(beside) + 1 if beside else None
    contents: defaultdict[tuple[Any, ...], set[Any]] = defaultdict(set)
    for number, row in enumerate(look.rows):
        if row[key] and all(_HAS_DIGIT.search(row[place] or "") for place in in_digits):
            content = number if more else tuple(row[place] for place in places)
            contents[row[0], row[key], row[more] if more else None].add(content)
    return sum(1 for found in contents.values() if len(found) > 1)


def price_entry(columns: Columns, missing: Sequence[str], style: tuple[str, str | None], has_currency: bool) -> Entry:
    entry = simple_entry(columns, "PRICE")
    totals, quantity = totals_in(columns.look.names), columns.the("QUANTITY")
    if not columns.found["PRICE"] and totals:
        choices = [Choice({"header": name}, "if it is the price of one unit") for name in totals]
        for name in totals if quantity else ():
            money, has_marks = in_sql(name), have_currency(columns.look.values(name))
            values = [without_currency(value) if has_marks else value for value in columns.look.values(name)]
            if number_styles(values) == [(".", None)]:
                plain = f"regexp_replace({money}, '[^0-9.-]', '')" if has_marks else money
                units = f"try_cast({in_sql(str(quantity))} AS INT)"
                keys = {"expression": f"try_divide(try_cast({plain} AS DECIMAL(18, 6)), {units})", "round": True}
                choices.append(Choice(keys, "if it is the money of all units of a line"))
        return Entry("PRICE", tuple(choices), "no price of a unit was found: take the # away from one line")
    if entry.is_open:
        return entry
    keys, note = dict(entry.keys), ""
    if has_currency:
        keys = {"expression": f"regexp_replace({in_sql(str(columns.the('PRICE')))}, '[^0-9.,+-]', '')"}
        note = "without the currency"
    prices = columns.values("PRICE", missing)
    if has_currency:
        prices = [without_currency(price) for price in prices]
    noise, real = decimals_of(prices, style)
    if noise:
        also = f", and {counted(real, 'price')} with more than two decimals too" if real else ""
        rounded = f"rounds what a computer has left, such as 4.4300000000000003{also}"
        keys["round"], note = True, "; ".join(filter(None, [note, rounded]))
    return Entry("PRICE", (Choice(keys),), note)


def time_entry(columns: Columns, missing: Sequence[str]) -> Entry:
    column = "TRANSACTION_DATE"
    entry, name = simple_entry(columns, column), columns.the(column)
    if name is None:
        return entry
    values = columns.values(column, missing)
    if not values or are_instants(values):
        return entry
    formats = time_formats(values)
    if formats:
        return _formats_chosen(entry, formats)
    since_1970 = seconds_function(values)
    if since_1970:
        expression = f"concat(CAST({since_1970}(try_cast({in_sql(name)} AS BIGINT)) AS STRING), 'Z')"
        return Entry(column, (Choice({"expression": expression}),), "counted from 1970 on")
    dates = date_formats(values)
    if not dates:
        return replace(entry, choices=(), note=f"no usual format fits {name}: write header and format")
    for other in times_of_day_in(columns.look.names):
        of_day = time_of_day_formats(columns.look.values(other)) if other != name else []
        if of_day:
            both = Choice({"expression": f"concat({in_sql(name)}, ' ', {in_sql(other)})"})
            return _formats_chosen(Entry(column, (both,)), [f"{date} {of_day[0]}" for date in dates])
    midnight = Choice({"expression": f"concat({in_sql(name)}, ' 00:00')"})
    note = "the file has no time of day: all sales of a day stand in its first hour"
    return _formats_chosen(Entry(column, (midnight,), note), [f"{date} %H:%M" for date in dates])


def _formats_chosen(entry: Entry, formats: Sequence[str]) -> Entry:
    if len(formats) == 1:
        is_iso = formats[0] in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")
        return replace(entry, choices=(Choice(entry.keys if is_iso else {**entry.keys, "format": formats[0]}),))
    choices = [Choice({**entry.keys, "format": f}, f"01/02 is {_first_of_february(f)}") for f in formats]
    note = "every time fits each of these: take the # away from the right line"
    return replace(entry, choices=tuple(choices), note="; ".join(filter(None, [entry.note, note])))


def _first_of_february(format_: str) -> str:
    order = [part for part in format_.replace("%", " %").split() if part[:2] in ("%d", "%m", "%Y", "%y")]
    first = order[0][1]
    return {"d": "1 February", "m": "2 January"}.get(first, "a year and a month")


def _without_decimals(name: str) -> str:
    return f"regexp_replace({in_sql(name)}, '[.]0$', '')"


def in_sql(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
