"""Series side by side in one matrix: a row a series, a column a period, and all end with the same period.

Whatever a series is beside, the same bytes come out: sums are added in the order of the periods (numpy's own `sum` adds
in another order for another shape), and nothing here knows a clock or chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# So many seasons at the end of a series say what its pattern is; so many it needs before its future can be told.
PATTERN_SEASONS = 8
LEAST_SEASONS = 4


@dataclass(frozen=True)
class Grain:
    """How series of one length of period are forecast. `season` is a week, in periods; `horizon` is how many are
    forecast, and the backtest goes back in steps of `step`.
    """

    name: str
    season: int
    horizon: int
    step: int
    methods: tuple[str, ...]
    bands: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Batch:
    """Some series. `values` is 0 before a series begins, in the column `starts`, with its first value that is not 0.

    There are as many columns before the first period of all as the longest pattern takes up.
    """

    values: Floats
    starts: Ints

    @property
    def size(self) -> int:
        return len(self.values)

    @property
    def periods(self) -> int:
        """The number of columns."""
        return int(self.values.shape[1])

    @property
    def lengths(self) -> Ints:
        """How many periods each series has."""
        return self.periods - self.starts

    def until(self, end: int) -> Batch:
        """What was known before the column `end`."""
        return Batch(self.values[:, :end], np.minimum(self.starts, end))

    def take(self, rows: npt.NDArray[np.intp] | slice) -> Batch:
        """Some of the series."""
        return Batch(self.values[rows], self.starts[rows])


def batch_of(counts: Ints, periods: Ints, values: Floats, last: int, grain: Grain) -> Batch:
    """The series up to the period `last`, from those periods that have a value: `counts` of each series, one after
    another. Periods are numbered; those in between are 0.
    """
    first = int(periods.min()) if len(periods) else last + 1
    lead = PATTERN_SEASONS * grain.season
    width = lead + last - first + 1
    matrix = np.zeros((len(counts), width))
    matrix[np.repeat(np.arange(len(counts)), counts), periods - first + lead] = values
    is_something = matrix != 0
    starts = np.where(is_something.any(axis=1), is_something.argmax(axis=1), width)
    return Batch(matrix, starts.astype(np.int64))


def total(values: Floats, axis: int = -1) -> Floats:
    """The sums along an axis, added in order; 0 of nothing."""
    is_empty = not values.shape[axis]
    sums: Floats = values.sum(axis) if is_empty else np.take(np.add.accumulate(values, axis=axis), -1, axis=axis)
    return sums


def tiled(profile: npt.NDArray[Any], horizon: int) -> npt.NDArray[Any]:
    """A profile of a season, over and over, for as many periods as the horizon has; along the last axis."""
    return profile[..., np.arange(horizon) % profile.shape[-1]]
