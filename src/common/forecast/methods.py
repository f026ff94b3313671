"""The candidates: each makes of what is known of some series the profile of a season, in periods from the next one on.

They are the simple ones that won; docs/explanation/forecasts.md says against what.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from common.forecast.series import LEAST_SEASONS, PATTERN_SEASONS, Batch, Bools, Floats, Grain, Ints, total

SEASONAL_NAIVE = "seasonal naive"
PROFILE = "profile"
MEAN_28_DAYS = "28-day mean"
AVERAGE = "average"
CROSTON = "Croston-SBA"
MEAN_8_WEEKS = "8-week mean"

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


def forecasts(known: Batch, grain: Grain) -> Floats:
    """What each of the grain's methods expects of the next season: methods x series x periods. Never below 0, and 0
    where nothing was sold for long.
    """
    made = np.stack([_METHODS[name](known, grain.season) for name in grain.methods])
    return np.where(is_resting(known, grain.season), 0.0, np.maximum(made, 0.0))


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


def _seasonal_naive(known: Batch, season: int) -> Floats:
    """The same as a season ago."""
    return known.values[:, -season:]


def _seasonal_mean(known: Batch, season: int) -> Floats:
    """The mean of the last 8 times."""
    seasons, counts = _last_seasons(known, season)
    return total(seasons, axis=1) / np.maximum(counts, 1)[:, None]


def _moving_average(known: Batch, season: int) -> Floats:
    """The mean of the last 4 seasons, always."""
    window = LEAST_SEASONS * season
    mean = total(known.values[:, -window:]) / np.clip(known.lengths, 1, window)
    return np.repeat(mean[:, None], season, axis=1)


def _profile(known: Batch, season: int) -> Floats:
    """The smoothed sum of a season, shared out as the last 8 seasons were."""
    seasons, _ = _last_seasons(known, season)
    slots = total(seasons, axis=1)
    whole = total(slots)
    share = np.divide(slots, whole[:, None], out=np.zeros_like(slots), where=whole[:, None] > 0)
    return share * _smoothed(known, season)[:, None]


def _average(known: Batch, season: int) -> Floats:
    """The mean of the profile and the moving average: one follows the weekdays, the other is steady."""
    return (_profile(known, season) + _moving_average(known, season)) / 2


def _croston(known: Batch, season: int) -> Floats:
    """Croston's method as Syntetos and Boylan corrected it: the smoothed size of what is sold at a time, over the
    smoothed time from one to the next.
    """
    size, gap, since = (np.zeros(known.size) for _ in range(3))
    for column in range(int(known.starts.min(initial=known.periods)), known.periods):
        value = known.values[:, column]
        since = since + (column >= known.starts)
        is_sold = value > 0
        is_first = is_sold & (gap == 0)
        size = np.where(is_first, value, np.where(is_sold, size + _CROSTON_SMOOTHING * (value - size), size))
        gap = np.where(is_first, since, np.where(is_sold, gap + _CROSTON_SMOOTHING * (since - gap), gap))
        since = np.where(is_sold, 0.0, since)
    rate = np.divide((1 - _CROSTON_SMOOTHING / 2) * size, gap, out=np.zeros_like(gap), where=gap > 0)
    return np.repeat(rate[:, None], season, axis=1)


_METHODS: dict[str, Callable[[Batch, int], Floats]] = {
    SEASONAL_NAIVE: _seasonal_naive,
    PROFILE: _profile,
    MEAN_28_DAYS: _moving_average,
    AVERAGE: _average,
    CROSTON: _croston,
    MEAN_8_WEEKS: _seasonal_mean,
}


def _last_seasons(known: Batch, season: int) -> tuple[Floats, Ints]:
    """The last 8 seasons of each series, the newest last, and how many of them it has in whole; those before are 0."""
    counts = np.minimum(known.lengths // season, PATTERN_SEASONS)
    seasons = known.values[:, -PATTERN_SEASONS * season :].reshape(known.size, PATTERN_SEASONS, season)
    is_there = np.arange(PATTERN_SEASONS) >= PATTERN_SEASONS - counts[:, None]
    return np.where(is_there[:, :, None], seasons, 0.0), counts


def _smoothed(known: Batch, season: int) -> Floats:
    """The level of the sums of whole seasons, smoothed exponentially; of several weights, the one that would have been
    nearest a season ahead.
    """
    number = known.periods // season
    weeks = known.values[:, known.periods - number * season :].reshape(known.size, number, season)
    sums = total(weeks)
    first = number - known.lengths // season
    smoothed = np.zeros((known.size, len(_SMOOTHING)))
    missed = np.zeros_like(smoothed)
    for week in range(int(first.min(initial=number)), number):
        is_later = (week > first)[:, None]
        actual = sums[:, week, None]
        missed += np.where(is_later, np.abs(actual - smoothed), 0.0)
        smoothed = np.where(is_later, _SMOOTHING * actual + (1 - _SMOOTHING) * smoothed, actual)
    best = least(missed.T)
    return smoothed[np.arange(known.size), best]


def least(losses: Floats) -> Ints:
    """Which of several losses is the lowest, for each series (losses x series); of equal ones, the first."""
    base = np.where(losses[0] > 0, losses[0], 1.0)
    lowest: Ints = np.argmin(np.round(losses / base, DIGITS), axis=0)
    return lowest
