"""How the bytes of a feed's files are to be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """What files do not say of themselves: their encoding (Python's name for it), and the time zone (by its IANA name)
    of times without an offset.
    """

    encoding: str = "utf-8"
    time_zone: str = "UTC"
