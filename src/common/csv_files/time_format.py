"""Times in a format that a description names in the terms of strptime, such as %d/%m/%Y %H:%M, as ISO 8601 text."""

from __future__ import annotations

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAME = (
    "((?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|"
    "oct(?:ober)?|nov(?:ember)?|dec(?:ember)?))"
)
_NUMBER, _TWO_DIGITS = "([0-9]{1,2})", "([0-9]{2})"
_PATTERNS = {
    "Y": "([0-9]{4})",
    "y": _TWO_DIGITS,
    "m": _NUMBER,
    "b": _MONTH_NAME,
    "B": _MONTH_NAME,
    "d": _NUMBER,
    "H": _NUMBER,
    "I": _NUMBER,
    "p": r"((?i:[ap]\.?m\.?))",
    "M": _NUMBER,
    "S": _NUMBER,
    "f": "([0-9]{1,9})",
    "z": "(Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)",
}
_OF_DIGITS = {name for name, pattern in _PATTERNS.items() if pattern.startswith("([0-9]")}
_TOKEN = re.compile(r"%(.)|(\s+)|([^%\s]+)", re.DOTALL)
# Stands between the parts of a time, and in no text that fits a format.
_BETWEEN = "\u0001"


def check_time_format(format_: str) -> str:
    """The format; raises ValueError where it is none, or does not say the day and the time of day."""
    directives = [found[1] for found in _TOKEN.finditer(format_) if found[1] and found[1] != "%"]
    if "".join(found[0] for found in _TOKEN.finditer(format_)) != format_:
        raise ValueError("a % stands alone at its end")
    for directive in directives:
        if directive not in _PATTERNS:
            raise ValueError(f"%{directive} is not known; known are {', '.join('%' + name for name in _PATTERNS)}")
    for name, choices in (("year", "Yy"), ("month", "mbB"), ("day", "d"), ("hour", "HI")):
        if sum(directives.count(choice) for choice in choices) != 1:
            raise ValueError(
                f"should say the {name} once; where files do not have it, write an expression that adds it"
            )
    if ("I" in directives) != ("p" in directives):
        raise ValueError("%I, an hour up to 12, and %p, AM or PM, go together")
    if any(directives.count(directive) > 1 for directive in directives):
        raise ValueError("says a part twice")
    return format_


def as_iso_8601(text: Column, format_: str) -> Column:
    """A time in a format as the same time in ISO 8601; null where the text is not in that format. A day that does not
    exist, such as 30 February, is left for others to find. Of two-digit years, 69 to 99 are of the 20th century.
    """
    names, pattern = _pattern(format_)
    marked = F.regexp_replace(text, pattern, _BETWEEN.join(f"${group}" for group in range(1, len(names) + 1)))
    parts = F.split(F.when(text.rlike(pattern), marked), _BETWEEN)
    part = {name: F.get(parts, F.lit(index)) for index, name in enumerate(names)}
    nothing = F.lit("")

    year = part.get("Y")
    if year is None:
        year = F.concat(F.when(part["y"] >= "69", "19").otherwise("20"), part["y"])
    month = part.get("m")
    if month is None:
        name = F.lower(F.substring(part.get("b", part.get("B", nothing)), 1, 3))
        month = F.array_position(F.array(*[F.lit(month) for month in _MONTHS]), name).cast("string")
    hour = part.get("H")
    if hour is None:
        of_12 = part["I"].try_cast("int")
        of_24 = of_12 % 12 + F.when(F.lower(part["p"]).startswith("p"), 12).otherwise(0)
        hour = F.when(of_12.between(1, 12), of_24).cast("string")
    minute, second = part.get("M", F.lit("00")), part.get("S", F.lit("00"))
    fraction = F.concat(F.lit("."), part["f"]) if "f" in part else nothing
    date = F.concat_ws("-", year, _two_digits(month), _two_digits(part["d"]))
    time = F.concat(_two_digits(hour), F.lit(":"), _two_digits(minute), F.lit(":"), _two_digits(second), fraction)
    return F.concat(date, F.lit(" "), time, part.get("z", nothing))


def _pattern(format_: str) -> tuple[list[str], str]:
    """The directives of a format, in their order, and a pattern with a group for each."""
    tokens = [found.groups() for found in _TOKEN.finditer(format_)]
    parts = [directive if directive != "%" else "" for directive, _, _ in tokens]
    pattern = ""
    for index, (directive, space, literal) in enumerate(tokens):
        if not parts[index]:
            pattern += r"\s+" if space else re.escape(literal or "%")
            continue
        part = _PATTERNS[directive]
        # Beside other digits, one digit or two would be a guess.
        near = {*parts[max(index - 1, 0) : index], *parts[index + 1 : index + 2]}
        pattern += _TWO_DIGITS if part == _NUMBER and near & _OF_DIGITS else part
    return [part for part in parts if part], rf"^{pattern}\z"


def _two_digits(number: Column) -> Column:
    return F.lpad(number, 2, "0")
