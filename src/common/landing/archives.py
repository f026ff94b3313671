"""What a file is that is no text as it is read, by its first bytes, and what a person does to have it loaded."""

from __future__ import annotations

_GZIP, _BZIP2, _ZSTD, _ZIP = b"\x1f\x8b", b"BZh", b"\x28\xb5\x2f\xfd", b"PK"
# By the end of a name, how Spark unpacks the file, and how such a file begins.
_UNPACKED_BY_SPARK = {".gz": _GZIP, ".bz2": _BZIP2, ".zst": _ZSTD}
_SAVE_AS_CSV = "save the sheet as CSV UTF-8, and load that"
_NO_CSV = "load the CSV file that it was made from"
# How files begin: what such a file is, and what to do.
_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook or another file of Office", _SAVE_AS_CSV),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it, and load the CSV files in it"),
    (b"Rar!\x1a\x07", "a rar archive", "unpack it, and load the CSV files in it"),
    (b"\xfd7zXZ\x00", "compressed by xz, which Spark cannot read", "unpack it (xz -d), or compress it by gzip"),
    (
        b"\x04\x22\x4d\x18",
        "compressed by lz4, which Spark reads otherwise",
        "unpack it (lz4 -d), or compress it by gzip",
    ),
    (b"PAR1", "a Parquet file", _NO_CSV),
    (b"SQLite format 3\x00", "a SQLite database", _NO_CSV),
    (b"%PDF-", "a PDF document", _NO_CSV),
)
_OF_EXCEL = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/")
# Where the header of a tar archive says that it is one.
_TAR_SAYS_SO_AT = 257
_TAR_NAMES = (".tgz", ".taz", ".tbz", ".tbz2", ".tzst")
_LENGTH_OF_ZIP_HEADER = 30


def not_plain(path: str, first: bytes, *, is_unpacked: bool) -> str | None:
    """Why a file is not read that begins with these bytes (300 of them are enough), as one sentence; None where it may
    be text. `is_unpacked`: as Spark reads them, which unpacks a file by the end of its name; otherwise as they lie on
    the disk.
    """
    packing = packing_of(path) if is_unpacked else ""
    inside = "holds" if packing else "is"
    for what, advice in _zip_or_tar(path, first, packing):
        return f"{path} {inside} {what}, no CSV file: {advice}."
    for begin, what, advice in _KINDS:
        if first.startswith(begin):
            return f"{path} {inside} {what}, no CSV file: {advice}."
    for end, begin in _UNPACKED_BY_SPARK.items():
        if first.startswith(begin):
            if packing:
                return f"{path} is compressed twice: unpack it once, and give it a name that ends in {end}."
            if is_unpacked or packing_of(path) != end:
                return f"{path} is compressed, which its name does not say: rename it to end in {end}."
    return None


def not_packed(path: str, first: bytes | None) -> str | None:
    """Why Spark cannot unpack a file that begins with these bytes on the disk, as one sentence; None where its name
    does not say that it is packed, or says so rightly, or where the bytes are not known.
    """
    end = packing_of(path)
    if first is None or not end or first.startswith(_UNPACKED_BY_SPARK[end]):
        return None
    return not_plain(path, first, is_unpacked=False) or (
        f"{path} is not compressed as its name says: take {end} off its name if it is plain text, or deliver it again."
    )


def not_utf8_text(path: str, first: bytes) -> str | None:
    """Why a first line with zero bytes is not read, as one sentence; None where it has none."""
    of_two_bytes = any(first[begin::2].count(0) * 2 > len(first[begin::2]) for begin in (0, 1))
    if first.startswith((b"\xff\xfe", b"\xfe\xff")) or (of_two_bytes and len(first) > 1):
        return f"{path} is not in UTF-8 but looks like UTF-16: convert it with iconv -f UTF-16 -t UTF-8."
    return f"{path}, line 1: holds zero bytes, so it is no text file." if b"\x00" in first else None


def packing_of(path: str) -> str:
    """The end of a name by which Spark unpacks the file; empty where it has none."""
    return next((end for end in _UNPACKED_BY_SPARK if path.lower().endswith(end)), "")


def _zip_or_tar(path: str, first: bytes, packing: str) -> list[tuple[str, str]]:
    is_packed_tar = first.startswith((_GZIP, _BZIP2, _ZSTD)) and path.lower().endswith(_TAR_NAMES)
    if is_packed_tar or first[_TAR_SAYS_SO_AT:].startswith(b"ustar"):
        return [("a tar archive", "unpack it (tar -xf), and load the CSV files in it")]
    if not first.startswith((_ZIP + b"\x03\x04", _ZIP + b"\x05\x06", _ZIP + b"\x07\x08")):
        return []
    name = path.lower().removesuffix(packing)
    first_part = first[_LENGTH_OF_ZIP_HEADER:]
    if name.endswith((".xlsx", ".xlsm", ".xlsb")) or first_part.startswith(_OF_EXCEL):
        return [("an Excel workbook", _SAVE_AS_CSV)]
    if name.endswith(".ods") or b"opendocument.spreadsheet" in first_part:
        return [("a spreadsheet", _SAVE_AS_CSV)]
    return [("a zip archive", "unzip it, and load the CSV files in it")]
