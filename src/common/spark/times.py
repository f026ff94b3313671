"""Hours and instants, in Spark and on the driver: always UTC, whatever zone the session or the machine keeps."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.contract import HOUR


def known_zone(name: str) -> str:
    """The name of a time zone; raises ValueError where there is no such zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name} is no time zone; use a name such as Europe/Berlin or UTC") from error
    return name


def hour_of(time: Column) -> Column:
    """The UTC hour that holds the instant, the same in any session time zone (`date_trunc` is not)."""
    seconds = F.unix_seconds(time)
    return F.timestamp_seconds(seconds - F.pmod(seconds, F.lit(3600)))


def instant_of(micros: int) -> datetime:
    """A UTC time from microseconds since 1970; Spark's own conversion depends on the driver's time zone."""
    return datetime.fromtimestamp(0, timezone.utc) + timedelta(microseconds=micros)


def json_value(value: object, timespec: str = "auto") -> str:
    """A time as JSON has it, for json.dumps: ISO 8601, with as many digits as `timespec` says."""
    if isinstance(value, datetime):
        return value.isoformat(timespec=timespec)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def hour_at(second: int) -> datetime:
    """A UTC time from seconds since 1970, for the same reason."""
    return instant_of(second * 1_000_000)


def hours_in(rows: DataFrame) -> list[datetime]:
    """The hours of the rows' transaction_hour, each once."""
    seconds = rows.select(F.unix_seconds(HOUR).alias("second")).distinct().collect()
    return [hour_at(row["second"]) for row in seconds]
