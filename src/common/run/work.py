"""A run on the lake: one at a time, begun again where another writer came between, and recorded in pipeline_runs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from datetime import datetime, timezone

from pyspark.sql import SparkSession

from common.contract import AGGREGATE, CUSTOMERS, LOGIC_VERSION, OPTIONAL_TABLES, REJECTED, RUNS, SALES, TABLES, Table
from common.contract.gold import GOLD_TABLES
from common.errors import LakeConflictError, LakeError
from common.ingest.changes import Decision
from common.ingest.loaded_files import listing_to_trust
from common.lake.file_checks import check_is_writable, repair_of
from common.lake.lake import Lake
from common.lake.lock import lock_lake
from common.run.console import Reporter
from common.run.report import RunReport, TableVersions
from common.run.settings import Settings
from common.spark.driver_rows import local_rows
from common.spark.paths import is_on_this_disk

Work = Callable[[Lake, RunReport], None]

# One more than the commits of another run that this one may meet: refused rows, customers, sales, aggregate.
_ATTEMPTS = 5
# The tables whose versions a run reports; its own row in pipeline_runs comes after them.
_REPORTED = (SALES, CUSTOMERS, AGGREGATE, REJECTED)


def work_on_lake(spark: SparkSession, settings: Settings, job: str, work: Work, reporter: Reporter) -> RunReport:
    """Do the work of a job under the lake's lock, after a look at the tables' files; returns the report that it filled.

    Where someone else writes a table meanwhile, which the lock of a local lake prevents, the work starts again from the
    newest versions: each of its steps compares before it writes.
    """
    run_id = uuid.uuid4().hex
    if settings.lake and settings.writes and is_on_this_disk(settings.lake):
        check_is_writable(settings.lake)
    with lock_lake(spark, settings.lake, run_id) if settings.writes else nullcontext():
        for attempt in range(1, _ATTEMPTS + 1):
            lake = Lake(spark, settings.lake, settings.catalog, settings.schema_)
            report = RunReport(
                run_id=run_id,
                job=job,
                dry_run=not settings.writes,
                started_at=datetime.now(timezone.utc),
                settings_hash=settings.hash(),
            )
            try:
                lake.check_files((*TABLES, *OPTIONAL_TABLES))
                work(lake, report)
                return report
            except LakeConflictError as error:
                if attempt == _ATTEMPTS:
                    raise
                reporter.start_again(f"{error} Starting again ({attempt + 1} of {_ATTEMPTS}).")
    raise AssertionError("unreachable")


def versions_of(lake: Lake, more: Sequence[Table] = ()) -> dict[str, int | None]:
    """The newest versions of the tables that a run reports: those that every run does, and `more`."""
    return {table.name: lake.version(table) for table in (*_REPORTED, *more)}


def versions_of_existing(lake: Lake, more: Sequence[Table] = ()) -> dict[str, int | None]:
    """The same, for a job that does not make a lake. Raises LakeError where there is none, or where commits are lost,
    since the run would record what is left as all that there was.
    """
    check_no_commit_is_lost(lake)
    for table in (SALES, CUSTOMERS, REJECTED):
        if lake.version(table) is None:
            raise LakeError(f"There is no lake at {lake.place(table)}; load_sales makes it.")
    return versions_of(lake, more)


def record_run(
    lake: Lake, report: RunReport, before: dict[str, int | None], decisions: Sequence[Decision] = ()
) -> None:
    """Append the row of a run that has done all its work; files named in it are not loaded again. `before` has the
    versions that the run began with, by table.
    """
    report.tables = [
        TableVersions(table.name, lake.place(table), before[table.name], lake.version(table))
        for table in (*_REPORTED, *GOLD_TABLES)
        if table.name in before
    ]
    report.finished_at = datetime.now(timezone.utc)
    row = {
        "run_id": report.run_id,
        "job": report.job,
        "started_at": report.started_at,
        "finished_at": report.finished_at,
        "settings_hash": report.settings_hash,
        "logic_version": LOGIC_VERSION,
        "feeds": [asdict(ledger) for ledger in report.feeds],
        "rejected_by_reason": {rule: count.rows for rule, count in report.rejected_by_reason.items()},
        "warnings": {rule: count.rows for rule, count in report.warnings.items()},
        "hours_touched": len(report.hours_touched),
        "rows_removed": report.removed,
        "unknown_customer_rows": report.unknown_customer_rows,
        "tables": [
            {"table": t.table, "version_read": t.version_read, "version_written": t.version_written}
            for t in report.tables
        ],
        "files": [
            {
                "feed": decision.batch.feed.name,
                "path": file.path,
                "size": file.size,
                "modified_at": file.modified_at,
                "fingerprint": decision.batch.fingerprints[file.order],
            }
            for decision in decisions
            for file in decision.batch.files
        ],
    }
    rows = local_rows(lake.spark, [tuple(row[name] for name in RUNS.column_names)], RUNS.ddl)
    versions = {t.table: t.version_written for t in report.tables}
    # What a run does not read is as the run before it left it.
    last = lake.newest(RUNS)
    own = {d.batch.feed.name: listing_to_trust(d.batch.listed, report.started_at) for d in decisions}
    listed = {**(last.said("listed") if last else {}), **own}
    note = {"run_id": report.run_id, "job": report.job, "versions": versions, "listed": listed}
    lake.append(RUNS, rows, note=note, beside_others=True)


def check_no_commit_is_lost(lake: Lake) -> None:
    """Raise LakeError where a table has a lower version than the last run left it with: its newest commits are gone.

    A table that is not there at all was deleted on purpose.
    """
    last = lake.newest(RUNS)
    versions = last.said("versions") if last else {}
    for table in TABLES:
        version, left = lake.version(table), versions.get(table.name)
        if version is not None and left is not None and version < left:
            raise LakeError(
                f"{lake.place(table)} is at version {version}, but the last run left it at {left}: its newest commits, "
                f"up to {left:020}.json in its log, are missing. No table was changed. {repair_of(table)}"
            )
