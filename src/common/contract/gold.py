"""The gold layer: what build_gold computes from sales and customers. docs/explanation/gold.md explains it."""

from __future__ import annotations

from common.contract.model import GUEST, HOUR, IS_WHOLE_HOUR, MONEY, Column, Table, View
from common.contract.tables import CUSTOMERS, SALES

# The age band of an AGE, as SQL.
AGE_BAND = (
    "CASE WHEN AGE <= 17 THEN '0-17' WHEN AGE <= 24 THEN '18-24' WHEN AGE <= 34 THEN '25-34' "
    "WHEN AGE <= 44 THEN '35-44' WHEN AGE <= 54 THEN '45-54' WHEN AGE <= 64 THEN '55-64' WHEN AGE >= 65 THEN '65+' END"
)

# What tables of sums have in common. A sale is a row with a QUANTITY above 0, a return one with a QUANTITY below 0.
_SUMS = (
    Column("UNITS", "bigint", "Net units: sold less returned"),
    Column("AMOUNT", "decimal(38,2)", "Net money: GROSS_AMOUNT less RETURNED_AMOUNT"),
    Column("GROSS_UNITS", "bigint", "Units sold, whether they came back or not"),
    Column("GROSS_AMOUNT", "decimal(38,2)", "Exact sum of quantity x price of the sales"),
    Column("RETURNED_UNITS", "bigint", "Units returned, as a number above 0"),
    Column("RETURNED_AMOUNT", "decimal(38,2)", "Exact sum of quantity x price of the returns, as a number above 0"),
    Column("ORDERS", "bigint", "Sales, each a TRANSACTION_ID"),
    Column("RETURNS", "bigint", "Returns, each a TRANSACTION_ID"),
)
_UNITS_BY_ORDERS = (
    "GROSS_UNITS >= {orders} AND GROSS_AMOUNT >= 0 AND ({orders} > 0 OR (GROSS_UNITS = 0 AND GROSS_AMOUNT = 0))"
)
_UNITS_BY_RETURNS = (
    "{returns} >= 0 AND RETURNED_UNITS >= {returns} AND RETURNED_AMOUNT >= 0 "
    "AND ({returns} > 0 OR (RETURNED_UNITS = 0 AND RETURNED_AMOUNT = 0))"
)
_SUMS_AGREE = (
    ("net_units_are_gross_less_returned", "UNITS = GROSS_UNITS - RETURNED_UNITS"),
    ("net_amount_is_gross_less_returned", "AMOUNT = GROSS_AMOUNT - RETURNED_AMOUNT"),
    ("gross_is_that_of_the_orders", _UNITS_BY_ORDERS.format(orders="ORDERS")),
    ("returned_is_that_of_the_returns", _UNITS_BY_RETURNS.format(returns="RETURNS")),
    ("there_is_a_sale_or_a_return", "ORDERS + RETURNS > 0"),
    ("buyers_are_at_most_the_orders", "BUYERS BETWEEN 0 AND ORDERS"),
)
IS_NO_GUEST = ("customer_is_no_guest", f"CUSTOMER_ID <> '{GUEST}'")

SALES_HOURLY = Table(
    name="sales_hourly",
    about="Sales and returns by hour",
    grain="One row per UTC hour in which something was sold or returned, by whomever",
    columns=(
        Column(HOUR, "timestamp", "The UTC hour of the sales and returns"),
        *_SUMS,
        Column("BUYERS", "bigint", "Different customers with a sale, guests not counted; one may be in several hours"),
    ),
    key=(HOUR,),
    stats=(HOUR,),
    constraints=(*_SUMS_AGREE, ("transaction_hour_is_a_whole_hour", IS_WHOLE_HOUR)),
    computed_from=(SALES.name,),
    kept_by="build_gold",
    logic_version=2,
)

PRODUCT_PERFORMANCE = Table(
    name="product_performance",
    about="Best-selling products and their trend",
    grain="One row per PRODUCT_ID that was ever sold or returned, by whomever",
    columns=(
        Column("PRODUCT_ID", "string", "The product"),
        *_SUMS,
        Column("BUYERS", "bigint", "Different customers with a sale of it, guests not counted"),
        Column("FIRST_SALE", "timestamp", "When it was first sold, a UTC instant; null without a sale", nullable=True),
        Column("LAST_SALE", "timestamp", "When it was last sold, a UTC instant; null without a sale", nullable=True),
        Column("SALES_RANK", "int", "1 for the largest AMOUNT; of equal ones, the lower PRODUCT_ID comes first"),
        Column(
            "AMOUNT_LAST_7_DAYS",
            "decimal(38,2)",
            "AMOUNT of the 168 UTC hours that end with the hour of the newest sale in the lake (of any product)",
        ),
        Column("AMOUNT_7_DAYS_BEFORE", "decimal(38,2)", "AMOUNT of the 168 UTC hours before those"),
        Column(
            "TREND",
            "decimal(38,6)",
            "Change from the earlier to the later 7 days, as a share of the earlier: 0.25 is a quarter more, -1 is "
            "nothing any more, less is more returned than sold; rounded half up; null where the earlier amount is not "
            "above 0",
            nullable=True,
        ),
    ),
    key=("PRODUCT_ID",),
    stats=("PRODUCT_ID",),
    constraints=(
        *_SUMS_AGREE,
        (
            "dates_are_those_of_sales",
            "(ORDERS = 0 AND FIRST_SALE IS NULL AND LAST_SALE IS NULL) OR (ORDERS > 0 AND FIRST_SALE IS NOT NULL "
            "AND LAST_SALE IS NOT NULL AND FIRST_SALE <= LAST_SALE)",
        ),
        ("there_is_a_trend_where_there_was_an_amount", "(TREND IS NULL) = (AMOUNT_7_DAYS_BEFORE <= 0)"),
    ),
    computed_from=(SALES.name,),
    kept_by="build_gold",
    logic_version=2,
)

CUSTOMER_SUMMARY = Table(
    name="customer_summary",
    about="What each customer bought in all, and returned",
    grain=f"One row per CUSTOMER_ID in customers or in sales, so those without purchases too; none for {GUEST}",
    columns=(
        Column("CUSTOMER_ID", "string", "The customer; the name is in customers"),
        Column("AGE", "int", "Today's age in years (personal data); null while unknown", nullable=True, personal=True),
        Column("COUNTRY", "string", "Today's country; null while unknown", nullable=True),
        Column("IS_KNOWN", "boolean", "Whether customers has a row for it; false where only sales have come so far"),
        Column("TOTAL_UNIQUE_PRODUCTS", "bigint", "Different products bought"),
        Column("TOTAL_ORDERS", "bigint", "Purchases, each a TRANSACTION_ID"),
        Column("TOTAL_RETURNS", "bigint", "Returns, each a TRANSACTION_ID"),
        Column("TOTAL_QUANTITY", "bigint", "Net units: bought less returned; below 0 where more came back"),
        Column("TOTAL_SPENT", "decimal(38,2)", "Net money: GROSS_AMOUNT less RETURNED_AMOUNT; may be below 0"),
        Column("GROSS_UNITS", "bigint", "Units bought, whether they came back or not"),
        Column("GROSS_AMOUNT", "decimal(38,2)", "Exact sum of quantity x price of the purchases"),
        Column("RETURNED_UNITS", "bigint", "Units returned, as a number above 0"),
        Column("RETURNED_AMOUNT", "decimal(38,2)", "Exact sum of quantity x price of the returns, as a number above 0"),
        Column("FIRST_PURCHASE", "timestamp", "A UTC instant; null without purchases", nullable=True),
        Column("LAST_PURCHASE", "timestamp", "A UTC instant; null without purchases", nullable=True),
    ),
    key=("CUSTOMER_ID",),
    stats=(),
    constraints=(
        IS_NO_GUEST,
        ("net_units_are_gross_less_returned", "TOTAL_QUANTITY = GROSS_UNITS - RETURNED_UNITS"),
        ("net_amount_is_gross_less_returned", "TOTAL_SPENT = GROSS_AMOUNT - RETURNED_AMOUNT"),
        ("gross_is_that_of_the_orders", _UNITS_BY_ORDERS.format(orders="TOTAL_ORDERS")),
        ("returned_is_that_of_the_returns", _UNITS_BY_RETURNS.format(returns="TOTAL_RETURNS")),
        (
            "dates_are_those_of_purchases",
            "(TOTAL_ORDERS = 0 AND TOTAL_UNIQUE_PRODUCTS = 0 AND FIRST_PURCHASE IS NULL AND LAST_PURCHASE IS NULL) OR "
            "(TOTAL_UNIQUE_PRODUCTS BETWEEN 1 AND TOTAL_ORDERS AND FIRST_PURCHASE IS NOT NULL "
            "AND LAST_PURCHASE IS NOT NULL AND FIRST_PURCHASE <= LAST_PURCHASE)",
        ),
    ),
    computed_from=(SALES.name, CUSTOMERS.name),
    kept_by="build_gold",
    logic_version=2,
)

CUSTOMER_SEGMENTS = Table(
    name="customer_segments",
    about="Customers by age, country and behaviour: recency, frequency and money",
    grain="One row per CUSTOMER_ID, the same as in customer_summary",
    columns=(
        Column("CUSTOMER_ID", "string", "The customer"),
        Column(
            "AGE_BAND",
            "string",
            "0-17, 18-24, 25-34, 35-44, 45-54, 55-64 or 65+ (personal data); null while unknown",
            nullable=True,
            personal=True,
        ),
        Column("COUNTRY", "string", "Today's country; null while unknown", nullable=True),
        Column(
            "RECENCY",
            "int",
            "Whole days from the last purchase to the newest sale in the lake; null without purchases",
            nullable=True,
        ),
        Column("FREQUENCY", "bigint", "Purchases, each a TRANSACTION_ID; returns do not count"),
        Column("MONETARY", "decimal(38,2)", "Net money: spent less what was returned; may be below 0"),
        Column(
            "R_SCORE",
            "int",
            "1 to 5, 5 for the latest last purchase: 1 and how many whole fifths of the buyers have an earlier one, so "
            "that equal values score the same; null without purchases",
            nullable=True,
        ),
        Column(
            "F_SCORE",
            "int",
            "1 to 5, 5 for the highest FREQUENCY: 1 and how many whole fifths of the buyers have a lower one; null "
            "without purchases",
            nullable=True,
        ),
        Column(
            "M_SCORE",
            "int",
            "1 to 5, 5 for the highest MONETARY: 1 and how many whole fifths of the buyers have a lower one; null "
            "without purchases",
            nullable=True,
        ),
        Column(
            "SEGMENT",
            "string",
            "The first that fits: no purchases; champions (all three scores 4 or 5); loyal (R and F 3 or more); "
            "promising (R 4 or 5); needs attention (R 3); at risk (F 3 or more); hibernating",
        ),
    ),
    key=("CUSTOMER_ID",),
    stats=(),
    constraints=(
        IS_NO_GUEST,
        (
            "buyers_have_scores",
            "(FREQUENCY = 0 AND SEGMENT = 'no purchases' AND MONETARY <= 0 AND RECENCY IS NULL AND R_SCORE IS NULL "
            "AND F_SCORE IS NULL AND M_SCORE IS NULL) OR (FREQUENCY > 0 AND SEGMENT <> 'no purchases' "
            "AND RECENCY IS NOT NULL AND RECENCY >= 0 "
            "AND R_SCORE IS NOT NULL AND F_SCORE IS NOT NULL AND M_SCORE IS NOT NULL AND R_SCORE BETWEEN 1 AND 5 "
            "AND F_SCORE BETWEEN 1 AND 5 AND M_SCORE BETWEEN 1 AND 5)",
        ),
    ),
    computed_from=(SALES.name, CUSTOMERS.name),
    kept_by="build_gold",
    logic_version=2,
)

SALES_ENRICHED = View(
    name="sales_enriched",
    about="Sales and returns with their customers as they are today",
    grain="One row per TRANSACTION_ID",
    columns=(
        Column("TRANSACTION_ID", "string", "Identifies the sale, over all hours"),
        Column("CUSTOMER_ID", "string", f"Who bought; {GUEST} where there is no customer"),
        Column("NAME", "string", "Today's name (personal data); null while unknown", nullable=True, personal=True),
        Column("AGE", "int", "Today's age in years (personal data); null while unknown", nullable=True, personal=True),
        Column("COUNTRY", "string", "Today's country; null while unknown", nullable=True),
        Column("PRODUCT_ID", "string", "What was bought"),
        Column("QUANTITY", "int", "Units sold; below 0 where they were returned; never 0"),
        Column("PRICE", MONEY, "Money per unit"),
        Column("AMOUNT", "decimal(38,2)", "Quantity x price, exact; below 0 or 0 for a return"),
        Column("TRANSACTION_DATE", "timestamp", "When the sale happened, a UTC instant"),
        Column(HOUR, "timestamp", "The UTC hour in which the sale happened"),
    ),
    key=("TRANSACTION_ID",),
)
