"""What becomes of every row of a feed: rejected beside others, or new, corrected, unchanged, duplicate in the lake."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import HOUR, SALES, Table
from common.errors import DataRefusedError
from common.ingest.batch import FORGOTTEN_RULE, Batch
from common.ingest.counts import count_outcomes
from common.ingest.ledger import MAX_REJECTED_SHARE, FeedLedger, RuleCount
from common.ingest.outcomes import (
    CORRECTED,
    DUPLICATE,
    MOST_BROADCAST,
    NEW,
    REJECTED,
    UNCHANGED,
    repeated_keys,
    with_known_customer,
    with_outcome,
    with_relations,
)
from common.ingest.rules import QualityRules, advice_on, is_rejected, names_of, with_broken_rules
from common.ingest.sequences import with_order, withdrawn
from common.lake.commit_note import CommitNote
from common.lake.commits import Commit
from common.lake.id_index import hours_by_id, id_hash
from common.lake.lake import Lake
from common.spark.driver_rows import no_rows
from common.spark.failures import SPARK_ERRORS
from common.spark.parallel import side_by_side
from common.spark.session import keep, unpersist
from common.spark.sql import hours_condition
from common.spark.times import hour_of, hours_in
from common.words import counted


@dataclass(frozen=True)
class Decision:
    """The rows of one feed, decided. Hours are those of sales; customers have none.

    `outcomes` is one row per row that was accepted by itself, None where no file was read; `changes` is one row per key
    that the lake must take over, of which `replaced_rows` take the place of one that it holds; `hours` are those that
    they come from or go to. With sequences, the lake no longer holds the `withdrawn` rows, and `outdated_rows` came
    after ones with a higher sequence.
    """

    batch: Batch
    ledger: FeedLedger
    changes: DataFrame
    changed_rows: int = 0
    replaced_rows: int = 0
    rejected_together: DataFrame | None = None
    broken: dict[str, RuleCount] = field(default_factory=dict)
    hours: list[datetime] = field(default_factory=list)
    moved: int = 0
    unknown_customer_rows: int = 0
    outcomes: DataFrame | None = None
    withdrawn: DataFrame | None = None
    withdrawn_rows: int = 0
    outdated_rows: int = 0

    def unpersist(self) -> None:
        """Free what the rows hold in memory and on local disk, beside what the batch holds."""
        if self.outcomes is not None:
            unpersist(self.outcomes)


def decide(
    lake: Lake,
    batch: Batch,
    table: Table,
    version: int | None,
    rules: QualityRules,
    customers: list[DataFrame],
    *,
    by_sequence: bool = True,
) -> Decision:
    """Decide what becomes of the accepted rows of a feed, against the version of its table that the lake holds.

    `customers` are the known ones, for a feed of sales; none for customers themselves. Where the feed has a sequence,
    it counts, unless not `by_sequence`.
    """
    feed = batch.feed
    is_of_sales = HOUR in table.column_names
    if not batch.files:
        nothing = FeedLedger(feed.name, 0, batch.skipped, 0, 0, 0, 0, 0, 0)
        return Decision(batch, nothing, no_changes(lake, table))

    held = lake.read(table, version)
    rows = batch.accepted
    if is_of_sales:
        rows = with_known_customer(rows, *customers).withColumn(HOUR, hour_of(F.col("TRANSACTION_DATE")))
        repeated, held_hours = side_by_side(
            partial(repeated_keys, batch.accepted, feed), partial(_hours_holding, lake, version, batch)
        )
        held = held.where(hours_condition(HOUR, held_hours))
    else:
        repeated = repeated_keys(rows, feed)
    by_sequence = by_sequence and batch.format.sequence is not None
    if by_sequence:
        outcomes = _outcomes_of(with_order(rows, lake, feed), held, batch, rules, is_alone=False, has_order=True)
    else:
        outcomes = _outcomes(rows, held, batch, rules, repeated)
    if version is not None:
        # Beside nothing held, there is nothing to look up, and the rows are kept already.
        keep(outcomes)

    counts = count_outcomes(outcomes, is_of_sales, batch)
    rejected_together = counts.by_outcome.get(REJECTED, 0)
    gone = withdrawn(outcomes, table) if by_sequence and rejected_together else None
    if gone is not None and is_of_sales:
        counts.hours |= set(hours_in(gone))
    return Decision(
        batch=batch,
        ledger=FeedLedger(
            feed=feed.name,
            files=len(batch.files),
            files_skipped=batch.skipped,
            rows_read=batch.rows_read,
            new=counts.by_outcome.get(NEW, 0),
            corrected=counts.by_outcome.get(CORRECTED, 0),
            unchanged=counts.by_outcome.get(UNCHANGED, 0),
            duplicate=counts.by_outcome.get(DUPLICATE, 0),
            rejected=batch.rejected + rejected_together,
        ),
        changes=outcomes.where("is_change"),
        changed_rows=counts.changes,
        replaced_rows=counts.replaced,
        rejected_together=outcomes.where("is_rejected") if rejected_together else None,
        broken=batch.broken() | counts.broken,
        hours=sorted(counts.hours),
        moved=counts.moved,
        unknown_customer_rows=counts.unknown_customer_rows,
        outcomes=outcomes,
        withdrawn=gone,
        withdrawn_rows=gone.count() if gone is not None else 0,
        outdated_rows=outcomes.where("is_outdated AND NOT is_rejected").count() if by_sequence else 0,
    )


def no_changes(lake: Lake, table: Table) -> DataFrame:
    """The `changes` of a decision where there are none."""
    values = ", ".join(f"`{column.name}`: {column.type}" for column in table.columns if column.name not in table.key)
    return no_rows(lake.spark, f"{table.ddl}, current_values struct<{values}>")


def _outcomes(
    rows: DataFrame, held: DataFrame, batch: Batch, rules: QualityRules, repeated: DataFrame | None
) -> DataFrame:
    """The rows with their outcome. Most keys have one row, which needs no look at others, and so no sort."""
    if repeated is None:
        return _outcomes_of(rows, held, batch, rules, is_alone=True)
    hashed = rows.withColumn("id_hash", id_hash(batch.feed.key))
    alone = hashed.join(repeated, on="id_hash", how="left_anti").drop("id_hash")
    together = hashed.join(repeated, on="id_hash", how="left_semi").drop("id_hash")
    return _outcomes_of(alone, held, batch, rules, is_alone=True).unionByName(
        _outcomes_of(together, held, batch, rules, is_alone=False)
    )


def _outcomes_of(
    rows: DataFrame, held: DataFrame, batch: Batch, rules: QualityRules, *, is_alone: bool, has_order: bool = False
) -> DataFrame:
    feed = batch.feed
    rules_together = rules.of_feed_together(feed.name)
    if not has_order:
        rows = with_relations(rows, feed, is_alone=is_alone, last_counts=batch.format.last_counts)
    rows = with_broken_rules(rows, "broken_rules", rules_together)
    rows = rows.withColumn("is_rejected", is_rejected(rules_together))
    return with_outcome(rows, held, feed, is_alone=is_alone)


def merge_changes(lake: Lake, table: Table, decision: Decision, note: CommitNote) -> Commit | None:
    """Have the table take over what was decided, in one commit that carries the counts; None where nothing changes."""
    if not decision.changed_rows and not decision.withdrawn_rows:
        return None
    note = replace(note, ledger=vars(decision.ledger))
    hours = decision.hours if table is SALES else None
    if decision.withdrawn is not None and decision.withdrawn_rows:
        note = replace(note, removed=decision.withdrawn_rows)
        changes = decision.changes.select(*table.column_names, F.lit(False).alias("is_gone"))
        changes = changes.union(decision.withdrawn.select(*table.column_names, F.lit(True).alias("is_gone")))
        return lake.merge(table, changes, hours=hours, note=note, delete_when="source.is_gone")
    if not decision.replaced_rows:
        return lake.append(table, decision.changes.select(*table.column_names), note=note)
    return lake.merge(table, decision.changes, hours=hours, note=note)


def check_may_load(decision: Decision, rules: QualityRules, max_rejected_share: float) -> None:
    """Raise DataRefusedError where a rule says fail, too many rows are rejected, or rows are not accounted for."""
    feed, ledger = decision.batch.feed, decision.ledger
    all_rules = rules.all_of_feed(feed.name)
    for rule in names_of(all_rules, "fail"):
        if rule in decision.broken:
            count = decision.broken[rule]
            advice = advice_on(all_rules, rule) or "Correct the file, or the rule in quality.yml."
            raise DataRefusedError(
                f"{count.first_place}: breaks the rule {rule}, as {counted(count.rows, 'row')} in all. One such row is "
                f"enough to refuse the run. No table was changed. {advice}"
            )
    rejected = rejected_rows_of(decision)
    if ledger.rows_read and rejected / ledger.rows_read > max_rejected_share:
        share = rejected / ledger.rows_read
        raise DataRefusedError(
            f"{rejected:,} of {ledger.rows_read:,} rows of {feed.name} would be rejected, a share of {share:.2g}, and "
            f"--max-rejected-share allows {max_rejected_share:g} (default: {MAX_REJECTED_SHARE:g})"
            f"{'; of so few rows, one is too many' if max_rejected_share * ledger.rows_read < 1 else ''}. "
            "No table was changed. To load the others, and keep these in rejected_rows, run again with "
            f"--max-rejected-share {math.ceil(share * 100) / 100:g}. {reasons_of(decision, rules)}"
        )
    if ledger.balance != 0:
        raise DataRefusedError(
            f"{abs(ledger.balance):,} rows of {feed.name} are not accounted for ({ledger}); no table was changed. "
            "Please report this."
        )


def rejected_rows_of(decision: Decision) -> int:
    """How many rows are rejected for what they say, and not for whom they are about."""
    forgotten = decision.broken.get(FORGOTTEN_RULE)
    return decision.ledger.rejected - (forgotten.rows if forgotten else 0)


def reasons_of(decision: Decision, rules: QualityRules) -> str:
    """The rules that rows of the feed are rejected by, each with how many, where the first stands, and what to do."""
    all_rules = rules.all_of_feed(decision.batch.feed.name)
    rejecting = names_of(all_rules, "reject")
    found = {rule: count for rule, count in decision.broken.items() if rule in rejecting}
    reasons = [f"{rule} {count.rows:,} (first: {count.first_place})" for rule, count in found.items()]
    advice = dict.fromkeys(text for text in (advice_on(all_rules, rule) for rule in found) if text)
    return " ".join([f"Reasons: {'; '.join(reasons)}.", *advice])


def _hours_holding(lake: Lake, version: int | None, batch: Batch) -> list[datetime]:
    """The hours in which the lake may hold any id of the rows: from the index of ids, or else from a look at one narrow
    column of every hour; no hour where it has no sales (`version` None).
    """
    if version is None:
        return []
    key = batch.feed.key

    def hours_of(held: DataFrame, keys: DataFrame) -> list[datetime]:
        if batch.rows_read <= MOST_BROADCAST:
            keys = F.broadcast(keys)
        return hours_in(held.join(keys, on=keys.columns, how="left_semi"))

    indexed = hours_by_id(lake, version)
    if indexed is not None:
        # Where the changes since the index can no longer be read, all hours are looked through.
        with suppress(*SPARK_ERRORS):
            return hours_of(indexed, batch.accepted.select(id_hash(key)))
    return hours_of(lake.read(SALES, version).select(key, HOUR), batch.accepted.select(key))
