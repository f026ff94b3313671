"""From text to typed values: a value is either clean or null, never rounded, cut or guessed.

The rules, for every column of both feeds: spaces and tabs around a value are dropped; an empty value, quoted or
not, is null; any other word, NULL included, is text. Digits are ASCII. Each function takes and returns a Column.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

_WHOLE_NUMBER = r"^[+-]?[0-9]{1,18}\z"
_TIME = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]"
    r"((?:[01][0-9]|2[0-3]):[0-5][0-9])"
    r"(:[0-5][0-9](?:\.[0-9]{1,6}0*)?)?"
    r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?\z"
)
_PLAIN_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?\z"


def cleaned_text(value: Column, has_tabs: Column) -> Column:
    """The value without the spaces and tabs around it; null where nothing is left. `has_tabs`: whether there may be
    tabs at all, since spaces alone take a tenth of the time.
    """
    trimmed = F.when(has_tabs, F.btrim(value, F.lit(" \t"))).otherwise(F.trim(value))
    return F.nullif(trimmed, F.lit(""))


def whole_number(text: Column) -> Column:
    """An INT, or null where the text is not a whole number in its range (`1.0`, `1e2` and `99999999999` are not)."""
    return F.when(text.rlike(_WHOLE_NUMBER), text.try_cast("int"))


def money(text: Column, type_: str) -> Column:
    """A DECIMAL of the given type, or null where the text has more digits than it holds, before or after the point."""
    precision, scale = (int(part) for part in type_.removeprefix("decimal(").removesuffix(")").split(","))
    fits = rf"^[+-]?0*[0-9]{{1,{precision - scale}}}(\.[0-9]{{1,{scale}}}0*)?\z"
    return F.when(text.rlike(fits), text.try_cast(type_))


def instant(text: Column, source_time_zone: str) -> Column:
    """A TIMESTAMP, or null where the text is no ISO 8601 date with a time of day, to the microsecond at most.

    A time without an offset is read in `source_time_zone`. One that the zone's clocks skipped in spring is null; of
    one that they showed twice in autumn, the first is meant.
    """
    date, minute = F.regexp_extract(text, _TIME, 1), F.regexp_extract(text, _TIME, 2)
    second, offset = F.regexp_extract(text, _TIME, 3), F.regexp_extract(text, _TIME, 4)
    local = F.concat(date, F.lit(" "), minute, F.when(second == "", F.lit(":00")).otherwise(second))
    has_offset = offset != ""
    zone = F.when(has_offset, offset).otherwise(F.lit(f" {source_time_zone}"))
    was_shown = F.lit(True)
    if source_time_zone != "UTC":
        wall_clock = local.try_cast("timestamp_ntz")
        there_and_back = F.convert_timezone(
            F.lit("UTC"),
            F.lit(source_time_zone),
            F.convert_timezone(F.lit(source_time_zone), F.lit("UTC"), wall_clock),
        )
        was_shown = has_offset | (there_and_back == wall_clock)
    general = F.when(text.rlike(_TIME) & was_shown, F.concat(local, zone).try_cast("timestamp"))
    if source_time_zone != "UTC":
        return general
    # The usual form, which one look tells: five patterns a row would take longer than all else that is read. So would a
    # zone in the text, which takes as long as the rest of it.
    is_read_in_utc = F.current_timezone() == "UTC"
    plain = F.when(is_read_in_utc, text).otherwise(F.concat(text, F.lit(" UTC"))).try_cast("timestamp")
    return F.when(text.rlike(_PLAIN_TIME), plain).otherwise(general)


def typed(text: Column, type_: str, source_time_zone: str) -> Column:
    """The text as a value of a contract type, or null where it is not a clean one."""
    if type_ == "int":
        return whole_number(text)
    if type_ == "timestamp":
        return instant(text, source_time_zone)
    if type_.startswith("decimal"):
        return money(text, type_)
    return text
