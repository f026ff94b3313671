"""The types that settings have beside Python's own: each checks its value, and says in words what is wrong with it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from common.csv_files.encoding import canonical_encoding
from common.spark.paths import whole_path
from common.spark.times import known_zone


def _hour_in_utc(value: object) -> datetime:
    for form in ("%Y-%m-%dT%H", "%Y-%m-%d %H", "%Y-%m-%dT%H:00", "%Y-%m-%d %H:00"):
        try:
            return datetime.strptime(str(value), form).replace(tzinfo=timezone.utc)
        except ValueError:
            continue
    raise ValueError(f"{value} is no hour; write it in UTC like 2025-02-22T09")


def _share(value: object) -> float:
    text = str(value).strip().replace(",", ".")
    try:
        percent = text.endswith("%")
        share = float(text.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        raise ValueError(f"{value} is no share: write a number from 0 to 1, such as 0.05") from None
    if not 0 <= share <= 1:
        raise ValueError(f"{value} is no share: write a number from 0 to 1, such as 0.05")
    if percent or "," in str(value):
        raise ValueError(f"write {share:g} instead of {value}")
    return share


def _parts(value: object) -> list[str]:
    """The parts of a list, as a file of settings has it, or of a text with commas; each once, in order."""
    parts = value if isinstance(value, list) else str(value).split(",")
    return sorted({str(part).strip() for part in parts} - {""})


def _names(value: object) -> str:
    return ",".join(_parts(value))


def _days(value: object) -> str:
    days = []
    for part in _parts(value):
        try:
            days.append(datetime.strptime(part, "%Y-%m-%d").date().isoformat())
        except ValueError:
            raise ValueError(f"{part} is no day; write it like 2025-02-22") from None
    return ",".join(days)


def _day(value: object) -> str:
    day = _days(value)
    if "," in day:
        raise ValueError(f"{value} is more than one day")
    return day


def _service_level(value: object) -> float:
    share = _share(value)
    if not 0.5 <= share <= 0.999:
        raise ValueError(f"{value} is no level of service from 0.5 to 0.999, such as 0.95")
    return round(share, 4)


def _skip_or_load(value: object) -> object:
    if value not in ("skip", "load"):
        raise ValueError(f"{value} is neither skip nor load")
    return value


# A path with all its folders, or with a scheme such as s3a://.
Place = Annotated[str, AfterValidator(whole_path)]
Zone = Annotated[str, AfterValidator(known_zone)]
Encoding = Annotated[str, AfterValidator(canonical_encoding)]
Hour = Annotated[datetime, BeforeValidator(_hour_in_utc)]
# Names, and days, as one text with commas between: each once, in order.
Names = Annotated[str, BeforeValidator(_names)]
Days = Annotated[str, BeforeValidator(_days)]
Repeated = Annotated[str, BeforeValidator(_skip_or_load)]
Share = Annotated[float, BeforeValidator(_share)]
Day = Annotated[str, BeforeValidator(_day)]
ServiceLevel = Annotated[float, BeforeValidator(_service_level)]
