"""How far off a forecast may be: quantiles of what the same method missed by before, scaled to its level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.forecast.series import Bools, Floats, Ints

# The shares of what comes that the intervals are to hold.
COVERAGES = (80, 95)
LEAST_RESIDUALS = 20
# A low forecast is not more certain than a quarter of the usual level is.
_LEAST_OF_LEVEL = 0.25


def scale(forecast: Floats, level: Floats) -> Floats:
    """How large errors are at a forecast, beside those at others: as its root, as of things that are counted. `level`
    is what is usual, and has no axis for the periods.
    """
    usual = np.where(level > 0, level, 1.0)[..., None]
    return np.sqrt(np.maximum(forecast, _LEAST_OF_LEVEL * usual))


def in_order(residuals: Floats) -> tuple[Floats, Ints]:
    """The residuals of each series from the lowest to the highest, those that are NaN last, and how many are not."""
    return np.sort(residuals, axis=-1), np.isfinite(residuals).sum(axis=-1)


def quantile(ordered: Floats, counts: Ints, share: float) -> Floats:
    """The value that a new residual is not above, with a probability of `share` at least, as far as there are values:
    of n, the one with the rank ceil((n + 1) x share). NaN where there is none.
    """
    if not ordered.shape[-1]:
        return np.full(ordered.shape[:-1], np.nan)
    rank = np.ceil(np.round((counts + 1) * share, 9)).astype(np.int64)
    place = np.clip(rank, 1, np.maximum(counts, 1)) - 1
    return np.take_along_axis(ordered, place[..., None], axis=-1)[..., 0]


def residuals(actual: Floats, made: Floats, level: Floats, counts_where: Bools) -> Floats:
    """By how much more was sold than was said, scaled; NaN where that does not count."""
    return np.where(counts_where, (actual - made) / scale(made, level), np.nan)


@dataclass(frozen=True)
class Widths:
    """How far an interval goes to either side of a forecast of the scale 1, for each of COVERAGES, and the number of
    residuals that this was learned from.
    """

    by_coverage: dict[int, Floats]
    learned_from: Ints


def widths(pooled: Floats) -> Widths:
    """Of the residuals of each series, along the last axis, whichever origin and horizon they are of."""
    ordered, counts = in_order(np.abs(pooled))
    return Widths({share: quantile(ordered, counts, share / 100) for share in COVERAGES}, counts)


def bounds(made: Floats, level: Floats, is_open: Bools, width: Floats) -> tuple[Floats, Floats]:
    """From where to where an interval goes; closed periods are 0 for certain."""
    reach = np.where(is_open, width[..., None] * scale(made, level), 0.0)
    return np.maximum(made - reach, 0.0), made + reach
