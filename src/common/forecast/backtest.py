"""What the methods would have said at earlier times, beside what came: each method is judged by that alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.forecast.methods import forecasts, is_resting, least, level
from common.forecast.series import LEAST_SEASONS, PATTERN_SEASONS, Batch, Bools, Floats, Grain, Ints, tiled, total

# So many times in the past a forecast is made, and at least so many.
MOST_ORIGINS, LEAST_ORIGINS = 12, 4


@dataclass(frozen=True)
class Backtest:
    """Forecasts of a batch from several origins, the newest first, each over a horizon that is fully known by now.

    Of each array, the axes are methods (where it has them), origins, series and the periods of the horizon. `is_used`
    says from which origins a series has enough behind it. `is_open` is false of periods in which a forecast is 0
    without a doubt. The forecasts of an origin were made of what was known in the column of `ends`, and before.
    """

    ends: Ints
    is_used: Bools
    actual: Floats
    made: Floats
    is_open: Bools
    level: Floats

    @property
    def errors(self) -> Floats:
        """How much more was sold than was said."""
        return self.actual - self.made


def look_back(batch: Batch, grain: Grain, is_closed: Bools, horizon: int, most: int = MOST_ORIGINS) -> Backtest:
    """The backtest of a batch from `most` origins at most. `is_closed` has, for every column and the horizon after
    them, whether it was said that nothing can be sold then.
    """
    ends = batch.periods - horizon - grain.step * np.arange(most)
    ends = ends[ends >= (PATTERN_SEASONS + LEAST_SEASONS) * grain.season]
    known = [batch.until(int(end)) for end in ends]
    ahead = [slice(end, end + horizon) for end in ends]
    shape = (len(ends), batch.size, horizon)
    made, is_open = np.zeros((len(grain.methods), *shape)), np.zeros(shape, dtype=bool)
    actual, levels = np.zeros(shape), np.zeros(shape[:2])
    for number, (then, days) in enumerate(zip(known, ahead, strict=True)):
        is_open[number] = ~tiled(is_resting(then, grain.season), horizon) & ~is_closed[days]
        made[:, number] = np.where(is_closed[days], 0.0, tiled(forecasts(then, grain), horizon))
        actual[number] = batch.values[:, days]
        levels[number] = level(then, grain.season)
    lengths = np.array([then.lengths for then in known]).reshape(shape[:2])
    return Backtest(ends, lengths >= LEAST_SEASONS * grain.season, actual, made, is_open, levels)


def champions(past: Backtest) -> Ints:
    """Of each series, the method with the lowest root of the mean squared error; of equal ones the first."""
    squared = total(past.errors**2) / max(past.actual.shape[-1], 1)
    origins = np.maximum(past.is_used.sum(axis=0), 1)
    loss = np.sqrt(total(np.where(past.is_used, squared, 0.0), axis=1) / origins)
    return least(loss)


def of_champions(values: Floats, champion: Ints) -> Floats:
    """Of what there is for each method, what is the champion's: the axis of methods goes."""
    where = champion.reshape(1, *(1,) * (values.ndim - 3), -1, 1)
    chosen: Floats = np.take_along_axis(values, where, axis=0)[0]
    return chosen
