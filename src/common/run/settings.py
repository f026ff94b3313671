"""Every setting there is, and which job has it. One entry is its name, type, default, and what --help says of it.

configuration.py finds the values, arguments.py is the command line, and a job takes its class from here.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

from common.contract import CUSTOMERS_FEED, HOUR, TRANSACTIONS
from common.csv_files.dialect import Dialect
from common.errors import ConfigError
from common.ingest.ledger import MAX_REJECTED_SHARE
from common.run.setting_types import Encoding, Hour, Place, Share, Zone
from common.spark.sql import range_condition

PREFIX = "SALES_LAKEHOUSE_"
CONF_DIR_VARIABLE = f"{PREFIX}CONF_DIR"
TRACEBACK_VARIABLE = f"{PREFIX}TRACEBACK"


@dataclass(frozen=True)
class Shown:
    """How --help shows a setting: the word for its value, and the group of options that it stands in."""

    value: str = ""
    group: str = ""


class Settings(BaseSettings):
    """The settings that every job has, checked when they are loaded and frozen after."""

    # The file and the variables are shared by all jobs: what is another job's is passed over here.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_prefix_target="all", extra="ignore", frozen=True, populate_by_name=True
    )
    # What a person may type after the job's name, for --help.
    example: ClassVar[str] = "--lake lake"

    env: Annotated[str, Field(description="which conf/<NAME>.yml to use"), Shown("NAME")] = "local"
    lake: Annotated[
        Place | None, Field(description="folder of the tables, or --schema instead"), Shown("FOLDER", "lake")
    ] = None
    catalog: Annotated[str | None, Field(description="catalog of the schema"), Shown("NAME", "lake")] = None
    schema_: Annotated[
        str | None, Field(alias="schema", description="schema of the tables in a catalog"), Shown("NAME", "lake")
    ] = None
    json_: Annotated[
        bool, Field(alias="json", description="print the report as one JSON object"), Shown(group="output")
    ] = False

    @field_validator("*", mode="before")
    @classmethod
    def _has_no_unfilled_placeholder(cls, value: object) -> object:
        if isinstance(value, str) and "{{" in value:
            raise ValueError(f"{value} still holds a placeholder that nobody filled in")
        if value == "":
            raise ValueError("is empty")
        return value

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
        return False

    @property
    def rules_path(self) -> Path:
        return conf_dir() / "quality.yml"

    def hash(self) -> str:
        """SHA-256 of the settings and of the quality rules: two runs with the same one were told the same. Raises
        ConfigError where the rules cannot be read.
        """
        digest = hashlib.sha256(self.model_dump_json().encode())
        try:
            digest.update(self.rules_path.read_bytes())
        except OSError as error:
            raise ConfigError(f"Cannot read the quality rules {self.rules_path}: {error.strerror}.") from error
        return digest.hexdigest()


class DryRunSettings(Settings):
    """Of a job that writes unless it is told not to."""

    dry_run: Annotated[
        bool, Field(description="check everything, say what would change, write nothing"), Shown(group="what to do")
    ] = False

    @property
    def writes(self) -> bool:
        return not self.dry_run


class ApplySettings(Settings):
    """Of a job that writes only when it is told to."""

    apply: Annotated[
        bool, Field(description="do it; without, only say what would change"), Shown(group="what to do")
    ] = False
    dry_run: Annotated[
        bool, Field(description="only say what would change; not together with --apply"), Shown(group="what to do")
    ] = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> ApplySettings:
        if self.apply and self.dry_run:
            raise ValueError("apply and dry_run are both set: take one back with --no-apply or --no-dry-run")
        return self

    @property
    def writes(self) -> bool:
        return self.apply


class ReadingSettings(Settings):
    """Of a job that reads CSV."""

    source_time_zone: Annotated[
        Zone,
        Field(description="zone of times that come without an offset, such as Europe/Berlin"),
        Shown("ZONE", "input"),
    ] = "UTC"
    encoding: Annotated[
        Encoding, Field(description="encoding of the CSV files, such as windows-1252"), Shown("NAME", "input")
    ] = "utf-8"
    quality_rules: Annotated[
        str | None, Field(description="file of quality rules (default: conf/quality.yml)"), Shown("FILE", "checks")
    ] = None

    @property
    def dialect(self) -> Dialect:
        return Dialect(self.encoding, self.source_time_zone)

    @property
    def rules_path(self) -> Path:
        return Path(self.quality_rules) if self.quality_rules else super().rules_path


class LoadSettings(ReadingSettings, DryRunSettings):
    example = "--transactions 'sales/*.csv' --customers customers.csv --lake lake"

    transactions: Annotated[
        Place | None, Field(description="file, folder or glob of sales, plain or .gz"), Shown("PATH", "input")
    ] = None
    customers: Annotated[
        Place | None, Field(description="file, folder or glob of customers, plain or .gz"), Shown("PATH", "input")
    ] = None
    reload: Annotated[
        bool, Field(description="load all the files, those that were loaded before too"), Shown(group="input")
    ] = False
    max_rejected_share: Annotated[
        Share,
        Field(
            description="refuse the run where more than this share of a feed's rows is rejected; of few rows, one is "
            "a large share: 1 of 11 is 0.09"
        ),
        Shown("SHARE", "checks"),
    ] = MAX_REJECTED_SHARE

    @model_validator(mode="after")
    def _names_a_feed(self) -> LoadSettings:
        if not self.feeds:
            raise ValueError("name what to load: --transactions, --customers, or both")
        return self

    @property
    def feeds(self) -> dict[str, str]:
        """Where the files of each feed are that is to be loaded, by the feed's name."""
        named = {TRANSACTIONS.name: self.transactions, CUSTOMERS_FEED.name: self.customers}
        return {feed: path for feed, path in named.items() if path is not None}


class GoldSettings(DryRunSettings):
    pass


class ForgetSettings(ApplySettings):
    example = "--customer-id C-1001 --lake lake --apply"

    customer_id: Annotated[str, Field(description="CUSTOMER_ID of the person"), Shown("ID", "what to do")]


class MaintainSettings(DryRunSettings):
    retain_hours: Annotated[
        int,
        Field(ge=168, description="how long versions stay readable that are no longer the newest"),
        Shown("HOURS", "what to do"),
    ] = 168


class ReleaseSettings(ReadingSettings, DryRunSettings):
    example = "--corrections fixes.csv --lake lake"

    corrections: Annotated[
        Place | None,
        Field(
            description="CSV file of REJECTED_ID,CORRECTED_LINE (REASONS is passed over): rows as they should have been"
        ),
        Shown("FILE", "input"),
    ] = None


class RestateSettings(ReadingSettings, ApplySettings):
    example = "--first-hour 2025-02-22T09 --last-hour 2025-02-22T17 --from-files 'sales/*.csv' --lake lake"

    first_hour: Annotated[
        Hour, Field(description="first hour of the range in UTC, such as 2025-02-22T09"), Shown("HOUR", "what to do")
    ]
    last_hour: Annotated[
        Hour, Field(description="last hour of the range in UTC; it belongs to the range"), Shown("HOUR", "what to do")
    ]
    from_files: Annotated[
        Place | None,
        Field(description="file, folder or glob of all the sales of the range; others in it are removed"),
        Shown("PATH", "input"),
    ] = None

    @model_validator(mode="after")
    def _is_a_range(self) -> RestateSettings:
        if self.first_hour > self.last_hour:
            raise ValueError("--first-hour is later than --last-hour")
        return self

    @property
    def range(self) -> str:
        """SQL that is true in the hours of the range."""
        return range_condition(HOUR, self.first_hour, self.last_hour)


class VerifySettings(Settings):
    pass


SETTINGS_BY_JOB: dict[str, type[Settings]] = {
    "load_sales": LoadSettings,
    "build_gold": GoldSettings,
    "verify_aggregate": VerifySettings,
    "maintain": MaintainSettings,
    "release_rejected": ReleaseSettings,
    "restate": RestateSettings,
    "forget_customer": ForgetSettings,
}


def keys_of(kind: type[Settings]) -> list[str]:
    """The settings of a job, as files, variables and arguments name them."""
    return [info.alias or name for name, info in kind.model_fields.items()]


def conf_dir() -> Path:
    """The folder of configuration: $SALES_LAKEHOUSE_CONF_DIR, or the one that a wheel holds, or conf/ beside src/."""
    in_wheel = Path(__file__).parents[1] / "conf"
    default = in_wheel if in_wheel.is_dir() else Path(__file__).parents[3] / "conf"
    return Path(os.environ.get(CONF_DIR_VARIABLE, default))
