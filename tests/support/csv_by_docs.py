"""What a CSV file holds by docs/explanation/csv.md, written down once more, in plain Python, apart from our reader."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from common.contract import Feed

WARNINGS = {"name_is_present", "country_is_present"}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_BREAK = rb"\r\n|\r|\n"
_TIME = (
    r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?"  # date, time of day, fraction
    r"(?:(Z)|([+-])(\d\d)(?::?(\d\d))?)?"  # offset
)


@dataclass(frozen=True)
class Row:
    """One record: its first line, its text, why it is refused (or warned of), and its typed values where it is not.

    Values stand in the feed's order; a time is in microseconds since 1970.
    """

    line: int
    raw: str
    reasons: list[str]
    values: tuple[Any, ...] = ()

    @property
    def is_accepted(self) -> bool:
        return set(self.reasons) <= WARNINGS


@dataclass
class Reading:
    """A file by that page. `is_stricter` where these are more careful than parsers: spaces before a quote, more than
    1,000 commas, lines that a quoted value spans but that look like rows, and lines between quotes after a stray one.
    """

    rows: list[Row] = field(default_factory=list)
    is_stricter: bool = False


def read_by_the_docs(content: bytes, feed: Feed) -> Reading:
    """The rows of a file, without its header and blank lines."""
    reading = Reading()
    header, *lines = re.split(_BREAK, content.removeprefix(b"\xef\xbb\xbf"))
    columns = [name.strip(' \t"').upper() for name in header.decode().split(",")]
    for number, line in _records(lines, len(columns), reading):
        raw, is_valid = _decoded(line)
        if not raw.strip(" \t"):
            continue
        texts = _split(raw)
        if not is_valid:
            row = Row(number, raw, ["encoding_is_valid"])
            if texts is None or len(texts) != len(columns) or raw.count(",") > 1000:
                row.reasons.append("row_is_well_formed")
        elif line == header:
            row = Row(number, raw, ["header_is_not_repeated"])
        elif texts is None or len(texts) != len(columns) or raw.count(",") > 1000:
            reading.is_stricter |= raw.count(",") > 1000 or bool(re.search(r'(^|,)[ \t]+"', raw))
            row = Row(number, raw, ["row_is_well_formed"])
        else:
            text_of = {name: text.strip(" \t") or None for name, text in zip(columns, texts, strict=True)}
            row = Row(number, raw, *_judged(text_of, feed))
        reading.rows.append(row)
    return reading


def _records(lines: list[bytes], width: int, reading: Reading) -> list[tuple[int, bytes]]:
    """Lines from one with an odd number of quotes to the next such one are a record, if by the book and not of rows."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(lines):
        end = at + 1
        if lines[at].count(b'"') % 2:
            while end < len(lines) and lines[end].count(b'"') % 2 == 0:
                end += 1
            end = min(end + 1, len(lines))
        group = lines[at:end]
        joined = b"\n".join(group)
        if len(group) > 1:
            holds_a_row = any(b'"' not in line and line.count(b",") == width - 1 for line in group[1:-1])
            is_of_rows = holds_a_row or {line.count(b",") for line in group} == {width - 1}
            if _split(joined.decode("iso-8859-1")) is not None and len(group) <= 1000 and not is_of_rows:
                group = [joined]
            else:
                reading.is_stricter = True
        found += [(at + 2 + index, line) for index, line in enumerate(group)]
        at = end
    return found


def _decoded(line: bytes) -> tuple[str, bool]:
    try:
        return line.decode("utf-8"), True
    except UnicodeDecodeError:
        return line.decode("iso-8859-1"), False


def _split(record: str) -> list[str] | None:
    """The values of a record, or None where it is not by RFC 4180 (with quotes allowed inside a bare value)."""
    values, at = [], 0
    while True:
        if record.startswith('"', at):
            end = at + 1
            while (end := record.find('"', end)) >= 0 and record.startswith('""', end):
                end += 2
            if end < 0:
                return None
            values.append(record[at + 1 : end].replace('""', '"'))
            end += 1
        else:
            end = record.find(",", at)
            end = len(record) if end < 0 else end
            values.append(record[at:end])
            if "\n" in values[-1] or values[-1].lstrip(" \t").startswith('"'):
                return None
        if end == len(record):
            return values
        if record[end] != ",":
            return None
        at = end + 1


def _judged(text_of: dict[str, str | None], feed: Feed) -> tuple[list[str], tuple[Any, ...]]:
    """The rules that the values break, and the values typed."""
    typed: dict[str, Any] = dict(text_of)
    broken: dict[str, bool] = {}
    for name in text_of:
        text, rule = text_of[name], name.lower()
        if name != "AGE":
            broken[f"{rule}_is_present"] = text is None
        if text is None:
            continue
        if name.endswith("_ID"):
            broken[f"{rule}_is_clean"] = not _is_clean(text)
        elif name in ("QUANTITY", "AGE"):
            typed[name] = number = _whole_number(text)
            broken[f"{rule}_is_a_whole_number"] = number is None
            broken["quantity_is_positive"] = name == "QUANTITY" and number is not None and number <= 0
            broken["age_is_plausible"] = name == "AGE" and number is not None and not 0 <= number <= 120
        elif name == "PRICE":
            typed[name] = price = _money(text)
            broken["price_is_an_amount_of_money"] = price is None
            broken["price_is_not_negative"] = price is not None and price < 0
        elif name == "TRANSACTION_DATE":
            typed[name] = micros = _time(text)
            since, until = datetime(2000, 1, 1, tzinfo=timezone.utc), datetime.now(timezone.utc) + timedelta(days=1)
            broken["transaction_date_is_a_time"] = micros is None
            broken["transaction_date_is_plausible"] = micros is not None and not _micros(since) <= micros <= _micros(
                until
            )
    return [rule for rule, is_broken in broken.items() if is_broken], tuple(typed[name] for name in feed.column_names)


def _is_clean(id_: str) -> bool:
    hidden = [char for char in id_ if unicodedata.category(char)[0] in "CZ" and char != " "]
    return not hidden and '"' not in id_ and len(id_) <= 256


def _whole_number(text: str) -> int | None:
    digits = text[1:] if text[0] in "+-" else text
    if not digits or set(digits) - set("0123456789"):
        return None
    return int(text) if -(2**31) <= int(text) < 2**31 else None


def _money(text: str) -> Decimal | None:
    whole, point, cents = (text[1:] if text[0] in "+-" else text).partition(".")
    if not whole or (point and not cents) or set(whole + cents) - set("0123456789"):
        return None
    return Decimal(text) if len(whole.lstrip("0")) <= 16 and len(cents.rstrip("0")) <= 2 else None


def _time(text: str) -> int | None:
    found = re.fullmatch(_TIME, text, re.ASCII)
    if not found:
        return None
    *parts, fraction, _, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    digits = (fraction or "").rstrip("0")
    if len(digits) > 6 or int(minutes or 0) > 59 or offset > timedelta(hours=18):
        return None
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in parts)
        local = datetime(year, month, day, hour, minute, second, int(digits.ljust(6, "0")), timezone.utc)
    except ValueError:
        return None
    return _micros(local + offset if sign == "-" else local - offset)


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)
