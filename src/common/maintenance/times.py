"""Data files of earlier code keep times as INT96, which has no statistics: they are written anew, once."""

from __future__ import annotations

from common.contract import Table
from common.lake.commit_note import CommitNote
from common.lake.commits import Carried, Commit
from common.lake.ddl import INT64, TIMES_PROPERTY
from common.lake.lake import Lake
from common.spark.session import set_property, unset_property, writes_micros
from common.spark.sql import literal

_NEEDS_STATISTICS = "spark.databricks.delta.optimize.zorder.checkStatsCollection.enabled"


def may_have_old_times(lake: Lake, table: Table) -> bool:
    """Whether data files of the table may keep times as INT96: its properties do not say that none does."""
    if not any("timestamp" in column.type for column in table.columns) or not writes_micros(lake.spark):
        return False
    return bool(lake.detail(table)["properties"].get(TIMES_PROPERTY) != INT64)


def rewrite_times(lake: Lake, table: Table, *, note: CommitNote) -> Commit | None:
    """Write all data files of the table anew, which changes no row, and have its properties say so. None where there
    is no file.
    """
    # OPTIMIZE alone leaves a file that is large, or the only one of its hour, as it is; with an order it writes each.
    column = next((name for name in table.stats if name not in table.partitioned_by), table.key[0])

    def optimize(carried: Carried) -> None:
        with carried.as_properties(lake.spark):
            set_property(lake.spark, _NEEDS_STATISTICS, "false")
            try:
                lake.spark.sql(f"OPTIMIZE {lake.name(table)} ZORDER BY (`{column}`)")
            finally:
                unset_property(lake.spark, _NEEDS_STATISTICS)

    commit = lake.commit(table, note, optimize)
    properties = f"{literal(TIMES_PROPERTY)} = {literal(INT64)}"
    lake.alter(table, f"ALTER TABLE {lake.name(table)} SET TBLPROPERTIES ({properties})", note)
    return commit
