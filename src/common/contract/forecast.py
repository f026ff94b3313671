"""What forecast_sales computes of the sales: what will sell, how good such forecasts were, and how much to stock.
docs/explanation/forecasts.md explains it.
"""

from __future__ import annotations

from common.contract.model import Column, Table
from common.contract.tables import SALES

TOTAL, PRODUCT = "total", "product"
DAY, HOUR_OF_DAY = "day", "hour"
AMOUNT, UNITS = "AMOUNT", "UNITS"
OK, NOT_ENOUGH = "ok", "not enough history"
# The PRODUCT_ID of the series of all products: no product is called so.
ALL_PRODUCTS = ""

QUANTITY = "decimal(38,4)"
RATIO = "decimal(38,6)"

_SERVED = "Sales are demand as it was served: what was out of stock looks as if nobody had wanted it"
_SERIES = (
    Column("SERIES_KIND", "string", "total for all products together, product for one"),
    Column("PRODUCT_ID", "string", "The product; empty for the total"),
    Column("GRAIN", "string", "day or hour, of the business time zone"),
    Column("MEASURE", "string", "AMOUNT for net money, UNITS for net units; returns count on the day they come in"),
)
_LAST_PERIOD = Column(
    "LAST_PERIOD",
    "timestamp",
    "Start of the last period that is counted, a UTC instant; the day of the newest sale is not whole, and left out",
)
_MODEL = (
    "seasonal naive, profile, 28-day mean, average (of these two), Croston-SBA or 8-week mean; "
    "docs/explanation/forecasts.md says what they do"
)
_IS_SERIES = (
    (
        "series_is_of_a_known_kind",
        f"(SERIES_KIND = '{TOTAL}' AND PRODUCT_ID = '' AND MEASURE = '{AMOUNT}' "
        f"AND GRAIN IN ('{DAY}', '{HOUR_OF_DAY}')) OR (SERIES_KIND = '{PRODUCT}' AND PRODUCT_ID <> '' "
        f"AND MEASURE IN ('{AMOUNT}', '{UNITS}') AND GRAIN = '{DAY}')",
    ),
)
_STATUS = Column("STATUS", "string", f"{OK}, or {NOT_ENOUGH}: then nothing is said of what will come")


def _expected(name: str, comment: str) -> Column:
    return Column(name, QUANTITY, f"{comment}; rounded half up, null without enough history", nullable=True)


SALES_FORECAST = Table(
    name="sales_forecast",
    about=f"What will sell, by day and by hour, with how far off it may be. {_SERVED}",
    grain=f"One row per series and period ahead, 14 days or 168 hours; a single one where there is {NOT_ENOUGH}",
    columns=(
        *_SERIES,
        Column("PERIOD_START", "timestamp", "Start of the day or hour, a UTC instant"),
        _STATUS,
        Column("HORIZON", "int", "How many periods after LAST_PERIOD, 1 for the next"),
        _expected("FORECAST", "The mean to expect; never below 0, and 0 where the shop is closed"),
        _expected("LO80", "Of 10 times, 8 come out from here to HI80; never below 0"),
        _expected("HI80", "See LO80"),
        _expected("LO95", "Of 20 times, 19 come out from here to HI95; never below 0"),
        _expected("HI95", "See LO95"),
        Column("MODEL", "string", f"What was nearest in the past: {_MODEL}; null likewise", nullable=True),
        _LAST_PERIOD,
        Column("HISTORY_PERIODS", "int", "Periods from the first with a value other than 0 to LAST_PERIOD"),
    ),
    key=("SERIES_KIND", "PRODUCT_ID", "GRAIN", "MEASURE", "PERIOD_START"),
    stats=("SERIES_KIND", "PRODUCT_ID", "PERIOD_START"),
    constraints=(
        *_IS_SERIES,
        (
            "there_is_a_forecast_where_history_is_enough",
            f"(STATUS = '{OK}' AND FORECAST IS NOT NULL AND LO80 IS NOT NULL AND HI80 IS NOT NULL AND LO95 IS NOT NULL "
            f"AND HI95 IS NOT NULL AND MODEL IS NOT NULL) OR (STATUS = '{NOT_ENOUGH}' AND FORECAST IS NULL "
            "AND LO80 IS NULL AND HI80 IS NULL AND LO95 IS NULL AND HI95 IS NULL AND MODEL IS NULL AND HORIZON = 1)",
        ),
        (
            "bounds_are_in_order",
            "coalesce(0 <= LO95 AND LO95 <= LO80 AND LO80 <= FORECAST AND FORECAST <= HI80 AND HI80 <= HI95, true)",
        ),
        ("horizon_is_ahead", "HORIZON >= 1 AND HISTORY_PERIODS >= 0 AND PERIOD_START > LAST_PERIOD"),
    ),
    computed_from=(SALES.name,),
    kept_by="forecast_sales",
    logic_version=1,
)

FORECAST_ACCURACY = Table(
    name="forecast_accuracy",
    about="How good each way to forecast has been: made again as of 12 weeks in the past, and compared with what came",
    grain="One row per series with enough history, way to forecast and part of the horizon",
    columns=(
        *_SERIES,
        Column("MODEL", "string", _MODEL[0].upper() + _MODEL[1:]),
        Column("HORIZON_BAND", "string", "Periods ahead that are counted, such as 1-14 for all of them, and 8-14"),
        Column(
            "ORIGINS",
            "int",
            "Times in the past, a week apart, at which a forecast was made and is known to be right or wrong",
        ),
        Column(
            "MASE",
            RATIO,
            "Mean error, as a share of that of saying the same as a week before, all along what was known then; the "
            "mean over ORIGINS; null where each week was like the one before",
            nullable=True,
        ),
        Column("RMSSE", RATIO, "The same of root mean squares, in which large errors weigh more", nullable=True),
        Column("WAPE", RATIO, "Sum of errors as a share of what was sold; null where that is 0", nullable=True),
        Column(
            "BIAS",
            RATIO,
            "Forecast less sold, as a share of what was sold: above 0 where too much was expected; null likewise",
            nullable=True,
        ),
        Column(
            "COVER80",
            RATIO,
            "Share of periods in which what came was within LO80 and HI80, made of errors known at that time alone; "
            "closed periods are not counted; null where fewer than 20 errors were known",
            nullable=True,
        ),
        Column("COVER95", RATIO, "The same of LO95 and HI95", nullable=True),
        Column(
            "MASE_SEASONAL_NAIVE", RATIO, "MASE of seasonal naive, the one to beat, at the same times", nullable=True
        ),
        Column("IS_CHAMPION", "boolean", "Whether sales_forecast is made with it: the lowest root mean square"),
        _LAST_PERIOD,
    ),
    key=("SERIES_KIND", "PRODUCT_ID", "GRAIN", "MEASURE", "MODEL", "HORIZON_BAND"),
    stats=("SERIES_KIND", "PRODUCT_ID"),
    constraints=(
        *_IS_SERIES,
        (
            "errors_are_not_negative",
            "ORIGINS > 0 AND coalesce(MASE >= 0 AND RMSSE >= 0 AND MASE_SEASONAL_NAIVE >= 0, true)",
        ),
        ("shares_are_up_to_1", "coalesce(COVER80 BETWEEN 0 AND 1 AND COVER95 BETWEEN COVER80 AND 1, true)"),
    ),
    computed_from=(SALES.name,),
    kept_by="forecast_sales",
    logic_version=1,
)

STOCK_COVER = Table(
    name="stock_cover",
    about=f"How much of each product to have when it is ordered anew. {_SERVED}",
    grain="One row per PRODUCT_ID with a whole day since its first sale or return",
    columns=(
        Column("PRODUCT_ID", "string", "The product"),
        _STATUS,
        Column("LEAD_TIME_DAYS", "int", "Days from an order until the goods are there, as set for all products"),
        Column("SERVICE_LEVEL", "decimal(6,4)", "Share of lead times in which nothing is to run out, as set"),
        _expected("DEMAND_OVER_LEAD_TIME", "Units expected to sell in LEAD_TIME_DAYS"),
        _expected("SAFETY_STOCK", "Units beside these, by how much more was sold than expected over such times before"),
        _expected("REORDER_POINT", "Order when stock falls to this: DEMAND_OVER_LEAD_TIME + SAFETY_STOCK, in units"),
        Column("STOCK", "bigint", "Units in stock, as the stock file says; null where it does not", nullable=True),
        Column(
            "DAYS_OF_COVER",
            QUANTITY,
            "How many days STOCK lasts at the expected rate; null without STOCK, or where nothing is expected to sell",
            nullable=True,
        ),
        Column("MODEL", "string", "See sales_forecast; null without enough history", nullable=True),
        _LAST_PERIOD,
    ),
    key=("PRODUCT_ID",),
    stats=("PRODUCT_ID",),
    constraints=(
        (
            "there_is_a_point_where_history_is_enough",
            f"(STATUS = '{OK}' AND DEMAND_OVER_LEAD_TIME >= 0 AND SAFETY_STOCK >= 0 AND REORDER_POINT IS NOT NULL "
            f"AND MODEL IS NOT NULL) OR (STATUS = '{NOT_ENOUGH}' AND DEMAND_OVER_LEAD_TIME IS NULL "
            "AND SAFETY_STOCK IS NULL AND REORDER_POINT IS NULL AND MODEL IS NULL AND DAYS_OF_COVER IS NULL)",
        ),
        ("reorder_point_is_the_sum", "coalesce(REORDER_POINT = DEMAND_OVER_LEAD_TIME + SAFETY_STOCK, true)"),
        (
            "settings_are_in_range",
            "LEAD_TIME_DAYS >= 1 AND SERVICE_LEVEL > 0 AND SERVICE_LEVEL < 1 AND coalesce(STOCK >= 0, true)",
        ),
    ),
    computed_from=(SALES.name,),
    kept_by="forecast_sales",
    logic_version=1,
)
