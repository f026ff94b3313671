"""A time is the same instant, hour and sum whatever the zones of the host, of the session that writes and of the one
that reads. What is expected comes from Python's zoneinfo.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from common.contract import AGGREGATE, HOUR, REJECTED, RUNS, SALES
from common.csv_files import values
from support.batteries import Battery
from support.lakes import Workbench, arrow, assert_equals_recompute
from support.worker import Worker, submit_arguments

ZONES = [
    "Australia/Lord_Howe",  # its clocks move by half an hour
    "America/St_Johns",  # -03:30; until 2011 its clocks moved at a minute past midnight
    "Asia/Kathmandu",  # +05:45
    "Pacific/Apia",  # skipped the whole of 2011-12-30
    "Europe/Berlin",
    "Asia/Kolkata",  # +05:30
    "America/New_York",
    "UTC",
]
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MINUTE = timedelta(minutes=1)
_OFFSETS = ["Z", "+00:00", "+05:45", "-0330", "+13", "-11:00", "+10:30"]
_NO_TIME = "transaction_date_is_a_time"


@dataclass(frozen=True)
class Sale:
    """One row of the input; `instant` is None where the zone's clocks never showed that time."""

    id: str
    time: str
    instant: datetime | None
    quantity: int
    price: Decimal

    @property
    def line(self) -> str:
        return f"{self.id},c1,p{self.quantity},{self.quantity},{self.price},{self.time}"


def test_edges_of_daylight_saving_are_read_as_zoneinfo_reads_them(spark: SparkSession) -> None:
    for zone, session_zone in zip(ZONES, reversed(ZONES), strict=True):
        sales = sales_at_edges(zone)
        texts = spark.createDataFrame([(sale.id, sale.time) for sale in sales], "id string, text string")
        with session_zone_of(spark, session_zone):
            instant = F.unix_micros(values.instant(F.col("text"), zone))
            found = dict(map(tuple, texts.select("id", instant).collect()))
        wrong = [sale for sale in sales if found[sale.id] != _micros(sale.instant)]
        assert not wrong, f"{zone} in a session in {session_zone}: {[(s, found[s.id]) for s in wrong[:5]]}"


def test_two_hours_with_one_name_on_the_clock_of_the_session_stay_two(bench: Workbench) -> None:
    """In New York it was 01:15 on 2025-11-02 twice, an hour apart."""
    bench.people("c1,Ann,30,Mali")
    bench.sales("t1,c1,p1,1,1.00,2025-11-02 05:15:00", "t2,c1,p1,2,1.00,2025-11-02 06:15:00")
    with session_zone_of(bench.spark, "America/New_York"):
        bench.must_load()
    hours = bench.rows(AGGREGATE.name, HOUR, "QUANTITY")
    assert [(f"{hour:%H:%M}", units) for hour, units in hours] == [("05:00", 1), ("06:00", 2)]
    assert_equals_recompute(bench)


@pytest.mark.battery
def test_time_zones(bench: Workbench, battery: Battery, tmp_path: Path) -> None:
    """A round: a process whose host, session and source are in three zones loads a file of times at the edges of
    daylight saving, of ordinary ones and of ones with offsets. Spark (in four session zones), delta-rs and DuckDB
    (in as many) must see the instants, hours and sums that zoneinfo gives; skipped times must be rejected. Then the
    session of the tests, in UTC, must find the files and rows again and correct half of them. The seed plays no part.
    """
    rounds, times, skipped = battery.rounds(len(ZONES)), 0, 0
    for number in range(rounds):
        zone, host, session = (ZONES[(number + step) % len(ZONES)] for step in (0, 3, 5))
        where = f"round {number}: source in {zone}, host in {host}, session in {session}"
        folder = tmp_path / f"round_{number}"
        folder.mkdir()
        lake = Workbench(bench.spark, folder)
        sales = sales_at_edges(zone)
        _load_elsewhere(lake, sales, zone, host, session, where)
        _compare_readers(lake, sales, where)
        _correct_here(lake, sales, zone, where)
        times += len(sales)
        skipped += sum(sale.instant is None for sale in sales)
    battery.passed(f"{rounds} zones, {times:,} times ({skipped:,} of them skipped by clocks), 3 readers, 0 differences")


def sales_at_edges(zone: str) -> list[Sale]:
    """Sales around the last changes of the zone's clocks, at ordinary times, and the same instants with offsets."""
    clock = ZoneInfo(zone)
    wall_times = [datetime(2025, 2, 22, 23, 59, 59, 999_999), datetime(2024, 2, 29, 0, 0), datetime(2011, 12, 30, 12)]
    wall_times += [datetime(2025, 6, 15, 21, 7) + 23 * step * _MINUTE for step in range(16)]
    for change in _changes(clock):
        for side in (change - timedelta(microseconds=1), change):
            shown = side.astimezone(clock).replace(tzinfo=None)
            wall_times += [shown + 15 * step * _MINUTE for step in (-4, -3, -2, -1, 0, 1, 2, 3, 4)]
    times = [(f"{wall:%Y-%m-%d %H:%M:%S.%f}", _instant(wall, clock)) for wall in sorted(set(wall_times))]
    known = [instant for _, instant in times if instant is not None]
    for number, instant in enumerate(known[::3]):
        offset = _OFFSETS[number % len(_OFFSETS)]
        wall = instant.replace(tzinfo=None) + _parsed_offset(offset)
        times.append((f"{wall:%Y-%m-%dT%H:%M:%S.%f}{offset}", instant))
    return [
        Sale(f"t{number}", text, instant, number % 4 + 1, Decimal(number * 7 + 1) / 100)
        for number, (text, instant) in enumerate(times)
    ]


def _changes(clock: ZoneInfo) -> list[datetime]:
    """The instants at which the zone's clocks changed: the first three since 2011, and the last three."""
    days = [datetime(2011, 1, 1, tzinfo=timezone.utc) + timedelta(days=day) for day in range(15 * 365)]
    found = []
    for start, end in pairwise(days):
        if _offset_at(start, clock) != _offset_at(end, clock):
            minutes = (start + minute * _MINUTE for minute in range(24 * 60 + 1))
            found.append(next(minute for minute in minutes if _offset_at(minute, clock) != _offset_at(start, clock)))
    return sorted({*found[:3], *found[-3:]})


def _offset_at(instant: datetime, clock: ZoneInfo) -> timedelta | None:
    return instant.astimezone(clock).utcoffset()


def _instant(wall: datetime, clock: ZoneInfo) -> datetime | None:
    """The instant of a wall time: the first of two; None where the clock never showed it."""
    instant = wall.replace(tzinfo=clock, fold=0).astimezone(timezone.utc)
    return instant if instant.astimezone(clock).replace(tzinfo=None) == wall else None


def _parsed_offset(text: str) -> timedelta:
    if text == "Z":
        return timedelta(0)
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return offset if text[0] == "+" else -offset


def _load_elsewhere(lake: Workbench, sales: list[Sale], zone: str, host: str, session: str, where: str) -> None:
    lake.people("c1,Ann,30,Mali")
    lake.sales(*[sale.line for sale in sales])
    arguments = submit_arguments(lake.folder / "warehouse", f"--conf spark.sql.session.timeZone={session}")
    begun = datetime.now(timezone.utc)
    with Worker(lake.folder / "worker", {"TZ": host, "PYSPARK_SUBMIT_ARGS": arguments}) as worker:
        exit_code, printed = worker.run(
            "load_sales",
            f"--transactions={lake.transactions}",
            f"--customers={lake.customers}",
            f"--lake={lake.lake}",
            f"--source-time-zone={zone}",
            "--max-rejected-share=1",
        )
    assert exit_code == 0, f"{where}: {printed}"
    [(started, finished)] = lake.rows(RUNS.name, "started_at", "finished_at")
    assert begun <= started <= finished <= datetime.now(timezone.utc), where


def _compare_readers(lake: Workbench, sales: list[Sale], where: str) -> None:
    """Each reader must see every sale's instant and hour, and units and money of each hour, as expected."""
    shown = [(sale, sale.instant) for sale in sales if sale.instant is not None]
    instants = sorted((sale.id, _micros(instant), _micros(_hour_of(instant))) for sale, instant in shown)
    units: Counter[int] = Counter()
    amounts: dict[int, Decimal] = defaultdict(Decimal)
    for sale, instant in shown:
        hour = (_hour_of(instant) - _EPOCH) // timedelta(microseconds=1)
        units[hour] += sale.quantity
        amounts[hour] += sale.quantity * sale.price
    hours = [(hour, units[hour], amounts[hour]) for hour in sorted(units)]

    for reader, found_instants, found_hours in _readings(lake):
        assert sorted(found_instants) == instants, f"{where}, read by {reader}"
        assert sorted(found_hours) == hours, f"{where}, aggregate read by {reader}"
    refused = {raw.partition(",")[0]: reasons for raw, reasons in lake.rows(REJECTED.name, "raw_line", "reasons")}
    assert refused == {sale.id: [_NO_TIME] for sale in sales if sale.instant is None}, where


Rows = list[tuple[object, ...]]


def _readings(lake: Workbench) -> Iterator[tuple[str, Rows, Rows]]:
    """By reader: id, instant and hour of each sale; and hour, units and amount of the aggregate."""
    sales, aggregate = arrow(lake.path(SALES.name)), arrow(lake.path(AGGREGATE.name))
    instants: Rows = [
        (row["TRANSACTION_ID"], _micros(row["TRANSACTION_DATE"]), _micros(row[HOUR])) for row in sales.to_pylist()
    ]
    units: Counter[int | None] = Counter()
    amounts: dict[int | None, Decimal] = defaultdict(Decimal)
    for row in aggregate.to_pylist():
        units[_micros(row[HOUR])] += row["QUANTITY"]
        amounts[_micros(row[HOUR])] += row["AMOUNT"]
    yield "delta-rs", instants, [(hour, units[hour], amounts[hour]) for hour in units]

    for zone in [*ZONES[:3], "UTC"]:
        database = duckdb.connect()
        database.execute(f"SET TimeZone = '{zone}'")
        database.register("sales", sales)
        database.register("aggregate", aggregate)
        by_instant = f"SELECT TRANSACTION_ID, epoch_us(TRANSACTION_DATE), epoch_us({HOUR}) FROM sales"
        by_hour = f"SELECT epoch_us({HOUR}), sum(QUANTITY)::BIGINT, sum(AMOUNT) FROM aggregate GROUP BY {HOUR}"
        yield f"DuckDB in {zone}", database.execute(by_instant).fetchall(), database.execute(by_hour).fetchall()

        with session_zone_of(lake.spark, zone):
            micros = [F.unix_micros(name) for name in ("TRANSACTION_DATE", HOUR)]
            in_spark = lake.table(SALES.name).select("TRANSACTION_ID", *micros).collect()
            sums = lake.table(AGGREGATE.name).groupBy(F.unix_micros(HOUR)).agg(F.sum("QUANTITY"), F.sum("AMOUNT"))
            yield f"Spark in {zone}", [tuple(row) for row in in_spark], [tuple(row) for row in sums.collect()]


def _correct_here(lake: Workbench, sales: list[Sale], zone: str, where: str) -> None:
    """The session of the tests skips the files that were loaded, and finds the rows of half the sales to correct."""
    shown = [sale for sale in sales if sale.instant is not None]
    corrected = [Sale(s.id, s.time, s.instant, s.quantity + 1, s.price) for s in shown[::2]]
    lake.sales(*[sale.line for sale in corrected])
    outcome = lake.must_load(f"--source-time-zone={zone}")
    assert outcome.ledger() == {"rows_read": len(corrected), "corrected": len(corrected)}, where
    ids = {sale.id for sale in corrected}
    _compare_readers(lake, [*corrected, *(sale for sale in sales if sale.id not in ids)], where)
    assert_equals_recompute(lake)


@contextmanager
def session_zone_of(spark: SparkSession, zone: str) -> Iterator[None]:
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        yield
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


def _hour_of(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _micros(instant: datetime | None) -> int | None:
    return None if instant is None else (instant - _EPOCH) // timedelta(microseconds=1)
