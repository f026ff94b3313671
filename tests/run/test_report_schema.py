"""What --json prints has a written schema, which follows from the classes. Every report of a bench is checked by it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import ValidationError

from common.contract import AGGREGATE
from common.run.report_schema import as_text, report_schema
from jobs import verify_aggregate
from support.lakes import Workbench
from support.project import ROOT
from support.report_schema import PATH, check_report


def test_the_written_schema_is_the_one_of_the_classes() -> None:
    command = f"PYTHONPATH=src .venv/bin/python -m common.run.report_schema {PATH}"
    written = (ROOT / PATH).read_text(encoding="utf-8")
    assert written == as_text(report_schema()), f"Write it anew, and raise SCHEMA_VERSION if need be: {command}"


def test_a_report_that_does_not_fit_is_refused_and_one_with_findings_fits(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales("t1,c1,p1,2,1.50,2025-02-22 09:15:00")
    report: dict[str, Any] = dict(bench.must_load().report or {})
    assert report["schema_version"] == 1
    for wrong in ({"run_id": 7}, {"rows": 1}, {"feeds": [{"feed": "transactions"}]}):
        with pytest.raises(ValidationError):
            check_report(json.dumps(report | wrong))

    bench.spark.sql(f"UPDATE delta.`{bench.path(AGGREGATE.name)}` SET QUANTITY = 9")
    exit_code, printed, _ = bench.printed_by(verify_aggregate, f"--lake={bench.lake}", "--json")
    assert exit_code == 5
    check_report(printed)
    assert json.loads(printed)["findings"]
