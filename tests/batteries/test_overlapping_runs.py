"""Of runs that start on one lake at the same moment one works, the others name it and leave; every row is in once.

The everyday test of a run that finds the lake held by another is in test_refused_runs.py.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from common.lake.lock import LOCK_FILE, lock_lake
from support.batteries import Battery
from support.killing import quick_worker
from support.lakes import Workbench, assert_equals_recompute
from support.worker import Worker

_LOG = logging.getLogger(__name__)
PROCESSES = 4
BUSY = 4
HOURS, CUSTOMERS, PRODUCTS = 6, 5, 3
# Most runs of a round start at once, the others at any moment of the time that the round before took.
SHARE_AT_ONCE = 0.7


@dataclass
class Books:
    """What the tables should hold after all that was delivered: the last row of each id, and the refused lines."""

    sales: dict[str, tuple[str, ...]] = field(default_factory=dict)
    customers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: list[tuple[str]] = field(default_factory=list)
    runs: list[tuple[str]] = field(default_factory=list)

    def deliver(self, bench: Workbench, random: Random, number: int) -> None:
        """New files: new sales, sales corrected or moved to another hour, a line that is refused, and a customer."""
        corrected = random.sample(sorted(self.sales), k=min(2, len(self.sales)))
        sales = [_sale(random, id_) for id_ in [*corrected, *[f"t{number}_{n}" for n in range(4)]]]
        customer = (f"c{random.randrange(CUSTOMERS)}", f"Ann {number}", str(20 + number % 50), "Mali")
        refused = f"t{number}_x,c1,p1,1"
        bench.sales(*[",".join(sale) for sale in sales], refused)
        bench.people(",".join(customer))
        self.sales |= {sale[0]: sale for sale in sales}
        self.customers[customer[0]] = customer
        self.refused.append((refused,))

    def assert_kept(self, bench: Workbench) -> None:
        """The tables hold just that, each row once, and the aggregate is the recompute of it."""
        sales = bench.rows(
            "sales_data_partitioned",
            *("TRANSACTION_ID", "CUSTOMER_ID", "PRODUCT_ID", "QUANTITY", "PRICE", "TRANSACTION_DATE"),
        )
        assert sorted((*map(str, row[:5]), f"{row[5]:%Y-%m-%d %H:%M:%S}") for row in sales) == sorted(
            self.sales.values()
        )
        customers = [tuple(map(str, row)) for row in bench.rows("customers")]
        assert sorted(customers) == sorted(self.customers.values())
        assert bench.rows("rejected_rows", "raw_line") == sorted(self.refused, key=repr)
        assert bench.rows("pipeline_runs", "run_id") == sorted(self.runs, key=repr)
        assert_equals_recompute(bench)


def _sale(random: Random, id_: str) -> tuple[str, ...]:
    return (
        id_,
        f"c{random.randrange(CUSTOMERS + 1)}",
        f"p{random.randrange(PRODUCTS)}",
        str(random.randint(1, 9)),
        f"{random.randint(0, 99)}.{random.randint(0, 99):02}",
        f"2025-02-22 {random.randrange(HOURS):02}:15:00",
    )


@dataclass
class Meeting:
    """Runs that overlapped: the reports of those that worked or found nothing left, and what the busy ones said."""

    reports: list[dict[str, Any]] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def of(cls, workers: Sequence[Worker], delays: Sequence[float], arguments: Sequence[str]) -> Meeting:
        """Start a run in each process, after its delay, and wait until all have ended."""
        started = time.monotonic()
        for delay, worker in sorted(zip(delays, workers, strict=True), key=lambda pair: pair[0]):
            time.sleep(max(0.0, started + delay - time.monotonic()))
            worker.begin("load_sales", *arguments)
        meeting = cls()
        for worker in workers:
            exit_code, printed = worker.result()
            assert exit_code in (0, BUSY), f"exit code {exit_code}: {printed}"
            if exit_code == BUSY:
                meeting.busy.append(printed)
            else:
                meeting.reports.append(json.loads(printed))
        meeting.seconds = time.monotonic() - started
        return meeting

    def assert_one_worked(self) -> int:
        """Just one run wrote, and the busy ones named a run that ended well; returns how many could not name it yet."""
        worked = [report["run_id"] for report in self.reports if not report["changed_nothing"]]
        assert len(worked) == 1, f"{len(worked)} runs wrote"
        unnamed = 0
        for said in self.busy:
            holder = re.search(r"is busy: (?:run (\w+), process \d+|another run) holds it", said)
            assert holder, said
            assert holder[1] in [None, *[report["run_id"] for report in self.reports]], f"{said} but {worked} worked"
            unnamed += holder[1] is None
        return unnamed


def test_a_run_that_has_ended_is_not_named_as_the_holder(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.sales("t1,c1,p1,1,1.00,2025-02-22 09:15:00")
    bench.must_load()
    with lock_lake(bench.spark, str(bench.lake), "the-first"):
        pass
    # The moment in which the next run holds the lock and has not yet written who it is.
    jvm = bench.spark._jvm
    assert jvm is not None
    file = jvm.java.io.RandomAccessFile(str(bench.lake / LOCK_FILE), "rw")
    assert file.getChannel().tryLock() is not None
    outcome = bench.load()
    file.close()
    assert outcome.exit_code == BUSY
    assert "is busy: another run holds it" in outcome.error


@pytest.mark.battery
def test_overlapping_runs(bench: Workbench, battery: Battery) -> None:
    rounds = battery.rounds(50)
    random = Random(battery.seed)
    books = Books()
    arguments = [
        f"--transactions={bench.transactions}",
        f"--customers={bench.customers}",
        f"--lake={bench.lake}",
        "--max-rejected-share=1",
        "--json",
    ]
    runs = busy = unnamed = 0
    with ExitStack() as stack:
        workers = [stack.enter_context(quick_worker(bench.folder / f"worker_{number}")) for number in range(PROCESSES)]
        books.deliver(bench, random, 0)
        warm_up = Meeting.of(workers, [0.0] * PROCESSES, arguments)
        books.runs += [(report["run_id"],) for report in warm_up.reports]
        seconds = 10.0
        for number in range(1, rounds + 1):
            books.deliver(bench, random, number)
            chosen = random.sample(workers, random.randint(2, PROCESSES))
            delays = [0.0 if random.random() < SHARE_AT_ONCE else random.uniform(0, seconds) for _ in chosen]
            try:
                meeting = Meeting.of(chosen, delays, arguments)
                books.runs += [(report["run_id"],) for report in meeting.reports]
                unnamed += meeting.assert_one_worked()
                books.assert_kept(bench)
            except AssertionError as error:
                raise AssertionError(
                    f"seed {battery.seed}, round {number}, starts after {delays} s: {error}\nTo see it again: "
                    f"./run-tests.sh -m battery -k overlapping_runs --seed {battery.seed} --share {battery.share:g}"
                ) from error
            _LOG.info("%d of %d rounds: %d runs, %d busy", number, rounds, len(chosen), len(meeting.busy))
            seconds = meeting.seconds
            runs += len(chosen)
            busy += len(meeting.busy)
    idle = runs - busy - rounds
    battery.passed(
        f"{rounds} rounds of 2 to {PROCESSES} runs: {rounds} worked, {busy} busy ({unnamed} before the holder had "
        f"written its name), {idle} came later and found nothing to do, 0 differences"
    )
