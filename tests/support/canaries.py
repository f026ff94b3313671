"""What may stand nowhere but in the data columns: names and raw rows of the input, searched in all that tests write."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path

from common.contract import TABLES
from common.marts.registry import built_tables

# Shorter ones stand in other words.
_SHORTEST_NAME = 3
_SHORTEST_LINE = 12
# The tables' own descriptions stand in their logs.
_OUR_WORDS = {
    word
    for table in (*TABLES, *built_tables())
    for text in (table.comment, *(column.comment for column in table.columns))
    for word in re.findall(r"\w+", text)
}
# Of a longer file, so many rows are taken.
_MOST_ROWS = 200


@dataclass
class Searched:
    """How much was searched, over all tests of a session."""

    canaries: int = 0
    texts: int = 0
    files: int = 0

    def add(self, other: Searched) -> None:
        """Count what another process has searched."""
        self.canaries += other.canaries
        self.texts += other.texts
        self.files += other.files

    def __str__(self) -> str:
        return (
            f"{self.canaries:,} names and raw rows, searched in {self.texts:,} outputs and {self.files:,} log files: "
            "none found"
        )


@dataclass
class Canaries:
    """The names and raw rows of the input of one test."""

    searched: Searched
    names: set[str] = field(default_factory=set)
    lines: set[str] = field(default_factory=set)

    def add(self, content: str) -> None:
        """Take the rows of a CSV file, and the names among them."""
        header, *lines = content.splitlines() or [""]
        columns = header.split(",")
        for line in lines[:: max(1, len(lines) // _MOST_ROWS)]:
            if len(line) >= _SHORTEST_LINE:
                self.lines.add(line)
            values = next(csv.reader([line]), []) if len(line) < csv.field_size_limit() else []
            if "NAME" in columns and len(values) == len(columns):
                name = values[columns.index("NAME")].strip()
                if len(name) >= _SHORTEST_NAME and re.search(r"[A-Za-z]{3}", name) and name not in _OUR_WORDS:
                    self.names.add(name)

    def search(self, text: str, where: str) -> None:
        """Fail where one of them stands in the text; without saying which."""
        found = [line for line in self.lines if line in text]
        found += [name for name in self.names if name in text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)]
        assert not found, f"{len(found)} names or raw rows of the input stand in {where}"

    def search_output(self, text: str) -> None:
        self.searched.texts += 1
        self.search(text, "what a job printed")

    def search_logs(self, lake: Path) -> None:
        """Search every commit and checksum of the lake's tables, and its lock."""
        files = [*lake.glob("*/_delta_log/*.json"), *lake.glob("*/_delta_log/*.crc"), *lake.glob(".lock")]
        for path in files:
            self.search(path.read_bytes().decode("utf-8", errors="replace"), str(path))
        self.searched.files += len(files)
        self.searched.canaries += len(self.names) + len(self.lines)
