"""Packed files: those that Spark unpacks are read, and of any other a sentence says what it is and what to do."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable

import zstandard

from common.landing.archives import not_packed, not_plain
from support.lakes import CUSTOMERS_HEADER, Workbench

CONTENT = f"{CUSTOMERS_HEADER}\nc1,Ann,30,Mali\n".encode()


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, CONTENT)
    return packed.getvalue()


def tarred(how: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=f"w:{how}") as archive:  # type: ignore[call-overload]
        entry = tarfile.TarInfo("people.csv")
        entry.size = len(CONTENT)
        archive.addfile(entry, io.BytesIO(CONTENT))
    return packed.getvalue()


def test_files_that_spark_unpacks_are_read(bench: Workbench) -> None:
    how: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzip.compress,
        "GZ": gzip.compress,
        "bz2": bz2.compress,
        "zst": zstandard.compress,
    }
    for number, (end, compress) in enumerate(how.items()):
        own = CONTENT.replace(b"c1", f"c{number}".encode())
        bench.file(bench.customers / f"people_{number}.csv.{end}", compress(own))
    assert bench.must_load().ledger("customers") == {"rows_read": 4, "new": 4}
    assert bench.rows("customers", "CUSTOMER_ID", "NAME") == [(f"c{number}", "Ann") for number in range(4)]


UNZIP = "a zip archive, no CSV file: unzip it, and load the CSV files in it."
UNTAR = "a tar archive, no CSV file: unpack it (tar -xf), and load the CSV files in it."
EXCEL = "an Excel workbook, no CSV file: save the sheet as CSV UTF-8, and load that."
PACKED = {
    "a.csv.zip": (zipped("a.csv"), f"is {UNZIP}"),
    "zipped.csv": (zipped("a.csv"), f"is {UNZIP}"),
    "zipped.csv.gz": (zipped("a.csv"), f"is {UNZIP}"),
    "none.zip": (zipped(), f"is {UNZIP}"),
    "a.xlsx": (zipped("a.xml"), f"is {EXCEL}"),
    "excel.csv": (zipped("[Content_Types].xml", "xl/workbook.xml"), f"is {EXCEL}"),
    "excel.csv.gz": (zipped("docProps/app.xml"), f"is {EXCEL}"),
    "zip_in.csv.gz": (gzip.compress(zipped("a.csv")), f"holds {UNZIP}"),
    "a.ods": (zipped("mimetype"), "is a spreadsheet, no CSV file: save the sheet as CSV UTF-8, and load that."),
    "a.xls": (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(99), "is an old Excel workbook or another file of Office"),
    "a.csv.tar.gz": (tarred("gz"), f"holds {UNTAR}"),
    "a.tgz": (tarred("gz"), f"is {UNTAR}"),
    "a.tar.bz2": (tarred("bz2"), f"holds {UNTAR}"),
    "a.tar": (tarred(""), f"is {UNTAR}"),
    "a.csv.xz": (
        lzma.compress(CONTENT),
        "is compressed by xz, which Spark cannot read, no CSV file: unpack it",
    ),
    "twice.csv.gz": (gzip.compress(gzip.compress(CONTENT)), "is compressed twice: unpack it once"),
    "gz.csv": (gzip.compress(CONTENT), "is compressed, which its name does not say: rename it to end in .gz."),
    "bz2.csv.gz": (bz2.compress(CONTENT), "is compressed, which its name does not say: rename it to end in .bz2."),
    "zst.csv": (zstandard.compress(CONTENT), "rename it to end in .zst."),
    "plain.csv.gz": (CONTENT, "is not compressed as its name says: take .gz off its name if it is plain text"),
    "plain.csv.bz2": (CONTENT, "is not compressed as its name says: take .bz2 off its name if it is plain text"),
    "plain.csv.zst": (CONTENT, "is not compressed as its name says: take .zst off its name if it is plain text"),
    "zeros.csv": (CUSTOMERS_HEADER.encode() + bytes(3), "line 1: holds zero bytes, so it is no text file."),
}


def test_a_file_that_is_packed_otherwise_is_named_with_what_it_is_and_what_to_do(bench: Workbench) -> None:
    for name, (content, sentence) in PACKED.items():
        path = bench.file(bench.customers / name, content)
        outcome = bench.load(customers=path)
        assert outcome.exit_code == 3, name
        assert f"{path}" in outcome.error
        assert sentence in outcome.error, outcome.error
    assert bench.versions() == {}


def test_a_name_that_says_how_a_file_is_packed_is_believed_where_its_bytes_agree() -> None:
    for name, content in (("a.csv", CONTENT), ("a.csv.gz", gzip.compress(CONTENT)), ("a.bz2", bz2.compress(CONTENT))):
        assert not_packed(name, content) is None
    assert not_plain("a.csv.gz", CONTENT, is_unpacked=True) is None
