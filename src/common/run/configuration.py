"""Where the values of settings come from: conf/<env>.yml, overridden by SALES_LAKEHOUSE_* variables, overridden by
arguments. All jobs share the file and the variables.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsConfigDict

from common.errors import ConfigError
from common.run.arguments import option_of
from common.run.settings import SETTINGS_BY_JOB
from common.run.shared_settings import CONF_DIR_VARIABLE, PREFIX, TRACEBACK_VARIABLE, Settings, conf_dir, keys_of

# What pydantic says of a value that is of another type, in words for a person.
_REASONS = {
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "string_type": "write text; a number or a date needs quotes",
}

AnySettings = TypeVar("AnySettings", bound=Settings)


def load_settings(arguments: dict[str, Any], kind: type[AnySettings]) -> AnySettings:
    """The settings of a job; raises ConfigError naming the key.

    A key that no job has is refused. The value of a key that other jobs have, and this one does not, is not looked at.
    """
    known = {key for settings in SETTINGS_BY_JOB.values() for key in keys_of(settings)}
    _refuse_unknown_variables(known)
    env = arguments.get("env") or os.environ.get(f"{PREFIX}ENV") or "local"
    path = conf_dir() / f"{env}.yml"
    if "{{" in env or not path.is_file():
        there = ", ".join(sorted(p.stem for p in conf_dir().glob("*.yml") if p.stem != "quality"))
        raise ConfigError(f"env: there is no {path}; there are: {there or 'none'}.")
    _refuse_unknown_keys(path, known)
    of_environment = type(
        "SettingsOfEnvironment",
        (kind,),
        {"model_config": SettingsConfigDict(**{**kind.model_config, "yaml_file": path}), "__module__": __name__},
    )
    try:
        settings: AnySettings = of_environment(**{**_other_place_cleared(arguments), **arguments})
    except ValidationError as error:
        problems = [_problem(details, path, arguments) for details in error.errors()]
        raise ConfigError(f"{'; '.join(problems)}.") from error
    return settings


def _other_place_cleared(arguments: dict[str, Any]) -> dict[str, None]:
    """A lake named by argument or variable replaces the catalog of the file, and the other way round."""
    places = ("lake", "catalog", "schema")
    by_argument = {name for name in places if name in arguments}
    named = by_argument or {name for name in places if PREFIX + name.upper() in os.environ}
    if named == {"lake"}:
        return {"catalog": None, "schema": None}
    if named and "lake" not in named:
        return {"lake": None}
    return {}


def _problem(error: ErrorDetails, path: Path, arguments: dict[str, Any]) -> str:
    """What is wrong with a setting, and where its value comes from."""
    reason = _REASONS.get(error["type"], error["msg"].removeprefix("Value error, "))
    if not error["loc"]:
        return reason
    key = str(error["loc"][0])
    if error["type"] == "missing":
        return f"{option_of(key)} is missing"
    if key in arguments:
        return f"{option_of(key)}: {reason}"
    variable = PREFIX + key.upper()
    return f"{variable}: {reason}" if variable in os.environ else f"{path}: {key}: {reason}"


def _refuse_unknown_keys(path: Path, known: Iterable[str]) -> None:
    try:
        content = yaml.safe_load(path.read_bytes()) or {}
    except (yaml.YAMLError, OSError, ValueError) as error:
        raise ConfigError(f"{path} is no YAML file of keys and values: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is no YAML file of keys and values.")
    for key in content:
        if key not in known:
            raise ConfigError(f"{path}: {key}: there is no such setting; known are {', '.join(sorted(known))}.")


def _refuse_unknown_variables(known: Iterable[str]) -> None:
    variables = {PREFIX + key.upper() for key in known}
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable not in variables | {CONF_DIR_VARIABLE, TRACEBACK_VARIABLE}:
            raise ConfigError(
                f"The environment variable {variable} is no setting; known are {', '.join(sorted(variables))}."
            )
