"""The formats of a lake: what each one changed in the tables that there were. A new format is one entry here.

A table says of which format it is, in a property. What a table of an older format lacks follows from the contract, and
lake/upgrade.py adds it; an entry names what the contract no longer says.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from common.contract.gold import CUSTOMER_SEGMENTS, CUSTOMER_SUMMARY, PRODUCT_PERFORMANCE, SALES_HOURLY
from common.contract.tables import AGGREGATE, SALES

FORMAT_PROPERTY = "saleslakehouse.format"


@dataclass(frozen=True)
class Format:
    """What a format changed, in the tables of the one before it: the constraints that are gone, by table, and computed
    tables with other columns or another meaning, which are made anew and computed whole.
    """

    number: int
    about: str
    constraints_gone: Mapping[str, Sequence[str]] = field(default_factory=dict)
    made_anew: Collection[str] = ()


# Format 1 has no property: it is what there was before tables had one.
FORMATS = (
    Format(
        number=2,
        about="returns and guests",
        constraints_gone={
            SALES.name: ("quantity_is_positive",),
            AGGREGATE.name: ("quantity_is_positive", "amount_is_not_negative"),
        },
        made_anew=(SALES_HOURLY.name, PRODUCT_PERFORMANCE.name, CUSTOMER_SUMMARY.name, CUSTOMER_SEGMENTS.name),
    ),
)
# What a table is that is made now.
FORMAT = FORMATS[-1].number


def formats_after(number: int) -> Sequence[Format]:
    """The formats that a table of an older one is brought through, the oldest first."""
    return [each for each in FORMATS if each.number > number]


def format_in(properties: Mapping[str, str]) -> int:
    """The format in the properties of a table; 1 is that of a table that does not say."""
    number = properties.get(FORMAT_PROPERTY, "")
    return int(number) if number.isdecimal() else 1


def newer_format(place: str, number: int) -> str:
    """Why a table of a newer format is left alone."""
    return (
        f"{place} is of lake format {number}, and this version of sales-lakehouse knows formats up to {FORMAT}. "
        "No table was changed. Use the version that made it, or a later one."
    )
