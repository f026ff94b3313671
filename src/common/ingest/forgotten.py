"""Which rows are about a customer who was forgotten: they are rejected, and no copy of them is kept."""

from __future__ import annotations

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

from common.contract import FORGOTTEN
from common.lake.lake import Lake

# What stands between the words of a raw line.
SEPARATORS = re.compile(r"[,\"\s]+")


def hashes_of_forgotten(lake: Lake) -> list[str]:
    """The SHA-256 of every CUSTOMER_ID whose rows may not come back."""
    version = lake.version(FORGOTTEN)
    return [] if version is None else [row["customer_hash"] for row in lake.read(FORGOTTEN, version).collect()]


def is_about(hashes: list[str]) -> Column:
    """Of a row of a feed: whether its CUSTOMER_ID, or a word of its raw line, is that of a forgotten customer."""
    candidates = F.concat(words(), F.array("CUSTOMER_ID"))
    return F.exists(candidates, lambda word: F.coalesce(F.sha2(word, 256).isin(hashes), F.lit(False)))


def words() -> Column:
    """The words of a raw line."""
    return F.split("raw_line", SEPARATORS.pattern)
