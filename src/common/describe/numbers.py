"""How a file writes numbers, ids and missing values, as far as its values show it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

# Marks of the decimals and between groups of three digits, the usual ones first.
_STYLES: tuple[tuple[str, str | None], ...] = (
    (".", None),
    (",", None),
    (".", ","),
    (",", "."),
    (",", " "),
    (",", "\u00a0"),
    (",", "\u202f"),
    (".", " "),
    (".", "'"),
    (",", "'"),
    (".", "\u2019"),
)
_WORDS = r"na n/a #n/a nan nat null (null) nil none \n - -- ? unknown unbekannt (blank) (leer) (vide)"
_MISSING = frozenset(_WORDS.split())
# Those that are no name or code of anything.
_NEVER_AN_ID = frozenset(["\\n", "null", "(null)", "#n/a", "(blank)"])
_CURRENCY = re.compile(r"(?:[A-Z]{3}|[A-Z]{0,2}[$€£¥₹₺₽₩฿]|kr\.?|zł|Kč|Fr\.)", re.IGNORECASE)
_NOISE = Decimal("0.000001")
_CENT = Decimal("0.01")
_MOST_MONEY = Decimal(10) ** 16


def missing_words(values: Iterable[str], *, are_ids: bool = False) -> list[str]:
    """The words among values that stand for none."""
    words = _NEVER_AN_ID if are_ids else _MISSING
    return sorted({value for value in values if value.lower() in words})


def number_styles(values: Sequence[str]) -> list[tuple[str, str | None]]:
    """The decimal mark and the group mark of numbers: several where the same text is one number or another; the usual
    one where nothing tells.
    """
    times = Counter(values)
    fits = {style: [value for value in times if _is_number(value, style)] for style in _STYLES}
    rows = {style: sum(times[value] for value in found) for style, found in fits.items()}
    most = max(rows.values())
    best = [style for style in _STYLES if rows[style] == most]
    differing = [style for style in best if _read(fits[best[0]], best[0]) != _read(fits[style], style)]
    return [best[0], *differing[:1]] if most else [_STYLES[0]]


def decimals_of(values: Iterable[str], style: tuple[str, str | None]) -> tuple[int, int]:
    """How many prices have decimals that a computer has left there (4481.4300000000003), and how many have more than
    two of their own (1.659).
    """
    numbers = [_number(value, style) for value in values if _is_number(value, style)]
    off = [abs(number - number.quantize(_CENT)) for number in numbers if abs(number) < _MOST_MONEY]
    return sum(1 for rest in off if 0 < rest < _NOISE), sum(1 for rest in off if rest >= _NOISE)


def negatives_among(values: Iterable[str], style: tuple[str, str | None]) -> int:
    """How many numbers are below zero."""
    return sum(1 for value in values if _is_number(value, style) and _number(value, style) < 0)


def have_currency(values: Sequence[str]) -> bool:
    """Whether most prices have a sign or a code of a currency."""
    marked = [value for value in values if _CURRENCY.search(value) and re.search("[0-9]", value)]
    return len(marked) * 2 > len(values)


def without_currency(value: str) -> str:
    return re.sub(r"[^0-9.,+-]", "", value)


def are_ids_with_decimals(values: Sequence[str]) -> bool:
    """Whether all ids are written as numbers with a decimal: 17850.0."""
    return bool(values) and all(re.fullmatch(r"[0-9]+\.0", value) for value in values)


def _is_number(value: str, style: tuple[str, str | None]) -> bool:
    decimal, group = style
    digits = rf"(?:[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{3}})+|[0-9]*)" if group else "[0-9]*"
    return re.fullmatch(rf"[+-]?{digits}(?:{re.escape(decimal)}[0-9]*)?", value) is not None and any(
        char.isdigit() for char in value
    )


def _number(value: str, style: tuple[str, str | None]) -> Decimal:
    decimal, group = style
    return Decimal((value.replace(group, "") if group else value).replace(decimal, "."))


def _read(values: Iterable[str], style: tuple[str, str | None]) -> list[Decimal]:
    return [_number(value, style) for value in values if _is_number(value, style)]
