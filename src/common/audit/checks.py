"""Whether the tables hold what they should: every row read and checked, and computed ones compared with a recompute.

Nothing here writes. Values of personal columns are compared where they are and never brought here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from common.audit.findings import EXAMPLES_KEPT, NOT_SHOWN, Cell, Difference, Finding
from common.contract import AGGREGATE, CUSTOMERS, HOUR, SALES, Table
from common.lake.lake import Lake
from common.lake.provenance import Sources, pin_sources, recorded_sources, why_not_incremental
from common.marts.hourly_totals import sums_of_aggregate, sums_of_sales


@dataclass(frozen=True)
class Origin:
    """The source versions that a computed table is to be compared with."""

    sources: Sources
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def origin_of(lake: Lake, table: Table) -> Origin:
    """The source versions that the own last commit of a computed table names; the newest where its past is not clearly
    ours, which is a finding.
    """
    newest, recorded = pin_sources(lake), recorded_sources(lake, table)
    if isinstance(recorded, Sources):
        recorded = recorded.seen_by(table, newest)
    reason = recorded if isinstance(recorded, str) else None
    if isinstance(recorded, Sources) and _log_has(lake, recorded):
        reason = why_not_incremental(lake, recorded, newest)
    if isinstance(recorded, str) or reason:
        return Origin(newest, [Finding(table.name, "commits that are not clearly a run's", 1, [f"{reason}"])])
    if (recorded.sales_version, recorded.customers_version) == (newest.sales_version, newest.customers_version):
        return Origin(recorded)
    job = "load_sales" if table is AGGREGATE else "build_gold"
    note = (
        f"There are newer versions ({newest.in_words}) than those that {called(table)} was made of "
        f"({recorded.in_words}): the next {job} brings it up to date."
    )
    return Origin(recorded, notes=[note])


def called(table: Table) -> str:
    """A computed table, as a person speaks of it."""
    return "the aggregate" if table is AGGREGATE else table.name


def _log_has(lake: Lake, recorded: Sources) -> bool:
    """Whether the logs of the sources reach back to the recorded versions."""
    for table, version in ((SALES, recorded.sales_version), (CUSTOMERS, recorded.customers_version)):
        since = (lake.version(table) or 0) - version
        if since >= 0 and lake.history(table, limit=since + 1)[-1].version != version:
            return False
    return True


@dataclass(frozen=True)
class Checked:
    """How many rows (or keys) were looked at, and what was found."""

    rows: int
    findings: list[Finding]


def check_rows(rows: DataFrame, table: Table) -> Checked:
    """Read every value of every row once: keys are unique, no column is null that may not be, constraints hold."""
    key, wrong = _key_in_words(table.key, table), _wrong_rows(table)
    by_key = rows.groupBy(*table.key).agg(
        F.count(F.lit(1)).alias("times"),
        F.bit_xor(F.xxhash64(*_hashable(table))).alias("content"),
        *[F.count_if(is_wrong).alias(f"wrong_{number}") for number, (_, is_wrong) in enumerate(wrong)],
    )
    found = by_key.agg(
        F.sum("times").alias("rows"),
        F.bit_xor("content").alias("content"),
        F.count_if(F.col("times") > 1).alias("repeated"),
        *[F.sum(f"wrong_{number}").alias(f"wrong_{number}") for number in range(len(wrong))],
        *[F.min(F.when(F.col(f"wrong_{number}") > 0, key)).alias(f"first_{number}") for number in range(len(wrong))],
    ).collect()[0]
    findings = [
        Finding(table.name, what, found[f"wrong_{number}"], [f"first {found[f'first_{number}']}"])
        for number, (what, _) in enumerate(wrong)
        if found[f"wrong_{number}"]
    ]
    if found["repeated"]:
        first = (
            by_key.where("times > 1").select(key.alias("key"), "times").orderBy("key").limit(EXAMPLES_KEPT).collect()
        )
        named = [f"{row['key']} stands {row['times']} times" for row in first]
        findings.append(Finding(table.name, "keys that are there more than once", found["repeated"], named))
    return Checked(found["rows"] or 0, findings)


def _wrong_rows(table: Table) -> list[tuple[str, Column]]:
    """What may be wrong with a row, and whether it is. As in SQL, a constraint that comes to null is not broken."""
    nulls = [(f"rows without {c.name}", F.col(c.name).isNull()) for c in table.columns if not c.nullable]
    broken = [
        (f"rows that break the constraint {name}", ~F.coalesce(F.expr(check), F.lit(True)))
        for name, check in table.constraints
    ]
    return nulls + broken


def _hashable(table: Table) -> list[Column]:
    """Every column, so that every page of every file is decoded; a map has no hash, its entries have."""
    return [F.map_entries(c.name) if c.type.startswith("map<") else F.col(c.name) for c in table.columns]


def compare_groups(stored: DataFrame, expected: DataFrame) -> Checked:
    """Compare the aggregate with a full recompute, every cell of every group."""
    return _compare(stored, expected, AGGREGATE, AGGREGATE.key, "groups that are not what a full recompute gives")


def compare_rows(stored: DataFrame, expected: DataFrame, table: Table) -> Checked:
    """Compare another computed table with a full recompute, every cell of every row."""
    return _compare(stored, expected, table, table.key, "rows that are not what a full recompute gives")


def compare_sums(aggregate: DataFrame, sales: DataFrame) -> Checked:
    """Compare rows, units and money of every hour in the aggregate with those in the sales."""
    held, sold = sums_of_aggregate(aggregate).drop("groups"), sums_of_sales(sales)
    return _compare(held, sold, AGGREGATE, (HOUR,), "hours whose sums are not those of the sales")


def _compare(stored: DataFrame, expected: DataFrame, table: Table, key: Sequence[str], what: str) -> Checked:
    """Compare the rows of every key of either side, all columns, where two nulls are the same; `table` is the one that
    is compared.
    """
    left = stored.select(F.lit(True).alias("is_stored"), *_prefixed(stored, "stored_"))
    right = expected.select(F.lit(True).alias("is_expected"), *_prefixed(expected, "expected_"))
    is_same_key = [F.col(f"stored_{name}").eqNullSafe(F.col(f"expected_{name}")) for name in key]
    cells = F.array(*[_cell(name, table) for name in stored.columns if name not in key])
    kind = (
        F.when(F.col("is_stored").isNull(), "missing")
        .when(F.col("is_expected").isNull(), "extra")
        .when(F.exists(cells, lambda cell: cell["differs"]), "changed")
    )
    compared = left.join(right, on=reduce(Column.__and__, is_same_key), how="full").select(
        *[F.coalesce(f"stored_{name}", f"expected_{name}").alias(name) for name in key],
        kind.alias("kind"),
        F.filter(cells, lambda cell: cell["differs"]).alias("cells"),
    )
    counts = compared.agg(F.count(F.lit(1)).alias("keys"), F.count("kind").alias("differing")).collect()[0]
    if not counts["differing"]:
        return Checked(counts["keys"], [])
    first = compared.where("kind IS NOT NULL").orderBy(*key).limit(EXAMPLES_KEPT)
    rows = first.select(_key_in_words(key, table).alias("key"), "kind", "cells").collect()
    finding = Finding(table.name, what, counts["differing"], differences=[_difference(row) for row in rows])
    return Checked(counts["keys"], [finding])


def _cell(name: str, table: Table) -> Column:
    stored, expected = F.col(f"stored_{name}"), F.col(f"expected_{name}")
    is_personal = any(column.name == name and column.personal for column in table.columns)
    hidden = F.lit(NOT_SHOWN)
    return F.struct(
        F.lit(name).alias("column"),
        (~stored.eqNullSafe(expected)).alias("differs"),
        (hidden if is_personal else stored.cast("string")).alias("stored"),
        (hidden if is_personal else expected.cast("string")).alias("expected"),
    )


def _prefixed(rows: DataFrame, prefix: str) -> list[Column]:
    return [F.col(name).alias(f"{prefix}{name}") for name in rows.columns]


def _difference(row: Row) -> Difference:
    return Difference(row["key"], row["kind"], [Cell(c["column"], c["stored"], c["expected"]) for c in row["cells"]])


def _key_in_words(key: Sequence[str], table: Table) -> Column:
    """The key as text. An hour is UTC, whatever the session's time zone."""
    types = {column.name: column.type for column in table.columns}
    utc = "substring(string(TIMESTAMP_NTZ '1970-01-01 00:00:00' + make_dt_interval(0, 0, 0, unix_seconds({}))), 1, 16)"
    parts = [F.expr(utc.format(name)) if types[name] == "timestamp" else F.col(name) for name in key]
    return F.concat_ws(" ", *[F.coalesce(part, F.lit("(null)")) for part in parts])
