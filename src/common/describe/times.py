"""How a file writes times, as DuckDB reads its values: formats in the terms of strptime."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import Any

from common.csv_files.values import is_instant

_BY_NUMBERS = [f"%{a}{sep}%{b}{sep}%{c}" for a, b, c in ("dmY", "mdY", "Ymd", "dmy", "mdy", "ymd") for sep in "/.-"]
_BY_NAMES = [
    f
    for month in ("%b", "%B")
    for f in (f"%d {month} %Y", f"%d-{month}-%Y", f"%d-{month}-%y", f"{month} %d %Y", f"{month} %d, %Y")
]
_DATES = (*_BY_NUMBERS, *_BY_NAMES, "%Y%m%d")
_TIMES_OF_DAY = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H:%M:%S.%f", "%H.%M", "%H.%M.%S", "%H%M%S")
_WITH_ZONE = ("%H:%M:%S %z", "%H:%M:%S%z")
_BETWEEN = (" ", ", ", "T", " - ")
_TIMES = tuple(
    f"{date}{between}{time}" for date, between, time in product(_DATES, _BETWEEN, (*_TIMES_OF_DAY, *_WITH_ZONE))
)
_MOST_VALUES = 3_000


def are_instants(values: Sequence[str]) -> bool:
    """Whether as many times are read as they are as in any format."""
    some = _some(values)
    as_they_are = sum(map(is_instant, some))
    return as_they_are == len(some) or (as_they_are > 0 and as_they_are >= _fitting(values, _TIMES)[0])


def have_offsets(values: Sequence[str]) -> bool:
    """Whether each of these times, which are read as they are, says its offset."""
    return all(is_instant(value, with_offset=True) for value in _some(values))


def time_formats(values: Sequence[str]) -> list[str]:
    """The formats of a day and a time of day that most values fit: several where it cannot be told what is the day and
    what the month; none where no value fits any.
    """
    return _fitting(values, _TIMES)[1]


def date_formats(values: Sequence[str]) -> list[str]:
    """The same of days alone."""
    return _fitting(values, _DATES)[1]


def time_of_day_formats(values: Sequence[str]) -> list[str]:
    """The same of times of day alone."""
    return _fitting(values, _TIMES_OF_DAY)[1]


def seconds_function(values: Sequence[str]) -> str | None:
    """The SQL function for times that are numbers of seconds or milliseconds since 1970; None where they are not."""
    for function, digits in (("timestamp_seconds", 10), ("timestamp_millis", 13)):
        if all(value.isdecimal() and len(value) == digits for value in _some(values)):
            return function
    return None


def _some(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))[:_MOST_VALUES]


def _fitting(values: Sequence[str], formats: Sequence[str]) -> tuple[int, list[str]]:
    """How many values fit the best of the formats, and which those are."""
    import duckdb

    some = _some(values)
    # Nearly all formats fit not even the first values, and of most of those a look at their signs tells.
    few = some[:20]
    likely = [format_ for format_ in formats if any(_has_signs_of(value, format_) for value in few)]
    left = [format_ for format_, count in _counts(duckdb, few, likely).items() if count]
    counts = _counts(duckdb, some, left)
    most = max(counts.values(), default=0)
    best = [format_ for format_, count in counts.items() if count == most]
    # May is a whole name and a short one.
    return most, [f for f in best if f.replace("%B", "%b") == f or f.replace("%B", "%b") not in best] if most else []


def _has_signs_of(value: str, format_: str) -> bool:
    signs = re.sub("%.", "", format_)
    return all(value.count(sign) >= signs.count(sign) for sign in signs)


def _counts(duckdb: Any, values: Sequence[str], formats: Sequence[str]) -> dict[str, int]:
    if not formats:
        return {}
    # DuckDB takes 25 for the year of %Y. A sale that is yet to come is none (transaction_date_is_plausible).
    fits = "count(*) FILTER (try_strptime(v, '{}') BETWEEN '1000-01-01' AND now()::TIMESTAMP + INTERVAL 1 DAY)"
    counted = ", ".join(fits.format(format_) for format_ in formats)
    query = f"SELECT {counted} FROM (SELECT unnest(?) AS v)"
    [found] = duckdb.execute(query, [list(values)]).fetchall()
    return dict(zip(formats, found, strict=True))
