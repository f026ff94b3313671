"""The candidates: each makes of what is known of some series the profile of a season, in periods from the next one on.

They are the simple ones that won; docs/explanation/forecasts.md says against what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from common.forecast.series import LEAST_SEASONS, PATTERN_SEASONS, Batch, Bools, Floats, Grain, Ints, total

SEASONAL_NAIVE = "seasonal naive"
PROFILE = "profile"
MEAN_28_DAYS = "28-day mean"
AVERAGE = "average"
CROSTON = "Croston-SBA"
MEAN_8_WEEKS = "8-week mean"
# One follows the weekdays, the other is steady: the average of both is often better than either.
_AVERAGED = (PROFILE, MEAN_28_DAYS)

_SMOOTHING = np.array([0.05, 0.1, 0.2, 0.3, 0.5])
_CROSTON_SMOOTHING = 0.1
# Losses that differ by less than this share of them are the same.
DIGITS = 9

DAYS = Grain(
    name="day",
    season=7,
    horizon=14,
    step=7,
    methods=(SEASONAL_NAIVE, PROFILE, MEAN_28_DAYS, AVERAGE, CROSTON),
    bands=((1, 14), (1, 7), (8, 14)),
)
HOURS = Grain(
    name="hour",
    season=168,
    horizon=168,
    step=168,
    methods=(SEASONAL_NAIVE, MEAN_8_WEEKS, PROFILE),
    bands=((1, 168), (1, 24), (25, 168)),
)


def forecasts(batch: Batch, grain: Grain, ends: Sequence[int]) -> Floats:
    """What each of the grain's methods expected of the next season, by what was known before each of some columns:
    methods x ends x series x periods. Never below 0, and 0 where nothing was sold for long.

    The ends are whole seasons apart.
    """
    parts = _AVERAGED if AVERAGE in grain.methods else ()
    simple = [name for name in dict.fromkeys([*grain.methods, *parts]) if name != AVERAGE]
    made = {name: _METHODS[name](batch, ends, grain.season) for name in simple}
    if parts:
        made[AVERAGE] = (made[parts[0]] + made[parts[1]]) / 2
    resting = np.stack([is_resting(batch.until(end), grain.season) for end in ends])
    return np.where(resting, 0.0, np.maximum(np.stack([made[name] for name in grain.methods]), 0.0))


def is_resting(known: Batch, season: int) -> Bools:
    """The periods of a season in which nothing was sold the last 8 times (4 where there are no more): the Saturdays of
    a shop that is closed then.
    """
    seasons, counts = _last_seasons(known, season)
    is_nothing: Bools = (seasons == 0).all(axis=1) & (counts >= LEAST_SEASONS)[:, None]
    return is_nothing


def level(known: Batch, season: int) -> Floats:
    """What was sold in a period on average, in the last 8 seasons."""
    window = PATTERN_SEASONS * season
    return total(known.values[:, -window:]) / window


def _seasonal_naive(batch: Batch, ends: Sequence[int], season: int) -> Floats:
    """The same as a season ago."""
    return np.stack([batch.values[:, end - season : end] for end in ends])


def _seasonal_mean(batch: Batch, ends: Sequence[int], season: int) -> Floats:
    """The mean of the last 8 times."""
    recent = [_last_seasons(batch.until(end), season) for end in ends]
    return np.stack([total(seasons, axis=1) / np.maximum(counts, 1)[:, None] for seasons, counts in recent])


def _moving_average(batch: Batch, ends: Sequence[int], season: int) -> Floats:
    """The mean of the last 4 seasons, always."""
    window = LEAST_SEASONS * season
    sums = np.stack([total(batch.values[:, end - window : end]) for end in ends])
    numbers = np.stack([np.clip(batch.until(end).lengths, 1, window) for end in ends])
    return _always(sums / numbers, season)


def _profile(batch: Batch, ends: Sequence[int], season: int) -> Floats:
    """The smoothed sum of a season, shared out as the last 8 seasons were."""
    slots = np.stack([total(_last_seasons(batch.until(end), season)[0], axis=1) for end in ends])
    whole = total(slots)[..., None]
    shares = np.divide(slots, whole, out=np.zeros_like(slots), where=whole > 0)
    return shares * _smoothed(batch, ends, season)[..., None]


def _croston(batch: Batch, ends: Sequence[int], season: int) -> Floats:
    """Croston's method as Syntetos and Boylan corrected it: the smoothed size of what is sold at a time, over the
    smoothed time from one to the next.
    """
    columns = np.ascontiguousarray(batch.values.T)
    size, gap, since = (np.zeros(batch.size) for _ in range(3))
    rates = {}
    for column in range(int(batch.starts.min(initial=0)), max(ends) + 1):
        if column in ends:
            expected = (1 - _CROSTON_SMOOTHING / 2) * size
            rates[column] = np.divide(expected, gap, out=np.zeros_like(gap), where=gap > 0)
        if column == batch.periods:
            break
        value = columns[column]
        since = since + (column >= batch.starts)
        is_sold, is_first = value > 0, gap == 0
        smoothing = np.where(is_sold, np.where(is_first, 1.0, _CROSTON_SMOOTHING), 0.0)
        size = size + smoothing * (value - size)
        gap = gap + smoothing * (since - gap)
        since = np.where(is_sold, 0.0, since)
    return _always(np.stack([rates.get(end, np.zeros(batch.size)) for end in ends]), season)


_METHODS: dict[str, Callable[[Batch, Sequence[int], int], Floats]] = {
    SEASONAL_NAIVE: _seasonal_naive,
    PROFILE: _profile,
    MEAN_28_DAYS: _moving_average,
    CROSTON: _croston,
    MEAN_8_WEEKS: _seasonal_mean,
}


def _always(values: Floats, season: int) -> Floats:
    """The same in every period of a season."""
    return np.repeat(values[..., None], season, axis=-1)


def _last_seasons(known: Batch, season: int) -> tuple[Floats, Ints]:
    """The last 8 seasons of each series, the newest last, and how many of them it has in whole; those before are 0."""
    counts = np.minimum(known.lengths // season, PATTERN_SEASONS)
    seasons = known.values[:, -PATTERN_SEASONS * season :].reshape(known.size, PATTERN_SEASONS, season)
    is_there = np.arange(PATTERN_SEASONS) >= PATTERN_SEASONS - counts[:, None]
    return np.where(is_there[:, :, None], seasons, 0.0), counts


def _smoothed(batch: Batch, ends: Sequence[int], season: int) -> Floats:
    """The level of the sums of whole seasons, smoothed exponentially, ends x series; of several weights, the one that
    would have been nearest a season ahead until then.
    """
    offset, number = ends[0] % season, max(ends) // season
    weeks = batch.values[:, offset : offset + number * season].reshape(batch.size, number, season)
    sums = total(weeks)
    # The first season that a series has in whole.
    first = -((offset - batch.starts) // season)
    smoothed = np.zeros((batch.size, len(_SMOOTHING)))
    missed = np.zeros_like(smoothed)
    levels = {}
    for week in range(number):
        is_later = (week > first)[:, None]
        actual = sums[:, week, None]
        missed = missed + np.where(is_later, np.abs(actual - smoothed), 0.0)
        smoothed = np.where(is_later, _SMOOTHING * actual + (1 - _SMOOTHING) * smoothed, actual)
        end = offset + (week + 1) * season
        if end in ends:
            levels[end] = smoothed[np.arange(batch.size), least(missed.T)]
    return np.stack([levels[end] for end in ends])


def least(losses: Floats) -> Ints:
    """Which of several losses is the lowest, for each series (losses x series); of equal ones, the first."""
    base = np.where(losses[0] > 0, losses[0], 1.0)
    lowest: Ints = np.argmin(np.round(losses / base, DIGITS), axis=0)
    return lowest
