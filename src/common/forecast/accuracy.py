"""How good each method has been, from its backtest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.forecast.backtest import Backtest
from common.forecast.intervals import COVERAGES, LEAST_RESIDUALS, bounds, residuals, widths
from common.forecast.series import Batch, Bools, Floats, Ints, total


@dataclass(frozen=True)
class Accuracy:
    """Each measure as methods x series, NaN where there is none; `covered` by what the intervals were to hold."""

    origins: Ints
    mase: Floats
    rmsse: Floats
    wape: Floats
    bias: Floats
    covered: dict[int, Floats]


@dataclass(frozen=True)
class Scales:
    """What errors are compared with: those of saying the same as a season before, in all that was known at an origin.
    Origins x series, absolute and squared; 0 where there was none.
    """

    absolute: Floats
    squared: Floats


def scales(batch: Batch, past: Backtest, season: int) -> Scales:
    """The scales of every origin of a backtest."""
    columns = np.arange(season, batch.periods)
    is_there = columns >= batch.starts[:, None] + season
    change = np.where(is_there, batch.values[:, season:] - batch.values[:, :-season], 0.0)
    numbers = np.maximum(past.ends[:, None] - batch.starts - season, 1)
    until = past.ends - season - 1

    def mean(values: Floats) -> Floats:
        means: Floats = np.add.accumulate(values, axis=1)[:, until].T / numbers
        return means

    return Scales(mean(np.abs(change)), mean(change**2))


def hits(past: Backtest) -> dict[int, tuple[Floats, Floats]]:
    """By coverage, which open periods came out within their interval, and which were looked at (1 or 0): methods x
    origins x series x periods. An interval is made of what had come by its origin, as a forecast of that day is.
    """
    shape = past.made.shape
    found = {share: (np.zeros(shape), np.zeros(shape)) for share in COVERAGES}
    horizon = shape[-1]
    counts_where = past.is_used[..., None] & past.is_open
    missed = residuals(past.actual, past.made, past.level, counts_where)
    for number, end in enumerate(past.ends):
        known = past.ends + horizon <= end
        if not known.any():
            continue
        pooled = missed[:, known].swapaxes(1, 2).reshape(shape[0], shape[2], -1)
        learned = widths(pooled)
        is_seen = counts_where[number] & (learned.learned_from >= LEAST_RESIDUALS)[..., None]
        for share, width in learned.by_coverage.items():
            low, high = bounds(past.made[:, number], past.level[number], past.is_open[number], width)
            is_within = (low <= past.actual[number]) & (past.actual[number] <= high)
            within, seen = found[share]
            within[:, number], seen[:, number] = is_seen & is_within, is_seen
    return found


def accuracy(
    past: Backtest, against: Scales, band: tuple[int, int], found: dict[int, tuple[Floats, Floats]]
) -> Accuracy:
    """The measures of a band of the horizon, from its first to its last period."""
    ahead = slice(band[0] - 1, band[1])
    used = past.is_used
    errors = past.errors[..., ahead]
    sold = _summed(past.actual[None, :, :, ahead], used)
    number = errors.shape[-1]
    return Accuracy(
        origins=used.sum(axis=0),
        mase=_mean(_ratio(total(np.abs(errors)) / number, against.absolute), used),
        rmsse=_mean(np.sqrt(_ratio(total(errors**2) / number, against.squared)), used),
        wape=_ratio(_summed(np.abs(errors), used), sold),
        bias=_ratio(_summed(-errors, used), sold),
        covered={
            share: _ratio(_summed(within[..., ahead], used), _summed(seen[..., ahead], used))
            for share, (within, seen) in found.items()
        },
    )


def _ratio(values: Floats, base: Floats) -> Floats:
    """NaN where there is nothing to compare with."""
    base = np.broadcast_to(base, values.shape)
    ratio: Floats = np.divide(values, base, out=np.full(values.shape, np.nan), where=base > 0)
    return ratio


def _summed(values: Floats, used: Bools) -> Floats:
    """Over the periods and the origins that count: methods x series."""
    return total(np.where(used, total(values), 0.0), axis=1)


def _mean(values: Floats, used: Bools) -> Floats:
    """Over the origins that count and have a value."""
    counts = used & np.isfinite(values)
    return _ratio(total(np.where(counts, values, 0.0), axis=1), counts.sum(axis=1).astype(np.float64))
