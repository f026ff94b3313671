"""The recommendations and their accuracy by plain Python: every customer beside every product, with fractions and sets,
and figures as they are usually written down. It shares nothing with the product but the names of columns.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

Bought = tuple[str, str, date]
Offers = Mapping[str, Sequence[str]]
Figures = dict[str, float]
FIGURES = ("CUSTOMERS", "HIT_RATE", "RECALL", "NDCG", "MAP", "COVERAGE")


def purchases(sales: pa.Table, zone: str = "UTC", left_out: Iterable[str] = ()) -> list[Bought]:
    """What customers bought, by day of the zone: each customer, product and day once."""
    columns = ("CUSTOMER_ID", "PRODUCT_ID", "QUANTITY", "PRICE", "TRANSACTION_DATE")
    rows = zip(*(sales.column(name).to_pylist() for name in columns), strict=True)
    clock = ZoneInfo(zone)
    return sorted(
        {
            (customer, product, at.astimezone(clock).date())
            for customer, product, quantity, price, at in rows
            if quantity > 0 and price > 0 and customer != "guest" and product not in left_out
        }
    )


def newest_day(sales: pa.Table, zone: str = "UTC") -> date:
    """The day of the newest sale, whoever's."""
    newest: date = max(sales.column("TRANSACTION_DATE").to_pylist()).astimezone(ZoneInfo(zone)).date()
    return newest


@dataclass(frozen=True)
class Moment:
    """What was known on the morning of a day, and what came in the 28 days from then on."""

    bought: Sequence[Bought]
    customers: Mapping[str, tuple[int | None, str | None]]
    day: date

    @cached_property
    def before(self) -> list[Bought]:
        return [each for each in self.bought if each[2] < self.day]

    @cached_property
    def owned(self) -> dict[str, dict[str, list[int]]]:
        """By customer and product, how many days ago each purchase was, from the day before."""
        owned: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for customer, product, day in self.before:
            owned[customer][product].append((self.day - day).days - 1)
        return owned

    @cached_property
    def products(self) -> list[str]:
        return sorted({product for _, product, _ in self.before})

    @cached_property
    def recent(self) -> dict[str, set[str]]:
        """By product, who bought it in the 28 days before."""
        recent: dict[str, set[str]] = {product: set() for product in self.products}
        for customer, product, day in self.before:
            if day >= self.day - timedelta(days=28):
                recent[product].add(customer)
        return recent

    @cached_property
    def truth(self) -> dict[str, set[str]]:
        """By customer who was known, the products that were known and came to be bought."""
        known, truth = set(self.products), defaultdict(set)
        for customer, product, day in self.bought:
            if self.day <= day < self.day + timedelta(days=28) and customer in self.owned and product in known:
                truth[customer].add(product)
        return dict(truth)

    @cached_property
    def new_truth(self) -> dict[str, set[str]]:
        new = {customer: products - self.owned[customer].keys() for customer, products in self.truth.items()}
        return {customer: products for customer, products in new.items() if products}

    def country_of(self, customer: str) -> str | None:
        return self.customers.get(customer, (None, None))[1]

    def group_of(self, customer: str) -> tuple[str | None, str | None]:
        age, country = self.customers.get(customer, (None, None))
        last = next((last for last in (17, 24, 34, 44, 54, 64) if age is not None and age <= last), 999)
        return None if age is None else f"up to {last}", country

    def popular(self, mates: set[str] | None = None, least: int = 1) -> dict[str, int]:
        """How popular each product is, with everybody or with `mates` among them, if `least` of these bought it."""
        if mates is None:
            return {product: len(buyers) for product, buyers in self.recent.items()}
        everybody = len(self.owned)
        alike = {product: len(buyers & mates) for product, buyers in self.recent.items()}
        return {
            product: (alike[product] if alike[product] >= least else 0) * everybody + 50 * len(buyers)
            for product, buyers in self.recent.items()
        }

    @cached_property
    def by_country(self) -> dict[str | None, dict[str, int]]:
        mates = defaultdict(set)
        for customer in self.owned:
            mates[self.country_of(customer)].add(customer)
        return {country: self.popular(customers) for country, customers in mates.items()}

    def baselines(self) -> dict[tuple[str, str], dict[str, list[str]]]:
        """What anyone could offer, by kind and method."""
        offers: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(dict)
        most = max(map(len, self.recent.values()), default=0)
        for customer in self.truth:
            own, country = self.owned[customer], self.by_country[self.country_of(customer)]
            offers["mixed", "most popular"][customer] = best(self.popular())
            offers["mixed", "popular in country"][customer] = best(country)
            often = {
                product: len(own.get(product, ())) + Fraction(len(buyers), 2 * most or 1)
                for product, buyers in self.recent.items()
            }
            offers["mixed", "own frequency"][customer] = best(often)
            offers["new", "most popular"][customer] = best(self.popular(), without=own)
            offers["new", "popular in country"][customer] = best(country, without=own)
        return offers

    def accuracy(self, again: Offers, new: Offers) -> dict[tuple[str, str], Figures]:
        """The figures of these offers and of the baselines, by kind and method."""
        mixed = {customer: [*again.get(customer, ()), *new.get(customer, ())][:10] for customer in self.truth}
        offers = {**self.baselines(), ("mixed", "recommendations"): mixed, ("new", "recommendations"): new}
        truth = {"mixed": self.truth, "new": self.new_truth}
        return {key: figures(offer, truth[key[0]], len(self.products)) for key, offer in offers.items()}

    def pairs(self) -> dict[str, list[tuple[Any, ...]]]:
        """By product, its neighbours, the best first: the columns of product_pairs after PRODUCT_ID, without RANK."""
        baskets: dict[tuple[str, date], list[str]] = defaultdict(list)
        for customer, product, day in self.before:
            baskets[customer, day].append(product)
        small = {key: products for key, products in baskets.items() if len(products) <= 100}
        having = Counter(itertools.chain.from_iterable(small.values()))
        together: Counter[tuple[str, str]] = Counter()
        for products in small.values():
            together.update(itertools.combinations(sorted(products), 2))
        buyers: dict[tuple[str, str], set[str]] = {pair: set() for pair, count in together.items() if count >= 3}
        for (customer, _), products in small.items():
            for pair in itertools.combinations(sorted(products), 2):
                if pair in buyers:
                    buyers[pair].add(customer)
        found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for pair, customers in buyers.items():
            if len(customers) < 5:
                continue
            count, score = together[pair], _score(together[pair], having[pair[0]] * having[pair[1]])
            for product, other in (pair, pair[::-1]):
                confidence = Fraction(count, having[product])
                lift = confidence / Fraction(having[other], len(small))
                shares = map(millionths, (Fraction(count, len(small)), confidence, lift))
                found[product].append((other, count, len(customers), *shares, score))
        return {product: sorted(rows, key=lambda row: (-row[-1], row[0]))[:20] for product, rows in found.items()}

    def recommendations(self, everyone: Iterable[str]) -> list[tuple[Any, ...]]:
        """CUSTOMER_ID, KIND, RANK, PRODUCT_ID, SCORE, REASON, BECAUSE_PRODUCT_ID, of all these customers."""
        pairs, rows = self.pairs(), []
        most = max([1, *map(len, self.recent.values())])
        mates = defaultdict(set)
        for customer in self.owned:
            mates[self.group_of(customer)].add(customer)
        ever = Counter(product for own in self.owned.values() for product in own)
        for customer in everyone:
            own, group = self.owned.get(customer, {}), self.group_of(customer)
            again = {
                product: sum(_weight(age, 180) for age in ages)
                + Fraction(180 * 65536 * len(self.recent[product]) // most, 65536)
                for product, ages in own.items()
            }
            in_order = sorted(again, key=lambda p: (-again[p], -len(self.recent[p]), p))[:10]
            rows += [
                (customer, "again", rank, product, millionths(again[product] / 360), "buy again", None)
                for rank, product in enumerate(in_order, 1)
            ]
            rows += self._new(customer, own, pairs, mates[group], ever, is_grouped=group != (None, None))
        return rows

    def _new(
        self,
        customer: str,
        own: Mapping[str, list[int]],
        pairs: Mapping[str, list[tuple[Any, ...]]],
        mates: set[str],
        ever: Mapping[str, int],
        *,
        is_grouped: bool,
    ) -> list[tuple[Any, ...]]:
        recency = {product: sum(_weight(age, 60) for age in ages) for product, ages in own.items()}
        leading = sorted(recency, key=lambda p: (-recency[p], p))[:50]
        parts: dict[str, list[tuple[Fraction, int]]] = defaultdict(list)
        for place, product in enumerate(leading):
            for other, *_, score in pairs.get(product, ()):
                if other not in own:
                    parts[other].append((-recency[product] * Fraction(score), place))
        going = {other: -sum(part for part, _ in each) for other, each in parts.items()}
        popular = {product: count for product, count in self.popular(mates, least=5).items() if product not in own}
        most_with, most_popular = max(going.values(), default=1), max([1, *popular.values()])
        scored = []
        for product, liked in popular.items():
            with_ = 10**6 * going.get(product, Fraction(0)) // most_with
            alike = 10**6 * liked // most_popular
            order = (-(5 * with_ + 2 * alike), -liked, 0 if liked else -ever[product], product)
            scored.append((order, with_, alike))
        rows = []
        for rank, ((points, *_, product), with_, alike) in enumerate(sorted(scored)[:10], 1):
            because = leading[min(parts[product])[1]] if parts[product] and 5 * with_ >= 2 * alike else None
            is_alike = is_grouped and len(self.recent[product] & mates) >= 5
            otherwise = "popular with people like you" if is_alike else "popular"
            reason = "bought with" if because else otherwise
            rows.append((customer, "new", rank, product, millionths(Fraction(-points, 5 * 10**6)), reason, because))
        return rows


def best(scores: Mapping[str, Any], without: Iterable[str] = ()) -> list[str]:
    """The ten products of the highest scores above 0; of equal ones, the lower id comes first."""
    return sorted((p for p, score in scores.items() if score > 0 and p not in without), key=lambda p: (-scores[p], p))[
        :10
    ]


def figures(offers: Offers, truth: Mapping[str, set[str]], products: int) -> Figures:
    """The means over the customers of `truth`."""
    totals: dict[str, float] = defaultdict(float)
    offered: set[str] = set()
    for customer, wanted in truth.items():
        listed = offers.get(customer, ())
        offered.update(listed)
        hits = [product in wanted for product in listed]
        possible = min(len(wanted), 10)
        gain = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(hits, 1) if hit)
        totals["HIT_RATE"] += any(hits)
        totals["RECALL"] += sum(hits) / possible
        totals["NDCG"] += gain / sum(1 / math.log2(rank + 1) for rank in range(1, possible + 1))
        totals["MAP"] += sum(sum(hits[:rank]) / rank for rank, hit in enumerate(hits, 1) if hit) / possible
    means = {name: totals[name] / len(truth) for name in ("HIT_RATE", "RECALL", "NDCG", "MAP")}
    return {"CUSTOMERS": len(truth), **means, "COVERAGE": len(offered) / products}


def millionths(value: Fraction) -> Decimal:
    """A number with six decimals, rounded half up."""
    return Decimal(math.floor(value * 10**6 + Fraction(1, 2))).scaleb(-6)


def _weight(age: int, half_life: int) -> Fraction:
    """What a purchase counts for: half of it after each half-life, along a line in between."""
    halvings, days = divmod(age, half_life)
    return Fraction(2 * half_life - days, 2**halvings)


def _score(together: int, product: int) -> Decimal:
    """With forty digits where the product has sixteen."""
    with localcontext(prec=40):
        exact = Decimal(together) / (Decimal(product).sqrt() + 10)
        return (exact * 10**6 + Decimal("0.5")).to_integral_value("ROUND_FLOOR").scaleb(-6)
