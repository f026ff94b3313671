"""What a commit of ours says of itself: the run that made it, and what the run after it must know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.contract import CUSTOMERS, SALES

# The two sources have short names in a note, such as sales_version; any other table has its own.
_SHORT_NAMES = {SALES.name: "sales", CUSTOMERS.name: "customers"}
_FULL_NAMES = {short: name for name, short in _SHORT_NAMES.items()}


@dataclass(frozen=True)
class TableVersion:
    """A version of a table, and when it was committed (ISO 8601, UTC): a table that was dropped and made anew has
    another commit under the same version.
    """

    version: int
    at: str


@dataclass(frozen=True)
class CommitNote:
    """The note in a commit. `follows` is the version that the commit was decided on, `format` the one of the table.

    A commit to a computed table has the `logic_version` of that table, the source versions that its rows are `made_of`,
    by table, and the `settings` that say what they are, by name. A commit of rows that were read has their `ledger` as
    counts by name, and how many were `removed`. The commit of a run's row in pipeline_runs has the `versions` that the
    run left, by table, and a digest of the files that it `listed`, by feed.
    """

    run_id: str
    job: str
    logic_version: int | None = None
    made_of: Mapping[str, TableVersion] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    ledger: Mapping[str, object] | None = None
    removed: int | None = None
    versions: Mapping[str, int | None] = field(default_factory=dict)
    listed: Mapping[str, str | None] = field(default_factory=dict)
    follows: int | None = None
    format: int | None = None

    def to_json(self) -> str:
        """One JSON object of what the note has; keys in order, so that equal notes are equal texts."""
        content: dict[str, object] = {"run_id": self.run_id, "job": self.job}
        for name in ("logic_version", "ledger", "removed", "follows", "format"):
            if getattr(self, name) is not None:
                content[name] = getattr(self, name)
        for name in ("settings", "versions", "listed"):
            if getattr(self, name):
                content[name] = getattr(self, name)
        for table, made_of in self.made_of.items():
            short = _SHORT_NAMES.get(table, table)
            content |= {f"{short}_version": made_of.version, f"{short}_at": made_of.at}
        return json.dumps(content, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None) -> CommitNote | None:
        """The note in a text; None where it is not one of ours."""
        try:
            content = json.loads(text or "{}")
        except ValueError:
            return None
        if not isinstance(content, dict) or not isinstance(content.get("run_id"), str):
            return None
        return cls(
            run_id=content["run_id"],
            job=str(content.get("job")),
            logic_version=content.get("logic_version"),
            made_of=dict(_made_of(content)),
            settings=content.get("settings") or {},
            ledger=content.get("ledger"),
            removed=content.get("removed"),
            versions=content.get("versions") or {},
            listed=content.get("listed") or {},
            follows=content.get("follows"),
            format=content.get("format"),
        )


def _made_of(content: Mapping[str, Any]) -> Mapping[str, TableVersion]:
    shorts = [key.removesuffix("_version") for key in content if key.endswith("_version")]
    return {
        _FULL_NAMES.get(short, short): TableVersion(content[f"{short}_version"], content[f"{short}_at"])
        for short in shorts
        if f"{short}_at" in content
    }
