"""Files of rows with sequences, and what the lake holds of them by any order: worked out in plain Python."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from support.lakes import Workbench

FEEDS = """\
transactions:
  columns:
    TRANSACTION_ID: TRANSACTION_ID
    CUSTOMER_ID: CUSTOMER_ID
    PRODUCT_ID: PRODUCT_ID
    QUANTITY: QUANTITY
    PRICE: PRICE
    TRANSACTION_DATE: TRANSACTION_DATE
  sequence_by: UPDATED_AT
customers:
  columns:
    CUSTOMER_ID: CUSTOMER_ID
    NAME: NAME
    AGE: AGE
    COUNTRY: COUNTRY
  sequence_by: {header: REVISION, type: number}
"""
HEADERS = {
    "transactions": "TRANSACTION_ID,CUSTOMER_ID,PRODUCT_ID,QUANTITY,PRICE,TRANSACTION_DATE,UPDATED_AT",
    "customers": "CUSTOMER_ID,NAME,AGE,COUNTRY,REVISION",
}


@dataclass(frozen=True)
class SequencedFile:
    """A file of a feed, and its rows without the header, each a line."""

    feed: str
    name: str
    rows: tuple[str, ...]


def random_files(seed: int, count: int) -> list[SequencedFile]:
    """Files in which few ids come again and again, with other values and sequences; some tie, some are missing."""
    choices = random.Random(seed)
    return [
        SequencedFile(feed, f"{feed}_{number}.csv", tuple(_row(feed, choices) for _ in range(choices.randint(1, 5))))
        for number in range(count)
        for feed in ("transactions", "customers")
    ]


def _row(feed: str, choices: random.Random) -> str:
    pick = choices.choice
    if feed == "customers":
        revision = pick(["1", "2", "3", "10", "10.0", "2.5", "", "x", "-1"])
        return f"c{pick('1234')},{pick(['Ann', 'Bo'])},{pick(['30', '31', ''])},{pick(['Mali', 'Peru'])},{revision}"
    day, hour, quantity = pick(["01", "02", "03"]), pick(["09", "10", "23"]), pick(["1", "2", "0"])
    updated = pick(
        ["2025-03-05 10:00", "2025-03-05T10:00:00Z", "2025-03-06 09:00:00.5", "2025-03-04 08:00", "", "soon"]
    )
    return f"t{pick('12345')},c{pick('1234')},{pick(['p1', 'p2'])},{quantity},1.50,2025-03-{day} {hour}:15:00,{updated}"


def expected_rows(files: list[SequencedFile], feed: str) -> dict[str, tuple[str, ...]]:
    """By id, the texts of the row with the highest sequence; none where rows with it differ."""
    best: dict[str, tuple[object, set[tuple[str, ...]]]] = {}
    for file in files:
        for row in file.rows if file.feed == feed else ():
            key, *values, sequence = row.split(",")
            order = _order(feed, sequence)
            if order is None or (feed == "transactions" and values[2] == "0"):
                continue
            held, contents = best.get(key, (None, set()))
            if held is None or order > held:  # type: ignore[operator]
                best[key] = order, {tuple(values)}
            elif order == held:
                contents.add(tuple(values))
    return {key: next(iter(contents)) for key, (_, contents) in best.items() if len(contents) == 1}


def _order(feed: str, sequence: str) -> object:
    if feed == "customers":
        return float(sequence) if sequence.replace(".", "").isdigit() else None
    known = {"2025-03-04 08:00": 1, "2025-03-05 10:00": 2, "2025-03-05T10:00:00Z": 2, "2025-03-06 09:00:00.5": 3}
    return known.get(sequence)


def deliver(bench: Workbench, files: list[SequencedFile], sizes: random.Random) -> int:
    """Load files in the order given, one or a few in a run; returns how many runs there were."""
    feeds = bench.folder / "feeds.yml"
    feeds.write_text(FEEDS)
    waiting, runs = list(files), 0
    while waiting:
        for file in [waiting.pop(0) for _ in range(min(len(waiting), sizes.randint(1, 3)))]:
            folder: Path = getattr(bench, file.feed)
            bench.file(folder / file.name, "\n".join([HEADERS[file.feed], *file.rows, ""]))
        bench.must_load(f"--feeds={feeds}")
        runs += 1
    return runs
