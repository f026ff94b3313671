"""What is done side by side: by threads here, and by tasks of Spark."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.spark.session import property_of

A = TypeVar("A")
B = TypeVar("B")

_IS_ADAPTIVE = "spark.sql.adaptive.enabled"


def side_by_side(first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
    """What both return: most of a small query is planning, which one thread does, with a core idle beside it.

    Where one raises, so does this, once the other has ended; the error of `first` comes first.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        other = pool.submit(second)
        return first(), other.result()


def from_one_task_each(rows: DataFrame, column: str) -> DataFrame:
    """The rows, all that have one value of the column in one task. With adaptive execution, which small runs do
    without, those of a large value are in several.
    """
    is_adaptive = property_of(rows.sparkSession, _IS_ADAPTIVE) != "false"
    return rows.hint("rebalance" if is_adaptive else "repartition", F.col(column))
