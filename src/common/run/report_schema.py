"""The JSON Schema of what --json prints, made from the classes that the reports are made of.

PYTHONPATH=src .venv/bin/python -m common.run.report_schema docs/reference/report.schema.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from common.audit.findings import Verification
from common.audit.history import RunHistory
from common.run.console import SCHEMA_VERSION, StepDone
from common.run.report import RunReport

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
# The reports, and what they say beside their fields.
_COMPUTED: dict[type, dict[str, str | None]] = {
    RunReport: {"changed_nothing": RunReport.changed_nothing.__doc__},
    Verification: {"is_sound": "Whether nothing was found that is not as it should be."},
    RunHistory: {},
}


def report_schema() -> dict[str, Any]:
    """The schema of one report: of verify_aggregate, history, or any other job. Every property is in every report,
    and later ones may have more without another version.
    """
    kinds: list[type] = [*_COMPUTED, StepDone]
    _, made = TypeAdapter.json_schemas([(kind, "serialization", TypeAdapter(kind)) for kind in kinds])
    definitions = made["$defs"]
    for kind, computed in _COMPUTED.items():
        properties = definitions[kind.__name__]["properties"]
        properties |= {name: {"type": "boolean", "description": text} for name, text in computed.items()}
        properties["steps"] = {"type": "array", "items": {"$ref": f"#/$defs/{StepDone.__name__}"}}
        properties["schema_version"] = {"const": SCHEMA_VERSION}
    for definition in definitions.values():
        definition["required"] = sorted(definition["properties"])
    return {
        "$schema": _DIALECT,
        "title": f"The report of a job, version {SCHEMA_VERSION}",
        "description": "What ./spark-submit.sh JOB --json prints. Times are ISO 8601 in UTC.",
        "oneOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in _COMPUTED],
        "$defs": definitions,
    }


def as_text(schema: dict[str, Any]) -> str:
    """The schema as it stands in its file."""
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(as_text(report_schema()), encoding="utf-8")
