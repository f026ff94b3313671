"""From text to typed values: a value is either clean or null, never cut or guessed, and rounded only where a
description says so.

The rules, for every column of both feeds: spaces and tabs around a value are dropped; an empty value, quoted or
not, is null; any other word, NULL included, is text unless the description has it among the missing values. Digits are
ASCII. Each function takes and returns a Column.
"""

from __future__ import annotations

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

from common.csv_files.feed_format import FeedFormat, Source
from common.csv_files.time_format import as_iso_8601

_WHOLE_NUMBER = r"^[+-]?[0-9]{1,18}(?:\.0*)?\z"
# A space before the zone, a `t` or `z` in lower case and an hour of one digit leave no doubt about the time; nor do
# slashes between year, month and day.
_TIME = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}/[0-9]{2}/[0-9]{2})[ Tt]"
    r"((?:[01]?[0-9]|2[0-3]):[0-5][0-9])"
    r"(:[0-5][0-9](?:\.[0-9]{1,6})?)?(?:(?<=\.[0-9]{6})[0-9]+)?"
    r" ?([Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?\z"
)
_BASIC_TIME = r"^([0-9]{4})([0-9]{2})([0-9]{2})[Tt]([0-9]{2})([0-9]{2})([0-9]{2})"
_PLAIN_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?\z"


def cleaned_text(value: Column, has_tabs: Column, missing_values: tuple[str, ...] = ()) -> Column:
    """The value without the spaces and tabs around it; null where nothing is left, or a missing value. `has_tabs`:
    whether there may be tabs at all, since spaces alone take a tenth of the time.
    """
    trimmed = F.when(has_tabs, F.btrim(value, F.lit(" \t"))).otherwise(F.trim(value))
    text = F.nullif(trimmed, F.lit(""))
    return F.when(~text.isin(*missing_values), text) if missing_values else text


def whole_number(text: Column) -> Column:
    """An INT, or null where the text is no whole number in its range. `2.0` is one; `1e2` and `99999999999` are not."""
    return F.when(text.rlike(_WHOLE_NUMBER), F.substring_index(text, ".", 1).try_cast("int"))


def money(text: Column, type_: str, *, rounds: bool = False) -> Column:
    """A DECIMAL of the given type, or null where the text has more digits than it holds, before or after the point;
    with `rounds`, more after it are rounded half up.
    """
    precision, scale = (int(part) for part in type_.removeprefix("decimal(").removesuffix(")").split(","))
    whole = rf"0*[0-9]{{1,{precision - scale}}}"
    decimals = r"[0-9]+" if rounds else rf"[0-9]{{1,{scale}}}0*"
    fits = rf"^[+-]?(?:{whole}(?:\.(?:{decimals})?)?|\.{decimals})\z"
    return F.when(text.rlike(fits), text.try_cast(type_))


def plain_number(text: Column, decimal_char: str, group_char: str | None) -> Column:
    """A number that is written with other characters as one with a decimal point and no groups; null where its groups
    are not of three digits. Text that is none stays as it is.
    """
    if decimal_char == "." and group_char is None:
        return text
    group = re.escape(group_char or "")
    digits = rf"(?:[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]*)" if group_char else "[0-9]*"
    is_number = text.rlike(rf"^[+-]?{digits}(?:{re.escape(decimal_char)}[0-9]*)?\z")
    without_groups = F.replace(text, F.lit(group_char), F.lit("")) if group_char else text
    return F.when(is_number, F.replace(without_groups, F.lit(decimal_char), F.lit(".")))


def instant(text: Column, source_time_zone: str) -> Column:
    """A TIMESTAMP, or null where the text is no ISO 8601 date with a time of day. What is less than a microsecond is
    dropped.

    A time without an offset is read in `source_time_zone`. One that the zone's clocks skipped in spring is null; of
    one that they showed twice in autumn, the first is meant.
    """
    general = _any_instant(text, source_time_zone)
    if source_time_zone != "UTC":
        return general
    # The usual form, which one look tells: five patterns a row would take longer than all else that is read. So would a
    # zone in the text, which takes as long as the rest of it.
    is_read_in_utc = F.current_timezone() == "UTC"
    plain = F.when(is_read_in_utc, text).otherwise(F.concat(text, F.lit(" UTC"))).try_cast("timestamp")
    return F.when(text.rlike(_PLAIN_TIME), plain).otherwise(general)


def _any_instant(text: Column, source_time_zone: str) -> Column:
    text = F.when(text.rlike(_BASIC_TIME), F.regexp_replace(text, _BASIC_TIME, "$1-$2-$3 $4:$5:$6")).otherwise(text)
    date, minute = F.regexp_extract(text, _TIME, 1), F.regexp_extract(text, _TIME, 2)
    second, offset = F.regexp_extract(text, _TIME, 3), F.upper(F.regexp_extract(text, _TIME, 4))
    date = F.replace(date, F.lit("/"), F.lit("-"))
    local = F.concat(date, F.lit(" "), minute, F.when(second == "", F.lit(":00")).otherwise(second))
    has_offset = offset != ""
    zone = F.concat(F.lit(" "), F.when(has_offset, offset).otherwise(F.lit(source_time_zone)))
    was_shown = F.lit(True)
    if source_time_zone != "UTC":
        wall_clock = local.try_cast("timestamp_ntz")
        there_and_back = F.convert_timezone(
            F.lit("UTC"),
            F.lit(source_time_zone),
            F.convert_timezone(F.lit(source_time_zone), F.lit("UTC"), wall_clock),
        )
        was_shown = has_offset | (there_and_back == wall_clock)
    return F.when(text.rlike(_TIME) & was_shown, F.concat(local, zone).try_cast("timestamp"))


def is_instant(text: str, *, with_offset: bool = False) -> bool:
    """Whether `instant` takes a text for a time, where its day exists; `with_offset`, one that says its offset."""
    basic = re.sub(_BASIC_TIME, r"\1-\2-\3 \4:\5:\6", text)
    found = re.match(_TIME.replace(r"\z", r"\Z"), basic)
    return found is not None and (not with_offset or found[4] is not None)


def typed(text: Column, type_: str, format_: FeedFormat, source: Source) -> Column:
    """The text as a value of a contract type, or null where it is not a clean one."""
    if type_ == "timestamp":
        iso = as_iso_8601(text, source.format) if source.format else text
        return instant(iso, format_.time_zone)
    if type_ == "string":
        return text
    number = plain_number(text, format_.dialect.decimal_char, format_.dialect.group_char)
    return whole_number(number) if type_ == "int" else money(number, type_, rounds=source.rounds)
