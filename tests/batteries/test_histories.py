"""Whatever happens to a lake, after each load all its tables are what they should be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from support.batteries import Battery
from support.histories import History
from support.lakes import Workbench
from support.random_histories import TO_NEXT_SEED, let_anything_happen, possible_steps


def test_a_history_of_corrections_meddling_and_copies(bench: Workbench) -> None:
    history = History(bench)
    history.files_arrive(
        people=["c1,Ann,30,Mali", 'c2,"Lee, Bob",,"Korea, South"'],
        sales=["t1,c1,p1,1,1.50,2025-02-22 09:15:00", "t2,c3,p1,2,0.33,2025-02-22T11:00:00+01:00"],
        more_sales=["t1,c1,p1,+3,1.5,2025-02-22 10:00:00", "t3,c2,p2,0,-1.00,2025-02-22", "t2,c3,p1,2,0.33"],
    )
    history.load()
    history.meddle(row=("sales_data_partitioned", "t2"), what="UPDATE", engine="delta-rs")
    history.restore(to=("customer_aggregated_data", 0), engine="Spark")
    history.a_file_comes_again(file=("transactions", "transactions_000.csv"), how="reversed, another name")
    history.sales_arrive(lines=["t4,c1,p1,1,1.50,2024-12-31 23:30", "t1,c1,p2,1,1,2025-02-22 09:00:00"])
    history.people_arrive(lines=["c3,Zoë,31,", "c1,Ann,31,Mali", "c1,Ann,32,Mali"])
    history.load()
    history.load_everything_again()


@pytest.mark.battery
def test_histories(spark: SparkSession, tmp_path: Path, battery: Battery) -> None:
    rounds = battery.rounds(100)
    tally: Counter[str] = Counter()
    for number in range(rounds):
        own_seed = battery.seed + number * TO_NEXT_SEED
        folder = tmp_path / f"history_{number + 1}"
        name = (
            f"history {number + 1} of seed {battery.seed} (alone: ./run-tests.sh -m battery -k test_histories "
            f"--seed {own_seed} --share {1 / 100:g})"
        )
        let_anything_happen(spark, folder, own_seed, name, tally, History, possible_steps)
    battery.passed(f"{rounds} histories, {tally['steps']} steps, {tally['loads']} loads, 0 differences")
