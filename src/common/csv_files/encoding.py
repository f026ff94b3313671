"""Strict decoding of text files: every byte sequence that is not valid in the encoding is found, none is replaced.

Spark's own CSV reader turns invalid bytes into U+FFFD in silence, and its `decode` knows few encodings and stops the
whole job at the first bad byte. Here UTF-8 is validated by the engine, and any single-byte encoding that Python knows
is read as ISO-8859-1 (where every byte is a character) and then translated.
"""

from __future__ import annotations

import codecs

from pyspark.sql import Column
from pyspark.sql import functions as F


def canonical_encoding(name: str) -> str:
    """Python's name for a supported encoding; raises ValueError for any other."""
    try:
        encoding = codecs.lookup(name).name
    except LookupError as error:
        raise ValueError(f"{name} is not known; use utf-8, windows-1252, iso-8859-1 or the like") from error
    if encoding in ("utf-8", "utf-8-sig"):
        return "utf-8"
    if encoding == "ascii":
        return encoding
    ascii_bytes = bytes(range(128))
    try:
        keeps_ascii = ascii_bytes.decode(encoding) == ascii_bytes.decode("ascii")
        is_single_byte = all(len(bytes([byte]).decode(encoding, "replace")) == 1 for byte in range(128, 256))
        is_single_byte = is_single_byte and bytes([200, 65]).decode(encoding, "replace")[1:] == "A"
    except (LookupError, UnicodeError):
        keeps_ascii = is_single_byte = False
    if not (keeps_ascii and is_single_byte):
        raise ValueError(
            f"{name} is not supported: use utf-8 or a single-byte one such as windows-1252, "
            f"or convert the file first: iconv -f {name} -t UTF-8"
        )
    return encoding


def is_decodable(line: Column, encoding: str) -> Column:
    """Whether the bytes of a line are valid in the encoding."""
    if encoding == "utf-8":
        return F.is_valid_utf8(line)
    undefined = [chr(byte) for byte in range(128, 256) if _character(byte, encoding) is None]
    if not undefined:
        return F.lit(True)
    return ~_as_latin1(line).rlike("[" + "".join(undefined) + "]")


def decoded(line: Column, encoding: str) -> Column:
    """The line as text; where it is not decodable, every byte as the ISO-8859-1 character, so that none is lost."""
    if encoding == "utf-8":
        return F.when(F.is_valid_utf8(line), line).otherwise(_as_latin1(line))
    moved = {chr(byte): _character(byte, encoding) for byte in range(128, 256)}
    moved = {latin1: char for latin1, char in moved.items() if char is not None and char != latin1}
    if not moved:
        return _as_latin1(line)
    return F.translate(_as_latin1(line), "".join(moved), "".join(char or "" for char in moved.values()))


def _as_latin1(line: Column) -> Column:
    return F.decode(line.cast("binary"), "iso-8859-1")


def _character(byte: int, encoding: str) -> str | None:
    try:
        return bytes([byte]).decode(encoding)
    except UnicodeDecodeError:
        return None
