"""Make sample feeds of the shape of real ones, the same for the same seed: transactions.csv and customer.csv."""

from __future__ import annotations

import csv
import random
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path

from common.contract import CUSTOMERS_FEED, TRANSACTIONS
from common.errors import ConfigError, SalesLakehouseError
from common.run.arguments import Parser
from common.run.command import finished

JOB = "make_sample"
# How busy the shop is: by hour of the day, of which it is closed in the night, and by day of the week from Monday on.
_BY_HOUR = (0,) * 8 + (2, 4, 5, 6, 8, 6, 5, 5, 6, 8, 9, 7) + (0,) * 4
_BY_WEEKDAY = (5, 5, 6, 6, 8, 10, 3)
FIRST_HOUR = datetime(2025, 2, 22, 16)
_FIRST_NAMES = (
    "Ada",
    "Bruno",
    "Chloé",
    "Dmitri",
    "Emeka",
    "Fatima",
    "Greta",
    "Hiroshi",
    "Inés",
    "Jørgen",
    "Kiran",
    "Lü",
)
_LAST_NAMES = ("Abe", "Brandt", "Costa", "Diallo", "Eriksen", "Fischer", "García", "Haddad", "O'Neill", "Zhou")
_SUFFIXES = ("",) * 8 + (" Jr.", ", PhD")
_COUNTRIES = (
    "Brazil",
    "Côte d'Ivoire",
    "Germany",
    "Japan",
    "Korea, Republic of",
    "Micronesia (Federated States of)",
    "Norway",
    "South Africa",
)


@dataclass(frozen=True)
class Options:
    """How much is made, where it is written, and what the random choices start from."""

    folder: str
    transactions: int
    customers: int
    hours: int
    seed: int

    def __post_init__(self) -> None:
        if min(self.transactions, self.customers, self.hours) < 1:
            raise ConfigError("--transactions, --customers and --hours are at least 1.")


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(JOB, __doc__ or "", "--folder data --transactions 5000")
    for option, default, about in (
        ("--transactions", 5000, "how many"),
        ("--customers", 300, "how many"),
        ("--hours", 21 * 24, "over how many hours"),
        ("--seed", 1, "the same seed makes the same files"),
    ):
        parser.add_argument(option, type=int, default=default, metavar="NUMBER", help=f"{about} (default: {default})")
    parser.add_argument("--folder", default="data", metavar="FOLDER", help="where to write (default: data)")
    try:
        options = Options(**parser.parse(argv))
    except ConfigError as error:
        print(f"{JOB}: {error}", file=sys.stderr)
        return finished(error.exit_code, argv)
    rng = random.Random(options.seed)
    folder = Path(options.folder)
    customers = _customers(rng, options.customers)
    sales = _transactions(rng, options.transactions, options.customers, options.hours)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "customer.csv", CUSTOMERS_FEED.column_names, customers)
        _write(folder / "transactions.csv", TRANSACTIONS.column_names, sales)
    except OSError as error:
        print(f"{JOB}: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
        return finished(SalesLakehouseError.exit_code, argv)
    counts = f"{options.transactions:,} transactions and {options.customers:,} customers"
    print(f"{JOB}: {counts} in {folder}", file=sys.stderr)
    return 0


def _customers(rng: random.Random, count: int) -> Iterator[list[object]]:
    for number in range(count):
        name = f"{rng.choice(_FIRST_NAMES)} {rng.choice(_LAST_NAMES)}{rng.choice(_SUFFIXES)}"
        yield [1000 + number, name, rng.randint(18, 90), rng.choice(_COUNTRIES)]


def _transactions(rng: random.Random, count: int, customers: int, hours: int) -> Iterator[list[object]]:
    starts = [FIRST_HOUR + timedelta(hours=hour) for hour in range(hours)]
    busy = list(accumulate(_BY_HOUR[start.hour] * _BY_WEEKDAY[start.weekday()] for start in starts))
    for start in rng.choices(starts, cum_weights=busy, k=count):
        time = start + timedelta(seconds=rng.randrange(3600), microseconds=rng.randrange(1_000_000))
        identity = uuid.UUID(int=rng.getrandbits(128), version=4)
        price = f"{rng.randint(500, 500_000) / 100:.2f}"
        yield [identity, 1000 + rng.randrange(customers), rng.randint(1, 100), rng.randint(1, 10), price, time]


def _write(path: Path, header: list[str], rows: Iterator[list[object]]) -> None:
    """Write a file that is whole or not there."""
    unfinished = path.with_name(f"_{path.name}")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    unfinished.replace(path)


if __name__ == "__main__":
    sys.exit(main())
