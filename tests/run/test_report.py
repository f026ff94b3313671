"""What a run tells a person."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from common.ingest.ledger import FeedLedger
from common.run.console import Console
from common.run.report import RunReport

TITLE = "maintain, run 0123456789abcdef0123456789abcdef"
A_FEED = FeedLedger("transactions", 1, 0, 5, 5, 0, 0, 0, 0)


@pytest.mark.parametrize("feeds", [[], [A_FEED]])
def test_every_report_names_its_job_and_run(feeds: list[FeedLedger], capsys: pytest.CaptureFixture[str]) -> None:
    job, _, run_id = TITLE.partition(", run ")
    report = RunReport(run_id=run_id, job=job, dry_run=False, started_at=datetime.now(timezone.utc), settings_hash="0")
    report.feeds = feeds
    Console(as_json=False).finish(report)
    printed = " ".join(capsys.readouterr().out.split())
    assert TITLE in printed
    assert ("rows read │ 5" in printed) is bool(feeds)
