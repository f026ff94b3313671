"""Ways to damage a lake as a power cut, a copy cut short or a bad disk does: the newest commit, or a data file."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable

Damage = Callable[[Path, random.Random], None]


@dataclass(frozen=True)
class Damaged:
    """What was done to which file."""

    kind: str
    path: Path


def damage(lake: Path, rng: random.Random) -> Damaged:
    """Damage one file of a lake, and take away what beside it would tell: Hadoop's side-cars, sometimes Delta's."""
    table = rng.choice(sorted(path.parent for path in lake.glob("*/_delta_log")))
    if rng.random() < 0.5:
        path = max((table / "_delta_log").glob("*.json"))
        if rng.random() < 0.5:
            path.with_suffix(".crc").unlink()
        kind = rng.choice(sorted(_OF_COMMITS))
        hurt = _OF_COMMITS[kind]
    else:
        uris = DeltaTable(str(table)).file_uris()
        if not uris:
            return damage(lake, rng)
        path = Path(rng.choice(sorted(uris)).removeprefix("file://"))
        kind = rng.choice(sorted(_OF_DATA))
        hurt = _OF_DATA[kind]
    side_car = path.with_name(f".{path.name}.crc")
    side_car.unlink(missing_ok=True)
    hurt(path, rng)
    return Damaged(f"{'commit' if path.suffix == '.json' else 'data file'} {kind}", path)


def _emptied(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def _removed(path: Path, rng: random.Random) -> None:
    path.unlink()


def _cut(path: Path, rng: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: rng.randrange(1, path.stat().st_size - 1)])


def _cut_after_a_line(path: Path, rng: random.Random) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: rng.randrange(1, len(lines))]) if len(lines) > 1 else b"")


def _with_one_bit_flipped(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


_OF_COMMITS: dict[str, Damage] = {
    "empty": _emptied,
    "missing": _removed,
    "torn": _cut,
    "torn after a line": _cut_after_a_line,
}
_OF_DATA: dict[str, Damage] = {
    "empty": _emptied,
    "missing": _removed,
    "torn": _cut,
    "with one bit flipped": _with_one_bit_flipped,
}
