"""The first lines of files are the same, whoever reads them; and thousands of files cost no job of Spark each."""

from __future__ import annotations

import bz2
import gzip
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import zstandard
from pyspark.sql import SparkSession, is_remote

from common.landing.first_lines import first_lines
from common.landing.listing import list_files

CONTENTS = {
    "lf.csv": b"a,b\n1,2\n3,4\n",
    "crlf.csv": b"\xef\xbb\xbfa,b\r\n\r\n3,4\r\n",
    "cr.csv": b"a,b\r\r\n3,4",
    "one.csv": b"a,b",
    "blank.csv": b"\n\n\n",
    "only_mark.csv": b"\xef\xbb\xbf",
    "latin [1].csv": b"\xe4\x00,b\n\xff\n",
    # A line end falls between two pieces that are read, and a line is longer than one.
    "halves.csv": b"x" * 65_535 + b"\r\n" + b"y" * 200_000 + b"\n3,4\n",
    "packed.csv.gz": gzip.compress(b"a,b\r\n1,2\n"),
    "packed.csv.GZ": gzip.compress(b"a,b\n") + gzip.compress(b"1,2\n3,4\n"),
    "packed.csv.bz2": bz2.compress(b"a,b\n1,2\n"),
    "packed.csv.zst": zstandard.compress(b"a,b\n1,2\n"),
    "large.csv": b"a,b\n" + b"1,2\n" * 300_000,
}


@pytest.mark.parametrize("count", [1, 3])
def test_lines_are_those_that_spark_reads(spark: SparkSession, tmp_path: Path, count: int) -> None:
    for name, content in CONTENTS.items():
        (tmp_path / name).write_bytes(content)
    files = list_files(spark, str(tmp_path)).files
    assert len(files) == len(CONTENTS)
    here = first_lines(spark, files, count)
    # A file of another size on this disk is not the one that Spark has found, and Spark is asked.
    by_spark = first_lines(spark, [replace(file, size=file.size + 1) for file in files], count)
    assert here == by_spark
    names = {Path(file.path).name: here[file.order] for file in files}
    assert names["crlf.csv"] == [b"a,b", b"", b"3,4"][:count]
    assert names["only_mark.csv"] == []


def test_thousands_of_files_on_this_disk_are_looked_at_without_spark(spark: SparkSession, tmp_path: Path) -> None:
    if is_remote():
        pytest.skip("a server may run on another machine")
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    [file] = list_files(spark, str(tmp_path)).files
    files = [replace(file, order=order) for order in range(3000)]
    assert first_lines(cast(SparkSession, None), files, 1) == {order: [b"a,b"] for order in range(3000)}
