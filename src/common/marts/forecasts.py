"""The tables of forecasts as functions of the sales: their only definition. What is done with numbers is in
common/forecast, and is done where the rows are; here stands which rows these are, and what becomes of them.

What each column means is in contract/forecast.py; docs/explanation/forecasts.md says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from pyspark import cloudpickle
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.contract.forecast import (
    DAY,
    FORECAST_ACCURACY,
    HOUR_OF_DAY,
    NOT_ENOUGH,
    OK,
    PRODUCT,
    QUANTITY,
    RATIO,
    SALES_FORECAST,
    STOCK_COVER,
    UNITS,
)
from common.forecast.history import HOURS_OF_DAY, SERIES, Days, series
from common.marts.mart import Inputs

if TYPE_CHECKING:
    import pyarrow as pa

    Batches = Iterable[pa.RecordBatch]

# The settings that say what the rows of the tables are, and their defaults.
OF_FORECASTS = {"business_time_zone": "UTC", "last_day": "", "days_closed": ""}
OF_STOCK = OF_FORECASTS | {"lead_time_days": "7", "service_level": "0.95", "stock_digest": ""}
_EPOCH = date(1970, 1, 1)


def whole_days(inputs: Inputs) -> Days | None:
    """The days that count: up to the one before that of the newest sale, which may not be over, unless the settings say
    which is the last. None where nothing was sold by then.
    """
    zone, named = inputs.settings["business_time_zone"], inputs.settings["last_day"]
    return inputs.once(("whole days", zone, named), lambda: _whole_days(inputs.sales, zone, named))


def _whole_days(sales: DataFrame, zone: str, named: str) -> Days | None:
    days = Days(zone, 0)
    times = sales.agg(F.min("TRANSACTION_DATE").alias("first"), F.max("TRANSACTION_DATE").alias("newest"))
    first, newest = times.select(days.number(F.col("first"), DAY), days.number(F.col("newest"), DAY)).collect()[0]
    if newest is None:
        return None
    last = _day_number(named) if named else newest - 1
    return Days(zone, last) if first <= last else None


def sales_forecast(inputs: Inputs, only: DataFrame | None = None) -> DataFrame:
    """All rows of sales_forecast, or those of the total and of the products in `only`."""
    days = whole_days(inputs)
    if days is None:
        return inputs.lake.read(SALES_FORECAST, None)
    rows = _outlooks(inputs, days, only).select("*", F.inline_outer("forecasts"))
    horizon = F.coalesce("HORIZON", F.lit(1))
    by_grain = {
        DAY: F.lit(days.last) + horizon,
        HOUR_OF_DAY: F.lit(days.last * HOURS_OF_DAY + HOURS_OF_DAY - 1) + horizon,
    }
    ahead = [
        rows.where(F.col("GRAIN") == grain)
        .where(days.exists(number, grain) | ~F.col("is_enough"))
        .withColumn("PERIOD_START", days.start(number, grain))
        for grain, number in by_grain.items()
    ]
    expected = ("FORECAST", "LO80", "HI80", "LO95", "HI95")
    return (
        ahead[0]
        .unionByName(ahead[1])
        .withColumns({name: F.col(name).cast(QUANTITY) for name in expected})
        .withColumns({"STATUS": _status(), "HORIZON": horizon, "LAST_PERIOD": days.last_period(F.col("GRAIN"))})
        .select(*SALES_FORECAST.column_names)
    )


def forecast_accuracy(inputs: Inputs, only: DataFrame | None = None) -> DataFrame:
    """All rows of forecast_accuracy, or those of the total and of the products in `only`."""
    days = whole_days(inputs)
    if days is None:
        return inputs.lake.read(FORECAST_ACCURACY, None)
    ratios = [column.name for column in FORECAST_ACCURACY.columns if column.type == RATIO]
    return (
        _outlooks(inputs, days, only)
        .select(*SERIES, F.inline("accuracies"))
        .withColumns({name: F.col(name).cast(RATIO) for name in ratios})
        .withColumn("LAST_PERIOD", days.last_period(F.col("GRAIN")))
        .select(*FORECAST_ACCURACY.column_names)
    )


def stock_cover(inputs: Inputs, only: DataFrame | None = None) -> DataFrame:
    """All rows of stock_cover, or those of the products in `only`."""
    days = whole_days(inputs)
    if days is None:
        return inputs.lake.read(STOCK_COVER, None)
    from common.forecast.arrow import COVER, covers

    lead_time, service_level = int(inputs.settings["lead_time_days"]), inputs.settings["service_level"]
    compute = partial(
        covers,
        last_day=days.last,
        closed_days=_closed_days(inputs),
        lead_time=lead_time,
        service_level=float(service_level),
    )
    is_demand = (F.col("SERIES_KIND") == PRODUCT) & (F.col("MEASURE") == UNITS)
    models = _outlooks(inputs, days, only).where(is_demand).select("PRODUCT_ID", "MODEL")
    of_products = _series(inputs, days, only).where(is_demand).join(models, on="PRODUCT_ID", how="inner")
    demand, safety, stock = (F.col(name) for name in ("DEMAND_OVER_LEAD_TIME", "SAFETY_STOCK", "STOCK"))
    return (
        _computed(of_products, compute, COVER)
        .withColumns({each: F.col(each).cast(QUANTITY) for each in ("DEMAND_OVER_LEAD_TIME", "SAFETY_STOCK")})
        .join(_stock(inputs), on="PRODUCT_ID", how="left")
        .withColumns(
            {
                "STATUS": _status(),
                "LEAD_TIME_DAYS": F.lit(lead_time),
                "SERVICE_LEVEL": F.lit(service_level).cast("decimal(6,4)"),
                "REORDER_POINT": (demand + safety).cast(QUANTITY),
                "DAYS_OF_COVER": (stock * lead_time / F.nullif(demand, F.lit(0))).cast(QUANTITY),
                "LAST_PERIOD": days.start(F.lit(days.last), DAY),
            }
        )
        .select(*STOCK_COVER.column_names)
    )


def _stock(inputs: Inputs) -> DataFrame:
    """PRODUCT_ID and STOCK of the products that a stock file names: the one that the run was given, or else the one
    that the table was made with, of which it has what it needs.
    """
    if "stock" in inputs.given:
        return inputs.given["stock"]
    version = inputs.lake.version(STOCK_COVER) if inputs.settings["stock_digest"] else None
    held = inputs.lake.read(STOCK_COVER, version)
    return held.select("PRODUCT_ID", "STOCK")


def _series(inputs: Inputs, days: Days, only: DataFrame | None) -> DataFrame:
    return inputs.once(("series", days, only), lambda: series(inputs.sales, days, only))


def _outlooks(inputs: Inputs, days: Days, only: DataFrame | None) -> DataFrame:
    """One row per series, with all that is to be expected of it; computed once for the tables that share settings."""
    from common.forecast.arrow import OUTLOOK, outlooks

    closed_days = _closed_days(inputs)
    compute = partial(outlooks, last_day=days.last, closed_days=closed_days)
    return inputs.once(
        ("outlooks", days, closed_days, only),
        lambda: _computed(_series(inputs, days, only), compute, OUTLOOK),
    )


def _computed(rows: DataFrame, compute: Callable[[Batches], Iterator[pa.RecordBatch]], ddl: str) -> DataFrame:
    """What a function of common.forecast makes of the rows. Where these are, our code need not be: it goes along."""
    import common.forecast

    cloudpickle.register_pickle_by_value(common.forecast)  # type: ignore[no-untyped-call]
    return rows.mapInArrow(compute, ddl)


def _status() -> Column:
    return F.when(F.col("is_enough"), OK).otherwise(NOT_ENOUGH)


def _closed_days(inputs: Inputs) -> tuple[int, ...]:
    return tuple(_day_number(day) for day in inputs.settings["days_closed"].split(",") if day)


def _day_number(day: str) -> int:
    return (date.fromisoformat(day) - _EPOCH).days
