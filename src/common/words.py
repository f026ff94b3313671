"""Words that messages have in common."""

from __future__ import annotations

import re

# So many characters of a long id are printed, by which it can be told from others; --json has it whole.
ID_SHOWN = 12


def counted(number: int, noun: str, more_than_one: str | None = None) -> str:
    """A number of things: `1 file`, `2,000 files`; `more_than_one` is the plural where that is not the noun and s."""
    return f"{number:,} {noun if number == 1 else more_than_one or f'{noun}s'}"


def shown(text: str) -> str:
    """A text on one line of a terminal: what is no visible character (a line break, an escape sequence, a mark that
    turns the direction of writing) stands there as Python writes it, such as \\n or \\x1b.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def as_people_count(name: str) -> tuple[list[tuple[int, str]], str]:
    """What names are sorted by, so that `sales_9` comes before `sales_10`; names that differ only in zeros before a
    number by the letters.
    """
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if number % 2 else (-1, part) for number, part in enumerate(parts)], name
