"""Check that the lake holds what it should, down to every value of every row; changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import ClassVar

from pyspark.sql import SparkSession

from common.audit.checks import Checked, called, check_rows, compare_groups, compare_rows, compare_sums, origin_of
from common.audit.findings import Finding, TableChecked, Verification
from common.contract import AGGREGATE, CUSTOMERS, OPTIONAL_TABLES, RUNS, SALE_IDS, SALES, TABLES, Table
from common.contract.gold import GOLD_TABLES
from common.errors import LakeDiffersError, LakeError
from common.lake import id_index
from common.lake.file_checks import check_table_files
from common.lake.lake import Lake
from common.lake.provenance import Sources, pin_sources
from common.marts.aggregate import aggregate_sales
from common.marts.gold_refresh import Gold
from common.run.command import run_command
from common.run.console import Reporter
from common.run.settings import LAKE_OPTIONS, Settings
from common.run.work import check_no_commit_is_lost
from common.spark.failures import SPARK_ERRORS, condition_of, damaged_file
from common.spark.session import check_session

JOB = "verify_aggregate"
_CHECKED = (*TABLES, *OPTIONAL_TABLES, *GOLD_TABLES)


class VerifySettings(Settings):
    """The settings of verify_aggregate."""

    offered: ClassVar[frozenset[str]] = LAKE_OPTIONS


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, __doc__ or "", run, argv, VerifySettings)


def run(spark: SparkSession, settings: VerifySettings) -> Verification:
    """Check every table, and compare the computed ones with their sources. Prints what is not as it should be, then
    raises LakeDiffersError where there is any.
    """
    check_session(spark)
    lake = Lake(spark, settings.lake, settings.catalog, settings.schema_)
    report = Verification(JOB, started_at=datetime.now(timezone.utc))
    with Reporter(steps=len(_CHECKED) + 5, as_json=settings.json_) as reporter:
        _verify(lake, report, reporter)
    report.finished_at = datetime.now(timezone.utc)
    reporter.finish(report)
    if report.findings:
        raise LakeDiffersError(report.summary, is_in_report=settings.json_)
    return report


def _verify(lake: Lake, report: Verification, reporter: Reporter) -> None:
    with reporter.step("Pin the versions"):
        _pin(lake, report)
    for table in _CHECKED:
        with reporter.step(f"Check {table.name}") as said:
            said.append(_check(lake, table, report))
    with reporter.step("Compare with a full recompute") as said:
        report.groups_compared, report.sources = _compare(lake, report, AGGREGATE, report.sources, _with_recompute)
        said.append(f"{report.groups_compared:,} groups")
    with reporter.step("Compare the sums with the sales") as said:
        report.hours_compared, report.sources = _compare(lake, report, AGGREGATE, report.sources, _with_sales)
        said.append(f"{report.hours_compared:,} hours")
    with reporter.step("Compare the index of ids with the sales") as said:
        said.append(_compare_index(lake, report))
    with reporter.step("Compare the gold tables with a full recompute") as said:
        _compare_gold(lake, report)
        said.append(f"{report.gold_rows_compared:,} rows")


def _pin(lake: Lake, report: Verification) -> None:
    """Note the versions to look at; raises LakeError where a table is not there that load_sales makes.

    Computed tables before their sources, and pipeline_runs before all that it names: a run that commits meanwhile is
    then seen as changes that came after, never as some that are lost.
    """
    missing: list[str] = []
    for table in reversed(_CHECKED):
        with _failures_found(report, table, "logs that cannot be read"):
            version = lake.version(table)
            if version is not None:
                report.tables.insert(0, TableChecked(table.name, lake.place(table), version))
            elif table in TABLES:
                missing.insert(0, lake.place(table))
    if len(missing) == len(TABLES):
        raise LakeError(f"There is no lake at {lake.folder or lake.place(AGGREGATE)}; load_sales makes it.")
    if missing:
        raise LakeError(f"The lake lacks {', '.join(missing)}; load_sales makes what is missing.")
    with _failures_found(report, RUNS, "tables that have lost commits"):
        check_no_commit_is_lost(lake)
    with _failures_found(report, AGGREGATE, "logs that cannot be read"):
        report.sources = _origin(lake, AGGREGATE, report)
    for table, checked in _gold_checked(report):
        with _failures_found(report, table, "logs that cannot be read"):
            checked.made_of = _origin(lake, table, report)


def _origin(lake: Lake, table: Table, report: Verification) -> Sources:
    origin = origin_of(lake, table)
    report.findings += origin.findings
    report.notes += origin.notes
    return origin.sources


def _check(lake: Lake, table: Table, report: Verification) -> str:
    """Check the files and every row of a table; returns how many rows, in words."""
    checked = next((checked for checked in report.tables if checked.table == table.name), None)
    if checked is None:
        return "not read" if table in TABLES else "not there"
    folder = lake.local_folder(table)
    problems = check_table_files(folder, everything=True) if folder else []
    if problems:
        report.findings.append(Finding(table.name, "files that are not whole", len(problems), problems))
    with _failures_found(report, table, "reads that failed"):
        outcome = check_rows(lake.read(table, checked.version), table)
        report.findings += outcome.findings
        checked.rows = outcome.rows
        return f"{outcome.rows:,} rows"
    return "not read to the end"


def _compare(
    lake: Lake,
    report: Verification,
    table: Table,
    sources: Sources | None,
    compare: Callable[[Lake, Sources], Checked],
) -> tuple[int, Sources | None]:
    """Compare a computed table with the sources it was made of, or with the newest ones where those can no longer be
    read; returns how many rows were compared, and with which sources.
    """
    if sources is None:
        return 0, None
    with _failures_found(report, table, "comparisons that failed"):
        try:
            outcome = compare(lake, sources)
        except SPARK_ERRORS:
            newest = pin_sources(lake)
            if sources == newest:
                raise
            outcome = compare(lake, newest)
            report.notes.append(
                f"The versions that {called(table)} was made of ({sources.in_words}) can no longer be read: it is "
                "compared with the newest ones, and differs where they have changed since."
            )
            sources = newest
        report.findings += outcome.findings
        return outcome.rows, sources
    return 0, sources


def _compare_index(lake: Lake, report: Verification) -> str:
    """See that the index has every id of the sales that it covers; returns how many, in words."""
    with _failures_found(report, SALE_IDS, "comparisons that failed"):
        compared = id_index.missing(lake)
        if compared is None:
            return "none that is relied on"
        missing, ids = compared
        if missing:
            report.findings.append(Finding(SALE_IDS.name, "ids of the sales that are missing", missing))
        return f"{ids:,} ids"
    return "not read to the end"


def _compare_gold(lake: Lake, report: Verification) -> None:
    # Tables that were made of the same versions share one pass over the sales.
    by_sources: dict[Sources, Gold] = {}
    try:
        for table, checked in _gold_checked(report):
            rows, checked.made_of = _compare(lake, report, table, checked.made_of, _with_gold(table, by_sources))
            report.gold_rows_compared += rows
    finally:
        for gold in by_sources.values():
            gold.release()


def _gold_checked(report: Verification) -> list[tuple[Table, TableChecked]]:
    """The gold tables that are there."""
    by_name = {checked.table: checked for checked in report.tables}
    return [(table, by_name[table.name]) for table in GOLD_TABLES if table.name in by_name]


def _with_gold(table: Table, by_sources: dict[Sources, Gold]) -> Callable[[Lake, Sources], Checked]:
    def compare(lake: Lake, sources: Sources) -> Checked:
        if sources not in by_sources:
            by_sources[sources] = Gold(lake, sources)
        return compare_rows(lake.read(table, lake.version(table)), by_sources[sources].rows(table), table)

    return compare


def _with_recompute(lake: Lake, sources: Sources) -> Checked:
    sales, customers = lake.read(SALES, sources.sales_version), lake.read(CUSTOMERS, sources.customers_version)
    return compare_groups(lake.read(AGGREGATE, lake.version(AGGREGATE)), aggregate_sales(sales, customers))


def _with_sales(lake: Lake, sources: Sources) -> Checked:
    return compare_sums(lake.read(AGGREGATE, lake.version(AGGREGATE)), lake.read(SALES, sources.sales_version))


@contextmanager
def _failures_found(report: Verification, table: Table, what: str) -> Iterator[None]:
    """Make a failure to read a finding, so that the rest is still checked."""
    try:
        yield
    except LakeError as error:
        report.findings.append(Finding(table.name, what, 1, [str(error)]))
    except SPARK_ERRORS as error:
        damaged = damaged_file(error)
        reason = f"{damaged} is missing or damaged" if damaged else f"failed with {condition_of(error)}"
        report.findings.append(Finding(table.name, what, 1, [reason]))


if __name__ == "__main__":
    sys.exit(main())
