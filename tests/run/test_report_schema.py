"""What --json prints has a written schema, which follows from the classes and fits the reports of every job."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from jsonschema import Draft202012Validator

from common.contract import AGGREGATE
from common.run.report_schema import as_text, report_schema
from common.run.settings import SETTINGS_BY_JOB
from jobs import build_gold, forget_customer, load_sales, maintain, release_rejected, restate, verify_aggregate
from support.lakes import Workbench
from support.project import ROOT

PATH = "docs/reference/report.schema.json"
NINE = "2025-02-22 09:15:00"


def test_the_written_schema_is_the_one_of_the_classes() -> None:
    command = f"PYTHONPATH=src .venv/bin/python -m common.run.report_schema {PATH}"
    written = (ROOT / PATH).read_text(encoding="utf-8")
    assert written == as_text(report_schema()), f"Write it anew, and raise SCHEMA_VERSION if need be: {command}"


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema, which also refuses a property that it does not name."""
    schema = deepcopy(schema)
    for definition in schema["$defs"].values():
        definition["additionalProperties"] = False
    return schema


def test_the_reports_of_every_job_fit_the_schema(bench: Workbench) -> None:
    validator = Draft202012Validator(strict(json.loads((ROOT / PATH).read_text(encoding="utf-8"))))
    lake = f"--lake={bench.lake}"
    bench.people("c1,Ann,30,Mali", "c2,Bob,old,Peru")
    bench.sales(f"t1,c1,p1,2,1.50,{NINE}", f"t2,c9,p1,none,1.50,{NINE}")
    feeds = [f"--transactions={bench.transactions}", f"--customers={bench.customers}", "--max-rejected-share=1"]
    hours = ["--first-hour=2025-02-22T09", "--last-hour=2025-02-22T09"]
    seen: set[str] = set()
    for job, arguments in (
        (load_sales, [*feeds, "--dry-run"]),
        (load_sales, feeds),
        (load_sales, feeds),
        (build_gold, ["--dry-run"]),
        (build_gold, []),
        (verify_aggregate, []),
        (maintain, ["--dry-run"]),
        (maintain, []),
        (release_rejected, ["--dry-run"]),
        (release_rejected, []),
        (restate, hours),
        (restate, [*hours, "--apply"]),
        (forget_customer, ["--customer-id=c1"]),
        (forget_customer, ["--customer-id=c1", "--apply"]),
    ):
        outcome = bench.run(job, *arguments, lake)
        assert outcome.exit_code == 0, outcome.error
        assert outcome.report is not None
        validator.validate(outcome.report)
        assert outcome.report["schema_version"] == 1
        seen.add(outcome.report["job"])
    assert seen == {*SETTINGS_BY_JOB}

    bench.sales(f"t3,c3,p1,2,1.50,{NINE}")
    bench.must_load()
    bench.spark.sql(f"UPDATE delta.`{bench.path(AGGREGATE.name)}` SET QUANTITY = 9")
    exit_code, output, _ = bench.printed_by(verify_aggregate, lake, "--json")
    assert exit_code == 5
    found = json.loads(output)
    validator.validate(found)
    assert found["findings"]
