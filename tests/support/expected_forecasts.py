"""What forecast_sales should say, written down once more: plain lists of numbers, one series at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Values = list[float]


def seasonal_naive(y: Values, m: int) -> Values:
    return y[-m:]


def profile(y: Values, m: int) -> Values:
    weeks = whole_weeks(y, m)
    recent = weeks[-8:]
    slots = [sum(week[slot] for week in recent) for slot in range(m)]
    if sum(slots) <= 0:
        return [0.0] * m
    candidates = []
    for alpha in (0.05, 0.1, 0.2, 0.3, 0.5):
        smooth, missed = sum(weeks[0]), 0.0
        for week in weeks[1:]:
            missed += abs(sum(week) - smooth)
            smooth += alpha * (sum(week) - smooth)
        candidates.append((missed, smooth))
    least = min(missed for missed, _ in candidates)
    smooth = next(smooth for missed, smooth in candidates if missed <= least * (1 + 1e-9) + 1e-12)
    return [slot / sum(slots) * smooth for slot in slots]


def mean_of_4_weeks(y: Values, m: int) -> Values:
    recent = y[-4 * m :]
    return [sum(recent) / len(recent)] * m


def average(y: Values, m: int) -> Values:
    return [(a + b) / 2 for a, b in zip(profile(y, m), mean_of_4_weeks(y, m), strict=True)]


def croston(y: Values, m: int) -> Values:
    size = gap = None
    last = -1
    for day, sold in enumerate(y):
        if sold > 0:
            size = sold if size is None else size + 0.1 * (sold - size)
            gap = float(day - last) if gap is None else gap + 0.1 * (day - last - gap)
            last = day
    return [0.0 if size is None or gap is None else 0.95 * size / gap] * m


def mean_of_8_weeks(y: Values, m: int) -> Values:
    weeks = whole_weeks(y, m)[-8:]
    return [sum(week[slot] for week in weeks) / len(weeks) for slot in range(m)]


Method = Callable[[Values, int], Values]
BY_DAY: dict[str, Method] = {
    "seasonal naive": seasonal_naive,
    "profile": profile,
    "28-day mean": mean_of_4_weeks,
    "average": average,
    "Croston-SBA": croston,
}
BY_HOUR: dict[str, Method] = {"seasonal naive": seasonal_naive, "8-week mean": mean_of_8_weeks, "profile": profile}


@dataclass(frozen=True)
class Kind:
    methods: dict[str, Method]
    season: int
    horizon: int
    step: int
    bands: tuple[tuple[int, int], ...]


DAY = Kind(BY_DAY, 7, 14, 7, ((1, 14), (1, 7), (8, 14)))
HOUR = Kind(BY_HOUR, 168, 168, 168, ((1, 168), (1, 24), (25, 168)))


@dataclass
class Expected:
    """`accuracy` by method and band, and of each the figures by their column."""

    status: str
    model: str | None = None
    forecast: Values = field(default_factory=list)
    bounds: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    accuracy: dict[tuple[str, str], dict[str, float | None]] = field(default_factory=dict)


def whole_weeks(y: Values, m: int) -> list[Values]:
    number = len(y) // m
    start = len(y) - number * m
    return [y[start + week * m : start + (week + 1) * m] for week in range(number)]


def is_closed(y: Values, m: int) -> list[bool]:
    weeks = whole_weeks(y, m)[-8:]
    return [len(weeks) >= 4 and all(week[slot] == 0 for week in weeks) for slot in range(m)]


def made(method: Method, y: Values, kind: Kind, closed: Sequence[bool]) -> Values:
    """The forecast of a horizon; `closed` are the days of it that were said to be closed."""
    m, resting = kind.season, is_closed(y, kind.season)
    values = method(y, m)
    return [0.0 if closed[h] or resting[h % m] else max(values[h % m], 0.0) for h in range(len(closed))]


def expected(y: Values, kind: Kind, closed: Sequence[bool]) -> Expected:
    """Of the values from the first on. `closed` has one more horizon than `y` has values."""
    first = next((at for at, value in enumerate(y) if value != 0), len(y))
    y, closed = y[first:], list(closed[first:])
    n, m, h = len(y), kind.season, kind.horizon
    origins = [o for o in (n - h - kind.step * back for back in range(12)) if o >= 4 * m]
    if n < 8 * m or len(origins) < 4:
        return Expected("not enough history")
    past = {
        (name, o): made(method, y[:o], kind, closed[o : o + h])
        for name, method in kind.methods.items()
        for o in origins
    }
    losses = {
        name: math.sqrt(sum((y[o + i] - past[name, o][i]) ** 2 for o in origins for i in range(h)) / h / len(origins))
        for name in kind.methods
    }
    base = losses["seasonal naive"] or 1.0
    model = min(kind.methods, key=lambda name: round(losses[name] / base, 9))
    forecast = made(kind.methods[model], y, kind, closed[n:])
    largest = max(sum(y[max(at - h, 0) : at]) for at in range(n + 1))
    if sum(forecast) > 3 * largest:
        model = "seasonal naive"
        forecast = made(kind.methods[model], y, kind, closed[n:])
    residuals = [abs(r) for o in origins for r in scaled(y, o, past[model, o], kind, closed) if r is not None]
    if len(residuals) < 20:
        return Expected("not enough history")
    found = Expected("ok", model, forecast)
    for share in (80, 95):
        width = conformal(residuals, share / 100)
        found.bounds[share] = interval(y, n, forecast, kind, closed, width)
    for name in kind.methods:
        for band in kind.bands:
            found.accuracy[name, f"{band[0]}-{band[1]}"] = measures(y, kind, closed, origins, past, name, band)
    for (name, ahead), figures in found.accuracy.items():
        figures["MASE_SEASONAL_NAIVE"] = found.accuracy["seasonal naive", ahead]["MASE"]
        figures["IS_CHAMPION"] = float(name == model)
    return found


def scale(value: float, level: float) -> float:
    usual = level if level > 0 else 1.0
    return math.sqrt(max(value, usual / 4))


def level_at(y: Values, o: int, m: int) -> float:
    return sum(y[max(o - 8 * m, 0) : o]) / (8 * m)


def scaled(y: Values, o: int, forecast: Values, kind: Kind, closed: Sequence[bool]) -> list[float | None]:
    resting, level = is_closed(y[:o], kind.season), level_at(y, o, kind.season)
    return [
        None if resting[i % kind.season] or closed[o + i] else (y[o + i] - value) / scale(value, level)
        for i, value in enumerate(forecast)
    ]


def interval(
    y: Values, o: int, forecast: Values, kind: Kind, closed: Sequence[bool], width: float
) -> list[tuple[float, float]]:
    resting, level = is_closed(y[:o], kind.season), level_at(y, o, kind.season)
    bounds = []
    for i, value in enumerate(forecast):
        reach = 0.0 if resting[i % kind.season] or closed[o + i] else width * scale(value, level)
        bounds.append((max(value - reach, 0.0), value + reach))
    return bounds


def conformal(residuals: Sequence[float], share: float) -> float:
    rank = math.ceil(round((len(residuals) + 1) * share, 9))
    return sorted(residuals)[min(rank, len(residuals)) - 1]


def measures(
    y: Values,
    kind: Kind,
    closed: Sequence[bool],
    origins: Sequence[int],
    past: dict[tuple[str, int], Values],
    name: str,
    band: tuple[int, int],
) -> dict[str, float | None]:
    ahead = range(band[0] - 1, band[1])
    mase, rmsse = [], []
    within: dict[int, list[bool]] = {80: [], 95: []}
    for o in origins:
        changes = [y[t] - y[t - kind.season] for t in range(kind.season, o)]
        errors = [y[o + i] - past[name, o][i] for i in ahead]
        absolute, squared = sum(map(abs, changes)) / len(changes), sum(c * c for c in changes) / len(changes)
        if absolute > 0:
            mase.append(sum(map(abs, errors)) / len(errors) / absolute)
            rmsse.append(math.sqrt(sum(e * e for e in errors) / len(errors) / squared))
        earlier = [
            abs(r)
            for o2 in origins
            if o2 + kind.horizon <= o
            for r in scaled(y, o2, past[name, o2], kind, closed)
            if r is not None
        ]
        if len(earlier) >= 20:
            is_open = [r is not None for r in scaled(y, o, past[name, o], kind, closed)]
            for share, hits in within.items():
                bounds = interval(y, o, past[name, o], kind, closed, conformal(earlier, share / 100))
                hits += [bounds[i][0] <= y[o + i] <= bounds[i][1] for i in ahead if is_open[i]]
    sold = sum(y[o + i] for o in origins for i in ahead)
    error = sum(past[name, o][i] - y[o + i] for o in origins for i in ahead)
    missed = sum(abs(past[name, o][i] - y[o + i]) for o in origins for i in ahead)
    return {
        "ORIGINS": float(len(origins)),
        "MASE": sum(mase) / len(mase) if mase else None,
        "RMSSE": sum(rmsse) / len(rmsse) if rmsse else None,
        "WAPE": missed / sold if sold > 0 else None,
        "BIAS": error / sold if sold > 0 else None,
        "COVER80": sum(within[80]) / len(within[80]) if within[80] else None,
        "COVER95": sum(within[95]) / len(within[95]) if within[95] else None,
    }


def expected_cover(y: Values, closed: Sequence[bool], lead: int, service: float) -> tuple[float, float] | None:
    """Demand and safety stock over the lead time; `closed` goes on for the longer of horizon and lead time."""
    now = expected(y, DAY, closed[: len(y) + DAY.horizon])
    if now.status != "ok" or now.model is None:
        return None
    first = next(at for at, value in enumerate(y) if value != 0)
    y, closed = y[first:], list(closed[first:])
    n, method = len(y), BY_DAY[now.model]
    origins = [o for o in (n - lead - 7 * back for back in range(26)) if o >= 28]
    sums = []
    for o in origins:
        before = sum(made(method, y[:o], DAY, closed[o : o + lead]))
        sums.append((sum(y[o : o + lead]) - before) / scale(before, level_at(y, o, 7) * lead))
    if not sums:
        return None
    demand = sum(made(method, y, DAY, closed[n : n + lead]))
    return demand, max(conformal(sums, service), 0.0) * scale(demand, level_at(y, n, 7) * lead)
