"""What the methods would have said at earlier times, beside what came: each method is judged by that alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
    newest = batch.periods - horizon
    ends = [newest - grain.step * back for back in range(most)]
    ends = [end for end in ends if end >= (PATTERN_SEASONS + LEAST_SEASONS) * grain.season]
    ahead = [slice(end, end + horizon) for end in ends]
    known = [batch.until(end) for end in ends]

    def stacked(arrays: list[Any], *shape: int) -> Any:
        """With an axis for the origins, of which there may be none."""
        return np.stack(arrays) if arrays else np.zeros((0, batch.size, *shape))

    closed = stacked([np.broadcast_to(is_closed[days], (batch.size, horizon)) for days in ahead], horizon).astype(bool)
    resting = stacked([tiled(is_resting(then, grain.season), horizon) for then in known], horizon).astype(bool)
    made = np.zeros((len(grain.methods), 0, batch.size, horizon))
    if ends:
        made = np.where(closed, 0.0, tiled(forecasts(batch, grain, ends), horizon))
    return Backtest(
        ends=np.array(ends, dtype=np.int64),
        is_used=stacked([then.lengths >= LEAST_SEASONS * grain.season for then in known]).astype(bool),
        actual=stacked([batch.values[:, days] for days in ahead], horizon),
        made=made,
        is_open=~resting & ~closed,
        level=stacked([level(then, grain.season) for then in known]),
    )


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
