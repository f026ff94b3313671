"""From what was found in files to the text of a feeds.yml."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

import yaml

from common.csv_files.feed_format import USUAL_DIALECT
from common.describe.entries import Entry
from common.describe.findings import Finding
from common.errors import ConfigError
from common.words import counted

_ENCODINGS = {"cp1252": "windows-1252", "iso8859-1": "iso-8859-1"}
_NO_PLAIN_CHARACTER = re.compile(r"[^\w .%/-]")


def draft_of(findings: Sequence[Finding], folder: str) -> str:
    """The text of a description that is to lie in a folder."""
    files = {sample.path for finding in findings for sample in finding.look.samples}
    seen = counted(max(len(finding.look.rows) for finding in findings), "row")
    lines = [
        f"# Drafted by describe_feed after a look at {seen} of {counted(len(files), 'file')}: read it through.",
        "# docs/guides/describe-a-feed.md says what each key means.",
    ]
    for finding in findings:
        lines += [f"{finding.feed.name}:", *(f"  {line}" for line in _lines_of(finding, folder))]
    return "\n".join(lines) + "\n"


def _lines_of(finding: Finding, folder: str) -> Iterator[str]:
    yield f"path: {_scalar(path_of([sample.path for sample in finding.look.samples], folder))}"
    dialect = list(_dialect_lines(finding))
    if dialect:
        yield "dialect:"
        yield from (f"  {line}" for line in dialect)
    if finding.has_times_without_offset:
        yield "time_zone: UTC  # a file does not say where its clocks are: write it, such as Europe/Berlin"
    if any(not _is_by_its_own_name(entry) for entry in finding.entries) or _lacks_columns(finding):
        yield "columns:"
        for entry in finding.entries:
            yield from (f"  {line}" for line in _entry_lines(entry))
    if finding.other_columns:
        yield f"other_columns: ignore  # {_comment(finding.other_columns)}"
    if finding.returns:
        yield f"returns: allow  # {finding.returns}"
    if finding.guests:
        yield f"guests: allow  # {finding.guests}"
    if finding.sequence:
        yield f"sequence_by: {_source(finding.sequence)}  # {finding.repeated_ids}"
    elif finding.repeated_ids:
        yield f"repeated_ids: last  # {finding.repeated_ids}"
    if finding.may_repeat_ids:
        yield f"# repeated_ids: last  # {finding.may_repeat_ids}"


def _dialect_lines(finding: Finding) -> Iterator[str]:
    dialect, usual = finding.look.dialect, USUAL_DIALECT
    if dialect.delimiter != usual.delimiter:
        yield f"delimiter: {_scalar(dialect.delimiter)}"
    if dialect.quote_char != usual.quote_char:
        yield f"quoteChar: {_scalar(dialect.quote_char or '')}"
    if dialect.escape_char:
        yield f"escapeChar: {_scalar(dialect.escape_char)}"
    if dialect.skip_initial_space:
        yield "skipInitialSpace: true"
    if dialect.comment_rows:
        rows = ", ".join(map(str, dialect.comment_rows))
        yield f"commentRows: [{rows}]  # the header stands in line {dialect.header_row}"
    if dialect.encoding != usual.encoding:
        name = _ENCODINGS[dialect.encoding]
        yield f"encoding: {name}  # these files are not in UTF-8: see if their letters such as \u00e9 come out right"
    if len(finding.styles) > 1:
        choices = " or ".join(_style_in_words(*style) for style in finding.styles)
        yield f"decimalChar:  # every number can be read in two ways: write {choices}"
    else:
        decimal, group = finding.styles[0]
        if decimal != usual.decimal_char:
            yield f"decimalChar: {_scalar(decimal)}"
        if group:
            yield f"groupChar: {_scalar(group)}"
    if finding.missing:
        words = ", ".join(map(_scalar, finding.missing))
        yield f"missingValues: [{words}]  # they stand for no value, in every column"


def _style_in_words(decimal: str, group: str | None) -> str:
    return f'"{decimal}"' + (f" and, in a line below, groupChar: {_scalar(group)}" if group else "")


def _is_by_its_own_name(entry: Entry) -> bool:
    return (
        not entry.is_open
        and entry.keys == {"header": entry.keys.get("header")}
        and (str(entry.keys["header"]).upper() == entry.column)
    )


def _lacks_columns(finding: Finding) -> bool:
    return len(finding.entries) < len(finding.feed.columns)


def _entry_lines(entry: Entry) -> Iterator[str]:
    note = f"  # {_comment(entry.note)}" if entry.note else ""
    if entry.is_open:
        yield f"{entry.column}:{note}"
        for choice in entry.choices:
            yield f"  # {_in_braces(choice.keys)}  # {_comment(choice.meaning)}"
    else:
        yield f"{entry.column}: {_source(entry.keys)}{note}"


def _source(keys: Mapping[str, Any]) -> str:
    return _scalar(keys["header"]) if list(keys) == ["header"] else _in_braces(keys)


def _in_braces(keys: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in keys.items()) + "}"


def _value(value: Any) -> str:
    return "true" if value is True else _scalar(str(value))


def _scalar(text: str) -> str:
    """A text as YAML, in quotes where it would be something else without."""
    is_plain = text.isprintable() and not _NO_PLAIN_CHARACTER.search(text) and (text[:1].isalpha() or text[:1] == "/")
    if is_plain and yaml.safe_load(text) == text:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _comment(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def path_of(files: Sequence[str], folder: str) -> str:
    """A path, glob or folder that stands for these files alone, from a folder where it lies below it. Raises
    ConfigError where there is none.
    """
    places = {os.path.abspath(file) for file in files}
    parents = {os.path.dirname(place) for place in places}
    common = os.path.commonpath(parents)
    if len(places) == 1:
        found = _escaped(next(iter(places)))
    elif len(parents) == 1:
        found = f"{_escaped(common)}/{_pattern(sorted(map(os.path.basename, places)), common)}"
    elif places == set(glob.glob(f"{glob.escape(common)}/**/*.*", recursive=True)):
        found = _escaped(common)
    else:
        raise ConfigError(f"Put the files of one kind into one folder: these lie in {counted(len(parents), 'folder')}.")
    below = os.path.relpath(found, _escaped(os.path.abspath(folder)))
    return found if below.startswith("..") else below


def _pattern(names: Sequence[str], folder: str) -> str:
    prefix = _common_start(names)
    suffix = _common_start([name[::-1] for name in names])[::-1]
    end = _escaped(suffix[suffix.find(".") :] if "." in suffix else "")
    words = re.match(r"[^0-9]*", prefix)
    beginnings = ("", words[0] if words else "", prefix)
    for pattern in (f"{_escaped(begin)}*{end}" for begin in beginnings):
        of_python = os.path.join(glob.escape(folder), pattern.replace("\\", ""))
        if sorted(map(os.path.basename, glob.glob(of_python))) == list(names):
            return pattern
    return "{" + ",".join(map(_escaped, names)) + "}"


def _common_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(char for char, _ in same)


def _escaped(path: str) -> str:
    """A path in which no character means something to a glob."""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", path)
