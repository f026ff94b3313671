"""The tables of recommendations as functions of sales, customers and settings: their only definition."""

from __future__ import annotations

from pyspark.sql import DataFrame

from common.contract.offers import CUSTOMER_RECOMMENDATIONS, PRODUCT_PAIRS
from common.marts.mart import Inputs
from common.offers.accuracy import recommendation_accuracy
from common.offers.pairs import product_pairs
from common.offers.popularity import popularity
from common.offers.purchases import SalesByDay, bought_before, now, seen_at
from common.offers.recommendations import age_band_and_country, groups_of, recommendations

# The settings that say what is a day, and what is a product; and their defaults.
OF_OFFERS = {"business_time_zone": "UTC", "products_left_out": ""}


def pairs_now(inputs: Inputs) -> DataFrame:
    """One row per product and one that goes with it."""
    return _pairs(inputs).select(*PRODUCT_PAIRS.column_names)


def recommendations_now(inputs: Inputs) -> DataFrame:
    """One row per customer, kind and rank."""
    bought = _bought(inputs)
    groups = groups_of(inputs.customers, bought, *age_band_and_country())
    people = groups.crossJoin(bought.select("AS_OF").distinct())
    offers = recommendations(bought, _pairs(inputs), popularity(bought, groups), people)
    return offers.select(*CUSTOMER_RECOMMENDATIONS.column_names)


def accuracy_now(inputs: Inputs) -> DataFrame:
    """One row per cut, kind and method."""
    return recommendation_accuracy(
        _by_day(inputs),
        inputs.customers,
        told=inputs.settings["accuracy_cuts"],
        left_out=inputs.settings["products_left_out"],
    )


def _by_day(inputs: Inputs) -> DataFrame:
    return inputs.shared(SalesByDay(inputs.settings["business_time_zone"]))


def _bought(inputs: Inputs) -> DataFrame:
    return bought_before(seen_at(_by_day(inputs), now, inputs.settings["products_left_out"]))


def _pairs(inputs: Inputs) -> DataFrame:
    return inputs.once(("pairs", *inputs.settings.items()), lambda: product_pairs(_bought(inputs)))
