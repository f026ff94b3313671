"""What a run leaves of itself: its row in pipeline_runs, by which later runs know files, versions and lost commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone

from common.contract import AGGREGATE, CUSTOMERS, LOGIC_VERSION, REJECTED, RUNS, SALES, Table
from common.errors import NoLakeError
from common.ingest.changes import Decision
from common.lake.commit_note import CommitNote
from common.lake.lake import Lake
from common.lake.provenance import check_no_commit_is_lost
from common.marts.registry import built_tables
from common.run.report import RunReport, TableVersions
from common.spark.driver_rows import local_rows

# The tables whose versions a run reports; its own row in pipeline_runs comes after them.
_REPORTED = (SALES, CUSTOMERS, AGGREGATE, REJECTED)


def versions_of(lake: Lake, more: Sequence[Table] = ()) -> dict[str, int | None]:
    """The newest versions of the tables that a run reports: those that every run does, and `more`."""
    return {table.name: lake.version(table) for table in (*_REPORTED, *more)}


def versions_of_existing(lake: Lake, more: Sequence[Table] = ()) -> dict[str, int | None]:
    """The same, for a job that does not make a lake. Raises NoLakeError where there is none; LakeError where commits
    are lost, since the run would record what is left as all that there was.
    """
    check_no_commit_is_lost(lake)
    for table in (SALES, CUSTOMERS, REJECTED):
        if lake.version(table) is None:
            raise NoLakeError(lake.place(table))
    return versions_of(lake, more)


def record_run(
    lake: Lake, report: RunReport, before: dict[str, int | None], decisions: Sequence[Decision] = ()
) -> None:
    """Append the row of a run that has done all its work; files named in it are not loaded again. `before` has the
    versions that the run began with, by table.
    """
    report.tables = [
        TableVersions(table.name, lake.place(table), before[table.name], lake.version(table))
        for table in (*_REPORTED, *built_tables())
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
    own = {d.batch.feed.name: d.batch.listing_to_trust(report.started_at) for d in decisions}
    listed = {**(last.note.listed if last and last.note else {}), **own}
    note = CommitNote(report.run_id, report.job, versions=versions, listed=listed)
    lake.append(RUNS, rows, note=note, beside_others=True)
