"""Feeds of any size for the benchmarks, the same for the same seed: of the shape of real ones, made column by column.

Ids are UUIDs as in the real files; hours follow each other from FIRST_HOUR on, each with as many sales.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl

FIRST_HOUR = np.datetime64("2024-01-01T00:00:00", "us")
PRODUCTS = 100
# Of sales in baskets.
_BASKET, _RANGE = 8, 5_000
_ROWS_AT_ONCE = 1_000_000
_COUNTRIES = ("Brazil", "Germany", "Japan", '"Korea, Republic of"', "Norway", "South Africa")


def write_customers(path: Path, count: int, seed: int) -> Path:
    """A file of the first `count` customers; another seed gives them other ages and countries."""
    random = np.random.default_rng(seed)
    ages, countries = random.integers(18, 91, count), random.integers(0, len(_COUNTRIES), count)
    with path.open("w") as file:
        file.write("CUSTOMER_ID,NAME,AGE,COUNTRY\n")
        for number, age, country in zip(range(count), ages, countries, strict=True):
            file.write(f"{_customer_id(number)},Customer {number},{age},{_COUNTRIES[country]}\n")
    return path


def write_sales(path: Path, rows: int, customers: int, hours: int, seed: int, *, first_hour: int = 0) -> Path:
    """A file of `rows` sales spread over `hours` hours from hour `first_hour` on, in the order of their time."""
    random = np.random.default_rng(seed)
    ids = [_customer_id(number) for number in range(customers)]
    with path.open("wb") as file:
        file.write(b"TRANSACTION_ID,CUSTOMER_ID,PRODUCT_ID,QUANTITY,PRICE,TRANSACTION_DATE\n")
        for start in range(0, rows, _ROWS_AT_ONCE):
            count = min(_ROWS_AT_ONCE, rows - start)
            span = hours * 3_600_000_000
            micros = np.sort(random.integers(start * span // rows, (start + count) * span // rows, count))
            times = FIRST_HOUR + np.timedelta64(first_hour, "h") + micros.astype("timedelta64[us]")
            pl.DataFrame(
                {
                    "TRANSACTION_ID": _uuids(random, count),
                    "CUSTOMER_ID": pl.Series(ids, dtype=pl.Utf8).gather(random.integers(0, customers, count)),
                    "PRODUCT_ID": random.integers(1, PRODUCTS + 1, count),
                    "QUANTITY": random.integers(1, 11, count),
                    "PRICE": random.integers(500, 500_001, count) / 100,
                    "TRANSACTION_DATE": times,
                }
            ).write_csv(file, include_header=False, float_precision=2, datetime_format="%Y-%m-%d %H:%M:%S%.6f")
    return path


def write_baskets(path: Path, rows: int, customers: int, days: int, seed: int) -> Path:
    """A file of `rows` sales in baskets of eight products, most of which lie near each other among 5,000, each basket
    at noon of one of `days` days.
    """
    random = np.random.default_rng(seed)
    baskets = rows // _BASKET
    buyers = np.repeat(random.integers(0, customers, baskets), _BASKET)
    noons = FIRST_HOUR + (np.repeat(random.integers(0, days, baskets), _BASKET) * 24 + 12).astype("timedelta64[h]")
    middles = np.repeat((_RANGE * random.power(0.5, baskets)).astype(int), _BASKET)
    products = (middles + random.geometric(0.1, baskets * _BASKET)) % _RANGE
    order = np.argsort(noons, kind="stable")
    ids = pl.Series([_customer_id(number) for number in range(customers)], dtype=pl.Utf8)
    pl.DataFrame(
        {
            "TRANSACTION_ID": pl.Series(_uuids(random, len(order))),
            "CUSTOMER_ID": ids.gather(buyers[order]),
            "PRODUCT_ID": products[order],
            "QUANTITY": random.integers(1, 11, len(order)),
            "PRICE": random.integers(500, 50_001, len(order)) / 100,
            "TRANSACTION_DATE": noons[order],
        }
    ).write_csv(path, float_precision=2, datetime_format="%Y-%m-%d %H:%M:%S%.6f")
    return path


def arrived(path: Path, order: int) -> Path:
    """Give a file the place in the order of arrival that a run goes by, long enough ago to be trusted."""
    os.utime(path, (1_700_000_000 + order, 1_700_000_000 + order))
    return path


def _customer_id(number: int) -> str:
    return f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{number:012x}"


def _uuids(random: np.random.Generator, count: int) -> list[str]:
    digits = random.bytes(16 * count).hex()
    return [
        f"{digits[i : i + 8]}-{digits[i + 8 : i + 12]}-4{digits[i + 13 : i + 16]}-a{digits[i + 17 : i + 20]}-"
        f"{digits[i + 20 : i + 32]}"
        for i in range(0, 32 * count, 32)
    ]
