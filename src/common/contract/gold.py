"""The gold layer: what build_gold computes from sales and customers. docs/explanation/gold.md explains it."""

from __future__ import annotations

from common.contract.model import HOUR, IS_WHOLE_HOUR, MONEY, Column, Table, View
from common.contract.tables import CUSTOMERS, SALES

SALES_HOURLY = Table(
    name="sales_hourly",
    about="Sales by hour",
    grain="One row per UTC hour in which something was sold",
    columns=(
        Column(HOUR, "timestamp", "The UTC hour of the sales"),
        Column("UNITS", "bigint", "Units sold"),
        Column("AMOUNT", "decimal(38,2)", "Exact sum of quantity x price"),
        Column("ORDERS", "bigint", "Sales, each a TRANSACTION_ID"),
        Column("BUYERS", "bigint", "Different customers who bought; one may be in several hours"),
    ),
    key=(HOUR,),
    stats=(HOUR,),
    constraints=(
        ("units_are_positive", "UNITS > 0"),
        ("amount_is_not_negative", "AMOUNT >= 0"),
        ("buyers_are_at_most_the_orders", "BUYERS BETWEEN 1 AND ORDERS"),
        ("transaction_hour_is_a_whole_hour", IS_WHOLE_HOUR),
    ),
    computed_from=(SALES.name,),
    kept_by="build_gold",
    logic_version=1,
)

PRODUCT_PERFORMANCE = Table(
    name="product_performance",
    about="Best-selling products and their trend",
    grain="One row per PRODUCT_ID that was ever sold",
    columns=(
        Column("PRODUCT_ID", "string", "The product"),
        Column("UNITS", "bigint", "Units sold"),
        Column("AMOUNT", "decimal(38,2)", "Exact sum of quantity x price"),
        Column("ORDERS", "bigint", "Sales, each a TRANSACTION_ID"),
        Column("BUYERS", "bigint", "Different customers who bought it"),
        Column("FIRST_SALE", "timestamp", "When it was first sold, a UTC instant"),
        Column("LAST_SALE", "timestamp", "When it was last sold, a UTC instant"),
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
            "nothing any more; rounded half up; null where the earlier amount is 0",
            nullable=True,
        ),
    ),
    key=("PRODUCT_ID",),
    stats=("PRODUCT_ID",),
    constraints=(
        ("units_are_positive", "UNITS > 0"),
        ("amount_is_not_negative", "AMOUNT >= 0"),
        ("buyers_are_at_most_the_orders", "BUYERS BETWEEN 1 AND ORDERS"),
        ("first_sale_is_not_after_the_last", "FIRST_SALE <= LAST_SALE"),
    ),
    computed_from=(SALES.name,),
    kept_by="build_gold",
    logic_version=1,
)

CUSTOMER_SUMMARY = Table(
    name="customer_summary",
    about="What each customer bought in all",
    grain="One row per CUSTOMER_ID in customers or in sales, so those without purchases too",
    columns=(
        Column("CUSTOMER_ID", "string", "The customer; the name is in customers"),
        Column("AGE", "int", "Today's age in years (personal data); null while unknown", nullable=True, personal=True),
        Column("COUNTRY", "string", "Today's country; null while unknown", nullable=True),
        Column("IS_KNOWN", "boolean", "Whether customers has a row for it; false where only sales have come so far"),
        Column("TOTAL_UNIQUE_PRODUCTS", "bigint", "Different products bought"),
        Column("TOTAL_ORDERS", "bigint", "Purchases, each a TRANSACTION_ID"),
        Column("TOTAL_QUANTITY", "bigint", "Units bought"),
        Column("TOTAL_SPENT", "decimal(38,2)", "Exact sum of quantity x price"),
        Column("FIRST_PURCHASE", "timestamp", "A UTC instant; null without purchases", nullable=True),
        Column("LAST_PURCHASE", "timestamp", "A UTC instant; null without purchases", nullable=True),
    ),
    key=("CUSTOMER_ID",),
    stats=(),
    constraints=(
        ("total_spent_is_not_negative", "TOTAL_SPENT >= 0"),
        (
            "dates_are_those_of_purchases",
            "(TOTAL_ORDERS = 0 AND TOTAL_QUANTITY = 0 AND FIRST_PURCHASE IS NULL AND LAST_PURCHASE IS NULL) OR "
            "(TOTAL_ORDERS > 0 AND TOTAL_QUANTITY > 0 AND FIRST_PURCHASE IS NOT NULL AND LAST_PURCHASE IS NOT NULL "
            "AND FIRST_PURCHASE <= LAST_PURCHASE)",
        ),
    ),
    computed_from=(SALES.name, CUSTOMERS.name),
    kept_by="build_gold",
    logic_version=1,
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
        Column("FREQUENCY", "bigint", "Purchases, each a TRANSACTION_ID"),
        Column("MONETARY", "decimal(38,2)", "Exact sum of quantity x price"),
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
        (
            "buyers_have_scores",
            "(FREQUENCY = 0 AND SEGMENT = 'no purchases') OR (FREQUENCY > 0 AND RECENCY IS NOT NULL AND RECENCY >= 0 "
            "AND R_SCORE IS NOT NULL AND F_SCORE IS NOT NULL AND M_SCORE IS NOT NULL AND R_SCORE BETWEEN 1 AND 5 "
            "AND F_SCORE BETWEEN 1 AND 5 AND M_SCORE BETWEEN 1 AND 5)",
        ),
    ),
    computed_from=(SALES.name, CUSTOMERS.name),
    kept_by="build_gold",
    logic_version=1,
)

SALES_ENRICHED = View(
    name="sales_enriched",
    about="Sales with their customers as they are today",
    grain="One row per TRANSACTION_ID",
    columns=(
        Column("TRANSACTION_ID", "string", "Identifies the sale, over all hours"),
        Column("CUSTOMER_ID", "string", "Who bought"),
        Column("NAME", "string", "Today's name (personal data); null while unknown", nullable=True, personal=True),
        Column("AGE", "int", "Today's age in years (personal data); null while unknown", nullable=True, personal=True),
        Column("COUNTRY", "string", "Today's country; null while unknown", nullable=True),
        Column("PRODUCT_ID", "string", "What was bought"),
        Column("QUANTITY", "int", "Units sold, at least 1"),
        Column("PRICE", MONEY, "Money per unit"),
        Column("AMOUNT", "decimal(38,2)", "Quantity x price, exact"),
        Column("TRANSACTION_DATE", "timestamp", "When the sale happened, a UTC instant"),
        Column(HOUR, "timestamp", "The UTC hour in which the sale happened"),
    ),
    key=("TRANSACTION_ID",),
)
