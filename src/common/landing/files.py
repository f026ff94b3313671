"""The files of a feed, their lines as Spark reads text, and why one cannot be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession

from common.errors import ConfigError, DataRefusedError, SalesLakehouseError
from common.landing.archives import not_packed
from common.spark.failures import SPARK_ERRORS, damaged_file

# So many say what a file is.
_FIRST_BYTES = 300


@dataclass(frozen=True)
class InputFile:
    """One file to read. `order` counts the files of the feed by arrival: modification time, then name,
    as people count: 9 comes before 10."""

    order: int
    path: str
    uri: str
    size: int
    modified_at: datetime


@contextmanager
def damaged_files_refused() -> Iterator[None]:
    """Turn Spark's failure to read a file to its end (a truncated .gz, say) into an error that says why."""
    try:
        yield
    except SPARK_ERRORS as error:
        damaged = damaged_file(error)
        if damaged is None:
            raise
        raise unreadable(damaged) from error


def unreadable(path: str) -> SalesLakehouseError:
    """Why a file that Spark cannot read cannot be read; of one on the local disk, as a look at it shows."""
    if "://" in path:
        return DataRefusedError(
            f"{path} cannot be read to its end: it is damaged, not complete or not permitted, or it is not packed "
            "as its name says, or its name has a colon, which Hadoop cannot read. Deliver it again."
        )
    try:
        first = first_bytes(path)
    except FileNotFoundError:
        return DataRefusedError(f"{path} is missing: it was there when the run began. Run again when it is complete.")
    except PermissionError:
        return ConfigError(f"{path} cannot be read: no permission. Let the user who runs this read it.")
    if ":" in path:
        return DataRefusedError(f"{path} has a colon in its name, which Hadoop cannot read: rename it.")
    whole = f"{path} cannot be read to its end: it is damaged or not complete. Deliver it again."
    return DataRefusedError(not_packed(path, first) or whole)


def first_bytes(path: str) -> bytes | None:
    """How a file on the local disk begins; None where it is elsewhere."""
    if "://" in path:
        return None
    with open(path, "rb") as file:
        return file.read(_FIRST_BYTES)


def read_text(spark: SparkSession, files: list[InputFile]) -> DataFrame:
    """The lines of files as Spark reads text: one row per line in `value`."""
    return spark.read.text([_without_globs(file.path) for file in files])


def _without_globs(path: str) -> str:
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", path)
