"""What is held of one customer, how it is taken out of the lake, and how the lake is searched for it afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import AGGREGATE, CUSTOMERS, FORGOTTEN, HOUR, OPTIONAL_TABLES, REJECTED, RUNS, SALES, Table
from common.csv_files.feed_format import FeedFormat
from common.errors import ConfigError
from common.lake.commit_note import CommitNote
from common.lake.lake import Lake
from common.maintenance.compaction import vacuum
from common.maintenance.log_search import found_in_log, found_in_old_files
from common.maintenance.person import Person, Trace
from common.maintenance.search import found_in_paths, found_in_rejected, found_in_tables
from common.marts.registry import built_tables
from common.spark.driver_rows import local_rows
from common.spark.times import hours_in

# So much of the id of a rejected row tells it from the others.
_SHORTEST_ID = 8


def _about_customers() -> Sequence[Table]:
    """The tables that have, or count, what a customer did."""
    return (SALES, CUSTOMERS, AGGREGATE, REJECTED, *built_tables())


def tables_with_rows(lake: Lake) -> list[Table]:
    """The tables whose rows name their customer, as far as the lake has them."""
    return [table for table in _about_customers() if table.names_customers and lake.version(table) is not None]


def rows_about(lake: Lake, table: Table, person: Person) -> DataFrame:
    """The rows of a table that names customers about the person."""
    return lake.read(table, lake.version(table)).where(F.col("CUSTOMER_ID") == person.customer_id)


def take_out(lake: Lake, table: Table, person: Person, note: CommitNote) -> None:
    """Remove the person's rows from a table, in one commit or none."""
    rows = rows_about(lake, table, person)
    hours = hours_in(rows) if HOUR in table.partitioned_by else None
    lake.remove(table, rows.select(*table.key), hours=hours, note=note)


def take_out_lines(lake: Lake, lines: Sequence[Trace], note: CommitNote) -> None:
    """Remove rejected rows, in one commit or none."""
    ids = local_rows(lake.spark, [(line.rejected_id,) for line in lines], "rejected_id string")
    lake.remove(REJECTED, ids, hours=None, note=note)


def named_lines(option: str, ids: Sequence[str], lines: Sequence[Trace]) -> list[Trace]:
    """Those of some lines that a person names by the beginning of their rejected_id; raises ConfigError where one is
    not among them.
    """
    found: list[Trace] = []
    for given in ids:
        these = [line for line in lines if line.rejected_id and line.rejected_id.startswith(given)]
        if len(given) < _SHORTEST_ID or len({line.rejected_id for line in these}) != 1:
            raise ConfigError(
                f"{option}: {given} is not the rejected_id of one of the rows that the plan lists there, or less than "
                f"{_SHORTEST_ID} characters of one. No table was changed."
            )
        found += these
    return found


def reject_from_now_on(lake: Lake, person: Person, at: str, note: CommitNote) -> None:
    """Have every later run reject the person's rows, whatever file they come from."""
    lake.create([FORGOTTEN])
    row = local_rows(lake.spark, [(person.customer_hash, at)], "customer_hash string, at string")
    row = row.select("customer_hash", F.col("at").cast("timestamp").alias("forgotten_at"))
    lake.insert_missing(FORGOTTEN, row, note=note)


def purge(lake: Lake) -> None:
    """Delete the files of older versions, and of change feeds, of every table in which the person was."""
    for table in _about_customers():
        if lake.version(table) is None:
            continue
        vacuum(lake, table, retain_hours=0)


def traces(lake: Lake, person: Person, formats: Mapping[str, FeedFormat]) -> Iterator[Trace]:
    """Where anything of the person stands, or may stand: in the columns of the tables that name a customer, in rejected
    rows, and in paths of files; for a lake in a local folder, also in the logs, and in any data file of older versions.
    """
    yield from found_in_tables(lake, tables_with_rows(lake), person)
    yield from found_in_rejected(lake, person, formats)
    yield from found_in_paths(lake, person)
    has_the_name = (F.col("NAME") == person.name) & (F.col("CUSTOMER_ID") != person.customer_id)
    name_is_theirs = lake.read(CUSTOMERS, lake.version(CUSTOMERS)).where(has_the_name).isEmpty()
    for table in _about_customers():
        yield from found_in_old_files(lake, table)
    for table in (*_about_customers(), RUNS, *OPTIONAL_TABLES):
        yield from found_in_log(lake, table, person, name_is_theirs=name_is_theirs)
