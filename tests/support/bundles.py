"""The bundle in deploy/databricks: resolved for a target, and held against the vendor's classes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml
from databricks.bundles.core import Variable

from support.project import ROOT

FOLDER = ROOT / "deploy" / "databricks"

_REFERENCE = re.compile(r"\$\{([^}]+)\}")
# What the platform fills in when a bundle is deployed.
_OF_THE_PLATFORM = {"workspace.current_user.short_name": "ann", "workspace.current_user.userName": "ann@example.com"}


def bundle() -> dict[str, Any]:
    """The content of databricks.yml."""
    content: dict[str, Any] = yaml.safe_load((FOLDER / "databricks.yml").read_text())
    return content


def jobs() -> dict[str, dict[str, Any]]:
    """Every job in the files that databricks.yml includes, as it is written."""
    found: dict[str, dict[str, Any]] = {}
    for pattern in bundle()["include"]:
        for path in sorted(FOLDER.glob(pattern)):
            found |= yaml.safe_load(path.read_text())["resources"]["jobs"]
    return found


def resolved(value: Any, target: str) -> Any:
    """The value with every ${...} filled in for a target; raises KeyError for one that nobody declares."""
    content = bundle()
    given = content["targets"][target]["variables"]
    values: dict[str, Any] = {"bundle.name": content["bundle"]["name"], "bundle.target": target, **_OF_THE_PLATFORM}
    for name, variable in content["variables"].items():
        values[f"var.{name}"] = given[name] if name in given else variable["default"]

    def fill(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: fill(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [fill(inner) for inner in part]
        if not isinstance(part, str):
            return part
        alone = _REFERENCE.fullmatch(part)
        if alone:
            return fill(values[alone[1]])
        return _REFERENCE.sub(lambda reference: str(fill(values[reference[1]])), part)

    return fill(value)


def wrong_values(value: Any, type_: Any, place: str) -> Iterator[str]:
    """Where a value has another type than the vendor's class says, which reads `"2"` for 2 and 2 for `"2"`."""
    if get_origin(type_) is Union:
        possible = [arm for arm in get_args(type_) if get_origin(arm) is not Variable and arm is not type(None)]
        [type_] = possible
    if get_origin(type_) is list:
        for number, inner in enumerate(value):
            yield from wrong_values(inner, get_args(type_)[0], f"{place}[{number}]")
    elif get_origin(type_) is dict:
        for key, inner in value.items():
            yield from wrong_values(inner, get_args(type_)[1], f"{place}.{key}")
    elif is_dataclass(type_):
        types = get_type_hints(type_)
        for name, inner in value.items():
            yield from wrong_values(inner, types[name], f"{place}.{name}")
    elif isinstance(type_, type) and issubclass(type_, Enum):
        if value not in [member.value for member in type_]:
            yield f"{place}: {value!r} is none of {type_.__name__}"
    elif type(value) is not type_:
        yield f"{place}: {value!r} is no {type_.__name__}"
