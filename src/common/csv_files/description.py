"""Descriptions of feeds: a YAML file that says how the exports of a shop are read.

docs/guides/describe-a-feed.md has its keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from common.contract import CUSTOMERS_FEED, TRANSACTIONS, Feed
from common.csv_files.encoding import canonical_encoding
from common.csv_files.feed_format import Dialect, FeedFormat, Sequence, Source
from common.csv_files.sequence import OF_THE_FILE
from common.csv_files.time_format import check_time_format
from common.csv_files.yaml_places import place_of, refuse_repeated_keys
from common.errors import ConfigError
from common.spark.expressions import check_expression
from common.spark.paths import whole_path
from common.spark.times import known_zone

_FEEDS = {feed.name: feed for feed in (TRANSACTIONS, CUSTOMERS_FEED)}
_REASONS = {
    "extra_forbidden": "there is no such key",
    "bool_type": "write true or false",
    "string_type": "write text; a number or a date needs quotes",
    "string_too_short": "is empty",
    "too_short": "is empty",
    "list_type": "write a list, such as [NA, NULL]",
    "dict_type": "write keys, each with a value",
    "model_type": "write keys, each with a value",
}
_EXPECTED = "literal_error"


@dataclass(frozen=True)
class Description:
    """One described feed: where its files are (None where that is said elsewhere), and how they are read."""

    path: str | None
    format: FeedFormat


def _one_character(value: str) -> str:
    if len(value) != 1 or not value.isascii() or value in " \r\n\0" or value.isalnum():
        raise ValueError('write one character, such as ";" or "\\t", no space, letter or digit')
    return value


def _no_tab(value: str) -> str:
    if value == "\t":
        raise ValueError("a tab around a value is passed over, and can be no quote or escape")
    return value


def _lines_above(value: object) -> object:
    numbers = value if isinstance(value, list) else [value]
    if [*numbers] != list(range(1, len(numbers) + 1)) or len(numbers) > _MOST_LINES_ABOVE:
        raise ValueError("number the lines above the header from 1 on without a gap, such as [1, 2]")
    return value


def _names_as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _source(value: object) -> object:
    if value is None:
        raise ValueError("is not filled in: write the name of a column of the file, or header, or expression")
    if isinstance(value, (str, list)):
        return {"header": value}
    if not isinstance(value, dict):
        raise ValueError("write the name of a column of the file, or the keys header or expression")
    return value


_MOST_LINES_ABOVE = 100
_Character = Annotated[str, AfterValidator(_one_character)]
_Quote = Annotated[_Character, AfterValidator(_no_tab)]
_Names = Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_names_as_list), Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Dialect(_Part):
    """The keys of Frictionless, in its spelling."""

    model_config = ConfigDict(alias_generator=to_camel)

    delimiter: _Character = ","
    quote_char: _Quote | Literal[""] | None = '"'
    escape_char: _Quote | Literal[""] | None = None
    skip_initial_space: bool = False
    comment_rows: Annotated[list[int], BeforeValidator(_lines_above)] = []
    encoding: Annotated[str, AfterValidator(canonical_encoding)] | None = None
    decimal_char: Literal[".", ","] = "."
    group_char: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    missing_values: list[str] = []

    @model_validator(mode="after")
    def _tells_characters_apart(self) -> _Dialect:
        structural = [char for char in (self.delimiter, self.quote_char, self.escape_char) if char]
        if self.escape_char and self.escape_char == self.quote_char:
            structural.pop()
        if len(set(structural)) < len(structural):
            raise ValueError("delimiter, quoteChar and escapeChar are the same character")
        if self.decimal_char == self.group_char:
            raise ValueError("decimalChar and groupChar are the same character")
        if self.group_char and (self.group_char in "+-" or self.group_char.isalnum()):
            raise ValueError("groupChar is a sign, a letter or a digit")
        return self

    def to_dialect(self, encoding: str) -> Dialect:
        # A quote that is escaped by itself is what every dialect has: a doubled one.
        escape = None if self.escape_char == self.quote_char else self.escape_char or None
        return Dialect(
            delimiter=self.delimiter,
            quote_char=self.quote_char or None,
            escape_char=escape,
            skip_initial_space=self.skip_initial_space,
            comment_rows=tuple(self.comment_rows),
            encoding=self.encoding or encoding,
            decimal_char=self.decimal_char,
            group_char=self.group_char,
            missing_values=tuple(self.missing_values),
        )


class _Source(_Part):
    header: _Names | None = None
    expression: str | None = None
    format: Annotated[str, AfterValidator(check_time_format)] | None = None
    round: bool = False

    @model_validator(mode="after")
    def _has_one_origin(self) -> _Source:
        if (self.header is None) == (self.expression is None):
            raise ValueError("write either header or expression")
        return self

    def to_source(self, place: str) -> Source:
        return Source(tuple(self.header or ()), self.expression, self.format, self.round, place)


class _Sequence(_Source):
    type: Literal["time", "number"] = "time"


def _sequence(value: object) -> object:
    return value if value in OF_THE_FILE else _source(value)


class _Feed(_Part):
    path: Annotated[str, Field(min_length=1)] | None = None
    dialect: _Dialect = _Dialect()
    time_zone: Annotated[str, AfterValidator(known_zone)] | None = None
    columns: dict[str, Annotated[_Source, BeforeValidator(_source)]] = {}
    other_columns: Literal["refuse", "ignore"] = "refuse"
    returns: Literal["reject", "allow"] = "reject"
    guests: Literal["reject", "allow"] = "reject"
    repeated_ids: Literal["reject", "last"] = "reject"
    sequence_by: Annotated[Literal["_file", "_file_modified"] | _Sequence, BeforeValidator(_sequence)] | None = None

    @model_validator(mode="after")
    def _says_once_which_counts(self) -> _Feed:
        if self.sequence_by and self.repeated_ids == "last":
            raise ValueError("repeated_ids and sequence_by both say which of two rows counts: write one of them")
        return self


class _Feeds(_Part):
    transactions: _Feed | None = None
    customers: _Feed | None = None


def load_descriptions(path: Path, encoding: str, time_zone: str) -> dict[str, Description]:
    """The described feeds, by name; `encoding` and `time_zone` count where a description names none. Raises ConfigError
    naming the line of what is wrong. Relative paths in the file start at its folder.
    """
    root, content = _read_yaml(path)
    try:
        feeds = _Feeds.model_validate(content or {})
    except ValidationError as error:
        first = error.errors()[0]
        reason = _REASONS.get(first["type"], first["msg"].removeprefix("Value error, "))
        if first["type"] == _EXPECTED:
            reason = f"write {first['ctx']['expected']}"
        raise ConfigError(f"{place_of(path, root, first['loc'])}: {reason}.") from error
    found = {"transactions": feeds.transactions, "customers": feeds.customers}
    return {
        name: _description(path, root, _FEEDS[name], feed, encoding, time_zone)
        for name, feed in found.items()
        if feed is not None
    }


def _read_yaml(path: Path) -> tuple[Any, Any]:
    """The file as YAML's nodes, which know their lines, and as Python's values."""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, yaml.SafeLoader)
        content = yaml.safe_load(text)
        refuse_repeated_keys(path, root)
    except OSError as error:
        raise ConfigError(f"Cannot read the description of the feeds {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not in UTF-8.") from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{line}: this is no valid YAML: {error.problem}.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path} is no valid YAML file of keys and values.") from error
    return root, content


def _description(path: Path, root: Any, feed: Feed, said: _Feed, encoding: str, time_zone: str) -> Description:
    keys = [feed.name, "columns"]
    for name in said.columns:
        if name not in feed.column_names:
            known = ", ".join(feed.column_names)
            raise ConfigError(
                f"{place_of(path, root, [*keys, name])}: {feed.name} have no such column; known: {known}."
            )
    lacking = [column.name for column in feed.columns if column.name not in said.columns and not column.nullable]
    if said.columns and lacking:
        raise ConfigError(f"{place_of(path, root, keys)}: says nothing of {', '.join(lacking)}.")
    for name, source in said.columns.items():
        type_ = next(column.type for column in feed.columns if column.name == name)
        if source.expression:
            check_expression(source.expression, place_of(path, root, [*keys, name]), may_ask_the_clock=False)
        if source.format and type_ != "timestamp":
            raise ConfigError(f"{place_of(path, root, [*keys, name, 'format'])}: {name} is no time.")
        if source.round and not type_.startswith("decimal"):
            raise ConfigError(f"{place_of(path, root, [*keys, name, 'round'])}: {name} has no decimals.")
    if said.returns == "allow" and "QUANTITY" not in feed.column_names:
        raise ConfigError(f"{place_of(path, root, [feed.name, 'returns'])}: {feed.name} have no quantities.")
    try:
        files = said.path and whole_path(said.path, path.parent)
    except ValueError as error:
        raise ConfigError(f"{place_of(path, root, [feed.name, 'path'])}: {error}.") from error
    return Description(
        path=files,
        format=FeedFormat(
            dialect=said.dialect.to_dialect(encoding),
            time_zone=said.time_zone or time_zone,
            columns={
                name: source.to_source(place_of(path, root, [*keys, name])) for name, source in said.columns.items()
            },
            ignores_other_columns=said.other_columns == "ignore",
            allows_returns=said.returns == "allow",
            allows_guests=said.guests == "allow",
            last_counts=said.repeated_ids == "last",
            sequence=_sequence_of(said.sequence_by, place_of(path, root, [feed.name, "sequence_by"])),
        ),
    )


def _sequence_of(said: Any, place: str) -> Sequence | None:
    if isinstance(said, _Sequence):
        if said.expression:
            check_expression(said.expression, place, may_ask_the_clock=False)
        if said.format and said.type != "time":
            raise ConfigError(f"{place}: format is that of a time.")
        return Sequence(said.type, said.to_source(place))
    return Sequence(said) if said else None
