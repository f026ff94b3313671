"""The tables of recommendations as functions of sales, customers and settings: their only definition."""

from __future__ import annotations

from pyspark.sql import DataFrame

from common.contract.offers import CUSTOMER_RECOMMENDATIONS, PRODUCT_PAIRS
from common.marts.mart import Inputs
from common.offers.accuracy import cuts, recommendation_accuracy
from common.offers.pairs import product_pairs
from common.offers.popularity import popularity
from common.offers.purchases import SalesByDay, at_each, bought_by, known_at, now
from common.offers.recommendations import age_band_and_country, groups_of, recommendations

# The settings that say what is a day, and what is a product; and their defaults.
OF_OFFERS = {"business_time_zone": "UTC", "products_left_out": ""}


def pairs_now(inputs: Inputs) -> DataFrame:
    """One row per product and one that goes with it."""
    return _pairs(inputs).select(*PRODUCT_PAIRS.column_names)


def recommendations_now(inputs: Inputs) -> DataFrame:
    """One row per customer, kind and rank."""
    moment = now(_by_day(inputs))
    bought = known_at(_bought(inputs), [moment])
    groups = groups_of(inputs.customers, bought, *age_band_and_country())
    people = at_each(groups, [moment])
    offers = recommendations(bought, _pairs(inputs), popularity(bought, groups), people)
    return offers.select(*CUSTOMER_RECOMMENDATIONS.column_names)


def accuracy_now(inputs: Inputs) -> DataFrame:
    """One row per cut, kind and method."""
    at = cuts(now(_by_day(inputs)), inputs.settings["accuracy_cuts"])
    return recommendation_accuracy(_bought(inputs), inputs.customers, at)


def _by_day(inputs: Inputs) -> DataFrame:
    return inputs.shared(SalesByDay(inputs.settings["business_time_zone"]))


def _bought(inputs: Inputs) -> DataFrame:
    return bought_by(_by_day(inputs), inputs.settings["products_left_out"])


def _pairs(inputs: Inputs) -> DataFrame:
    what = ("pairs", *inputs.settings.items())
    return inputs.once(what, lambda: product_pairs(_bought(inputs), [now(_by_day(inputs))]))
