"""How the data files of a table keep their columns, by their footers, as pyarrow reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
from deltalake import DeltaTable


def times_of(table: str) -> set[tuple[str, bool]]:
    """Of all times in the newest data files of a table: the physical type, and whether it has statistics."""
    return {kept for file in data_files(table) for kept in _times_in(file)}


def data_files(table: str) -> list[Path]:
    """The newest data files of a table."""
    return [Path(table) / file for file in DeltaTable(table).to_pyarrow_dataset().files]


def _times_in(file: Path) -> Iterator[tuple[str, bool]]:
    found = pq.ParquetFile(file)
    for index in range(found.metadata.num_columns):
        column = found.schema.column(index)
        is_time = column.physical_type == "INT96" or str(column.logical_type).startswith("Timestamp")
        for group in range(found.metadata.num_row_groups) if is_time else ():
            chunk = found.metadata.row_group(group).column(index)
            yield column.physical_type, chunk.is_stats_set and chunk.statistics.has_min_max
