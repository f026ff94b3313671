"""The first lines of files, unpacked and decoded: enough to see what they are."""

from __future__ import annotations

import glob
import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from common.errors import ConfigError, DataRefusedError
from common.landing.archives import not_packed, not_plain, not_utf8_text
from common.landing.files import first_bytes, open_unpacked
from common.landing.unreadable import unreadable
from common.words import as_people_count, shown

# Of all files together, so much is looked at; of each of many files at least so many lines, of the first one more.
_MOST_LINES = 20_000
_FEWEST_LINES = 20
_FEWEST_OF_FIRST = 200
_MOST_BYTES = 4_000_000
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Sample:
    """The first lines of a file, without line ends and byte-order mark. `is_whole`: they are all that it has."""

    path: str
    lines: tuple[str, ...]
    encoding: str
    is_whole: bool


def find_files(arguments: Sequence[str]) -> list[str]:
    """The files that paths, folders (with their sub-folders) and globs stand for, each once. Names that start with `_`
    or `.` are passed over. Raises ConfigError where there is none.
    """
    found: list[str] = []
    for argument in arguments:
        if "://" in argument:
            raise ConfigError(f"{shown(argument)} is not on this machine: copy a file of it here, and look at that.")
        places = [argument] if os.path.exists(argument) else glob.glob(argument, recursive=True)
        files = [file for place in places for file in _files_at(place)]
        if not files:
            raise ConfigError(f"There is no file at {shown(argument)}.")
        found += files
    return list(dict.fromkeys(sorted(found, key=as_people_count)))


def _files_at(place: str) -> list[str]:
    if not os.path.isdir(place):
        return [place]
    found = []
    for folder, folders, names in os.walk(place):
        folders[:] = [name for name in folders if not name.startswith(("_", "."))]
        found += [os.path.join(folder, name) for name in names if not name.startswith(("_", "."))]
    return found


def read_samples(paths: Sequence[str]) -> list[Sample]:
    """The samples of files that have content. Raises DataRefusedError naming a file that is no text, or where none has
    content; ConfigError where one may not be read.
    """
    lines = max(_FEWEST_LINES, _MOST_LINES // len(paths))
    size = max(100_000, _MOST_BYTES // len(paths))
    samples = [_read_sample(paths[0], max(lines, _FEWEST_OF_FIRST), size)]
    samples += [_read_sample(path, lines, size) for path in paths[1:]]
    with_content = [sample for sample in samples if any(line.strip() for line in sample.lines)]
    if not with_content:
        which = f"{shown(paths[0])} is" if len(paths) == 1 else "All files are"
        raise DataRefusedError(f"{which} empty: there is nothing to describe.")
    return with_content


def _read_sample(path: str, most_lines: int, most_bytes: int) -> Sample:
    named = shown(path)
    try:
        first = first_bytes(path) or b""
        problem = not_plain(named, first, is_unpacked=False) or not_packed(named, first)
        if not problem and path.lower().endswith(".zst"):
            problem = (
                f"{named} is compressed by zstd, which load_sales reads and this does not: unpack a copy (zstd -d)."
            )
        if problem:
            raise DataRefusedError(problem)
        with open_unpacked(path) as file:
            content = file.read(most_bytes + 1)
    except (EOFError, zlib.error, OSError) as error:
        raise unreadable(path) from error
    is_whole = len(content) <= most_bytes
    if not is_whole:
        content = content[: max(content.rfind(b"\n"), content.rfind(b"\r"))]
    problem = not_plain(named, content, is_unpacked=True) or not_utf8_text(named, content[:10_000])
    if problem:
        raise DataRefusedError(problem)
    text, encoding = _decoded(content)
    lines = _LINE_END.split(text.removesuffix("\n").removesuffix("\r")) if text else []
    return Sample(path, tuple(lines[:most_lines]), encoding, is_whole and len(lines) <= most_lines)


def _decoded(content: bytes) -> tuple[str, str]:
    """The text, and Python's name of the first of the usual encodings that all of it is valid in."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return content.decode("utf-8-sig" if encoding == "utf-8" else encoding), encoding
        except UnicodeDecodeError:
            continue
    return content.decode("iso-8859-1"), "iso8859-1"
