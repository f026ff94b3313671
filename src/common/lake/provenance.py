"""Where the rows of a computed table come from: the source versions that its own last commit names.

There is no other state that a crash could leave behind. Where the past of a table is not clearly ours, the table is
computed whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.contract import CUSTOMERS, SALES, Table
from common.errors import LakeError
from common.lake.commits import Commit
from common.lake.lake import Lake

# Commits that move rows between files, or drop old files, and change no row.
_MAINTENANCE = {"OPTIMIZE", "VACUUM START", "VACUUM END"}
UNREADABLE_CHANGES = "the changes since the last run can no longer be read"
# How far back the last commit that is no maintenance is looked for: a little at first, since each step costs a read.
_LOOK_BACK = (1, 32, 1024)


@dataclass(frozen=True)
class Sources:
    """The versions of the two source tables that a computed table belongs to, and when they were committed: a table
    that was dropped and made anew has another commit under the same version.
    """

    sales_version: int
    sales_at: str
    customers_version: int
    customers_at: str

    @property
    def in_words(self) -> str:
        return f"{SALES.name} {self.sales_version}, {CUSTOMERS.name} {self.customers_version}"

    def as_note(self, table: Table) -> dict[str, object]:
        """What a commit of the computed table says of where its rows come from."""
        return {
            "logic_version": table.logic_version,
            "sales_version": self.sales_version,
            "sales_at": self.sales_at,
            "customers_version": self.customers_version,
            "customers_at": self.customers_at,
        }

    def seen_by(self, table: Table, newest: Sources) -> Sources:
        """These versions, but the newest of a source that the table is not computed from: it cannot be behind there."""
        if CUSTOMERS.name in table.computed_from:
            return self
        return replace(self, customers_version=newest.customers_version, customers_at=newest.customers_at)


def pin_sources(lake: Lake) -> Sources:
    """The newest versions of the source tables; everything else in a refresh reads just these."""
    sales, customers = lake.newest(SALES), lake.newest(CUSTOMERS)
    if sales is None or customers is None:
        raise LakeError("The lake lacks sales_data_partitioned or customers; load_sales makes them.")
    return Sources(sales.version, sales.at.isoformat(), customers.version, customers.at.isoformat())


def recorded_sources(lake: Lake, table: Table) -> Sources | str:
    """The source versions in the last commit of a computed table, or why they cannot be relied on."""
    last = last_of_a_run(lake, table)
    if isinstance(last, str):
        return last
    return Sources(
        sales_version=int(str(last.note["sales_version"])),
        sales_at=str(last.note["sales_at"]),
        customers_version=int(str(last.note["customers_version"])),
        customers_at=str(last.note["customers_at"]),
    )


def last_of_a_run(lake: Lake, table: Table) -> Commit | str:
    """The last commit of a computed table that is no maintenance, or why it is not clearly that of a run of ours."""
    last = None
    for limit in _LOOK_BACK:
        history = lake.history(table, limit)
        last = next((commit for commit in history if commit.operation not in _MAINTENANCE), None)
        if last or len(history) < limit:
            break
    if last is None or last.operation == "CREATE TABLE":
        return "it is new"
    if last.note.get("logic_version") is None or last.operation == "RESTORE":
        return f"its version {last.version} ({last.operation}) is not a run's"
    if last.note.get("follows") != last.version - 1:
        return f"someone else wrote it just before version {last.version}"
    if last.note["logic_version"] != table.logic_version:
        return f"it was computed by logic version {last.note['logic_version']}, this is {table.logic_version}"
    return last


def why_not_incremental(lake: Lake, recorded: Sources, sources: Sources) -> str | None:
    """Why what changed between two pairs of source versions cannot be told from the tables alone; None where it can."""
    return why_unclear(lake, SALES, recorded.sales_version, recorded.sales_at, sources.sales_version) or why_unclear(
        lake, CUSTOMERS, recorded.customers_version, recorded.customers_at, sources.customers_version
    )


def why_unclear(lake: Lake, table: Table, version: int, at: str, now: int) -> str | None:
    """Why the change feed of a source, from the version that was committed `at` a time to the version `now`, does not
    say all that changed; None where it does.
    """
    since = _commits_since(lake, table, version, at, now)
    if isinstance(since, str):
        return since
    for commit in since:
        if "run_id" not in commit.note or commit.operation == "RESTORE":
            return f"version {commit.version} of {table.name} ({commit.operation}) is not a run's"
    return None


def is_in_step(lake: Lake, recorded: Sources, sources: Sources) -> bool:
    """Whether both pairs of source versions have the same rows: there was nothing but maintenance in between."""
    of_sales = _commits_since(lake, SALES, recorded.sales_version, recorded.sales_at, sources.sales_version)
    of_customers = _commits_since(
        lake, CUSTOMERS, recorded.customers_version, recorded.customers_at, sources.customers_version
    )
    return of_sales == of_customers == []


def _commits_since(lake: Lake, table: Table, version: int, at: str, now: int) -> list[Commit] | str:
    """The commits after a version that may have changed rows, newest first, or why they are not known."""
    if version > now:
        return f"{table.name} was made anew"
    *since, last = lake.history(table, limit=now - version + 1)
    if last.version != version:
        return f"the log of {table.name} does not reach back to version {version}"
    if last.at.isoformat() != at:
        return f"{table.name} was made anew"
    return [commit for commit in since if commit.operation not in _MAINTENANCE]
