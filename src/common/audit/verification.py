"""A look through a lake: every table read and checked, computed ones compared with a recompute. Nothing here writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from common.audit.checks import Checked, check_rows, compare_rows, compare_totals
from common.audit.findings import Finding, TableChecked, Verification
from common.contract import AGGREGATE, CUSTOMERS, OPTIONAL_TABLES, RUNS, SALE_IDS, SALES, TABLES, Table
from common.errors import LakeError, NoLakeError
from common.lake import id_index
from common.lake.file_checks import check_table_files
from common.lake.lake import Lake
from common.lake.provenance import (
    Sources,
    Unclear,
    check_no_commit_is_lost,
    is_in_step,
    pin_sources,
    recorded_sources,
    why_not_incremental,
)
from common.lake.upgrade import check_format, is_made_anew, upgrades
from common.marts.mart import Inputs, Mart
from common.marts.registry import built_tables, lacks, marts
from common.spark.failures import SPARK_ERRORS, condition_of, damaged_file
from common.words import counted


def checked_tables() -> Sequence[Table]:
    """All tables that a lake may have."""
    return (*TABLES, *OPTIONAL_TABLES, *built_tables())


class Audit:
    """A look at every table of a lake at the versions of one moment; what is found goes into the report."""

    def __init__(self, lake: Lake, report: Verification) -> None:
        self._lake = lake
        self._report = report
        # What each computed table that is there was made of.
        self._made_of: dict[str, Sources] = {}
        # Those of an older lake format whose rows are not what the contract is about.
        self._to_be_made_anew: set[str] = set()
        # Tables that were made of the same versions share one pass over the sales.
        self._inputs: dict[Sources, Inputs] = {}

    def pin(self) -> None:
        """Note the versions to look at; raises NoLakeError where there is no lake, LakeError where one of the
        tables is not there that load_sales makes.

        Computed tables before their sources, and pipeline_runs before all that it names: a run that commits meanwhile
        is then seen as changes that came after, never as some that are lost.
        """
        missing: list[str] = []
        for table in reversed(checked_tables()):
            with self._failures_found(table, "logs that cannot be read"):
                version = self._lake.version(table)
                if version is not None:
                    self._report.tables.insert(0, TableChecked(table.name, self._lake.place(table), version))
                    self._look_at_format(table)
                elif table in TABLES:
                    missing.insert(0, self._lake.place(table))
        if len(missing) == len(TABLES):
            raise NoLakeError(self._lake.folder or self._lake.place(AGGREGATE))
        if missing:
            raise LakeError(f"The lake lacks {', '.join(missing)}; load_sales makes what is missing.")
        with self._failures_found(RUNS, "tables that have lost commits"):
            check_no_commit_is_lost(self._lake)
        for mart in marts():
            if self._checked(mart.table) and mart.table.name not in self._to_be_made_anew:
                with self._failures_found(mart.table, "logs that cannot be read"):
                    self._made_of[mart.table.name] = self._origin(mart.table)

    def check(self, table: Table) -> None:
        """Check the files and every row of a table, where it is there."""
        checked = self._checked(table)
        if checked is None:
            return
        folder = self._lake.local_folder(table)
        problems = check_table_files(folder, everything=True) if folder else []
        if problems:
            self._report.findings.append(Finding(table.name, "files that are not whole", len(problems), problems))
        if table.name in self._to_be_made_anew:
            return
        with self._failures_found(table, "reads that failed"):
            outcome = check_rows(self._lake.read(table, checked.version), table)
            self._report.findings += outcome.findings
            checked.rows = outcome.rows

    def compare(self, tables: Sequence[Table]) -> int:
        """Compare computed tables with a full recompute; returns how many rows were compared."""
        return sum(self._compare(mart, self._with_recompute) for mart in marts() if mart.table in tables)

    def compare_totals(self) -> int:
        """Compare the totals of every hour with those of the sales; returns how many hours were compared."""
        return sum(self._compare(mart, self._with_sales) for mart in marts() if mart.totals)

    def compare_index(self) -> str:
        """See that the index has every id of the sales that it covers; returns how many, in words."""
        with self._failures_found(SALE_IDS, "comparisons that failed"):
            compared = id_index.missing(self._lake)
            if compared is None:
                return "none that is relied on"
            missing, ids = compared
            if missing:
                self._report.findings.append(Finding(SALE_IDS.name, "ids of the sales that are missing", missing))
            return counted(ids, "id")
        return "not read to the end"

    def close(self) -> None:
        """Say in the report what the tables were made of, and free what was kept."""
        self._report.sources = self._made_of.get(AGGREGATE.name)
        for table in built_tables():
            checked = self._checked(table)
            if checked:
                checked.made_of = self._made_of.get(table.name)
        for inputs in self._inputs.values():
            inputs.unpersist()

    def _look_at_format(self, table: Table) -> None:
        """Raise NewerFormatError where a table is of a newer lake format; say so where it is of an older one."""
        check_format(self._lake, [table])
        for upgrade in upgrades(self._lake, [table]):
            what = f"{table.name} is of lake format {upgrade.from_format}"
            if is_made_anew(table, upgrade.from_format):
                self._to_be_made_anew.add(table.name)
                self._report.notes.append(f"{what}: its rows are not checked, and {table.kept_by} makes it anew.")
            else:
                self._report.notes.append(f"{what}: the next run brings it to {upgrade.to_format}.")

    def _checked(self, table: Table) -> TableChecked | None:
        return next((checked for checked in self._report.tables if checked.table == table.name), None)

    def _origin(self, table: Table) -> Sources:
        """The source versions that the own last commit of a computed table names; the newest where its past is not
        clearly ours, which is a finding.
        """
        newest, recorded = pin_sources(self._lake), recorded_sources(self._lake, table)
        unclear = recorded if isinstance(recorded, Unclear) else None
        if isinstance(recorded, Sources):
            recorded = recorded.seen_by(table, newest)
            unclear = why_not_incremental(self._lake, recorded, newest) if self._log_has(recorded) else None
        if isinstance(recorded, Unclear) or unclear:
            reasons = [unclear.reason] if unclear else []
            self._report.findings.append(Finding(table.name, "commits that are not clearly a run's", 1, reasons))
            return newest
        if not is_in_step(self._lake, recorded, newest):
            self._report.notes.append(
                f"There are newer versions ({newest.in_words}) than those that {_called(table)} was made of "
                f"({recorded.in_words}): the next {table.kept_by} brings it up to date."
            )
        return recorded

    def _log_has(self, recorded: Sources) -> bool:
        """Whether the logs of the sources reach back to the recorded versions."""
        for table, version in ((SALES, recorded.sales_version), (CUSTOMERS, recorded.customers_version)):
            since = (self._lake.version(table) or 0) - version
            if since >= 0 and self._lake.history(table, limit=since + 1)[-1].version != version:
                return False
        return True

    def _compare(self, mart: Mart, compare: Callable[[Mart, Inputs], Checked]) -> int:
        """Compare a computed table with the sources it was made of, or with the newest ones where those can no longer
        be read; returns how many rows were compared.
        """
        name = mart.table.name
        if name not in self._made_of:
            return 0
        lack = lacks(mart)
        if lack:
            self._report.notes.append(f"{lack}. Its rows are not compared with a recompute.")
            return 0
        with self._failures_found(mart.table, "comparisons that failed"):
            try:
                outcome = compare(mart, self._inputs_of(self._made_of[name]))
            except SPARK_ERRORS:
                newest = pin_sources(self._lake)
                if self._made_of[name] == newest:
                    raise
                outcome = compare(mart, self._inputs_of(newest))
                self._report.notes.append(
                    f"The versions that {_called(mart.table)} was made of ({self._made_of[name].in_words}) can no "
                    "longer be read: it is compared with the newest ones, and differs where they have changed since."
                )
                self._made_of[name] = newest
            self._report.findings += outcome.findings
            return outcome.rows
        return 0

    def _inputs_of(self, sources: Sources) -> Inputs:
        if sources not in self._inputs:
            self._inputs[sources] = Inputs(self._lake, sources)
        return self._inputs[sources]

    def _with_recompute(self, mart: Mart, inputs: Inputs) -> Checked:
        stored = self._lake.read(mart.table, self._lake.version(mart.table))
        return compare_rows(stored, mart.rows(inputs.told(mart)), mart.table)

    def _with_sales(self, mart: Mart, inputs: Inputs) -> Checked:
        assert mart.totals is not None
        stored = self._lake.read(mart.table, self._lake.version(mart.table))
        return compare_totals(stored, inputs.sales, mart.table, mart.totals)

    @contextmanager
    def _failures_found(self, table: Table, what: str) -> Iterator[None]:
        """Make a failure to read a finding, so that the rest is still checked."""
        try:
            yield
        except LakeError as error:
            self._report.findings.append(Finding(table.name, what, 1, [str(error)]))
        except SPARK_ERRORS as error:
            damaged = damaged_file(error)
            reason = f"{damaged} is missing or damaged" if damaged else f"failed with {condition_of(error)}"
            self._report.findings.append(Finding(table.name, what, 1, [reason]))


def _called(table: Table) -> str:
    """A computed table, as a person speaks of it."""
    return "the aggregate" if table is AGGREGATE else table.name
