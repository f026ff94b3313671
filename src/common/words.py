"""Words that messages have in common."""

from __future__ import annotations


def counted(number: int, noun: str, more_than_one: str | None = None) -> str:
    """A number of things: `1 file`, `2,000 files`; `more_than_one` is the plural where that is not the noun and s."""
    return f"{number:,} {noun if number == 1 else more_than_one or f'{noun}s'}"
