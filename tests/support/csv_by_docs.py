"""What a CSV file holds by docs/explanation/csv.md, written down once more, in plain Python, apart from our reader."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

from common.contract import CUSTOMERS_FEED, TRANSACTIONS, Feed
from common.csv_files.feed_format import Dialect, FeedFormat, Source
from support.fuzzed_dialects import USUAL, Described

WARNINGS = {"name_is_present", "country_is_present"}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_BREAK = rb"\r\n|\r|\n"
_DAY = r"(\d{4})-(\d\d)-(\d\d)|(\d{4})/(\d\d)/(\d\d)"
_TIME_OF_DAY = r"(\d\d?):(\d\d)(?::(\d\d)(?:\.(\d+))?)?"
_OFFSET = r"Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?"
_TIME = rf"(?:{_DAY})[ Tt]{_TIME_OF_DAY}(?: ?({_OFFSET}))?"
_BASIC_TIME = rf"(\d{{4}})(\d\d)(\d\d)[Tt](\d\d)(\d\d)(\d\d)(?:\.(\d+))?(?: ?({_OFFSET}))?"
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_ROUNDED = r"[0-9](?:[.,][0-9]+)?[eE][+][0-9]{1,3}"
_TOTAL = (
    r"[^a-z0-9]*(?:(?:(?:grand|sub)[ -]?)?(?:totals?|sum|count|summe|gesamt|insgesamt)"
    r"|end of (?:report|file|data|export|list)|[0-9]+ (?:rows?|records?))(?![a-z0-9])"
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
    """A file by that page. `is_stricter` where these are more careful than parsers, or otherwise: spaces or tabs before
    a quote, lines that a quoted value spans but that look like rows, lines between quotes after a stray one, line
    breaks after an escape.
    """

    rows: list[Row] = field(default_factory=list)
    is_stricter: bool = False


def read_by_the_docs(content: bytes, feed: Feed, described: Described = USUAL, file_name: str = "") -> Reading:
    """The rows of a file, without its header, the lines above it and blank lines."""
    reading, dialect = Reading(), described.format.dialect
    lines = re.split(_BREAK, content.removeprefix(b"\xef\xbb\xbf"))
    at = len(dialect.comment_rows)
    header, lines_of_once = lines[at], [line for line in lines[: at + 1] if line.strip(b" \t")]
    columns = names_in(header.decode(dialect.encoding), dialect)
    known = {name.upper() for name in columns if name}
    for number, line in _records(lines[at + 1 :], at + 2, len(columns), dialect, reading):
        raw, is_valid = _decoded(line, dialect.encoding)
        if not raw.strip(" \t"):
            continue
        texts = split(raw, dialect)
        is_row = texts is not None and len(texts) == len(columns)
        judged: tuple[list[str], tuple[Any, ...]] = [], ()
        is_unclean = not is_row
        if texts is not None and is_row:
            text_of = text_of_columns(columns, texts, feed, described, file_name, number)
            if described.format.allows_guests and feed is CUSTOMERS_FEED and text_of["CUSTOMER_ID"] is None:
                continue
            judged = judge(text_of, feed, described.format)
            is_unclean = any("_is_a_" in reason or "_is_an_" in reason for reason in judged[0])
        is_repeated = line in lines_of_once
        broken = {
            "encoding_is_valid": not is_valid,
            "header_is_not_repeated": is_repeated,
            "header_is_the_only_one": not is_repeated and is_unclean and _is_of_names(raw, known, dialect),
            "row_is_well_formed": not is_repeated and not is_row,
        }
        if dialect.quote_char and (broken["row_is_well_formed"] or dialect.skip_initial_space):
            spaces = r"[ \t]*\t[ \t]*" if dialect.skip_initial_space else r"[ \t]+"
            before = rf"(^|{re.escape(dialect.delimiter)}){spaces}{re.escape(dialect.quote_char)}"
            reading.is_stricter |= bool(re.search(before, raw))
        reasons = [rule for rule, is_broken in broken.items() if is_broken]
        reading.rows.append(Row(number, raw, reasons) if reasons else Row(number, raw, *judged))
    return reading


def names_in(header: str, dialect: Dialect) -> list[str]:
    """The names of the columns of a file."""
    return [text.strip() for text in split(header, dialect) or []]


def text_of_columns(
    columns: list[str], texts: list[str], feed: Feed, described: Described, file_name: str, line: int
) -> dict[str, str | None]:
    """The text of each column of the feed in a row; None where there is none."""
    format_ = described.format
    of_file: dict[str, str | None] = {}
    for name, text in zip(columns, texts, strict=True):
        cleaned = text.strip(" \t")
        of_file[name.upper()] = None if cleaned in ("", *format_.dialect.missing_values) else cleaned
    found: dict[str, str | None] = {}
    for column in feed.column_names:
        source = format_.columns.get(column, Source((column,)))
        if column in described.computed:
            computed = described.computed[column](of_file[column], file_name, line)
            found[column] = (computed or "").strip(" \t") or None
        else:
            found[column] = next(of_file[name.upper()] for name in source.headers if name.upper() in of_file)
    if format_.allows_guests and feed is TRANSACTIONS:
        found["CUSTOMER_ID"] = found["CUSTOMER_ID"] or "guest"
    return found


def _is_of_names(raw: str, known: set[str], dialect: Dialect) -> bool:
    words = [word.strip(f" \t{dialect.quote_char or ''}") for word in raw.upper().split(dialect.delimiter)]
    in_common = len(known & set(words))
    return in_common >= 2 and in_common * 2 >= len(words)


def _records(
    lines: list[bytes], first: int, width: int, dialect: Dialect, reading: Reading
) -> Iterator[tuple[int, bytes]]:
    """Lines from one with an odd number of quotes to the next such one are a record, if by the book and not of rows."""
    delimiter = dialect.delimiter.encode()
    marks = [char.encode() for char in (dialect.quote_char, dialect.escape_char) if char]
    at = 0
    while at < len(lines):
        end = at + 1
        if _quotes_in(lines[at], dialect) % 2:
            while end < len(lines) and _quotes_in(lines[end], dialect) % 2 == 0:
                end += 1
            end = min(end + 1, len(lines))
        group = lines[at:end]
        joined = b"\n".join(group)
        if len(group) > 1:
            holds_a_row = any(
                not any(mark in line for mark in marks) and line.count(delimiter) == width - 1 for line in group[1:-1]
            )
            is_of_rows = holds_a_row or {line.count(delimiter) for line in group} == {width - 1}
            if split(joined.decode("iso-8859-1"), dialect) is not None and len(group) <= 1000 and not is_of_rows:
                group = [joined]
            else:
                reading.is_stricter = True
        for index, line in enumerate(group):
            escapes = re.search(rb"\\*$", line)
            reading.is_stricter |= bool(dialect.escape_char and escapes and len(escapes[0]) % 2)
            yield first + at + index, line
        at = end


def _quotes_in(line: bytes, dialect: Dialect) -> int:
    """How many quotes are not escaped."""
    if not dialect.quote_char:
        return 0
    if dialect.escape_char:
        line = re.sub(re.escape(dialect.escape_char).encode() + b"(?s:.)", b"", line)
    return line.count(dialect.quote_char.encode())


def _decoded(line: bytes, encoding: str) -> tuple[str, bool]:
    """The text of a line, and whether its bytes are valid; each byte as a character of ISO-8859-1 where not."""
    try:
        return line.decode(encoding), True
    except UnicodeDecodeError:
        if encoding == "utf-8":
            return line.decode("iso-8859-1"), False
    return "".join(_of_byte(byte, encoding) for byte in line), False


def _of_byte(byte: int, encoding: str) -> str:
    try:
        return bytes([byte]).decode(encoding)
    except UnicodeDecodeError:
        return chr(byte)


def split(record: str, dialect: Dialect) -> list[str] | None:
    """The values of a record, or None where it is not by RFC 4180 (with quotes allowed inside a bare value)."""
    values, at = [], 0
    while True:
        start = at
        spaces = " " if dialect.delimiter == "\t" else " \t"
        while start < len(record) and record[start] in spaces:
            start += 1
        is_quoted = bool(dialect.quote_char) and record[start : start + 1] == dialect.quote_char
        if is_quoted and start > at and not dialect.skip_initial_space:
            return None
        found = _quoted(record, start, dialect) if is_quoted else _bare(record, at, dialect)
        if found is None:
            return None
        value, at = found
        values.append(value)
        if at == len(record):
            return values
        if record[at] != dialect.delimiter:
            return None
        at += 1


def _quoted(record: str, at: int, dialect: Dialect) -> tuple[str, int] | None:
    """The value between quotes that starts here, and where it ends."""
    value, quote = "", str(dialect.quote_char)
    at += 1
    while at < len(record):
        char, after = record[at], record[at + 1 : at + 2]
        if dialect.escape_char and char == dialect.escape_char:
            value, at = value + after, at + 2
        elif char == quote and after == quote:
            value, at = value + quote, at + 2
        elif char == quote:
            return value, at + 1
        else:
            value, at = value + char, at + 1
    return None


def _bare(record: str, at: int, dialect: Dialect) -> tuple[str, int] | None:
    """The value without quotes around it that starts here, and where it ends."""
    if not dialect.escape_char:
        end = record.find(dialect.delimiter, at)
        end = len(record) if end < 0 else end
        return None if "\n" in record[at:end] else (record[at:end], end)
    value, start = "", at
    while at < len(record) and record[at] != dialect.delimiter:
        if record[at] == "\n":
            return None
        if record[at] == dialect.escape_char:
            at += 1
            if at == len(record):
                return None
        value, at = value + record[at], at + 1
    # A missing value such as \N is told before the escape is taken for one.
    written = record[start:at]
    return (written if written.strip(" \t") in dialect.missing_values else value), at


def judge(text_of: dict[str, str | None], feed: Feed, format_: FeedFormat) -> tuple[list[str], tuple[Any, ...]]:
    """The rules that the values break, and the values typed."""
    typed: dict[str, Any] = dict(text_of)
    broken: dict[str, bool] = {}
    for name in feed.column_names:
        text, rule = text_of[name], name.lower()
        if name != "AGE":
            broken[f"{rule}_is_present"] = text is None
        if text is None:
            continue
        if name.endswith("_ID"):
            broken[f"{rule}_is_clean"] = not _is_clean(text)
            broken[f"{rule}_is_not_rounded"] = bool(re.fullmatch(_ROUNDED, text))
        elif name in ("QUANTITY", "AGE"):
            typed[name] = number = _whole_number(_plain_number(text, format_.dialect))
            broken[f"{rule}_is_a_whole_number"] = number is None
            if name == "AGE":
                broken["age_is_plausible"] = number is not None and not 0 <= number <= 120
            elif format_.allows_returns:
                broken["quantity_is_not_zero"] = number == 0
            else:
                broken["quantity_is_positive"] = number is not None and number <= 0
        elif name == "PRICE":
            rounds = name in format_.columns and format_.columns[name].rounds
            typed[name] = price = _money(_plain_number(text, format_.dialect), rounds)
            broken["price_is_an_amount_of_money"] = price is None
            broken["price_is_not_negative"] = price is not None and price < 0
        elif name == "TRANSACTION_DATE":
            typed[name] = micros = _instant(text, format_.columns.get(name, Source()).format, format_.time_zone)
            since, until = datetime(2000, 1, 1, tzinfo=timezone.utc), datetime.now(timezone.utc) + timedelta(days=1)
            broken["transaction_date_is_a_time"] = micros is None
            broken["transaction_date_is_plausible"] = micros is not None and not _micros(since) <= micros <= _micros(
                until
            )
    if text_of["CUSTOMER_ID"] == "guest":
        broken["customer_id_is_not_reserved"] = feed is CUSTOMERS_FEED or not format_.allows_guests
    if feed is CUSTOMERS_FEED and text_of["CUSTOMER_ID"] and not any(typed[name] for name in ("NAME", "COUNTRY")):
        is_total = re.match(_TOTAL, text_of["CUSTOMER_ID"], re.ASCII | re.IGNORECASE) is not None
        broken["row_is_not_a_total"] = typed["AGE"] is None and is_total
    return [rule for rule, is_broken in broken.items() if is_broken], tuple(typed[name] for name in feed.column_names)


def _is_clean(id_: str) -> bool:
    hidden = [char for char in id_ if unicodedata.category(char)[0] in "CZ" and char != " "]
    return not hidden and '"' not in id_ and len(id_) <= 256


def _plain_number(text: str, dialect: Dialect) -> str:
    """The number with a decimal point and without groups; as it is where it has other characters than the dialect's,
    and none then: no number has an "x".
    """
    point, group = dialect.decimal_char, dialect.group_char
    if point == "." and not group:
        return text
    whole, found, decimals = text.lstrip("+-").partition(point)
    groups = whole.split(group) if group else [whole]
    is_grouped = len(groups) == 1 or (1 <= len(groups[0]) <= 3 and all(len(part) == 3 for part in groups[1:]))
    sign = text[: len(text) - len(text.lstrip("+-"))]
    if len(sign) > 1 or not is_grouped or set("".join(groups) + decimals) - set("0123456789"):
        return "x"
    return sign + "".join(groups) + ("." if found else "") + decimals


def _whole_number(text: str) -> int | None:
    whole, _, zeros = text.partition(".")
    digits = whole[1:] if whole[:1] in ("+", "-") else whole
    if not 1 <= len(digits) <= 18 or set(digits) - set("0123456789") or set(zeros) - {"0"}:
        return None
    return int(whole) if -(2**31) <= int(whole) < 2**31 else None


def _money(text: str, rounds: bool) -> Decimal | None:
    whole, _, cents = (text[1:] if text[0] in "+-" else text).partition(".")
    if not whole + cents or set(whole + cents) - set("0123456789") or len(whole.lstrip("0")) > 16:
        return None
    if not rounds and len(cents.rstrip("0")) > 2:
        return None
    with localcontext() as context:
        context.prec = len(text) + 20
        money = Decimal(text).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return money if abs(money) < 10**16 else None


def _instant(text: str, format_: str | None, zone: str) -> int | None:
    if format_:
        return _by_format(text, format_, zone)
    found = re.fullmatch(_TIME, text, re.ASCII)
    if found:
        groups = found.groups()
        return _micros_of((groups[:3] if groups[0] else groups[3:6]) + groups[6:], zone)
    basic = re.fullmatch(_BASIC_TIME, text, re.ASCII)
    return _micros_of(basic.groups(), zone) if basic else None


def _by_format(text: str, format_: str, zone: str) -> int | None:
    """A time of exactly that format, directive by directive."""
    found: dict[str, str] = {}
    at, index = 0, 0
    while index < len(format_):
        directive = format_[index + 1] if format_[index] == "%" else ""
        if directive:
            pattern = {"Y": r"\d{4}", "y": r"\d\d", "f": r"\d{1,9}", "p": r"[AaPp]\.?[Mm]\.?"}.get(directive, r"\d\d?")
            if directive in "bB":
                pattern = "|".join([*_MONTHS, *[month[:3] for month in _MONTHS], "sept"])
            if directive == "z":
                pattern = r"[Zz]|[+-]\d\d(?::?\d\d)?"
            is_beside_digits = re.search(r"%[YmdHMS]%[YmdHMS]", format_) is not None
            if is_beside_digits and directive in "mdHMS":
                pattern = r"\d\d"
            index += 2
        elif format_[index].isspace():
            pattern, index = r"[ \t\n\v\f\r]+", index + 1
        else:
            pattern, index = re.escape(format_[index]), index + 1
        flags = re.ASCII | (re.IGNORECASE if directive in ("b", "B") else 0)
        part = re.compile(pattern, flags).match(text, at)
        if not part:
            return None
        found[directive] = part[0]
        at = part.end()
    if at < len(text):
        return None
    year = found.get("Y") or ("19" if found["y"] >= "69" else "20") + found["y"]
    month = found.get("m")
    if month is None:
        name = (found.get("b") or found["B"]).lower()[:3]
        month = str([month[:3] for month in _MONTHS].index(name) + 1)
    hour = found.get("H")
    if hour is None:
        of_12 = int(found["I"])
        if not 1 <= of_12 <= 12:
            return None
        hour = str(of_12 % 12 + (12 if found["p"][0] in "Pp" else 0))
    rest = [found.get(directive) for directive in "MSfz"]
    return _micros_of([year, month, found["d"], hour, *rest], zone)


def _micros_of(parts: Sequence[str | None], zone: str) -> int | None:
    """Microseconds since 1970 of year, month, day, hour, minute, second, fraction and offset; None where there is no
    such day, time of day or offset, or the zone's clocks did not show that time.
    """
    *numbers, fraction, offset = parts
    year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        return None
    local += timedelta(microseconds=int((fraction or "").ljust(6, "0")[:6]))
    if offset is None:
        there = local.replace(tzinfo=ZoneInfo(zone))
        back = there.astimezone(timezone.utc).astimezone(ZoneInfo(zone))
        return _micros(there) if back.replace(tzinfo=None) == there.replace(tzinfo=None) else None
    if offset[0] not in "+-":
        return _micros(local)
    hours, minutes = int(offset[1:3]), int(offset[3:].lstrip(":") or 0)
    shift = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or shift > timedelta(hours=18):
        return None
    return _micros(local + shift if offset[0] == "-" else local - shift)


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)
