"""How much to have in stock when an order is placed: what is expected until it comes, and what has to be beside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.forecast.backtest import look_back
from common.forecast.intervals import in_order, quantile, residuals, scale
from common.forecast.methods import forecasts, level
from common.forecast.series import Batch, Bools, Floats, Grain, tiled, total

# A sum over the lead time is one value an origin: half a year of them tell what is exceeded once in twenty times.
_ORIGINS = 26


@dataclass(frozen=True)
class Cover:
    """Of each product, units over the lead time: those to expect, and those to have beside, which are NaN where no lead
    time of the past is known.
    """

    demand: Floats
    safety: Floats


def cover(batch: Batch, grain: Grain, is_closed: Bools, lead_time: int, service_level: float) -> Cover:
    """Of series that are forecast with the one method that the grain has. `is_closed` goes on for the lead time.

    The safety stock is a quantile of what was sold beyond what was expected, over whole lead times: the errors of days
    that follow each other are alike, and do not cancel out as those of a coin do.
    """
    ahead = is_closed[batch.periods : batch.periods + lead_time]
    made = np.where(ahead, 0.0, tiled(forecasts(batch, grain, [batch.periods])[0, 0], lead_time))
    demand = total(made)
    past = look_back(batch, grain, is_closed, lead_time, _ORIGINS)
    expected, sold = total(past.made[0])[..., None], total(past.actual)[..., None]
    missed = residuals(sold, expected, past.level * lead_time, past.is_used[..., None])[..., 0].T
    ordered, counts = in_order(missed)
    usual = level(batch, grain.season) * lead_time
    safety = np.maximum(quantile(ordered, counts, service_level), 0.0) * scale(demand[:, None], usual)[:, 0]
    return Cover(demand, safety)
