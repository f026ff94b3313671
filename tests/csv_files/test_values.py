"""Text becomes a value of its type or null: never rounded, cut, guessed, or read in the session's time zone."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from common.csv_files import values
from common.spark.times import hour_of

WHOLE_NUMBERS = {
    "7": 7,
    "007": 7,
    "-3": -3,
    "+3": 3,
    "2147483647": 2147483647,
    "2147483648": None,
    "99999999999": None,
    "999999999999999999999": None,
    "1.0": 1,
    "12.": 12,
    "1.5": None,
    ".0": None,
    "1e2": None,
    "1_000": None,
    "1,000": None,
    "0x1F": None,
    "\u0663": None,  # an Arabic-Indic digit
    "\uff11\uff12": None,  # full-width digits
    "NaN": None,
    "5\n": None,
    "--5": None,
    "five": None,
}
MONEY = {
    "10": Decimal("10.00"),
    "0.5": Decimal("0.50"),
    "12.340": Decimal("12.34"),
    "-1.25": Decimal("-1.25"),
    "9999999999999999.99": Decimal("9999999999999999.99"),
    "0000012.34": Decimal("12.34"),
    "10000000000000000.00": None,
    "1.239": None,
    "1.005": None,
    "1,234.50": None,
    "1.234,50": None,
    "1e2": None,
    "\uff11\uff12": None,  # full-width digits
    "1d": None,
    "5f": None,
    "NaN": None,
    "Infinity": None,
    ".5": Decimal("0.50"),
    "5.": Decimal("5.00"),
    ".": None,
    "$5": None,
    "1.50\n": None,
}
TIMES = {
    "2025-02-22 16:00:37.295339": "2025-02-22T16:00:37.295339",
    "2025-02-22T16:00:37": "2025-02-22T16:00:37",
    "2025-02-22 16:00": "2025-02-22T16:00:00",
    "2025-02-22 16:00:37.5": "2025-02-22T16:00:37.500000",
    "2025-02-22 16:00:37.123456000": "2025-02-22T16:00:37.123456",
    "2025-02-22T16:00:37Z": "2025-02-22T16:00:37",
    "2025-02-22T16:00:37+05:30": "2025-02-22T10:30:37",
    "2025-02-22T16:00:37-0130": "2025-02-22T17:30:37",
    "2025-02-22 16:00+02": "2025-02-22T14:00:00",
    "1969-12-31 23:59:59.999999": "1969-12-31T23:59:59.999999",
    "2024-02-29 00:00:00": "2024-02-29T00:00:00",
    "2025-02-29 00:00:00": None,
    "2025-02-22 16:00:37.1234567": "2025-02-22T16:00:37.123456",
    "2025-02-22 16:00:37.123456789Z": "2025-02-22T16:00:37.123456",
    "2025-02-22t16:00:37z": "2025-02-22T16:00:37",
    "2025-02-22 16:00:37 UTC": "2025-02-22T16:00:37",
    "2025-02-22 16:00:37.5 +0200": "2025-02-22T14:00:37.500000",
    "2025-02-22 9:00:37": "2025-02-22T09:00:37",
    "2025/02/22 16:00:37": "2025-02-22T16:00:37",
    "20250222T160000Z": "2025-02-22T16:00:00",
    "20250222T160000": "2025-02-22T16:00:00",
    "2025-02/22 16:00:37": None,
    "2025-02-22 16:00:371": None,
    "2025-02-22 16:00:37.12345a": None,
    "2025-02-22": None,
    "16:00:37": None,
    "2025-02-22 24:00:00": None,
    "2025-02-22 16:60:00": None,
    "2025-02-22 16:00:60": None,
    "2025-13-01 16:00:00": None,
    "01/02/2024 10:00:00": None,
    "22.02.2025 16:00": None,
    "2025-2-2 16:00:00": None,
    "2025-02-22 4:00 PM": None,
    "2025-02-22 16:00:37 Europe/Berlin": None,
    "2025-02-22T16:00:37+25:00": None,
    "1740240037": None,
    "now": None,
    "2025-02-22 16:00:37\n": None,
}
BERLIN = {
    "2025-03-30 01:59:59": "2025-03-30T00:59:59",
    "2025-03-30 02:00:00": None,  # the clocks went from 01:59:59 to 03:00:00
    "2025-03-30 02:59:59.999999": None,
    "2025-03-30 03:00:00": "2025-03-30T01:00:00",
    "2025-03-30T02:30:00Z": "2025-03-30T02:30:00",
    "2025-10-26 01:59:59": "2025-10-25T23:59:59",
    "2025-10-26 02:30:00": "2025-10-26T00:30:00",  # shown twice: the first is meant
    "2025-10-26 03:00:00": "2025-10-26T02:00:00",
}


def test_a_whole_number_is_clean_or_null(spark: SparkSession) -> None:
    texts = spark.createDataFrame([(text,) for text in WHOLE_NUMBERS], "text string")
    found = texts.select("text", values.whole_number(F.col("text"))).collect()
    assert dict(map(tuple, found)) == WHOLE_NUMBERS


def test_money_is_clean_or_null(spark: SparkSession) -> None:
    texts = spark.createDataFrame([(text,) for text in MONEY], "text string")
    found = texts.select("text", values.money(F.col("text"), "decimal(18,2)")).collect()
    assert dict(map(tuple, found)) == MONEY


@pytest.mark.parametrize("session_zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
@pytest.mark.parametrize(("source_zone", "times"), [("UTC", TIMES), ("Europe/Berlin", BERLIN)])
def test_a_time_is_the_same_instant_in_any_session_zone(
    spark: SparkSession, session_zone: str, source_zone: str, times: dict[str, str | None]
) -> None:
    texts = spark.createDataFrame([(text,) for text in times], "text string")
    spark.conf.set("spark.sql.session.timeZone", session_zone)
    try:
        instant = values.instant(F.col("text"), source_zone)
        found = texts.select("text", F.unix_micros(instant), F.unix_seconds(hour_of(instant))).collect()
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    expected = {}
    for text, time in times.items():
        micros = None if time is None else _micros(time)
        expected[text] = (micros, None if micros is None else micros // 3_600_000_000 * 3600)
    assert {text: (micros, hour) for text, micros, hour in found} == expected


def test_text_is_trimmed_and_empty_is_null(spark: SparkSession) -> None:
    texts = spark.createDataFrame([(" a b\t",), ("",), (" \t",), ("NULL",), ("\u00a0x",)], "text string")
    found = [row[0] for row in texts.select(values.cleaned_text(F.col("text"), F.col("text").contains("\t"))).collect()]
    assert found == ["a b", None, None, "NULL", "\u00a0x"]


def _micros(time: str) -> int:
    since_1970 = datetime.fromisoformat(time).replace(tzinfo=timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since_1970.days * 86_400 + since_1970.seconds) * 1_000_000 + since_1970.microseconds
