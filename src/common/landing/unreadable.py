"""Why a file cannot be read to its end, in words: it is damaged, or has a line that no row can be."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import unquote

from common.errors import ConfigError, DataRefusedError, SalesLakehouseError
from common.landing.archives import not_packed, packing_of
from common.landing.files import LONGEST_LINE, TOO_LONG, InputFile, can_be_read_here, first_bytes, open_unpacked
from common.spark.failures import SPARK_ERRORS, damaged_file, is_out_of_memory
from common.spark.paths import plain_path

# A line that is too long reaches over a whole one of these pieces at least, wherever it begins.
_PIECE = LONGEST_LINE // 2
# In most of them, a line ends within so many bytes.
_GLANCE = 4096
_LINE_END = re.compile(rb"[\r\n]")


@contextmanager
def damaged_files_refused(files: Sequence[InputFile]) -> Iterator[None]:
    """Turn Spark's failure to read one of the files to its end (a truncated .gz, say, or a line that is too long) into
    an error that says why.
    """
    try:
        yield
    except SPARK_ERRORS as error:
        long, damaged = re.search(rf"{TOO_LONG}(\S+)", str(error)), damaged_file(error)
        if long:
            path = plain_path(unquote(long[1]))
            raise too_long(path, next((_long_line(file) for file in files if file.path == path), None)) from error
        if is_out_of_memory(error):
            raise _out_of_memory(files) from error
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


def check_line_lengths(files: Sequence[InputFile]) -> None:
    """Raise DataRefusedError for a line that is too long, before memory is full of it: where that is seen without
    reading the whole file, which is so of plain files on this disk.
    """
    for file in files:
        is_plain = file.size > LONGEST_LINE and not packing_of(file.path) and can_be_read_here(file)
        if is_plain and _has_piece_without_end(file):
            number = _long_line(file)
            if number is not None:
                raise too_long(file.path, number)


def _has_piece_without_end(file: InputFile) -> bool:
    with open(file.path, "rb") as content:
        for start in range(0, file.size - _PIECE, _PIECE):
            content.seek(start)
            if not _LINE_END.search(content.read(_GLANCE)) and not _LINE_END.search(content.read(_PIECE - _GLANCE)):
                return True
    return False


def too_long(path: str, number: int | None) -> DataRefusedError:
    """Why a file with a line that is too long is not read; `number` is that of the line, where it is known."""
    line = "a line" if number is None else f"line {number:,}"
    return DataRefusedError(
        f"{path}, {line}: longer than {LONGEST_LINE:,} bytes, which no row is. Were its line ends lost, or is it no "
        "export? Deliver it again."
    )


def _out_of_memory(files: Sequence[InputFile]) -> SalesLakehouseError:
    """Which file has a line that Java has no room for."""
    for file in files:
        number = _long_line(file)
        if number is not None:
            return too_long(file.path, number)
    return SalesLakehouseError(
        f"Java ran out of memory while it read the files, as where a line is far longer than {LONGEST_LINE:,} bytes. "
        "Where all lines are as they should be, give it more: --driver-memory, or --executor-memory on a cluster."
    )


def _long_line(file: InputFile) -> int | None:
    """The number of the first line that is too long; None where there is none, or where this process cannot tell."""
    if not can_be_read_here(file):
        return None
    try:
        with open_unpacked(file.path) as stream:
            number, length = 1, 0
            while piece := stream.read(LONGEST_LINE):
                # A line feed may follow, of the same line end.
                piece += stream.read(1) if piece.endswith(b"\r") else b""
                for line in piece.splitlines(keepends=True):
                    length += len(line.rstrip(b"\r\n"))
                    if length > LONGEST_LINE:
                        return number
                    if line.endswith((b"\r", b"\n")):
                        number, length = number + 1, 0
    except (EOFError, OSError, zlib.error):
        return None
    return None
