"""Where the rows of a computed table come from: the source versions that its own last commit names.

There is no other state that a crash could leave behind. Where the past of a table is not clearly ours, the table is
computed whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from common.contract import CUSTOMERS, RUNS, SALES, TABLES, Table
from common.errors import LakeError
from common.lake.commit_note import CommitNote, TableVersion
from common.lake.commits import Commit
from common.lake.file_checks import repair_of
from common.lake.lake import Lake

UNREADABLE_CHANGES = "the changes since the last run can no longer be read"


@dataclass(frozen=True)
class Unclear:
    """The past of a table cannot be told from its commits, and why: as the end of a sentence that begins with it."""

    reason: str


@dataclass(frozen=True)
class Sources:
    """The versions of the two source tables that a computed table belongs to, and when they were committed."""

    sales_version: int
    sales_at: str
    customers_version: int
    customers_at: str

    @property
    def sales(self) -> TableVersion:
        return TableVersion(self.sales_version, self.sales_at)

    @property
    def customers(self) -> TableVersion:
        return TableVersion(self.customers_version, self.customers_at)

    @property
    def in_words(self) -> str:
        return f"{SALES.name} {self.sales_version}, {CUSTOMERS.name} {self.customers_version}"

    def noted_in(self, note: CommitNote, table: Table, settings: Mapping[str, str] | None = None) -> CommitNote:
        """The note of a run, for a commit of the computed table: it also says where the rows come from, and by which
        settings they were computed.
        """
        made_of = {SALES.name: self.sales, CUSTOMERS.name: self.customers}
        return replace(note, logic_version=table.logic_version, made_of=made_of, settings=settings or {})

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


def recorded_sources(lake: Lake, table: Table) -> Sources | Unclear:
    """The source versions in the last commit of a computed table, or why they cannot be relied on."""
    last = last_note(lake, table)
    if isinstance(last, Unclear):
        return last
    sales, customers = last.made_of[SALES.name], last.made_of[CUSTOMERS.name]
    return Sources(sales.version, sales.at, customers.version, customers.at)


def recorded_settings(lake: Lake, table: Table) -> Mapping[str, str]:
    """The settings that the newest commit of a run names by which a computed table was made; none where none does."""
    notes = (commit.note for commit in lake.commits(table) if commit.is_ours and commit.note)
    return next((note.settings for note in notes if note.logic_version is not None), {})


def last_note(lake: Lake, table: Table) -> CommitNote | Unclear:
    """The note in the last commit of a computed table that is no maintenance; Unclear where that commit is not clearly
    a run's.
    """
    last = next((commit for commit in lake.commits(table) if not commit.is_maintenance), None)
    if last is None or last.makes_table:
        return Unclear("it is new")
    if last.note is None or not last.is_ours or last.note.logic_version is None:
        return Unclear(f"its version {last.version} ({last.operation}) is not a run's")
    if last.note.follows != last.version - 1:
        return Unclear(f"someone else wrote it just before version {last.version}")
    if last.note.logic_version != table.logic_version:
        return Unclear(f"it was computed by logic version {last.note.logic_version}, this is {table.logic_version}")
    return last.note


def why_not_incremental(lake: Lake, recorded: Sources, sources: Sources) -> Unclear | None:
    """Why what changed between two pairs of source versions cannot be told from the tables alone; None where it can."""
    of_sales = why_unclear(lake, SALES, recorded.sales, sources.sales_version)
    return of_sales or why_unclear(lake, CUSTOMERS, recorded.customers, sources.customers_version)


def why_unclear(lake: Lake, table: Table, since: TableVersion, now: int) -> Unclear | None:
    """Why the change feed of a source, from one version to the version `now`, does not say all that changed; None where
    it does.
    """
    commits = _commits_since(lake, table, since, now)
    if isinstance(commits, Unclear):
        return commits
    for commit in commits:
        if not commit.is_ours:
            return Unclear(f"version {commit.version} of {table.name} ({commit.operation}) is not a run's")
    return None


def is_in_step(lake: Lake, recorded: Sources, sources: Sources) -> bool:
    """Whether both pairs of source versions have the same rows: there was nothing but maintenance in between."""
    of_sales = _commits_since(lake, SALES, recorded.sales, sources.sales_version)
    of_customers = _commits_since(lake, CUSTOMERS, recorded.customers, sources.customers_version)
    return of_sales == of_customers == []


def _commits_since(lake: Lake, table: Table, since: TableVersion, now: int) -> list[Commit] | Unclear:
    """The commits after a version that may have changed rows, newest first, or why they are not known."""
    if since.version > now:
        return Unclear(f"{table.name} was made anew")
    *commits, last = lake.history(table, limit=now - since.version + 1)
    if last.version != since.version:
        return Unclear(f"the log of {table.name} does not reach back to version {since.version}")
    if last.at.isoformat() != since.at:
        return Unclear(f"{table.name} was made anew")
    return [commit for commit in commits if not commit.is_maintenance]


def check_no_commit_is_lost(lake: Lake) -> None:
    """Raise LakeError where a table has a lower version than the last run left it with: its newest commits are gone.

    A table that is not there at all was deleted on purpose.
    """
    last = lake.newest(RUNS)
    versions = last.note.versions if last and last.note else {}
    for table in TABLES:
        version, left = lake.version(table), versions.get(table.name)
        if version is not None and left is not None and version < left:
            raise LakeError(
                f"{lake.place(table)} is at version {version}, but the last run left it at {left}: its newest commits, "
                f"up to {left:020}.json in its log, are missing. No table was changed. {repair_of(table)}"
            )
