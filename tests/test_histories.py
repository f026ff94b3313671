"""Whatever happens to a lake, after each load all its tables are what they should be."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from batteries import Battery
from histories import History
from lakes import Workbench

STEPS = 10
# From the seed of one history to that of the next, so that batteries with seeds that are close have none in common.
TO_NEXT_SEED = 1_000_003


@pytest.mark.battery
def test_histories(spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str], battery: Battery) -> None:
    rounds = battery.rounds(100)
    tally: Counter[str] = Counter()
    for number in range(rounds):
        own_seed = battery.seed + number * TO_NEXT_SEED
        folder = tmp_path / f"history_{number + 1}"
        name = (
            f"history {number + 1} of seed {battery.seed} (alone: ./run-tests.sh -m battery -k test_histories "
            f"--seed {own_seed} --share {1 / 100:g})"
        )
        let_anything_happen(spark, folder, capsys, own_seed, name, tally)
    battery.passed(f"{rounds} histories, {tally['steps']} steps, {tally['loads']} loads, 0 differences")


def let_anything_happen(
    spark: SparkSession,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    own_seed: int,
    name: str,
    tally: Counter[str],
) -> None:
    """One history of random steps. It is not made shorter where it ends badly, as each try would take half a minute; the
    message has its steps.
    """

    @seed(own_seed)
    @settings(
        max_examples=2,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def anything_happens(data: st.DataObject) -> None:
        # Hypothesis tries the simplest example first, which is thus none, and a random one then.
        if not data.draw(st.booleans()):
            return
        folder.mkdir()
        try:
            history = History(Workbench(spark, folder, capsys), tally, name)
            for _ in range(data.draw(st.integers(STEPS - 3, STEPS))):
                step, arguments = data.draw(history.next_step())
                getattr(history, step)(**arguments)
            history.end()
        finally:
            shutil.rmtree(folder)

    anything_happens()
