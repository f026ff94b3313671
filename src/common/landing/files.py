"""The files of a feed, and their lines as Spark reads text."""

from __future__ import annotations

import bz2
import gzip
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, cast

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from common.spark.paths import is_on_this_disk

# A line with more bytes refuses the run: memory has to hold a line whole, several times over.
LONGEST_LINE = 1_000_000
# So many say what a file is.
_FIRST_BYTES = 300
# How the failure of a query begins that met one; the path of the file follows.
TOO_LONG = "LINE_TOO_LONG in "
# By the end of a name, what Hadoop unpacks and Python does not.
_ONLY_BY_SPARK = (".zst", ".deflate", ".snappy", ".lz4")


@dataclass(frozen=True)
class InputFile:
    """One file to read. `order` counts the files of the feed by arrival: modification time, then name,
    as people count: 9 comes before 10."""

    order: int
    path: str
    uri: str
    size: int
    modified_at: datetime


def can_be_read_here(file: InputFile) -> bool:
    """Whether this process finds the file on its own disk that Spark has found, and can unpack it."""
    is_local = file.uri.startswith("file:") and is_on_this_disk(file.path)
    if not is_local or file.path.lower().endswith(_ONLY_BY_SPARK):
        return False
    try:
        found = os.stat(file.path)
    except OSError:
        return False
    return found.st_size == file.size and abs(found.st_mtime - file.modified_at.timestamp()) < 1


def first_bytes(path: str) -> bytes | None:
    """How a file on the local disk begins; None where it is elsewhere."""
    if "://" in path:
        return None
    with open(path, "rb") as file:
        return file.read(_FIRST_BYTES)


def open_unpacked(path: str) -> BinaryIO:
    """A file on this disk, unpacked as its name says, but for .zst."""
    if path.lower().endswith(".gz"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    return cast(BinaryIO, bz2.open(path, "rb")) if path.lower().endswith(".bz2") else open(path, "rb")


def read_text(spark: SparkSession, files: Sequence[InputFile]) -> DataFrame:
    """The lines of files as Spark reads text: one row per line in `value`. A line that is too long fails the query, for
    `damaged_files_refused` to say so: Hadoop's own limit would drop it in silence.
    """
    text = spark.read.text([_without_globs(file.path) for file in files])
    said = F.concat(F.lit(TOO_LONG), F.col("_metadata.file_path"))
    is_too_long = F.octet_length("value") > LONGEST_LINE
    return text.withColumn("value", F.when(is_too_long, F.raise_error(said).cast("string")).otherwise(F.col("value")))


def _without_globs(path: str) -> str:
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", path)
