"""Every computed table, in one place: what loads, builds, plans, checks, repairs and describes them loops over MARTS.

A new table is one entry here, its columns in the contract, and its function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from common.contract import AGGREGATE, Table
from common.contract.forecast import FORECAST_ACCURACY, SALES_FORECAST, STOCK_COVER
from common.contract.gold import CUSTOMER_SEGMENTS, CUSTOMER_SUMMARY, PRODUCT_PERFORMANCE, SALES_HOURLY
from common.contract.offers import CUSTOMER_RECOMMENDATIONS, PRODUCT_PAIRS, RECOMMENDATION_ACCURACY
from common.errors import ConfigError
from common.marts.aggregate import aggregate_sales
from common.marts.aggregate_refresh import touched_groups
from common.marts.forecast_refresh import touched_series
from common.marts.forecasts import OF_FORECASTS, OF_STOCK, forecast_accuracy, sales_forecast, stock_cover
from common.marts.gold import customer_segments, customer_summary, product_performance, purchases, sales_hourly
from common.marts.hourly_totals import HourlyTotals, totals_of_aggregate, totals_of_sales
from common.marts.mart import Mart, compare_all, compare_touched_hours
from common.marts.recommended import (
    OF_OFFERS,
    accuracy_now,
    compare_touched_cuts,
    pairs_now,
    recommendations_now,
)

# The packages of each extra of pyproject.toml that tables are computed with, where Spark runs Python too.
_EXTRAS: Mapping[str, Sequence[str]] = {"": (), "forecast": ("numpy", "pandas", "pyarrow")}

MARTS = (
    Mart(
        table=AGGREGATE,
        rows=lambda inputs: aggregate_sales(inputs.sales, inputs.customers),
        pending=touched_groups,
        totals=HourlyTotals(of_table=totals_of_aggregate, of_sales=totals_of_sales),
    ),
    Mart(
        table=SALES_HOURLY,
        rows=lambda inputs: sales_hourly(inputs.sales),
        pending=compare_touched_hours,
    ),
    Mart(
        table=PRODUCT_PERFORMANCE,
        rows=lambda inputs: product_performance(inputs.shared(purchases)),
        pending=compare_all,
    ),
    Mart(
        table=CUSTOMER_SUMMARY,
        rows=lambda inputs: customer_summary(inputs.shared(purchases), inputs.customers),
        pending=compare_all,
    ),
    Mart(
        table=CUSTOMER_SEGMENTS,
        rows=lambda inputs: customer_segments(inputs.shared(purchases), inputs.customers),
        pending=compare_all,
    ),
    Mart(
        table=PRODUCT_PAIRS,
        rows=pairs_now,
        pending=compare_all,
        settings=OF_OFFERS,
    ),
    Mart(
        table=CUSTOMER_RECOMMENDATIONS,
        rows=recommendations_now,
        pending=compare_all,
        settings=OF_OFFERS,
    ),
    Mart(
        table=RECOMMENDATION_ACCURACY,
        rows=accuracy_now,
        pending=compare_touched_cuts,
        settings=OF_OFFERS | {"accuracy_cuts": ""},
    ),
    Mart(
        table=SALES_FORECAST,
        rows=sales_forecast,
        pending=touched_series(sales_forecast),
        settings=OF_FORECASTS,
        extra="forecast",
    ),
    Mart(
        table=FORECAST_ACCURACY,
        rows=forecast_accuracy,
        pending=touched_series(forecast_accuracy),
        settings=OF_FORECASTS,
        extra="forecast",
    ),
    Mart(
        table=STOCK_COVER,
        rows=stock_cover,
        pending=touched_series(stock_cover),
        settings=OF_STOCK,
        extra="forecast",
    ),
)


def marts() -> Sequence[Mart]:
    """Every computed table."""
    return MARTS


def marts_kept_by(job: str) -> Sequence[Mart]:
    """The computed tables that a job brings up to date."""
    return [mart for mart in marts() if mart.table.kept_by == job]


def lacks(mart: Mart) -> str | None:
    """What is said where the packages are not there that a table is computed with; None where they are."""
    if all(map(find_spec, _EXTRAS[mart.extra])):
        return None
    return (
        f"{mart.table.name} is computed with {' and '.join(_EXTRAS[mart.extra])}, which this Python does not have: "
        f"./setup.sh --{mart.extra} sets them up, or pip install 'sales-lakehouse[{mart.extra}]'"
    )


def check_extras(some: Sequence[Mart]) -> None:
    """Raise ConfigError where one of the tables cannot be computed here."""
    for mart in some:
        lack = lacks(mart)
        if lack:
            raise ConfigError(f"{lack}. No table was changed.")


def gold_tables() -> Sequence[Table]:
    """The tables of the gold layer."""
    return [mart.table for mart in marts_kept_by("build_gold")]


def built_tables() -> Sequence[Table]:
    """All computed tables but the aggregate, which every load keeps: each comes with a job of its own."""
    return [mart.table for mart in marts() if mart.table is not AGGREGATE]
