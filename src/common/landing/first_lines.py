"""The first lines of many files, without a Spark job for each: they are read here where the files are on this disk, and
of others the small ones by one job.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from common.landing.files import LONGEST_LINE, InputFile, can_be_read_here, open_unpacked, read_text
from common.landing.unreadable import too_long

_CHUNK = 1 << 16
_SMALL = 1 << 20


def first_lines(spark: SparkSession, files: Sequence[InputFile], count: int) -> dict[int, list[bytes]]:
    """So many lines of each file, as Spark reads text, by the file's order; fewer where a file has no more. Raises
    DataRefusedError where one of them is too long.
    """
    with ThreadPoolExecutor(max_workers=4) as pool:
        found = pool.map(lambda file: (file.order, _read_here(file, count)), files)
        lines = {order: those for order, those in found if those is not None}
        others = [file for file in files if file.order not in lines]
        small = [file for file in others if file.size <= _SMALL]
        if small:
            lines |= _of_small(spark, small, count)
        large = [file for file in others if file.size > _SMALL]
        return lines | dict(pool.map(lambda file: (file.order, _of_large(spark, file, count)), large))


def _read_here(file: InputFile, count: int) -> list[bytes] | None:
    """The lines, or None where Spark is to say what there is."""
    if not can_be_read_here(file):
        return None
    try:
        with open_unpacked(file.path) as stream:
            # Spark passes over a byte-order mark, too.
            text = stream.read(_CHUNK).removeprefix(b"\xef\xbb\xbf")
            lines = text.splitlines()
            # The last one may go on, or be followed by the second half of its end.
            while 0 < len(lines) <= count and len(lines[-1]) <= LONGEST_LINE and (more := stream.read(_CHUNK)):
                text += more
                lines = text.splitlines()
    except (EOFError, OSError, zlib.error):
        return None
    for number, line in enumerate(lines[:count], start=1):
        if len(line) > LONGEST_LINE:
            raise too_long(file.path, number)
    return lines[:count]


def _of_small(spark: SparkSession, files: Sequence[InputFile], count: int) -> dict[int, list[bytes]]:
    """By one job, which reads the files whole."""
    of_file = Window.partitionBy("uri").orderBy("position")
    text = read_text(spark, files).select(
        F.col("value").cast("binary").alias("line"),
        F.col("_metadata.file_path").alias("uri"),
        F.monotonically_increasing_id().alias("position"),
    )
    first = text.withColumn("number", F.row_number().over(of_file)).where(F.col("number") <= count)
    lines: dict[str, list[bytes]] = {file.uri: [] for file in files}
    for row in sorted(first.collect(), key=lambda row: row["number"]):
        lines[row["uri"]].append(bytes(row["line"]))
    return {file.order: lines[file.uri] for file in files}


def _of_large(spark: SparkSession, file: InputFile, count: int) -> list[bytes]:
    first = read_text(spark, [file]).select(F.col("value").cast("binary").alias("line")).head(count)
    return [bytes(row["line"]) for row in first]
