"""What recommend_products computes from sales and customers. docs/explanation/recommendations.md explains it."""

from __future__ import annotations

from common.contract.gold import IS_NO_GUEST
from common.contract.model import Column, Table
from common.contract.tables import CUSTOMERS, SALES

# Of a product, so many others that go with it; of a customer, so many offers of each kind.
NEIGHBOURS = 20
OFFERS = 10
# A pair of products is that of so many baskets and customers at least, so that none tells on a person.
LEAST_BASKETS = 3
# A basket of more is an order of a shop, or an error: it would tie everything with everything.
LARGEST_BASKET = 100
LEAST_CUSTOMERS = 5
AGAIN, NEW, MIXED = "again", "new", "mixed"
BUY_AGAIN, BOUGHT_WITH = "buy again", "bought with"
POPULAR_WITH_PEOPLE_LIKE_YOU, POPULAR = "popular with people like you", "popular"
OURS, MOST_POPULAR, POPULAR_IN_COUNTRY, OWN_FREQUENCY = (
    "recommendations",
    "most popular",
    "popular in country",
    "own frequency",
)
_SHARE = "decimal(9,6)"

PRODUCT_PAIRS = Table(
    name="product_pairs",
    about="Which products are bought together. A basket is what a customer bought on one day of the business",
    grain=f"One row per PRODUCT_ID and one of the {NEIGHBOURS} products that go with it best; each direction is a row",
    columns=(
        Column("PRODUCT_ID", "string", "The product"),
        Column("OTHER_PRODUCT_ID", "string", "The product that goes with it"),
        Column("RANK", "int", "1 for the highest SCORE; of equal ones, the lower OTHER_PRODUCT_ID comes first"),
        Column(
            "BASKETS_TOGETHER",
            "bigint",
            f"Baskets with both, {LEAST_BASKETS} at least; baskets of over {LARGEST_BASKET} products are passed over",
        ),
        Column("CUSTOMERS", "bigint", f"Different customers of these baskets, {LEAST_CUSTOMERS} at least"),
        Column("SUPPORT", _SHARE, "Share of all baskets that have both"),
        Column("CONFIDENCE", _SHARE, "Share of the baskets with PRODUCT_ID that have OTHER_PRODUCT_ID too"),
        Column(
            "LIFT",
            "decimal(18,6)",
            "How many times as often OTHER_PRODUCT_ID is in baskets with PRODUCT_ID as in all baskets; 1 is chance",
        ),
        Column(
            "SCORE",
            _SHARE,
            "BASKETS_TOGETHER / (square root of the product of both products' baskets + 10): near 1 for products that "
            "are always bought together, and low where there are few baskets to tell by",
        ),
    ),
    key=("PRODUCT_ID", "OTHER_PRODUCT_ID"),
    stats=("PRODUCT_ID",),
    constraints=(
        ("products_differ", "PRODUCT_ID <> OTHER_PRODUCT_ID"),
        ("rank_is_one_of_the_best", f"RANK BETWEEN 1 AND {NEIGHBOURS}"),
        ("there_are_enough_baskets", f"BASKETS_TOGETHER >= {LEAST_BASKETS}"),
        ("no_pair_tells_on_a_person", f"CUSTOMERS BETWEEN {LEAST_CUSTOMERS} AND BASKETS_TOGETHER"),
        (
            "shares_are_shares",
            "SUPPORT BETWEEN 0 AND CONFIDENCE AND CONFIDENCE <= 1 AND LIFT >= 0 AND SCORE BETWEEN 0 AND 1",
        ),
    ),
    computed_from=(SALES.name,),
    kept_by="recommend_products",
    logic_version=1,
)

CUSTOMER_RECOMMENDATIONS = Table(
    name="customer_recommendations",
    about="What to offer to each customer: products to buy again, and products that are new to them",
    grain=f"One row per CUSTOMER_ID in customers or in sales, KIND, and RANK from 1 to {OFFERS}; none for guests",
    columns=(
        Column("CUSTOMER_ID", "string", "The customer; the name is in customers"),
        Column("KIND", "string", f"{AGAIN}: bought before; {NEW}: never bought before"),
        Column("RANK", "int", "1 is the best of its KIND; of equal SCORE, see PRODUCT_ID"),
        Column("PRODUCT_ID", "string", "What to offer; of equal ones, the lower PRODUCT_ID comes first"),
        Column(
            "SCORE",
            "decimal(18,6)",
            f"Of KIND {AGAIN}: days on which it was bought, where a day counts half after 180 days, and popularity up "
            f"to half a day. Of KIND {NEW}: how well it goes with what was bought, and how popular it is. To compare "
            "offers of one customer and KIND, no more",
        ),
        Column(
            "REASON",
            "string",
            f"{BUY_AGAIN}; {BOUGHT_WITH} (BECAUSE_PRODUCT_ID, which the customer bought); "
            f"{POPULAR_WITH_PEOPLE_LIKE_YOU} (in the last 28 days, in the same age band and country, with "
            f"{LEAST_CUSTOMERS} customers at least); {POPULAR}",
        ),
        Column(
            "BECAUSE_PRODUCT_ID",
            "string",
            f"Of REASON {BOUGHT_WITH}, what the customer bought that counts most for it; null of the others",
            nullable=True,
        ),
    ),
    key=("CUSTOMER_ID", "KIND", "RANK"),
    stats=(),
    constraints=(
        IS_NO_GUEST,
        ("rank_is_one_of_the_best", f"RANK BETWEEN 1 AND {OFFERS}"),
        ("score_is_not_negative", "SCORE >= 0"),
        (
            "kind_and_reason_agree",
            f"(KIND = '{AGAIN}' AND REASON = '{BUY_AGAIN}') OR (KIND = '{NEW}' AND "
            f"REASON IN ('{BOUGHT_WITH}', '{POPULAR_WITH_PEOPLE_LIKE_YOU}', '{POPULAR}'))",
        ),
        ("there_is_a_because_where_it_says_so", f"(BECAUSE_PRODUCT_ID IS NOT NULL) = (REASON = '{BOUGHT_WITH}')"),
    ),
    computed_from=(SALES.name, CUSTOMERS.name),
    kept_by="recommend_products",
    logic_version=1,
)

RECOMMENDATION_ACCURACY = Table(
    name="recommendation_accuracy",
    about="How good recommendations have been: what would have been offered on a day of the past, by the sales before "
    "it, beside what was bought in the 28 days from it on",
    grain="One row per CUT, KIND and METHOD",
    columns=(
        Column("CUT", "date", "The day; sales of it and later were not known to the recommendations"),
        Column(
            "KIND",
            "string",
            f"{MIXED}: whatever is bought next, offered is {AGAIN} and then {NEW}; {NEW}: only what the customer had "
            "never bought before",
        ),
        Column(
            "METHOD",
            "string",
            f"{OURS}: as in customer_recommendations; {MOST_POPULAR}: products of the most customers in the 28 days "
            f"before; {POPULAR_IN_COUNTRY}: the same in the customer's country, drawn to all countries as if 50 more "
            f"customers had bought as all do; {OWN_FREQUENCY}: products that the customer bought on the most days, "
            "then the most popular",
        ),
        Column(
            "CUSTOMERS",
            "bigint",
            "Customers who are measured: with a purchase before CUT, and one in the 28 days of a product that was "
            "bought before CUT",
        ),
        Column("HIT_RATE", _SHARE, f"Share of them who bought one of the {OFFERS} products offered"),
        Column(
            "RECALL",
            _SHARE,
            f"Mean share of what they bought that was offered; of over {OFFERS} products bought, {OFFERS} count as all",
        ),
        Column(
            "NDCG", _SHARE, "Mean of the hits' value by rank, beside the best that was possible: 1 is perfect order"
        ),
        Column("MAP", _SHARE, "Mean of the average share of hits down to each hit; 1 is perfect order"),
        Column("COVERAGE", _SHARE, "Share of the products bought before CUT that were offered to any of them"),
    ),
    key=("CUT", "KIND", "METHOD"),
    stats=(),
    constraints=(
        (
            "figures_are_shares",
            "HIT_RATE BETWEEN 0 AND 1 AND RECALL BETWEEN 0 AND HIT_RATE AND NDCG BETWEEN 0 AND HIT_RATE "
            "AND MAP BETWEEN 0 AND RECALL AND COVERAGE BETWEEN 0 AND 1",
        ),
        ("there_are_enough_customers", f"CUSTOMERS >= {LEAST_CUSTOMERS}"),
    ),
    computed_from=(SALES.name, CUSTOMERS.name),
    kept_by="recommend_products",
    logic_version=1,
)
