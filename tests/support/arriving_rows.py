"""Rows as files bring them in random histories: few ids and values, so that they often meet, and some are wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from hypothesis import strategies as st

from support.lakes import CUSTOMERS_HEADER, SALES_HEADER

HEADERS = {"transactions": SALES_HEADER, "customers": CUSTOMERS_HEADER}
VALUES = {
    "transactions": (
        [f"t{n}" for n in range(1, 10)],
        ["c1", "c2", "c3", "c4"],
        ["p1", "p2"],
        ["1", "2", "+3", "010", "2.0"],
        ["1.50", "1.5", "0.33", "0", "1234567890.99"],
        [
            "2025-02-22 09:15:00",
            "2025-02-22 09:59:59.999999",
            "2025-02-22 10:00:00",
            "2025-02-22T11:00:00+01:00",
            "2025-02-21 23:59:59",
            "2024-12-31 23:30",
        ],
    ),
    "customers": (
        ["c1", "c2", "c3", "c4"],
        ["Ann", "Lee, Bob", "Zoë", ""],
        ["30", "31", "032", ""],
        ["Mali", "Korea, South", ""],
    ),
}
# What may stand in a column, by its number, and is refused there.
WRONG = {
    "transactions": [
        (0, ""),
        (1, ""),
        (3, "0"),
        (3, "1.5"),
        (4, "1.005"),
        (4, "-1.00"),
        (4, ""),
        (5, "2025-02-22"),
        (5, "22/02/2025 09:00"),
        (3, "2", "one value too many"),
    ],
    "customers": [(0, ""), (2, "x"), (2, "121"), (3, "Mali", "one value too many")],
}


def line_of(texts: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(texts)
    return written.getvalue()


def with_texts(line: str, column: int, *instead: str) -> str:
    """The line with other text in a column, or with more columns."""
    texts = next(csv.reader([line]))
    return line_of([*texts[:column], *instead, *texts[column + 1 :]])


def lines_of(feed: str, before: Sequence[str]) -> st.SearchStrategy[list[str]]:
    """A few rows of different ids: new ones, ones that came before, and such with one other value. Sometimes one or two
    more that may be wrong, or of an id that is there already.
    """
    values = VALUES[feed]
    fresh = st.tuples(*map(st.sampled_from, values)).map(line_of)
    wrong = st.builds(lambda line, place: with_texts(line, *place), fresh, st.sampled_from(WRONG[feed]))
    kinds = [fresh]
    if before:
        again = st.sampled_from(before)
        other_value = st.one_of([st.tuples(st.just(n), st.sampled_from(texts)) for n, texts in enumerate(values) if n])
        changed = st.builds(lambda line, place: with_texts(line, *place), again, other_value)
        kinds = [fresh, changed, changed, again]
    rows = st.lists(st.one_of(kinds), min_size=1, max_size=6, unique_by=lambda line: line.partition(",")[0])
    more = st.lists(st.one_of([*kinds, wrong, wrong, wrong, st.just(HEADERS[feed])]), max_size=2)
    return st.tuples(rows, more).map(lambda parts: [*parts[1][1:], *parts[0], *parts[1][:1]])
