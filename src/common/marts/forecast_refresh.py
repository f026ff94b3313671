"""Which rows of the tables of forecasts change with the sales, and these rows computed anew."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import SALES
from common.contract.forecast import ALL_PRODUCTS, DAY
from common.forecast.history import Days
from common.lake.provenance import Sources, Unclear, why_not_incremental
from common.marts.differences import none_differing
from common.marts.forecasts import whole_days
from common.marts.mart import FindsPending, Inputs, Mart, Pending, differing

# All rows of a table, or those of the total and of some products.
RowsOfProducts = Callable[[Inputs, "DataFrame | None"], DataFrame]


def touched_series(rows_of: RowsOfProducts) -> FindsPending:
    """All series when a day was completed, since their history is longer then; else those whose days changed."""

    def pending(mart: Mart, inputs: Inputs, recorded: Sources) -> Pending | Unclear:
        unclear = why_not_incremental(inputs.lake, recorded, inputs.sources)
        if unclear:
            return unclear
        days = whole_days(inputs)
        held = inputs.lake.read(mart.table, inputs.lake.version(mart.table))
        if days is None or not _is_up_to(held, days):
            return Unclear("its last whole day is another one now")
        key = ("touched products", recorded, days)
        touched = inputs.once(key, lambda: _touched_products(inputs, recorded, days))
        if touched.isEmpty():
            return Pending(none_differing(held), groups=0)
        with_total = touched.union(touched.sparkSession.sql(f"SELECT '{ALL_PRODUCTS}'"))
        held_of_these = held.join(with_total, on="PRODUCT_ID", how="left_semi")
        return differing(mart, held_of_these, rows_of(inputs, touched))

    return pending


def _is_up_to(held: DataFrame, days: Days) -> bool:
    """Whether the rows of a table are as of the last of the days."""
    of_rows = held.agg(F.max("LAST_PERIOD").alias("newest"))
    newest = of_rows.select(days.number(F.col("newest"), DAY)).collect()[0][0]
    return bool(newest == days.last)


def _touched_products(inputs: Inputs, recorded: Sources, days: Days) -> DataFrame:
    """PRODUCT_ID of what came or went on a day that counts, each once."""
    changes = inputs.lake.changes(SALES, recorded.sales_version, inputs.sources.sales_version)
    is_whole = days.number(F.col("TRANSACTION_DATE"), DAY) <= days.last
    return changes.where(is_whole).select("PRODUCT_ID").distinct()
