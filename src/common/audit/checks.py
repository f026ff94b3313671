"""Whether the tables hold what they should: every row read and checked, and computed ones compared with a recompute.

Nothing here writes. Values of personal columns are compared where they are and never brought here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from common.audit.findings import EXAMPLES_KEPT, NOT_SHOWN, Cell, Difference, Finding
from common.contract import AGGREGATE, HOUR, Table
from common.marts.hourly_totals import HourlyTotals


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


def compare_rows(stored: DataFrame, expected: DataFrame, table: Table) -> Checked:
    """Compare a computed table with a full recompute, every cell of every row."""
    rows = "groups" if table is AGGREGATE else "rows"
    return _compare(stored, expected, table, table.key, f"{rows} that are not what a full recompute gives")


def compare_totals(stored: DataFrame, sales: DataFrame, table: Table, totals: HourlyTotals) -> Checked:
    """Compare rows, units and money of every hour in a computed table with those in the sales."""
    held, sold = totals.of_table(stored).drop("groups"), totals.of_sales(sales)
    return _compare(held, sold, table, (HOUR,), "hours whose sums are not those of the sales")


def _compare(stored: DataFrame, expected: DataFrame, table: Table, key: Sequence[str], what: str) -> Checked:
    """Compare the rows of every key of either side, all columns, where two nulls are the same; `table` is the one that
    is compared. What is added has names that no table has: one may have a KIND.
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
        kind.alias("_kind"),
        F.filter(cells, lambda cell: cell["differs"]).alias("_cells"),
    )
    counts = compared.agg(F.count(F.lit(1)).alias("keys"), F.count("_kind").alias("differing")).collect()[0]
    if not counts["differing"]:
        return Checked(counts["keys"], [])
    first = compared.where("_kind IS NOT NULL").orderBy(*key).limit(EXAMPLES_KEPT)
    rows = first.select(_key_in_words(key, table).alias("_key"), "_kind", "_cells").collect()
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
    cells = [Cell(c["column"], c["stored"], c["expected"]) for c in row["_cells"]]
    return Difference(row["_key"], row["_kind"], cells)


def _key_in_words(key: Sequence[str], table: Table) -> Column:
    """The key as text. An hour is UTC, whatever the session's time zone."""
    types = {column.name: column.type for column in table.columns}
    utc = "substring(string(TIMESTAMP_NTZ '1970-01-01 00:00:00' + make_dt_interval(0, 0, 0, unix_seconds({}))), 1, 16)"
    parts = [F.expr(utc.format(name)) if types[name] == "timestamp" else F.col(name) for name in key]
    return F.concat_ws(" ", *[F.coalesce(part, F.lit("(null)")) for part in parts])
