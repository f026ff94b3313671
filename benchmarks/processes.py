"""A command as a tree of processes: its time, the most memory that all of it held at once, bytes read and written."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LOOK_EVERY = 0.2


@dataclass(frozen=True)
class Measured:
    """What a command took. `began_at` is in seconds since 1970. Bytes are those asked of the system, cached or not; 0
    where it does not say (macOS).
    """

    began_at: float
    seconds: float
    peak_bytes: int
    bytes_read: int
    bytes_written: int
    output: str


def measure(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Measured:
    """Run a command to its end; raises RuntimeError with its output where it fails."""
    log = folder / "output.txt"
    io: dict[int, tuple[int, int]] = {}
    peak = 0
    began_at, started = time.time(), time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        while process.poll() is None:
            members = _tree(process.pid)
            peak = max(peak, sum(members.values()))
            for pid in members:
                io[pid] = _io(pid) or io.get(pid, (0, 0))
            time.sleep(_LOOK_EVERY)
    seconds = time.monotonic() - started
    printed = log.read_text()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{printed}")
    return Measured(began_at, seconds, peak, sum(r for r, _ in io.values()), sum(w for _, w in io.values()), printed)


def _tree(root: int) -> dict[int, int]:
    """The bytes of memory that a process and all below it hold, by process."""
    command = ["ps", "-A", "-ww", "-o", "pid=,ppid=,rss=,args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=3) for line in listed.splitlines()]
    memory = {int(pid): int(kilobytes) * 1024 for pid, _, kilobytes, *_ in rows}
    parents = {int(pid): int(parent) for pid, parent, *_ in rows}
    programs = {int(pid): program for pid, _, _, *program in rows}
    tree = {root}
    for _ in range(8):
        tree |= {pid for pid, parent in parents.items() if parent in tree}
    # A process that is about to become another program still has its parent's memory and name: Java starts many.
    return {pid: memory[pid] for pid in tree if pid == root or programs.get(pid) != programs.get(parents.get(pid, 0))}


def _io(pid: int) -> tuple[int, int] | None:
    try:
        fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    except OSError:
        return None
    return int(fields["rchar"]), int(fields["wchar"])
