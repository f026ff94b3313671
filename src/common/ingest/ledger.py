"""The counts that account for every row read."""

from __future__ import annotations

from dataclasses import dataclass

# Unless a setting says otherwise, a run is refused where more than this share of the rows of a feed is rejected.
MAX_REJECTED_SHARE = 0.05


@dataclass(frozen=True)
class RuleCount:
    """How many rows broke a rule, where the first of them stands, and what a person may do about them."""

    rows: int
    first_place: str
    advice: str | None = None


@dataclass(frozen=True)
class FeedLedger:
    """Every row read of one feed: rows_read = new + corrected + unchanged + duplicate + rejected."""

    feed: str
    files: int
    files_skipped: int
    rows_read: int
    new: int
    corrected: int
    unchanged: int
    duplicate: int
    rejected: int

    @property
    def balance(self) -> int:
        return self.rows_read - self.new - self.corrected - self.unchanged - self.duplicate - self.rejected
