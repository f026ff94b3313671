"""Make sample feeds of the shape of real ones, the same for the same seed: transactions.csv and customer.csv."""

from __future__ import annotations

import argparse
import csv
import random
import sys
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from common.contract import CUSTOMERS_FEED, TRANSACTIONS
from common.errors import SalesLakehouseError
from common.run.command import finished

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


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./spark-submit.sh make_sample", description=__doc__, allow_abbrev=False)
    parser.add_argument("--folder", type=Path, default=Path("data"), help="where to write (default: data)")
    parser.add_argument("--transactions", type=int, default=5000, help="how many (default: 5000)")
    parser.add_argument("--customers", type=int, default=300, help="how many (default: 300)")
    parser.add_argument("--hours", type=int, default=50, help="over how many hours (default: 50)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same files (default: 1)")
    options = parser.parse_args(argv)
    rng = random.Random(options.seed)
    if min(options.transactions, options.customers, options.hours) < 1:
        parser.error("--transactions, --customers and --hours are at least 1")
    customers = _customers(rng, options.customers)
    sales = _transactions(rng, options.transactions, options.customers, options.hours)
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        _write(options.folder / "customer.csv", CUSTOMERS_FEED.column_names, customers)
        _write(options.folder / "transactions.csv", TRANSACTIONS.column_names, sales)
    except OSError as error:
        print(f"make_sample: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
        return finished(SalesLakehouseError.exit_code, argv)
    counts = f"{options.transactions:,} transactions and {options.customers:,} customers"
    print(f"make_sample: {counts} in {options.folder}", file=sys.stderr)
    return 0


def _customers(rng: random.Random, count: int) -> Iterator[list[object]]:
    for number in range(count):
        name = f"{rng.choice(_FIRST_NAMES)} {rng.choice(_LAST_NAMES)}{rng.choice(_SUFFIXES)}"
        yield [1000 + number, name, rng.randint(18, 90), rng.choice(_COUNTRIES)]


def _transactions(rng: random.Random, count: int, customers: int, hours: int) -> Iterator[list[object]]:
    for _ in range(count):
        time = FIRST_HOUR + timedelta(seconds=rng.randrange(hours * 3600), microseconds=rng.randrange(1_000_000))
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
