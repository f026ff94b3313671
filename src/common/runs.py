"""pipeline_runs: the lake's own record of what each run read, found and wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from common.contract import LOGIC_VERSION, RUNS
from common.decisions import Decision
from common.report import RunReport
from common.tables import Lake


def record_run(lake: Lake, report: RunReport, decisions: Sequence[Decision]) -> None:
    """Append the row of a run that has done all its work; files named in it are not loaded again."""
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
        "unknown_customer_rows": report.unknown_customer_rows,
        "tables": [
            {"table": t.table, "version_read": t.version_read, "version_written": t.version_written}
            for t in report.tables
        ],
        "files": [
            {
                "feed": decision.intake.feed.name,
                "path": file.path,
                "size": file.size,
                "modified_at": file.modified_at,
                "fingerprint": decision.intake.fingerprints[file.order],
            }
            for decision in decisions
            for file in decision.intake.files
        ],
    }
    rows = lake.spark.createDataFrame([tuple(row[name] for name in RUNS.column_names)], RUNS.ddl)
    lake.append(RUNS, rows, note={"run_id": report.run_id, "job": report.job})
