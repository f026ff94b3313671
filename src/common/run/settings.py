"""Settings of a run: conf/<env>.yml, overridden by SALES_LAKEHOUSE_* variables, overridden by arguments."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from common.csv_files.dialect import Dialect
from common.csv_files.encoding import canonical_encoding
from common.errors import ConfigError

PREFIX = "SALES_LAKEHOUSE_"
CONF_DIR_VARIABLE = f"{PREFIX}CONF_DIR"
TRACEBACK_VARIABLE = f"{PREFIX}TRACEBACK"
# The options of every job; a job that reads files has those of reading besides.
LAKE_OPTIONS = frozenset({"env", "lake", "catalog", "schema_", "json_"})
READING_OPTIONS = frozenset({"source_time_zone", "encoding", "quality_rules"})

AnySettings = TypeVar("AnySettings", bound="Settings")


class Settings(BaseSettings):
    """Every setting of a job, checked when it is loaded and frozen after. The descriptions are the jobs' --help.

    A job with settings of its own has a subclass. `offered` are the fields that are options of its command line; the
    file and the variables may have all of them, since several jobs share these.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_prefix_target="all", extra="forbid", frozen=True, populate_by_name=True
    )

    offered: ClassVar[frozenset[str]] = (
        LAKE_OPTIONS
        | READING_OPTIONS
        | {
            "transactions",
            "customers",
            "max_rejected_share",
            "dry_run",
            "reload",
        }
    )

    env: Annotated[str, Field(description="which conf/<ENV>.yml to use (default: local)")] = "local"
    transactions: Annotated[str | None, Field(description="file, folder or glob of transactions CSV, plain or .gz")] = (
        None
    )
    customers: Annotated[str | None, Field(description="file, folder or glob of customer CSV, plain or .gz")] = None
    lake: Annotated[str | None, Field(description="folder of the tables (or --catalog and --schema)")] = None
    catalog: Annotated[str | None, Field(description="catalog of the tables")] = None
    schema_: Annotated[str | None, Field(alias="schema", description="schema of the tables in the catalog")] = None
    max_rejected_share: Annotated[
        float, Field(ge=0, le=1, description="refuse the run where more than this share of a feed's rows is rejected")
    ] = 0.05
    source_time_zone: Annotated[
        str, Field(description="zone of times that come without an offset, such as Europe/Berlin")
    ] = "UTC"
    encoding: Annotated[str, Field(description="encoding of the CSV files, such as windows-1252")] = "utf-8"
    quality_rules: Annotated[str | None, Field(description="file of quality rules (default: conf/quality.yml)")] = None
    dry_run: Annotated[bool, Field(description="read and check everything, say what would change, write nothing")] = (
        False
    )
    reload: Annotated[bool, Field(description="load all the files found, those that were loaded before too")] = False
    json_: Annotated[
        bool, Field(alias="json", description="print the report as one JSON object on standard output")
    ] = False

    @field_validator("*", mode="before")
    @classmethod
    def _has_no_unfilled_placeholder(cls, value: object) -> object:
        if isinstance(value, str) and "{{" in value:
            raise ValueError(f"{value} still holds a placeholder that nobody filled in")
        if value == "":
            raise ValueError("is empty")
        return value

    @field_validator("source_time_zone")
    @classmethod
    def _is_a_time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{value} is no time zone; use a name such as Europe/Berlin or UTC") from error
        return value

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, value: str) -> str:
        try:
            return canonical_encoding(value)
        except ConfigError as error:
            raise ValueError(str(error).removeprefix("encoding: ")) from error

    @field_validator("transactions", "customers", "lake")
    @classmethod
    def _is_absolute(cls, value: str | None) -> str | None:
        value = value and re.sub(r"^dbfs:/+", "dbfs:///", re.sub(r"^file:/+", "/", value))
        if value and re.match(r"[\w+.-]+://[^@]*:[^@]*@", value):
            # The value is not quoted: messages end up in logs.
            raise ValueError("holds credentials, which belong into the environment; see docs/object-stores.md")
        if value is None or "://" in value or value.startswith("/"):
            return value if value is None or value == "/" else value.rstrip("/")
        return os.path.abspath(value)

    @model_validator(mode="after")
    def _names_one_place(self) -> Settings:
        if (self.lake is None) == (self.schema_ is None):
            raise ValueError("name where the tables are: either lake, or schema (with or without catalog)")
        if self.lake and self.catalog:
            raise ValueError("catalog goes with schema, not with lake")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, YamlConfigSettingsSource(settings_cls))

    @property
    def writes(self) -> bool:
        """Whether the run may change the lake."""
        return not self.dry_run

    @property
    def dialect(self) -> Dialect:
        return Dialect(self.encoding, self.source_time_zone)

    @property
    def rules_path(self) -> Path:
        return Path(self.quality_rules) if self.quality_rules else conf_dir() / "quality.yml"

    def hash(self) -> str:
        """SHA-256 of the settings and of the quality rules: two runs with the same one were told the same."""
        digest = hashlib.sha256(self.model_dump_json().encode())
        digest.update(self.rules_path.read_bytes())
        return digest.hexdigest()


def conf_dir() -> Path:
    """The folder of configuration: $SALES_LAKEHOUSE_CONF_DIR, or the one that a wheel holds, or conf/ beside src/."""
    in_wheel = Path(__file__).parents[1] / "conf"
    default = in_wheel if in_wheel.is_dir() else Path(__file__).parents[3] / "conf"
    return Path(os.environ.get(CONF_DIR_VARIABLE, default))


def argument_parser(job: str, description: str, settings: type[Settings]) -> argparse.ArgumentParser:
    """A parser with one long option per setting; what is not given stays out of the result."""
    parser = argparse.ArgumentParser(
        prog=f"./spark-submit.sh {job}",
        description=description,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        epilog="Options of spark-submit itself (--master, --conf, ...) may stand among these. "
        "Exit codes: 0 success, 1 failure, 2 bad usage or configuration, 3 data refused, 4 lake busy, "
        "5 the lake is not what it should be (verify_aggregate).",
    )
    for name, info in settings.model_fields.items():
        if name not in settings.offered:
            continue
        flag = "--" + (info.alias or name).replace("_", "-")
        if info.annotation is bool:
            parser.add_argument(flag, dest=info.alias or name, action="store_true", help=info.description)
        else:
            parser.add_argument(flag, dest=info.alias or name, metavar="X", help=info.description)
    return parser


def load_settings(arguments: dict[str, Any], kind: type[AnySettings]) -> AnySettings:
    """Settings from the file of the environment, variables and arguments; raises ConfigError naming the key."""
    env = arguments.get("env") or os.environ.get(f"{PREFIX}ENV") or "local"
    _refuse_unknown_variables(kind)
    path = conf_dir() / f"{env}.yml"
    if "{{" in env or not path.is_file():
        known = ", ".join(sorted(p.stem for p in conf_dir().glob("*.yml") if p.stem != "quality"))
        raise ConfigError(f"env: there is no {path}; there are: {known or 'none'}.")
    of_environment = type(
        "SettingsOfEnvironment",
        (kind,),
        {"model_config": SettingsConfigDict(**{**kind.model_config, "yaml_file": path}), "__module__": __name__},
    )
    try:
        settings: AnySettings = of_environment(**{**_other_place_cleared(arguments), **arguments})
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'settings'}: {_reason(e)}" for e in error.errors()]
        raise ConfigError(f"Wrong configuration ({path}, variables or arguments): {'; '.join(problems)}.") from error
    except (yaml.YAMLError, OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path} is no YAML file of keys and values: {error}") from error
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


def _reason(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such setting"
    return str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")


def _refuse_unknown_variables(kind: type[Settings]) -> None:
    known = {PREFIX + (info.alias or name).upper() for name, info in kind.model_fields.items()}
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable not in known | {CONF_DIR_VARIABLE, TRACEBACK_VARIABLE}:
            raise ConfigError(
                f"The environment variable {variable} is no setting; known are {', '.join(sorted(known))}."
            )
