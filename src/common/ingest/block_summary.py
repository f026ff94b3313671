"""What each task found in its part of a file: counts, first places, and sums that identify the file's content."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

LINE_HASHES = ("line_hash_1", "line_hash_2")


@dataclass(frozen=True)
class BlockSummary:
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


def summarize(rows: DataFrame) -> list[BlockSummary]:
    """One pass over the rows, one result per part of a file."""
    is_row = ~F.col("is_blank") & ~F.col("is_header")
    sums = [
        F.sum(F.shiftrightunsigned(line_hash, 32) if high else F.col(line_hash).bitwiseAND(0xFFFFFFFF))
        for line_hash in LINE_HASHES
        for high in (True, False)
    ]
    # Rows break few combinations of rules, most of them none: so there are few results.
    found = rows.groupBy("file", "block", "broken_rules").agg(
        F.count(F.lit(1)).alias("lines"),
        F.min("position").alias("first_position"),
        F.count_if("is_header").alias("headers"),
        F.count_if(is_row).alias("rows"),
        F.count_if(F.col("is_rejected") & ~F.col("is_blank")).alias("rejected"),
        F.max("has_open_quote").alias("has_open_quote"),
        F.array(*sums).alias("fingerprint"),
    )
    blocks: dict[tuple[int, int], BlockSummary] = {}
    for row in found.collect():
        part = BlockSummary(
            file=row["file"],
            block=row["block"],
            lines=row["lines"],
            first_position=row["first_position"],
            headers=row["headers"],
            rows=row["rows"],
            rejected=row["rejected"],
            has_open_quote=row["has_open_quote"],
            fingerprint=tuple(row["fingerprint"]),
            broken=dict.fromkeys(row["broken_rules"], (row["lines"], row["first_position"])),
        )
        before = blocks.get((part.file, part.block))
        blocks[part.file, part.block] = part if before is None else _together(before, part)
    return list(blocks.values())


def _together(one: BlockSummary, other: BlockSummary) -> BlockSummary:
    """What was found in two parts of a block."""
    broken = dict(one.broken)
    for rule, (count, first) in other.broken.items():
        before = broken.get(rule, (0, first))
        broken[rule] = (before[0] + count, min(before[1], first))
    high_1, low_1, high_2, low_2 = (a + b for a, b in zip(one.fingerprint, other.fingerprint, strict=True))
    return BlockSummary(
        file=one.file,
        block=one.block,
        lines=one.lines + other.lines,
        first_position=min(one.first_position, other.first_position),
        headers=one.headers + other.headers,
        rows=one.rows + other.rows,
        rejected=one.rejected + other.rejected,
        has_open_quote=one.has_open_quote or other.has_open_quote,
        fingerprint=(high_1, low_1, high_2, low_2),
        broken=broken,
    )


def line_hashes() -> dict[str, Column]:
    """What `summarize` needs to know of a line, to tell a file by its lines."""
    is_blank, nothing = F.col("is_blank"), F.lit(0).cast("bigint")
    return {
        name: F.when(is_blank, nothing).otherwise(F.xxhash64(F.lit(seed), "raw_line"))
        for seed, name in enumerate(LINE_HASHES, start=1)
    }


def fingerprints_of(blocks: list[BlockSummary]) -> dict[int, str]:
    """By file, 128 bits of its lines in any order: two files with the same fingerprint hold the same rows."""
    sums: dict[int, list[int]] = {}
    for block in blocks:
        total = sums.setdefault(block.file, [0, 0])
        high_1, low_1, high_2, low_2 = block.fingerprint
        total[0] = (total[0] + (high_1 << 32) + low_1) % (1 << 64)
        total[1] = (total[1] + (high_2 << 32) + low_2) % (1 << 64)
    return {file: f"{first:016x}{second:016x}" for file, (first, second) in sums.items()}
