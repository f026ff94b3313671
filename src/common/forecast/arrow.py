"""Batches of series as Spark hands them to Python, and back: what runs where the rows are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from common.forecast.accuracy import accuracy, hits, scales
from common.forecast.history import HOURS_OF_DAY, SERIES
from common.forecast.methods import DAYS, HOURS
from common.forecast.outlook import Outlook, outlook
from common.forecast.series import Batch, Bools, Grain, batch_of
from common.forecast.stock import Cover, cover

# So many series at a time: what is computed of them is to fit into the processor's cache.
_SERIES_AT_ONCE = 512

KEYS = ", ".join(f"{name} string" for name in SERIES)
FORECASTS = "HORIZON int, FORECAST double, LO80 double, HI80 double, LO95 double, HI95 double"
ACCURACIES = (
    "MODEL string, HORIZON_BAND string, ORIGINS int, MASE double, RMSSE double, WAPE double, BIAS double, "
    "COVER80 double, COVER95 double, MASE_SEASONAL_NAIVE double, IS_CHAMPION boolean"
)
OUTLOOK = (
    f"{KEYS}, is_enough boolean, HISTORY_PERIODS int, MODEL string, forecasts array<struct<{FORECASTS}>>, "
    f"accuracies array<struct<{ACCURACIES}>>"
)
COVER = "PRODUCT_ID string, is_enough boolean, DEMAND_OVER_LEAD_TIME double, SAFETY_STOCK double, MODEL string"


def outlooks(batches: Iterable[pa.RecordBatch], last_day: int, closed_days: Sequence[int]) -> Iterator[pa.RecordBatch]:
    """From one row per series, with `periods` and `values`, to one with what is to be expected (OUTLOOK).

    Days and hours are numbered from 1970-01-01, in the time of the business; `last_day` is the last that counts.
    """
    for rows, batch, grain, is_closed in _series_in(batches, last_day, closed_days):
        yield _with_keys(rows, _outlook_columns(batch, grain, outlook(batch, grain, is_closed)))


def covers(
    batches: Iterable[pa.RecordBatch], last_day: int, closed_days: Sequence[int], lead_time: int, service_level: float
) -> Iterator[pa.RecordBatch]:
    """From one row per product, with the `periods` and `values` of its units a day, and the MODEL that these are
    forecast with (null without enough history), to one with its stock (COVER).
    """
    for rows in batches:
        is_null = pc.is_null(rows.column("MODEL"))
        yield _cover_columns(rows.filter(is_null), None)
        for name in DAYS.methods:
            grain = replace(DAYS, methods=(name,))
            for some in _slices(rows.filter(pc.fill_null(pc.equal(rows.column("MODEL"), name), False))):
                batch = _batch(some, last_day, grain)
                is_closed = _is_closed(batch, last_day, 1, lead_time, closed_days)
                yield _cover_columns(some, cover(batch, grain, is_closed, lead_time, service_level))


def _cover_columns(rows: pa.RecordBatch, found: Cover | None) -> pa.RecordBatch:
    unknown = np.full(rows.num_rows, np.nan)
    demand, safety = (found.demand, found.safety) if found else (unknown, unknown)
    is_null = np.isnan(safety)
    return pa.RecordBatch.from_pydict(
        {
            "PRODUCT_ID": rows.column("PRODUCT_ID"),
            "is_enough": pa.array(~is_null),
            "DEMAND_OVER_LEAD_TIME": pa.array(demand, mask=is_null),
            "SAFETY_STOCK": pa.array(safety, mask=is_null),
            "MODEL": pc.if_else(pa.array(is_null), None, rows.column("MODEL")),
        }
    )


def _series_in(
    batches: Iterable[pa.RecordBatch], last_day: int, closed_days: Sequence[int]
) -> Iterator[tuple[pa.RecordBatch, Batch, Grain, Bools]]:
    """The series in some rows, those of one grain together; with the rows, and with when they are closed."""
    for rows in batches:
        for grain, hours in ((DAYS, 1), (HOURS, HOURS_OF_DAY)):
            for some in _slices(rows.filter(pc.equal(rows.column("GRAIN"), grain.name))):
                last = last_day * hours + hours - 1
                batch = _batch(some, last, grain)
                yield some, batch, grain, _is_closed(batch, last, hours, grain.horizon, closed_days)


def _slices(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for first in range(0, rows.num_rows, _SERIES_AT_ONCE):
        yield rows.slice(first, _SERIES_AT_ONCE)


def _is_closed(batch: Batch, last: int, hours: int, ahead: int, closed_days: Sequence[int]) -> Bools:
    """For each column of a batch, and so many periods after them, whether it was said that nothing can sell then."""
    periods = np.arange(last - batch.periods + 1, last + 1 + ahead)
    return np.isin(periods // hours, np.asarray(closed_days, dtype=np.int64))


def _batch(rows: pa.RecordBatch, last: int, grain: Grain) -> Batch:
    periods, values = rows.column("periods"), rows.column("values")
    return batch_of(
        np.diff(periods.offsets.to_numpy()).astype(np.int64),
        periods.flatten().to_numpy(zero_copy_only=False).astype(np.int64),
        values.flatten().to_numpy(zero_copy_only=False),
        last,
        grain,
    )


def _with_keys(rows: pa.RecordBatch, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    keys = {name: rows.column(name) for name in SERIES}
    return pa.RecordBatch.from_pydict({**keys, **columns})


def _outlook_columns(batch: Batch, grain: Grain, found: Outlook) -> dict[str, pa.Array]:
    enough = found.is_enough
    ahead = {"FORECAST": found.forecast}
    for share, (low, high) in found.bounds.items():
        ahead |= {f"LO{share}": low, f"HI{share}": high}
    number = int(enough.sum())
    forecasts = {"HORIZON": pa.array(np.tile(np.arange(1, grain.horizon + 1, dtype=np.int32), number))}
    forecasts |= {name: pa.array(values[enough].ravel()) for name, values in ahead.items()}
    return {
        "is_enough": pa.array(enough),
        "HISTORY_PERIODS": pa.array(batch.lengths.astype(np.int32)),
        "MODEL": _names(grain.methods, found.champion, ~enough),
        "forecasts": _lists(forecasts, enough, grain.horizon),
        "accuracies": _lists(_accuracies(batch, grain, found), enough, len(grain.methods) * len(grain.bands)),
    }


def _accuracies(batch: Batch, grain: Grain, found: Outlook) -> dict[str, pa.Array]:
    """A value for each series with enough history, method and band, in this order."""
    against, seen = scales(batch, found.past, grain.season), hits(found.past)
    bands = [accuracy(found.past, against, band, seen) for band in grain.bands]
    methods, shape = len(grain.methods), (len(grain.methods), len(grain.bands), batch.size)

    def flat(values: Sequence[Any]) -> Any:
        """Of an array of each band, methods x series."""
        by_method = np.broadcast_to(np.stack([np.broadcast_to(each, shape[::2]) for each in values], axis=1), shape)
        return np.moveaxis(by_method[..., found.is_enough], -1, 0).ravel()

    def measured(values: Sequence[Any]) -> pa.Array:
        flattened = flat(values)
        return pa.array(flattened, mask=np.isnan(flattened))

    number = int(found.is_enough.sum())
    names = [f"{first}-{last}" for first, last in grain.bands]
    is_champion = np.arange(methods)[:, None] == found.champion
    return {
        "MODEL": pa.array(np.tile(np.repeat(grain.methods, len(names)), number)),
        "HORIZON_BAND": pa.array(np.tile(names, number * methods)),
        "ORIGINS": pa.array(flat([band.origins for band in bands]).astype(np.int32)),
        "MASE": measured([band.mase for band in bands]),
        "RMSSE": measured([band.rmsse for band in bands]),
        "WAPE": measured([band.wape for band in bands]),
        "BIAS": measured([band.bias for band in bands]),
        "COVER80": measured([band.covered[80] for band in bands]),
        "COVER95": measured([band.covered[95] for band in bands]),
        "MASE_SEASONAL_NAIVE": measured([band.mase[:1] for band in bands]),
        "IS_CHAMPION": pa.array(flat([is_champion for _ in bands])),
    }


def _names(names: Sequence[str], places: Any, is_null: Bools) -> pa.Array:
    return pa.array(np.asarray(names, dtype=object)[places], type=pa.string(), mask=is_null)


def _lists(columns: dict[str, pa.Array], is_filled: Bools, length: int) -> pa.Array:
    """A list of structs for each series: of the given length where it is filled, else empty."""
    offsets = np.concatenate([[0], np.cumsum(is_filled * length)]).astype(np.int32)
    values = pa.StructArray.from_arrays(list(columns.values()), names=list(columns))
    return pa.ListArray.from_arrays(pa.array(offsets), values)
