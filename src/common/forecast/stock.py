"""How much to have in stock when an order is placed: what is expected until it comes, and what has to be beside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.forecast.backtest import look_back, of_champions
from common.forecast.intervals import in_order, quantile, residuals, scale
from common.forecast.methods import forecasts, level
from common.forecast.outlook import outlook
from common.forecast.series import Batch, Bools, Floats, Grain, Ints, tiled, total

# A sum over the lead time is one value an origin: half a year of them tell what is exceeded once in twenty times.
_ORIGINS = 26


@dataclass(frozen=True)
class Cover:
    """Of each product: whether its history is enough, the method, and units over the lead time."""

    is_enough: Bools
    champion: Ints
    demand: Floats
    safety: Floats


def cover(batch: Batch, grain: Grain, is_closed: Bools, lead_time: int, service_level: float) -> Cover:
    """The safety stock is a quantile of what was sold beyond what was expected, over whole lead times: the errors of
    days that follow each other are alike, and do not cancel out as those of a coin do.
    """
    now = outlook(batch, grain, is_closed)
    ahead = is_closed[batch.periods : batch.periods + lead_time]
    made = np.where(ahead, 0.0, tiled(forecasts(batch, grain), lead_time))
    demand = total(of_champions(made, now.champion))
    past = look_back(batch, grain, is_closed, lead_time, _ORIGINS)
    before = total(of_champions(past.made, now.champion))[..., None]
    sold = total(past.actual)[..., None]
    missed = residuals(sold, before, past.level * lead_time, past.is_used[..., None])[..., 0].T
    ordered, counts = in_order(missed)
    usual = level(batch, grain.season) * lead_time
    width = quantile(ordered, counts, service_level)
    safety = np.maximum(width, 0.0) * scale(demand[:, None], usual)[:, 0]
    return Cover(now.is_enough & (counts > 0), now.champion, demand, safety)
