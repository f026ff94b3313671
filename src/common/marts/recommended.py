"""The tables of recommendations as functions of sales, customers and settings: their only definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contract import SALES
from common.contract.offers import CUSTOMER_RECOMMENDATIONS, LEAST_CUSTOMERS, PRODUCT_PAIRS
from common.lake.provenance import Sources, Unclear, why_not_incremental
from common.marts.differences import none_differing
from common.marts.mart import Inputs, Mart, Pending, compare_all
from common.offers.accuracy import cuts, end_of, recommendation_accuracy
from common.offers.owned import groups_of, owned_by
from common.offers.pairs import baskets_passed_over, product_pairs
from common.offers.popularity import popularity
from common.offers.purchases import SalesByDay, at_each, bought_by, day_of_sale, known_at, now
from common.offers.recommendations import recommendations
from common.spark.session import cut_off

# The settings that say what is a day, and what is a product; and their defaults.
OF_OFFERS = {"business_time_zone": "UTC", "products_left_out": ""}


def pairs_now(inputs: Inputs) -> DataFrame:
    """One row per product and one that goes with it."""
    return _pairs(inputs, [now(_by_day(inputs))]).select(*PRODUCT_PAIRS.column_names)


def recommendations_now(inputs: Inputs) -> DataFrame:
    """One row per customer, kind and rank."""
    at = [now(_by_day(inputs))]
    people, owned = at_each(groups_of(inputs.customers, _bought(inputs)), at), _owned(inputs, at)
    popular = popularity(owned, cut_off, least=LEAST_CUSTOMERS)
    offers = recommendations(owned, _pairs(inputs, at), popular, people, cut_off)
    return offers.select(*CUSTOMER_RECOMMENDATIONS.column_names)


def accuracy_now(inputs: Inputs) -> DataFrame:
    """One row per cut, kind and method."""
    at = cuts(now(_by_day(inputs)), inputs.settings["accuracy_cuts"])
    return recommendation_accuracy(_bought(inputs), _owned(inputs, at), _pairs(inputs, at), at, cut_off)


def compare_touched_cuts(mart: Mart, inputs: Inputs, recorded: Sources) -> Pending | Unclear:
    """Nothing, where the cuts are those that the table has, and no customer and no sale of the days that they look at
    has changed since; else what `compare_all` finds.
    """
    is_of_later_sales = (
        recorded.customers_version == inputs.sources.customers_version
        and recorded.sales_version < inputs.sources.sales_version
        and why_not_incremental(inputs.lake, recorded, inputs.sources) is None
    )
    if is_of_later_sales:
        held = inputs.lake.read(mart.table, inputs.lake.version(mart.table))
        at = cuts(now(_by_day(inputs)), inputs.settings["accuracy_cuts"])
        is_looked_at = day_of_sale(inputs.settings["business_time_zone"]) < F.lit(end_of(at))
        changes = inputs.lake.changes(SALES, recorded.sales_version, inputs.sources.sales_version)
        has_the_cuts = {row["CUT"] for row in held.select("CUT").distinct().collect()} == {*at}
        if has_the_cuts and changes.where(is_looked_at).isEmpty():
            return Pending(none_differing(held), groups=0)
    return compare_all(mart, inputs, recorded)


def large_baskets(inputs: Inputs) -> int:
    """How many baskets are passed over, since they are too large."""
    return baskets_passed_over(_bought(inputs))


def _by_day(inputs: Inputs) -> DataFrame:
    return inputs.shared(SalesByDay(inputs.settings["business_time_zone"]))


def _bought(inputs: Inputs) -> DataFrame:
    return bought_by(_by_day(inputs), inputs.settings["products_left_out"])


def _pairs(inputs: Inputs, at: Sequence[date]) -> DataFrame:
    return _once(inputs, "pairs", at, lambda: product_pairs(_bought(inputs), at))


def _owned(inputs: Inputs, at: Sequence[date]) -> DataFrame:
    bought = _bought(inputs)
    return _once(inputs, "owned", at, lambda: owned_by(known_at(bought, at), groups_of(inputs.customers, bought)))


def _once(inputs: Inputs, what: str, at: Sequence[date], compute: Callable[[], DataFrame]) -> DataFrame:
    """What is computed of some days by the settings: once, since several tables read it, or one several times."""
    settings = tuple(inputs.settings[name] for name in OF_OFFERS)
    return inputs.once((what, *settings, *at), compute)
