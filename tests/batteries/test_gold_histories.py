"""Whatever happens to a lake and to its gold tables, build_gold makes them what another engine computes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from common.marts.registry import gold_tables
from jobs import build_gold, maintain
from support import meddling
from support.arriving_rows import VALUES, line_of
from support.batteries import Battery
from support.expected_gold import gold_versions, wrong_gold
from support.expected_lake import ExpectedLake
from support.histories import History, told
from support.lakes import Outcome, Workbench, assert_did_as_planned
from support.random_histories import TO_NEXT_SEED, Steps, let_anything_happen, possible_steps

GOLD = [table.name for table in gold_tables()]
# Around the ends of the last 7 days and of those before, seen from the newest times of VALUES.
TIMES = [
    "2025-02-15 09:59:59.999999",
    "2025-02-15 10:00:00",
    "2025-02-15T12:00:00+01:00",
    "2025-02-08 10:15:00",
    "2025-02-08 11:00:00",
    "2025-02-01 09:15:00",
]
MAINTENANCE = {"OPTIMIZE", "VACUUM"}
# What no constraint refuses.
CHANGES = {
    "sales_hourly": "RETURNS = RETURNS + 1, RETURNED_UNITS = RETURNED_UNITS + 1, UNITS = UNITS - 1",
    "product_performance": "SALES_RANK = 7",
    "customer_summary": "COUNTRY = 'Elsewhere'",
    "customer_segments": "COUNTRY = 'Elsewhere'",
}
WAYS_TO_MEDDLE = ["DELETE", "UPDATE", "INSERT", "RESTORE", "OPTIMIZE", "VACUUM"]


class GoldHistory(History):
    """A history of a lake with gold tables, of sales with returns and guests. After a build, each table must be what
    DuckDB computes from the model.
    """

    def __init__(self, bench: Workbench, tally: Counter[str] | None = None, name: str = "this history") -> None:
        super().__init__(bench, tally, name)
        feeds = bench.folder / "feeds.yml"
        feeds.write_text("transactions:\n  returns: allow\n  guests: allow\n")
        self.options = (f"--feeds={feeds}",)
        self.expected = ExpectedLake.of_returns_and_guests()
        self.meddled: set[str] = set(GOLD)

    @told
    def gold_is_built(self) -> None:
        self._build()

    @told
    def gold_is_built_after_a_dry_run(self) -> None:
        before = self.bench.versions()
        planned = self._run("--dry-run")
        self._assert_none([] if self.bench.versions() == before else ["the dry run wrote"])
        assert_did_as_planned(planned, self._build())

    @told
    def gold_is_meddled_with(self, table: str, what: str, engine: str) -> None:
        """Someone changes a gold table by hand, or maintains it."""
        spark, path = self.bench.spark, self.bench.path(table)
        before = DeltaTable(path).version()
        key = next(t.key[0] for t in gold_tables() if t.name == table)
        if what == "OPTIMIZE":
            meddling.optimize(spark, path, engine)
        elif what == "VACUUM":
            meddling.vacuum(spark, path, engine)
        elif what == "RESTORE":
            meddling.restore(spark, path, engine, before)
        elif what == "DELETE":
            first = spark.sql(f"SELECT string(min({key})) FROM delta.`{path}`").collect()[0][0]
            meddling.delete(spark, path, "Spark", key, first)
        elif what == "UPDATE":
            spark.sql(f"UPDATE delta.`{path}` SET {CHANGES[table]}").collect()
        else:
            spark.sql(f"INSERT INTO delta.`{path}` SELECT * FROM delta.`{path}` LIMIT 1").collect()
        if what not in MAINTENANCE and DeltaTable(path).version() != before:
            self.meddled.add(table)

    @told
    def lake_is_maintained(self) -> None:
        """The job changes no row, and is no stranger."""
        outcome = self.bench.run(maintain, f"--lake={self.bench.lake}")
        self._assert_none([] if outcome.report else [outcome.error])
        self.runs += 1
        for table in self.versions:
            self._note_version(table)

    def end(self) -> None:
        super().end()
        self.gold_is_built()

    def _build(self) -> Outcome:
        """Build twice: the first time, gold becomes right, and whole where it was meddled with; the second, nothing."""
        done = self._run()
        assert done.report is not None
        whole = set(done.report["gold_recomputed_whole"])
        wrong = wrong_gold(self.bench, self.expected.sales_table, self.expected.customers_table)
        wrong += [f"{table} was not computed whole" for table in sorted(self.meddled - whole)]
        self.meddled = set()
        versions = gold_versions(self.bench)
        again = self._run()
        assert again.report is not None
        if not again.report["changed_nothing"] or gold_versions(self.bench) != versions:
            wrong.append("a second build wrote")
        self._assert_none(wrong)
        self.runs += 2
        self.tally["builds"] += 2
        return done

    def _run(self, *options: str) -> Outcome:
        outcome = self.bench.run(build_gold, f"--lake={self.bench.lake}", *options)
        self._assert_none([] if outcome.report else [outcome.error])
        return outcome


def possible_steps_with_gold(history: GoldHistory) -> Steps:
    """What can come next to a lake with gold tables."""
    steps = possible_steps(history)
    ids, customers, products, quantities, prices, _ = VALUES["transactions"]
    values = [ids, [*customers, "", "guest"], products, [*quantities, "-1", "-3", "-02.0"], prices, TIMES]
    sale: st.SearchStrategy[Any] = st.tuples(*map(st.sampled_from, values)).map(line_of)
    by_id = st.lists(sale, min_size=1, max_size=5, unique_by=lambda line: line.partition(",")[0])
    steps["sales_arrive"] = (8, {"lines": by_id})
    if history.loads:
        steps |= {"gold_is_built": (6, {}), "gold_is_built_after_a_dry_run": (2, {}), "lake_is_maintained": (1, {})}
    if (history.bench.lake / GOLD[-1]).exists():
        steps["gold_is_meddled_with"] = (
            5,
            {
                "table": st.sampled_from(GOLD),
                "what": st.sampled_from(WAYS_TO_MEDDLE),
                "engine": st.sampled_from(meddling.ENGINES),
            },
        )
    return steps


@pytest.mark.battery
def test_gold_histories(spark: SparkSession, tmp_path: Path, battery: Battery) -> None:
    rounds = battery.rounds(50)
    tally: Counter[str] = Counter()
    for number in range(rounds):
        own_seed = battery.seed + number * TO_NEXT_SEED
        name = (
            f"history {number + 1} of seed {battery.seed} (alone: ./run-tests.sh -m battery -k test_gold_histories "
            f"--seed {own_seed} --share {1 / 50:g})"
        )
        folder = tmp_path / f"history_{number + 1}"
        let_anything_happen(spark, folder, own_seed, name, tally, GoldHistory, possible_steps_with_gold)
    battery.passed(
        f"{rounds} histories, {tally['steps']} steps, {tally['loads']} loads, {tally['builds']} builds of gold, "
        "0 differences"
    )
