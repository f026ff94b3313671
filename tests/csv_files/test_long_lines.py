"""A line that no row can be refuses the run, with the file and the line in words, before memory is full of it."""

from __future__ import annotations

import bz2
import gzip
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from pyspark.sql import SparkSession

from common.errors import DataRefusedError
from common.landing.files import LONGEST_LINE, read_text
from common.landing.listing import list_files
from common.landing.unreadable import damaged_files_refused
from support.lakes import CUSTOMERS_HEADER, SALES_HEADER, Workbench
from support.project import ROOT


def test_a_line_that_is_too_long_is_named_however_the_file_is_packed(bench: Workbench) -> None:
    # Its lines end in all three ways, and the long one reaches over several of the pieces that are looked through.
    start = f"{CUSTOMERS_HEADER}\r\nc1,Ann,30,Mali\rc2,Bo,31,Mali\r\n\r\n".encode() + b"c3,Cy,32,Mali\n" * 100_000
    content = start + b"c4," + b"x" * 3 * LONGEST_LINE + b",33,Mali\nc5,Di,34,Mali\n"
    how: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}
    for end, pack in how.items():
        path = bench.file(bench.folder / f"people.csv{end}", pack(content))
        outcome = bench.load(customers=path)
        assert outcome.exit_code == 3
        assert f"{path}, line 100,005: longer than 1,000,000 bytes, which no row is." in outcome.error
    # Python does not unpack all that Spark does.
    path = bench.file(bench.folder / "people.csv.zst", zstandard.compress(content))
    assert f"{path}, a line: longer than 1,000,000 bytes" in bench.load(customers=path).error
    assert bench.versions() == {}


def test_a_line_as_long_as_may_be_is_a_row_and_a_longer_one_is_no_header(bench: Workbench) -> None:
    row = "c1,{},30,Mali"
    name = "x" * (LONGEST_LINE - len(row.format("")))
    bench.people(row.format(name))
    # A record may have several lines, but not more bytes: else each line is for itself.
    half = "y" * (LONGEST_LINE // 2)
    bench.people(f'c2,"{half}', f'{half}",30,Mali', f'c3,"{half[9:]}', 'z",30,Mali', name="two.csv")
    outcome = bench.must_load()
    assert outcome.ledger("customers") == {"rows_read": 4, "new": 2, "rejected": 2}
    assert outcome.reasons() == {"row_is_well_formed": 2}
    found = bench.table("customers").selectExpr("CUSTOMER_ID", "length(NAME)").collect()
    assert sorted(map(tuple, found)) == [("c1", len(name)), ("c3", len(half) - 9 + 2)]

    long = bench.file(bench.customers / "bomb.csv.gz", gzip.compress(b"x" * 9 * LONGEST_LINE))
    assert f"{long}, line 1: longer than 1,000,000 bytes" in bench.load().error


def test_whatever_reads_lines_is_told_of_one_that_is_too_long(bench: Workbench, spark: SparkSession) -> None:
    path = bench.file(bench.folder / "sales.csv", f"{SALES_HEADER}\n".encode() + b"x" * 2 * LONGEST_LINE)
    files = list_files(spark, str(path)).files
    with pytest.raises(DataRefusedError, match="line 2: longer than"), damaged_files_refused(files):
        read_text(spark, files).write.format("noop").mode("overwrite").save()


@pytest.mark.platform
def test_a_bomb_that_java_has_no_room_for_ends_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(f"{SALES_HEADER}\nt1,c1,p1,1,9.99,2025-01-01 10:00:00\n".encode())
        for _ in range(900):
            file.write(b"x" * LONGEST_LINE)
        file.write(b"\nt2,c1,p1,1,9.99,2025-01-01 10:00:00\n")
    command = [f"{ROOT}/spark-submit.sh", "load_sales", "--driver-memory=1g"]
    command += [f"--lake={tmp_path / 'lake'}", f"--transactions={path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert f"{path}, line 3: longer than 1,000,000 bytes" in done.stdout + done.stderr
    assert not list(tmp_path.glob("lake/*/_delta_log"))
