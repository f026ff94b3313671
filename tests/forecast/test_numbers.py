"""The numbers of forecasts, without Spark: each as one series at a time gives it, whatever it is computed beside."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pyarrow as pa
import pytest

from common.forecast.arrow import covers, outlooks
from support.expected_forecasts import DAY, HOUR, Expected, Kind, expected, expected_cover

LAST_DAY = 19_000
DAYS = 200


def shop(day: int, random_: random.Random) -> float:
    """Money of a day: closed on Saturdays, busier before the weekend, growing."""
    return 0.0 if day % 7 == 2 else round((80 + day) * (1.4 if day % 7 == 1 else 1.0) * random_.uniform(0.7, 1.3), 2)


def series() -> dict[str, list[float]]:
    """Values of the days up to the last, by what is special about the series."""
    r = random.Random(18)
    return {
        "a shop that is closed on Saturdays": [shop(day, r) for day in range(DAYS)],
        "sold once in a while": [float(r.randint(1, 9)) if r.random() < 0.15 else 0.0 for _ in range(DAYS)],
        "more comes back than is sold": [float(r.randint(-9, 3)) for _ in range(DAYS)],
        "the same every week": [float(day % 7) for day in range(DAYS)],
        "the same every day": [5.0] * DAYS,
        "nothing for half a year": [float(r.randint(1, 9)) for _ in range(60)] + [0.0] * (DAYS - 60),
        "one huge order at first": [1e6] + [0.0] * 80 + [1.0] * (DAYS - 81),
        "as huge as the columns allow": [2_147_483_647 * 9_999_999_999_999_999.99 * r.random() for _ in range(DAYS)],
        "steady, but for its weekdays": [r.uniform(5, 15) * (1 + (day % 7) / 9) for day in range(DAYS)],
        "given away, at no price": [0.0] * DAYS,
        "begun 63 days ago": [0.0] * (DAYS - 63) + [float(r.randint(1, 9)) for _ in range(63)],
        "begun 62 days ago": [0.0] * (DAYS - 62) + [float(r.randint(1, 9)) for _ in range(62)],
        "begun yesterday": [0.0] * (DAYS - 1) + [3.0],
    }


def rows_of(some: dict[str, list[float]], grain: str, last: int) -> pa.RecordBatch:
    """As Spark hands them over: only periods with something in them, in no order."""
    points = []
    for values in some.values():
        found = [(last - len(values) + 1 + at, value) for at, value in enumerate(values) if value]
        random.Random(len(found)).shuffle(found)
        points.append(found or [(last, 0.0)])
    return pa.RecordBatch.from_pydict(
        {
            "SERIES_KIND": ["product"] * len(some),
            "PRODUCT_ID": list(some),
            "GRAIN": [grain] * len(some),
            "MEASURE": ["UNITS"] * len(some),
            "periods": pa.array([[at for at, _ in found] for found in points], type=pa.list_(pa.int32())),
            "values": pa.array([[value for _, value in found] for found in points], type=pa.list_(pa.float64())),
        }
    )


def computed(batches: Sequence[pa.RecordBatch], closed: Sequence[int] = ()) -> dict[str, dict[str, object]]:
    return {row["PRODUCT_ID"]: row for rows in outlooks(batches, LAST_DAY, closed) for row in rows.to_pylist()}


def assert_is(row: dict[str, object], wanted: Expected, kind: Kind) -> None:
    assert row["is_enough"] == (wanted.status == "ok")
    assert row["MODEL"] == wanted.model
    ahead, accuracies = row["forecasts"], row["accuracies"]
    assert isinstance(ahead, list)
    assert isinstance(accuracies, list)
    assert [each["HORIZON"] for each in ahead] == [h + 1 for h in range(len(wanted.forecast))]
    assert [each["FORECAST"] for each in ahead] == pytest.approx(wanted.forecast, rel=1e-9)
    for share, bounds in wanted.bounds.items():
        found = [(each[f"LO{share}"], each[f"HI{share}"]) for each in ahead]
        assert [value for pair in found for value in pair] == pytest.approx(
            [value for pair in bounds for value in pair], rel=1e-9
        )
    assert len(accuracies) == len(wanted.accuracy)
    for each in accuracies:
        for column, value in wanted.accuracy[each["MODEL"], each["HORIZON_BAND"]].items():
            found_value = each[column]
            assert found_value == (value if value is None else pytest.approx(value, rel=1e-9)), (each, column)


@pytest.mark.parametrize("closed_days", [(), (LAST_DAY - 15, LAST_DAY - 7, LAST_DAY + 1, LAST_DAY + 9)])
def test_each_series_by_day_is_as_it_is_computed_alone(closed_days: tuple[int, ...]) -> None:
    some = series()
    is_closed = [LAST_DAY - DAYS + 1 + at in closed_days for at in range(DAYS + 40)]
    found = computed([rows_of(some, "day", LAST_DAY)], closed_days)
    for name, values in some.items():
        assert_is(found[name], expected(values, DAY, is_closed[: DAYS + 14]), DAY)
    not_enough = {name for name, row in found.items() if not row["is_enough"]}
    assert not_enough == {"given away, at no price", "nothing for half a year", "begun 62 days ago", "begun yesterday"}
    assert found["one huge order at first"]["MODEL"] != "Croston-SBA"
    if not closed_days:
        assert {row["MODEL"] for row in found.values()} - {None} == set(DAY.methods)

    rows = rows_of(some, "day", LAST_DAY)
    with_models = rows.append_column("MODEL", pa.array([found[name]["MODEL"] for name in some], type=pa.string()))
    for lead, service in ((3, 0.9), (30, 0.95)):
        for row in (
            each for rows in covers([with_models], LAST_DAY, closed_days, lead, service) for each in rows.to_pylist()
        ):
            wanted = expected_cover(some[row["PRODUCT_ID"]], is_closed[: DAYS + max(lead, 14)], lead, service)
            both = None if wanted is None else pytest.approx(wanted, rel=1e-9)
            cover = (row["DEMAND_OVER_LEAD_TIME"], row["SAFETY_STOCK"])
            assert (cover if row["is_enough"] else None) == both, row


def test_hours_are_as_they_are_computed_alone() -> None:
    r = random.Random(7)
    last = LAST_DAY * 24 + 23
    hours = [shop(at // 24, r) * r.random() if 9 <= at % 24 < 18 else 0.0 for at in range(24 * 7 * 11 + 5)]
    closed_day = LAST_DAY - 3
    found = computed([rows_of({"hours": hours}, "hour", last)], [closed_day])
    is_closed = [(last - len(hours) + 1 + at) // 24 == closed_day for at in range(len(hours) + 168)]
    assert_is(found["hours"], expected(hours, HOUR, is_closed), HOUR)
    ahead = found["hours"]["forecasts"]
    assert isinstance(ahead, list)
    is_night = [(len(hours) + each["HORIZON"] - 1) % 24 not in range(9, 18) for each in ahead]
    assert {each["HI95"] for each, night in zip(ahead, is_night, strict=True) if night} == {0.0}


def test_the_same_bytes_come_out_whatever_a_series_is_computed_beside() -> None:
    some = series()
    together = computed([rows_of(some, "day", LAST_DAY)])
    alone: dict[str, dict[str, object]] = {}
    for name, values in some.items():
        alone |= computed([rows_of({name: values}, "day", LAST_DAY)])
    assert alone == together
