"""The rows of a computed table that are not what a recompute gives."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import Table


def differing_rows(held: DataFrame, recomputed: DataFrame, table: Table) -> DataFrame:
    """The recomputed rows of a table that it does not hold so, cell by cell; `is_gone` says that it holds a key which
    the recomputed rows do not have.
    """
    row = F.struct(*table.column_names)
    left, right = held.select(*table.key, row.alias("held")), recomputed.select(*table.key, row.alias("recomputed"))
    both = left.join(right, on=list(table.key), how="full")
    return both.where(~F.col("held").eqNullSafe(F.col("recomputed"))).select(
        *[F.col(name if name in table.key else f"recomputed.{name}").alias(name) for name in table.column_names],
        F.col("recomputed").isNull().alias("is_gone"),
    )


def none_differing(held: DataFrame) -> DataFrame:
    """The same, where it is certain without a look at the rows that none differs."""
    return held.limit(0).withColumn("is_gone", F.lit(False))
