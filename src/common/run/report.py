"""What a run did: as one table and the lines below it for a person, and the same as JSON for machines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.table import Table as RichTable

from common.contract import AGGREGATE, Table
from common.contract.formats import FORMAT, formats_after
from common.contract.offers import LARGEST_BASKET
from common.ingest.changes import Decision
from common.ingest.ledger import FeedLedger, RuleCount
from common.ingest.out_of_order import ReplacedByOlder
from common.ingest.rules import QualityRules, advice_on, names_of
from common.lake.commits import Commit, TableChange, change_of
from common.lake.upgrade import Upgrade
from common.landing.listing import WHY_LEFT_OUT, LeftOut
from common.maintenance.person import Trace
from common.marts.mart import Refreshed
from common.marts.plan import Plan
from common.run.console import finding_lines, plan_lines
from common.words import counted

# Of the files that were left out for one reason, the report names so many; a terminal shows so many of any kind.
_FILES_NAMED = 100
_FILES_PRINTED = 5


@dataclass(frozen=True)
class TableVersions:
    """A table's newest version before and after the run; None where there was no table."""

    table: str
    place: str
    version_read: int | None
    version_written: int | None


@dataclass(frozen=True)
class LeftOutFile:
    """A file that was not read. `other` is the file that it is a link to, or repeats; None where it is by itself."""

    file: str
    other: str | None


@dataclass(frozen=True)
class LeftOutFiles:
    """How many files of a feed were left out for one reason, and up to a hundred of them."""

    feed: str
    reason: str
    files: int
    first: list[LeftOutFile]


@dataclass
class RunReport:
    """What a run read, found and changed; with dry_run, what it would have changed."""

    run_id: str
    job: str
    dry_run: bool
    started_at: datetime
    settings_hash: str
    finished_at: datetime | None = None
    feeds: list[FeedLedger] = field(default_factory=list)
    left_out: list[LeftOutFiles] = field(default_factory=list)
    rejected_by_reason: dict[str, RuleCount] = field(default_factory=dict)
    warnings: dict[str, RuleCount] = field(default_factory=dict)
    replaced_by_older: list[ReplacedByOlder] = field(default_factory=list)
    moved_sales: int = 0
    unknown_customer_rows: int = 0
    outdated_rows: int = 0
    hours_touched: list[datetime] = field(default_factory=list)
    groups_touched: int = 0
    removed: dict[str, int] = field(default_factory=dict)
    removed_uncertain: list[Trace] = field(default_factory=list)
    left_uncertain: list[Trace] = field(default_factory=list)
    recomputed_whole: str | None = None
    gold_recomputed_whole: dict[str, str] = field(default_factory=dict)
    baskets_passed_over: int | None = None
    views_defined: list[str] = field(default_factory=list)
    upgrades: list[Upgrade] = field(default_factory=list)
    plan: Plan | None = None
    written: list[TableChange] = field(default_factory=list)
    tables: list[TableVersions] = field(default_factory=list)

    def take_decision(self, decision: Decision, rules: QualityRules) -> None:
        """Report what became of the rows of a feed."""
        feed = decision.batch.feed.name
        self.feeds.append(decision.ledger)
        self.left_out += _left_out_of(feed, decision.batch.left_out)
        all_rules = rules.all_of_feed(feed)
        warnings = names_of(all_rules, "warn")
        for rule, count in decision.broken.items():
            counts = self.warnings if rule in warnings else self.rejected_by_reason
            counts[f"{feed}.{rule}"] = dataclasses.replace(count, advice=advice_on(all_rules, rule))
        self.moved_sales += decision.moved
        self.unknown_customer_rows += decision.unknown_customer_rows
        self.outdated_rows += decision.outdated_rows

    def take_plan(self, plan: Plan) -> None:
        """Report what a run would do."""
        self.plan = plan
        self.hours_touched = [hour.hour for hour in plan.hours]
        self.groups_touched = plan.groups
        self.recomputed_whole = plan.whole

    def take_commit(self, table: Table, commit: Commit | None) -> TableChange:
        """Report what a commit changed."""
        change = change_of(table, commit)
        if commit:
            self.written.append(change)
        return change

    def take_refresh(self, table: Table, refreshed: Refreshed) -> TableChange:
        """Report how a computed table was brought up to date; returns what its commit changed."""
        if table is AGGREGATE:
            self.hours_touched = refreshed.hours
            self.groups_touched = refreshed.groups
            self.recomputed_whole = refreshed.whole
        elif refreshed.whole:
            self.gold_recomputed_whole[table.name] = refreshed.whole
        return self.take_commit(table, refreshed.commit)

    def take_restated(self, restated: Refreshed) -> None:
        """Report groups that were computed anew beside those that followed changes of the sales."""
        self.hours_touched = sorted({*self.hours_touched, *restated.hours})
        self.groups_touched += restated.groups
        self.take_commit(AGGREGATE, restated.commit)

    def take_planned(self, change: TableChange, whole: str | None) -> None:
        """Report what a computed table would get; `whole` says why it would be written whole, None where not."""
        self.plan = self.plan or Plan()
        self.plan.tables.append(change)
        if whole:
            self.gold_recomputed_whole[change.table] = whole

    @property
    def changed_nothing(self) -> bool:
        """Whether no table got a new version, and no view another definition; of a dry run, whether none would."""
        if self.views_defined or self.upgrades:
            return False
        if self.dry_run:
            changes = self.plan.tables if self.plan else []
            would_write = any(change.inserted or change.updated or change.deleted for change in changes)
            would_reject = any(ledger.rejected for ledger in self.feeds)
            would_recompute = self.groups_touched or self.gold_recomputed_whole
            return not (would_write or would_reject or any(self.removed.values()) or would_recompute)
        return all(t.version_read == t.version_written for t in self.tables)

    def as_dict(self) -> dict[str, object]:
        """The report for machines."""
        return dataclasses.asdict(self) | {"changed_nothing": self.changed_nothing}

    @property
    def title(self) -> str:
        """Which run it was."""
        return f"{self.job}, run {self.run_id}" + (" (dry run: nothing was written)" if self.dry_run else "")

    def table(self) -> RichTable | None:
        return _ledger_table(self)

    def lines(self) -> Iterator[str]:
        return _closing_lines(self)


def _left_out_of(feed: str, left_out: Sequence[LeftOut]) -> Iterator[LeftOutFiles]:
    for reason in WHY_LEFT_OUT:
        files = [LeftOutFile(each.path, each.other) for each in left_out if each.reason == reason]
        if files:
            yield LeftOutFiles(feed, reason, len(files), files[:_FILES_NAMED])


def _left_out_line(left_out: LeftOutFiles) -> str:
    names = [f"{each.file} -> {each.other}" if each.other else each.file for each in left_out.first[:_FILES_PRINTED]]
    more = left_out.files - len(names)
    names += [f"and {more:,} more"] if more else []
    files, why = counted(left_out.files, "file"), WHY_LEFT_OUT[left_out.reason]
    return f"Left out: {files} of {left_out.feed} ({why}): {', '.join(names)}"


def _older_line(older: ReplacedByOlder, is_dry: bool) -> str:
    rows, others = counted(older.rows, "row"), counted(older.newer_files - 1, "other newer file")
    newer = older.newer_file + (f" or {others}" if older.newer_files > 1 else "")
    return (
        f"Warning: {rows} of {older.feed} that {older.file} {'would replace' if is_dry else 'replaced'} may have come "
        f"from {newer}, loaded before: between runs the later run counts, not the newer file"
    )


def _ledger_table(report: RunReport) -> RichTable | None:
    """One line a count, one column a feed, so that it fits a narrow terminal; None where no row was read."""
    if not any(ledger.rows_read for ledger in report.feeds):
        return None
    table = RichTable()
    table.add_column("")
    for ledger in report.feeds:
        table.add_column(ledger.feed, justify="right")
    for count in [f.name for f in dataclasses.fields(FeedLedger) if f.name != "feed"]:
        table.add_row(count.replace("_", " "), *[f"{getattr(ledger, count):,}" for ledger in report.feeds])
    for kind, by_rule in (("rejected", report.rejected_by_reason), ("warning", report.warnings)):
        for rule in sorted({name.partition(".")[2] for name in by_rule}):
            counts = [by_rule.get(f"{ledger.feed}.{rule}") for ledger in report.feeds]
            table.add_row(f"  {kind}: {rule}", *[f"{count.rows:,}" if count else "" for count in counts])
    return table


def _closing_lines(report: RunReport) -> Iterator[str]:
    yield from map(_left_out_line, report.left_out)
    for heading, counts in (("Rejected", report.rejected_by_reason), ("Warning", report.warnings)):
        for rule, count in counts.items():
            yield f"{heading}: {rule}, first in {count.first_place}{f'. {count.advice}' if count.advice else ''}"
    yield from (_older_line(older, report.dry_run) for older in report.replaced_by_older[:_FILES_PRINTED])
    if report.unknown_customer_rows:
        unknown = f"{report.unknown_customer_rows:,}"
        yield f"Unknown customers: {unknown} sales are kept, and completed once the customer comes."
    if report.outdated_rows:
        outdated = f"{report.outdated_rows:,}"
        yield f"Outdated: {outdated} rows have a lower sequence than another row of their id; they count as unchanged."
    would = "would be " if report.dry_run else ""
    for table_name, rows in report.removed.items():
        yield f"Rows {would}removed from {table_name}: {rows:,}"
    yield from finding_lines("Of these, not certain", report.removed_uncertain)
    yield from finding_lines("Not certain, and left for you to look at", report.left_uncertain)
    if report.moved_sales:
        yield f"Moved: {report.moved_sales:,} sales changed their hour."
    if report.recomputed_whole:
        yield f"The aggregate {'would be' if report.dry_run else 'was'} recomputed whole: {report.recomputed_whole}."
    for table_name, reason in report.gold_recomputed_whole.items():
        yield f"{table_name} {'would be' if report.dry_run else 'was'} recomputed whole: {reason}."
    if report.baskets_passed_over:
        baskets = counted(report.baskets_passed_over, "basket")
        yield f"Passed over: {baskets} of over {LARGEST_BASKET} products, which do not tell what goes with what."
    hours = report.hours_touched
    if hours:
        span = f"{hours[0]:%Y-%m-%d %H:00} to {hours[-1]:%Y-%m-%d %H:00} UTC"
        yield f"Hours {would}touched: {len(hours):,} ({span}); groups {would}recomputed: {report.groups_touched:,}"
    if report.upgrades:
        yield _upgrade_line(report)
    if report.plan and report.dry_run:
        yield from plan_lines(report.plan)
    if report.dry_run:
        return
    if report.changed_nothing:
        skipped = sum(ledger.files_skipped for ledger in report.feeds)
        before = f" {counted(skipped, 'file')} loaded before." if skipped else ""
        yield f"Nothing new: no table was changed.{before}"
        return
    for table in report.tables:
        before = "new" if table.version_read is None else f"version {table.version_read}"
        after = "unchanged" if table.version_read == table.version_written else f"now version {table.version_written}"
        yield f"  {table.place}: {before}, {after}"


def _upgrade_line(report: RunReport) -> str:
    """Which tables were of an older lake format, and what the newer ones are about."""
    oldest = min(upgrade.from_format for upgrade in report.upgrades)
    about = "; ".join(each.about for each in formats_after(oldest))
    names = ", ".join(upgrade.table for upgrade in report.upgrades)
    done = "would be brought" if report.dry_run else "brought"
    return f"Lake format: {done} from {oldest} to {FORMAT} ({about}): {names}"
