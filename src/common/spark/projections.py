"""How often Spark evaluates what stands in a column."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def computed_once(rows: DataFrame, *columns: str) -> DataFrame:
    """The same rows, whose given columns are computed once each, however often later expressions name them.

    Spark writes the expression of a column into every place that uses it, and a parser or a pattern is then run dozens
    of times for one row. It does not do that across a generator.
    """
    others = [name for name in rows.columns if name not in columns]
    return rows.select(*others, F.inline(F.array(F.struct(*columns))))
