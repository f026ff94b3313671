"""The settings that jobs share, each with its name, type, default, and what --help says of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

from common.contract import CUSTOMERS_FEED, TRANSACTIONS
from common.csv_files.description import Description, load_descriptions
from common.csv_files.feed_format import Dialect, FeedFormat
from common.errors import ConfigError
from common.run.setting_types import Encoding, Place, Zone

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

    @property
    def files_that_count(self) -> list[Path]:
        """The files, beside that of the settings, that say what a run does."""
        return [self.rules_path]

    def hash(self) -> str:
        """SHA-256 of the settings, the quality rules and the descriptions of feeds: two runs with the same one were
        told the same. Raises ConfigError where a file of these cannot be read.
        """
        digest = hashlib.sha256(self.model_dump_json().encode())
        for path in self.files_that_count:
            try:
                digest.update(path.read_bytes())
            except OSError as error:
                raise ConfigError(f"Cannot read {path}: {error.strerror}.") from error
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


class BusinessSettings(Settings):
    """Of a job that has to do with days as the business counts them."""

    business_time_zone: Annotated[
        Zone,
        Field(description="zone whose days count as the days of the business, such as Europe/Berlin"),
        Shown("ZONE", "what to do"),
    ] = "UTC"


class DescribedSettings(Settings):
    """Of a job that has to do with lines of the feeds' files."""

    source_time_zone: Annotated[
        Zone,
        Field(description="zone of times that come without an offset, such as Europe/Berlin"),
        Shown("ZONE", "input"),
    ] = "UTC"
    encoding: Annotated[
        Encoding, Field(description="encoding of the CSV files, such as windows-1252"), Shown("NAME", "input")
    ] = "utf-8"
    feeds: Annotated[
        str | None,
        Field(description="file that describes the feeds (default: conf/feeds.yml, where there is one)"),
        Shown("FILE", "input"),
    ] = None

    @property
    def descriptions_path(self) -> Path | None:
        """Where the feeds are described; None where they are not."""
        if self.feeds:
            return Path(self.feeds)
        usual = conf_dir() / "feeds.yml"
        return usual if usual.is_file() else None

    @cached_property
    def descriptions(self) -> dict[str, Description]:
        """The feeds that are described, by name. Raises ConfigError where the file is not right."""
        path = self.descriptions_path
        return load_descriptions(path, self.encoding, self.source_time_zone) if path else {}

    def format_of(self, feed: str) -> FeedFormat:
        """How the files of a feed are read."""
        described = self.descriptions.get(feed)
        return described.format if described else FeedFormat(Dialect(encoding=self.encoding), self.source_time_zone)

    @property
    def formats(self) -> dict[str, FeedFormat]:
        """How the files of each feed are read, by its name."""
        return {feed.name: self.format_of(feed.name) for feed in (TRANSACTIONS, CUSTOMERS_FEED)}

    @property
    def files_that_count(self) -> list[Path]:
        return [*super().files_that_count, *([self.descriptions_path] if self.descriptions_path else [])]


class ReadingSettings(DescribedSettings):
    """Of a job that reads CSV."""

    follow_links: Annotated[
        bool,
        Field(description="read files that links in a folder or glob lead to, outside of it, too"),
        Shown(group="input"),
    ] = False
    quality_rules: Annotated[
        str | None, Field(description="file of quality rules (default: conf/quality.yml)"), Shown("FILE", "checks")
    ] = None

    @property
    def rules_path(self) -> Path:
        return Path(self.quality_rules) if self.quality_rules else super().rules_path


def keys_of(kind: type[Settings]) -> list[str]:
    """The settings of a job, as files, variables and arguments name them."""
    return [info.alias or name for name, info in kind.model_fields.items()]


def conf_dir() -> Path:
    """The folder of configuration: $SALES_LAKEHOUSE_CONF_DIR, or the one that a wheel holds, or conf/ beside src/."""
    in_wheel = Path(__file__).parents[1] / "conf"
    default = in_wheel if in_wheel.is_dir() else Path(__file__).parents[3] / "conf"
    return Path(os.environ.get(CONF_DIR_VARIABLE, default))
