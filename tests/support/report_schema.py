"""The written schema of reports, which every report of the tests has to fit."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from support.project import ROOT

PATH = "docs/reference/report.schema.json"


def check_report(printed: str) -> None:
    """Raise a ValidationError where a report, as a job prints it, does not fit the schema."""
    _validator().validate(json.loads(printed))


@cache
def _validator() -> Draft202012Validator:
    """Of the schema as it is written, made stricter: it also refuses a property that it does not name."""
    schema: dict[str, Any] = json.loads((ROOT / PATH).read_text(encoding="utf-8"))
    for definition in schema["$defs"].values():
        definition["additionalProperties"] = False
    return Draft202012Validator(schema)
