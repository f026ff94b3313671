"""The batteries: size, seed, and the table of figures in docs/explanation/proof.md."""

from __future__ import annotations

import re
from dataclasses import dataclass

from support.project import ROOT

PROOF = ROOT / "docs" / "explanation" / "proof.md"


@dataclass
class Battery:
    """One battery as it is run: `share` of its rounds, with random choices that follow from `seed`."""

    name: str
    seed: int
    share: float
    command: str
    figure: str = ""

    def rounds(self, full: int) -> int:
        """How many rounds to run, where `full` is all of them."""
        return max(1, round(full * self.share))

    def passed(self, figure: str) -> None:
        """Say what was done, in figures, when all of it has held."""
        self.figure = figure


def record(batteries: list[Battery]) -> None:
    """Put the figures of the batteries that passed into the table of the page on proof, each into its own row."""
    text = PROOF.read_text()
    for battery in batteries:
        title = battery.name.replace("_", " ")
        options = f" --seed {battery.seed}" + (f" --share {battery.share:g}" if battery.share != 1 else "")
        command = battery.command + options
        row = f"| {title} | `{command}` | {battery.figure} |"
        parts = re.split(rf"^\| {re.escape(title)} \|.*$", text, flags=re.MULTILINE)
        if len(parts) != 2:
            raise ValueError(f"{PROOF} has {len(parts) - 1} rows for {title}, not one")
        text = row.join(parts)
    PROOF.write_text(text)
