"""Tables of an older lake format are brought to the format of now, by what they lack of the contract.

Each step is one commit. What is still lacking is looked up in the table itself, and that it is of the new format comes
last. So a run that follows one that died does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from common.contract import OPTIONAL_TABLES, RUNS, TABLES, Table
from common.contract.formats import FORMAT, FORMAT_PROPERTY, formats_after, newer_format
from common.errors import NewerFormatError
from common.lake.commit_note import CommitNote
from common.lake.ddl import CONSTRAINT_PROPERTY, replace_statement
from common.lake.lake import Lake
from common.spark.sql import literal, quoted


@dataclass(frozen=True)
class Upgrade:
    """A table, and the lake formats that it is brought from and to."""

    table: str
    from_format: int
    to_format: int


def check_format(lake: Lake, tables: Sequence[Table]) -> None:
    """Raise NewerFormatError where one of the tables is of a format that this code does not know."""
    for table in tables:
        number = lake.format_of(table)
        if number is not None and number > FORMAT:
            raise NewerFormatError(newer_format(lake.place(table), number))


def tables_of_loads(lake: Lake) -> Sequence[Table]:
    """Where one of the tables that every load keeps is of an older format: all that a load reads, pipeline_runs last.
    Else none: no run is to read the log of another table for this.
    """
    if not upgrades(lake, TABLES):
        return ()
    return (*OPTIONAL_TABLES, *(table for table in TABLES if table is not RUNS), RUNS)


def upgrades(lake: Lake, tables: Sequence[Table]) -> list[Upgrade]:
    """What `bring_up_to_date` would do."""
    found = [(table.name, lake.format_of(table)) for table in tables]
    return [Upgrade(name, number, FORMAT) for name, number in found if number is not None and number < FORMAT]


def bring_up_to_date(lake: Lake, tables: Sequence[Table], note: CommitNote) -> list[Upgrade]:
    """Have those of the tables that are there be what the contract says; returns what was done. One that is made anew
    is left without a row, for its job to compute.
    """
    done: list[Upgrade] = []
    for table in tables:
        for upgrade in upgrades(lake, [table]):
            for statement in _statements(lake, table, upgrade.from_format):
                lake.alter(table, statement, note)
            done.append(upgrade)
    return done


def is_made_anew(table: Table, number: int | None) -> bool:
    """Whether a table of that format has other columns, or rows of another meaning, than the contract says."""
    return number is not None and any(table.name in each.made_anew for each in formats_after(number))


def _statements(lake: Lake, table: Table, number: int) -> Iterator[str]:
    """The statements, each one commit, that bring a table of an older format to that of now."""
    name = lake.name(table)
    if is_made_anew(table, number):
        yield replace_statement(lake.spark, name, table)
        return
    yield from lacking(lake, table, number)
    yield f"ALTER TABLE {name} SET TBLPROPERTIES ({literal(FORMAT_PROPERTY)} = {literal(str(FORMAT))})"


def lacking(lake: Lake, table: Table, number: int) -> Iterator[str]:
    """The statements that a table of a format needs to be what the contract says; none where it is."""
    name, detail = lake.name(table), lake.detail(table)
    held = {
        key.removeprefix(CONSTRAINT_PROPERTY): check
        for key, check in detail["properties"].items()
        if key.startswith(CONSTRAINT_PROPERTY)
    }
    for each in formats_after(number):
        for constraint in each.constraints_gone.get(table.name, ()):
            if constraint in held:
                yield f"ALTER TABLE {name} DROP CONSTRAINT IF EXISTS {quoted(constraint)}"
    fields = {field.name: field for field in lake.spark.table(name).schema.fields}
    before = None
    for column in table.columns:
        altered, comment = f"ALTER TABLE {name} ALTER COLUMN {quoted(column.name)}", literal(column.comment)
        if column.name not in fields:
            place = f"AFTER {quoted(before)}" if before else "FIRST"
            yield f"ALTER TABLE {name} ADD COLUMNS ({quoted(column.name)} {column.type} COMMENT {comment} {place})"
        elif fields[column.name].metadata.get("comment") != column.comment:
            yield f"{altered} COMMENT {comment}"
        if column.nullable and column.name in fields and not fields[column.name].nullable:
            yield f"{altered} DROP NOT NULL"
        before = column.name
    for constraint, check in table.constraints:
        if _plain(held.get(constraint, "")) == _plain(check):
            continue
        if constraint in held:
            yield f"ALTER TABLE {name} DROP CONSTRAINT IF EXISTS {quoted(constraint)}"
        yield f"ALTER TABLE {name} ADD CONSTRAINT {quoted(constraint)} CHECK ({check})"
    if detail["description"] != table.comment:
        yield f"COMMENT ON TABLE {name} IS {literal(table.comment)}"


def _plain(check: str) -> str:
    """A constraint without spaces: ADD CONSTRAINT keeps it with others than it was written with."""
    return "".join(check.split())
