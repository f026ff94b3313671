"""Whatever order sales, corrections and customers come in, recommend_products makes what plain Python computes; and it
does so with any number of cores.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs import verify_aggregate
from support.batteries import Battery
from support.lakes import Workbench
from support.offers import LEFT_OUT, PEOPLE, TABLES, ZONE, assert_offers_are_right, offer_versions, recommend, sold
from support.worker import Worker, on_cores

TO_NEXT_SEED = 7919


def a_shop(spark: SparkSession, folder: Path) -> Workbench:
    folder.mkdir()
    bench = Workbench(spark, folder)
    (folder / "feeds.yml").write_text("transactions:\n  returns: allow\n  guests: allow\n")
    return bench


@pytest.mark.battery
def test_offer_histories(spark: SparkSession, tmp_path: Path, battery: Battery) -> None:
    loads = builds = 0
    rounds = battery.rounds(50)
    for number in range(rounds):
        choose = random.Random(battery.seed + number * TO_NEXT_SEED)
        bench = a_shop(spark, tmp_path / f"history_{number + 1}")
        lines = list(sold(choose.randint(40, 130), choose.randint(1, 10**6)))
        if choose.random() < 0.5:
            choose.shuffle(lines)
        people = PEOPLE[1:]
        parts = choose.randint(2, 5)
        for part in range(parts):
            some = lines[part::parts] if choose.random() < 0.3 else lines[: len(lines) * (part + 1) // parts]
            # A correction: the same id with another quantity, maybe a return by now.
            some = [
                line.replace(",1,2.00,", f",{choose.choice([-2, 3])},2.00,") if choose.random() < 0.02 else line
                for line in some
            ]
            bench.sales(*some)
            bench.people(*[person.replace("Mali", "Peru") if choose.random() < 0.1 else person for person in people])
            bench.must_load(f"--feeds={bench.folder}/feeds.yml")
            loads += 1
            if choose.random() < 0.7 or part == parts - 1:
                zone = choose.choice([ZONE, ZONE, "UTC"])
                recommend(bench, zone=zone)
                assert_offers_are_right(bench, zone=zone)
                versions = offer_versions(bench)
                recommend(bench, zone=zone)
                assert offer_versions(bench) == versions
                builds += 1
        assert bench.run(verify_aggregate, f"--lake={bench.lake}").exit_code == 0
        shutil.rmtree(bench.folder)
    battery.passed(f"{rounds} histories, {loads} loads, {builds} builds, 0 differences")


@pytest.mark.battery
def test_offers_on_any_number_of_cores(spark: SparkSession, tmp_path: Path, battery: Battery) -> None:
    """Compiled and adaptive, on one core and on two, in more parts and in fewer: the same rows as here."""
    bench = a_shop(spark, tmp_path / "shop")
    bench.people(*PEOPLE[1:])
    bench.sales(*sold(110, battery.seed))
    bench.must_load(f"--feeds={bench.folder}/feeds.yml")
    copies = {cores: tmp_path / f"lake_{cores}" for cores in (1, 2)}
    for copy in copies.values():
        shutil.copytree(bench.lake, copy)
    recommend(bench)
    rows = {table: bench.rows(table) for table in TABLES}
    for cores, copy in copies.items():
        folder = tmp_path / str(cores)
        with Worker(folder, on_cores(cores, folder)) as worker:
            told = [f"--business-time-zone={ZONE}", f"--products-left-out={LEFT_OUT}"]
            exit_code, printed = worker.run("recommend_products", f"--lake={copy}", *told)
            assert exit_code == 0, printed
        bench.lake = copy
        assert {table: bench.rows(table) for table in TABLES} == rows
    battery.passed("1 and 2 cores, 7 and 11 parts, compiled: the same rows as interpreted in 2 parts")
