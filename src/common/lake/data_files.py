"""The data files of a table, by the rows in them."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.contract import Table
from common.lake.lake import Lake


def files_holding(lake: Lake, table: Table, keys: DataFrame, condition: Column) -> tuple[int, int]:
    """How many data files hold any of the keys, and their bytes."""
    version = lake.version(table)
    if version is None:
        return 0, 0
    columns = ", ".join(dict.fromkeys([*table.key, *table.partitioned_by]))
    newest = f"{lake.name(table)} VERSION AS OF {int(version)}"
    rows = lake.spark.sql(f"SELECT {columns}, _metadata.file_path, _metadata.file_size FROM {newest}")
    files = (
        rows.where(condition)
        .join(keys, on=list(table.key), how="left_semi")
        .select("file_path", "file_size")
        .distinct()
    )
    counted = files.agg(F.count(F.lit(1)), F.coalesce(F.sum("file_size"), F.lit(0))).collect()[0]
    return counted[0], counted[1]
