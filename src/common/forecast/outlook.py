"""What is to be expected of a batch of series: the method that was nearest before, its forecast, and how far off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.forecast.backtest import LEAST_ORIGINS, Backtest, champions, look_back, of_champions
from common.forecast.intervals import LEAST_RESIDUALS, bounds, residuals, widths
from common.forecast.methods import forecasts, is_resting, level
from common.forecast.series import PATTERN_SEASONS, Batch, Bools, Floats, Grain, Ints, tiled, total

# A horizon that sells more than so many times the most that ever was is not believed.
_MOST_OF_LARGEST = 3.0


@dataclass(frozen=True)
class Outlook:
    """Of each series: whether its history is enough, the method that its forecast is made with, the forecast, and the
    bounds of its intervals by coverage; series x periods.
    """

    is_enough: Bools
    champion: Ints
    forecast: Floats
    bounds: dict[int, tuple[Floats, Floats]]
    past: Backtest


def outlook(batch: Batch, grain: Grain, is_closed: Bools) -> Outlook:
    """`is_closed` has every column and the horizon after them, and is true where it is said that nothing can sell."""
    past = look_back(batch, grain, is_closed, grain.horizon)
    ahead = is_closed[batch.periods : batch.periods + grain.horizon]
    made = np.where(ahead, 0.0, tiled(forecasts(batch, grain, [batch.periods])[:, 0], grain.horizon))
    champion = believed(batch, made, champions(past))
    forecast = of_champions(made, champion)
    usual = level(batch, grain.season)
    is_open = ~tiled(is_resting(batch, grain.season), grain.horizon) & ~ahead
    before = of_champions(past.made, champion)
    missed = residuals(past.actual, before, past.level, past.is_used[..., None] & past.is_open)
    learned = widths(missed.swapaxes(0, 1).reshape(batch.size, -1))
    return Outlook(
        is_enough=(batch.lengths >= PATTERN_SEASONS * grain.season)
        & (past.is_used.sum(axis=0) >= LEAST_ORIGINS)
        & (learned.learned_from >= LEAST_RESIDUALS),
        champion=champion,
        forecast=forecast,
        bounds={share: bounds(forecast, usual, is_open, width) for share, width in learned.by_coverage.items()},
        past=past,
    )


def believed(batch: Batch, made: Floats, champion: Ints) -> Ints:
    """The champions, or the first method, seasonal naive, where more would sell than can be believed."""
    horizon = made.shape[-1]
    sums = np.add.accumulate(batch.values, axis=1)
    largest = (sums[:, horizon:] - sums[:, :-horizon]).max(axis=1)
    is_too_much = total(of_champions(made, champion)) > _MOST_OF_LARGEST * largest
    return np.where(is_too_much, 0, champion)
