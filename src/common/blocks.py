"""What each task found in its part of a file: counts, first places, and sums that identify the file's content."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.quality import Rule


@dataclass(frozen=True)
class Block:
    """What one task found in its part of a file."""

    file: int
    block: int
    lines: int
    first_position: int
    headers: int
    rows: int
    rejected: int
    has_open_quote: bool
    fingerprint: tuple[int, int, int, int]
    broken: dict[str, tuple[int, int]]


def summarize(rows: DataFrame, rules: list[Rule]) -> list[Block]:
    """One pass over the rows, one result per part of a file."""
    is_row = ~F.col("is_blank") & ~F.col("is_header")
    sums = [
        F.sum(F.shiftrightunsigned(_line_hash(seed), 32) if high else _line_hash(seed).bitwiseAND(0xFFFFFFFF))
        for seed in (1, 2)
        for high in (True, False)
    ]
    is_broken = [f"array_contains(broken_rules, '{rule.name}')" for rule in rules]
    found = rows.groupBy("file", "block").agg(
        F.count(F.lit(1)).alias("lines"),
        F.min("position").alias("first_position"),
        F.count_if("is_header").alias("headers"),
        F.count_if(is_row).alias("rows"),
        F.count_if(F.col("is_rejected") & ~F.col("is_blank")).alias("rejected"),
        F.max("has_open_quote").alias("has_open_quote"),
        F.array(*sums).alias("fingerprint"),
        F.expr(f"array({', '.join(f'count_if({condition})' for condition in is_broken)})").alias("broken"),
        F.expr(f"array({', '.join(f'min(IF({condition}, position, NULL))' for condition in is_broken)})").alias(
            "first"
        ),
    )
    return [
        Block(
            file=row["file"],
            block=row["block"],
            lines=row["lines"],
            first_position=row["first_position"],
            headers=row["headers"],
            rows=row["rows"],
            rejected=row["rejected"],
            has_open_quote=row["has_open_quote"],
            fingerprint=tuple(row["fingerprint"]),
            broken={
                rule.name: (count, first)
                for rule, count, first in zip(rules, row["broken"], row["first"], strict=True)
                if count
            },
        )
        for row in found.collect()
    ]


def _line_hash(seed: int) -> Column:
    return F.when(F.col("is_blank"), F.lit(0).cast("bigint")).otherwise(F.xxhash64(F.lit(seed), "raw_line"))


def fingerprints_of(blocks: list[Block]) -> dict[int, str]:
    """By file, 128 bits of its lines in any order: two files with the same fingerprint hold the same rows."""
    sums: dict[int, list[int]] = {}
    for block in blocks:
        total = sums.setdefault(block.file, [0, 0])
        high_1, low_1, high_2, low_2 = block.fingerprint
        total[0] = (total[0] + (high_1 << 32) + low_1) % (1 << 64)
        total[1] = (total[1] + (high_2 << 32) + low_2) % (1 << 64)
    return {file: f"{first:016x}{second:016x}" for file, (first, second) in sums.items()}
