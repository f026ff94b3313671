"""One customer, and where something of one is found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pyspark.sql import functions as F

from common.contract import CUSTOMERS
from common.lake.lake import Lake


@dataclass(frozen=True)
class Person:
    """One customer: the id, and the name where the lake knows it."""

    customer_id: str
    name: str | None

    @property
    def customer_hash(self) -> str:
        return hashlib.sha256(self.customer_id.encode()).hexdigest()


@dataclass(frozen=True)
class Trace:
    """A place where something of a person stands, or seems to, and why it is thought so; neither quotes what stands
    there. `rejected_id` is that of a row of rejected_rows.
    """

    place: str
    why: str
    rejected_id: str | None = None
    is_certain: bool = False

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


def find_person(lake: Lake, customer_id: str) -> Person:
    """The customer with that id; one whom the lake does not know has no name."""
    known = lake.read(CUSTOMERS, lake.version(CUSTOMERS)).where(F.col("CUSTOMER_ID") == customer_id).head()
    return Person(customer_id, known["NAME"] if known else None)


def line_of(file: str, number: int) -> str:
    """A line of a file, as a person looks it up."""
    return f"{file}, line {number}"
