"""The exports of shops as they come: each is loaded by a description of a few lines, and without one refused in words
that say which.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from common.contract import CUSTOMERS_FEED, TRANSACTIONS
from support.described import accepted, load_by, read, rejected
from support.lakes import CUSTOMERS_HEADER, SALES_HEADER, Workbench

REFUSED = 3
TIME = "2025-02-22 09:15:00"
SALES: list[tuple[Any, ...]] = [
    ("t1", "c1", "p1", 2, Decimal("1.50"), TIME),
    ("t2", "c2", "p2", 1, Decimal("1234.00"), TIME),
]
NOTHING = "transactions: {}"
TEXT = f"{SALES_HEADER}\nt1,c1,p1,2,1.50,{TIME}\nt2,c2,p2,1,1234.00,{TIME}\n"
COLUMNS = """
  columns: {TRANSACTION_ID: Order ID, CUSTOMER_ID: Customer ID, PRODUCT_ID: SKU, QUANTITY: Qty, PRICE: Unit Price,
    TRANSACTION_DATE: Created at}
"""


@pytest.mark.parametrize(
    ("content", "description", "hint"),
    [
        pytest.param(
            TEXT.replace(",", ";").replace("1.50", "1,50").replace("1234.00", "1.234"),
            "transactions: {dialect: {delimiter: ';', decimalChar: ',', groupChar: .}}",
            "it is separated by semicolons; describe_feed writes a description of such files",
            id="semicolons",
        ),
        pytest.param(
            TEXT.replace(",", "\t"),
            'transactions: {dialect: {delimiter: "\\t"}}',
            "it is separated by tabs; describe_feed",
            id="tabs",
        ),
        pytest.param(
            "sep=;\r\n" + TEXT.replace(",", ";"),
            "transactions: {dialect: {delimiter: ';', commentRows: [1]}}",
            "it says which delimiter the file has: write commentRows: [1] and that delimiter",
            id="sep",
        ),
        pytest.param(
            f'Sales of "March\n\nfrom,to\n{TEXT}',
            "transactions: {dialect: {commentRows: [1, 2, 3]}}",
            "is there a title above the header, or another delimiter?",
            id="title",
        ),
        pytest.param(
            TEXT.replace("\n", ",,\n"),
            "transactions: {other_columns: ignore}",
            "has a column without a name, as where lines end with a delimiter. Write other_columns: ignore",
            id="trailing_delimiters",
        ),
        pytest.param(
            TEXT.replace("\n", ",shop\n"),
            "transactions: {other_columns: ignore}",
            "the header has the column 'shop', which transactions do not have",
            id="extra_column",
        ),
        pytest.param(
            TEXT.replace(SALES_HEADER, "Order ID,Customer ID,SKU,Qty,Unit Price,Created at"),
            "transactions:" + COLUMNS,
            "is the header missing, or are its 6 columns named otherwise?",
            id="own_names",
        ),
        pytest.param(
            TEXT.replace(SALES_HEADER, SALES_HEADER.replace("_", " ").title()),
            """transactions:
  columns: {TRANSACTION_ID: Transaction ID, CUSTOMER_ID: Customer ID, PRODUCT_ID: Product ID, QUANTITY: Quantity,
    PRICE: Price, TRANSACTION_DATE: Transaction Date}""",
            "the header has the column 'Transaction Id', which transactions do not have",
            id="names_with_spaces",
        ),
        pytest.param(
            TEXT.replace(",", ", ").replace("c1", '"c1"'),
            "transactions: {dialect: {skipInitialSpace: true}}",
            "1 of 2 rows of transactions would be rejected",
            id="spaces_before_quotes",
        ),
        pytest.param(
            TEXT.replace(TIME, "2/22/25 9:15 AM"),
            """transactions:
  columns: {TRANSACTION_ID: TRANSACTION_ID, CUSTOMER_ID: CUSTOMER_ID, PRODUCT_ID: PRODUCT_ID, QUANTITY: QUANTITY,
    PRICE: PRICE, TRANSACTION_DATE: {header: TRANSACTION_DATE, format: "%m/%d/%y %I:%M %p"}}""",
            "Where times are written otherwise, the description of the feed says how (format).",
            id="times",
        ),
    ],
)
def test_an_export_loads_by_a_description_of_a_few_lines_and_says_so_without(
    bench: Workbench, content: str, description: str, hint: str
) -> None:
    path = bench.file(bench.transactions / "sales.csv", content)
    refused = bench.load("--max-rejected-share=0.4")
    assert refused.exit_code == REFUSED
    assert str(path) in refused.error
    assert hint in refused.error
    assert bench.versions() == {}
    batch = read(bench, TRANSACTIONS, description)
    assert accepted(batch) == SALES
    assert (batch.rows_read, batch.rejected) == (2, 0)


def test_quotes_and_escapes_are_those_of_the_dialect(bench: Workbench) -> None:
    bench.people(
        'c1,"Sam \\"Ace\\" Moor",30,Peru',
        'c2,"ends with \\\\",31,Peru',
        "c3,no\\, quotes,32,Peru",
        'c4,"two\nlines\\\n",33,Peru',
        'c5,"doubled "" too",34,Peru',
        "c6,\\N,35,NA",
        "c7,it's,36,Peru",
        'c8,"never closed\\",37,Peru',
    )
    escaped = "customers: {dialect: {escapeChar: \\, missingValues: [\\N, NA]}}"
    batch = read(bench, CUSTOMERS_FEED, escaped)
    assert accepted(batch) == [
        ("c1", 'Sam "Ace" Moor', 30, "Peru"),
        ("c2", "ends with \\", 31, "Peru"),
        ("c3", "no, quotes", 32, "Peru"),
        ("c4", "two\nlines\n", 33, "Peru"),
        ("c5", 'doubled " too', 34, "Peru"),
        ("c6", None, 35, None),
        ("c7", "it's", 36, "Peru"),
    ]
    assert rejected(batch) == {'c8,"never closed\\",37,Peru': ["row_is_well_formed"]}

    bench.people("c1,'a, ''b''\nc',30,\"Peru\"", name="people_000.csv")
    single = 'customers: {dialect: {quoteChar: "\'"}}'
    assert accepted(read(bench, CUSTOMERS_FEED, single)) == [("c1", "a, 'b'\nc", 30, '"Peru"')]

    bench.people('c1,"Ann,30,"Peru""', "c2,'Bo',31,x", name="people_000.csv")
    none = 'customers: {dialect: {quoteChar: ""}}'
    assert accepted(read(bench, CUSTOMERS_FEED, none)) == [("c1", '"Ann', 30, '"Peru""'), ("c2", "'Bo'", 31, "x")]


def test_an_encoding_of_the_description_is_read_to_the_letter(bench: Workbench) -> None:
    lines = "Umsätze für März\nCUSTOMER_ID;NAME;AGE;LÄNDER\nc1;Zoë 5 €;30;Österreich\n"
    bench.file(bench.customers / "people.csv", lines.encode("iso-8859-15"))
    description = """customers:
  dialect: {delimiter: ;, encoding: iso-8859-15, commentRows: [1]}
  columns: {CUSTOMER_ID: CUSTOMER_ID, NAME: NAME, AGE: AGE, COUNTRY: länder}
"""
    assert accepted(read(bench, CUSTOMERS_FEED, description)) == [("c1", "Zoë 5 €", 30, "Österreich")]


def test_numbers_that_leave_no_doubt_come_in_and_the_others_by_what_the_description_says(bench: Workbench) -> None:
    rows = {
        "point": ("2.0", ".99"),
        "noise": ("3", "12.3400000000001"),
        "fuel": ("1", "1.659"),
        "half": ("0.5", "9.90"),
        "euro": ("1", "€9.90"),
        "group": ("1", "1'234.50"),
        "wrong": ("1", "1'23.50"),
        "missing": ("n/a", "5."),
    }
    bench.sales(*[f"{id_},c1,p1,{quantity},{price},{TIME}" for id_, (quantity, price) in rows.items()])
    batch = read(bench, TRANSACTIONS, NOTHING)
    assert [row[0] for row in accepted(batch)] == ["point"]
    money, whole = ["price_is_an_amount_of_money"], ["quantity_is_a_whole_number"]
    assert {raw.split(",")[0]: reasons for raw, reasons in rejected(batch).items()} == {
        **dict.fromkeys(["noise", "fuel", "euro", "group", "wrong"], money),
        **dict.fromkeys(["half", "missing"], whole),
    }
    described = read(
        bench,
        TRANSACTIONS,
        """
transactions:
  dialect: {groupChar: "'", missingValues: [n/a]}
  columns:
    TRANSACTION_ID: TRANSACTION_ID
    CUSTOMER_ID: CUSTOMER_ID
    PRODUCT_ID: PRODUCT_ID
    QUANTITY: {expression: "coalesce(QUANTITY, '1')"}
    PRICE: {expression: "replace(PRICE, '€')", round: true}
    TRANSACTION_DATE: TRANSACTION_DATE
""",
    )
    assert {row[0]: (row[3], row[4]) for row in accepted(described)} == {
        "point": (2, Decimal("0.99")),
        "noise": (3, Decimal("12.34")),
        "fuel": (1, Decimal("1.66")),
        "euro": (1, Decimal("9.90")),
        "group": (1, Decimal("1234.50")),
        "missing": (1, Decimal("5.00")),
    }


def test_times_that_leave_no_doubt_come_in(bench: Workbench) -> None:
    times = {
        "2025-02-22 09:15:26 +0200": "2025-02-22 07:15:26",
        "2025-02-22 09:15:26.123456 UTC": "2025-02-22 09:15:26.123456",
        "2025-02-22 09:15:26.000 -0800": "2025-02-22 17:15:26",
        "2025-02-22 09:15:26.1234567": "2025-02-22 09:15:26.123456",
        "2025-02-22 09:15:26.999999999+00": "2025-02-22 09:15:26.999999",
        "2025-02-22t09:15:26z": "2025-02-22 09:15:26",
        "20250222T091526Z": "2025-02-22 09:15:26",
        "2025-02-22 9:15:26 GMT": "2025-02-22 09:15:26",
        "2025/02/22 09:15:26": "2025-02-22 09:15:26",
    }
    bench.sales(*[f"t{number},c1,p1,1,1,{time}" for number, time in enumerate(times)])
    assert [row[5] for row in accepted(read(bench, TRANSACTIONS, NOTHING))] == list(times.values())


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("format_", "times"),
    [
        ("%d/%m/%Y %H:%M", {"03/04/2025 09:15": "2025-04-03 09:15:00", "3/4/2025 9:5": "2025-04-03 09:05:00"}),
        (
            "%b %d, %Y %I:%M:%S %p",
            {"Mar 1, 2025 12:00:05 AM": "2025-03-01 00:00:05", "march 01,  2025 12:00:05 p.m.": "2025-03-01 12:00:05"},
        ),
        (
            "%Y-%m-%dT%H:%M:%S.%f%z",
            {
                "2025-03-01T09:15:00.1234567+0100": "2025-03-01 08:15:00.123456",
                "2025-03-01T09:15:00.5-03": "2025-03-01 12:15:00.5",
            },
        ),
        ("%d.%m.%y %H.%M Uhr", {"01.03.25 09.15 Uhr": "2025-03-01 09:15:00"}),
        ("%Y%m%d%H%M%S", {"20250301091500": "2025-03-01 09:15:00", "2025030191500": None, "2025301091500": None}),
        # None of these is a time in that format.
        (
            "%d/%m/%Y %H:%M",
            dict.fromkeys(["31/02/2025 09:15", "01/13/2025 09:15", "01/03/2025 24:15", "01-03-2025 09:15", TIME]),
        ),
        ("%m/%d/%Y %I:%M %p", dict.fromkeys(["01/03/2025 13:15 PM", "01/03/2025 00:15 AM", "01/03/2025 09:15"])),
    ],
)
def test_times_of_a_format_are_read_by_it_and_no_others(
    bench: Workbench, format_: str, times: dict[str, str | None]
) -> None:
    bench.sales(*[f't{number},c1,p1,1,1,"{time}"' for number, time in enumerate(times)])
    batch = read(
        bench,
        TRANSACTIONS,
        f"""
transactions:
  columns:
    TRANSACTION_ID: TRANSACTION_ID
    CUSTOMER_ID: CUSTOMER_ID
    PRODUCT_ID: PRODUCT_ID
    QUANTITY: QUANTITY
    PRICE: PRICE
    TRANSACTION_DATE: {{header: TRANSACTION_DATE, format: "{format_}"}}
""",
    )
    assert [row[5] for row in accepted(batch)] == [time for time in times.values() if time]
    bad = [reasons for reasons in rejected(batch).values() if reasons == ["transaction_date_is_a_time"]]
    assert len(bad) == sum(time is None for time in times.values())


def test_a_time_without_an_offset_is_of_the_zone_of_the_description(bench: Workbench) -> None:
    bench.sales("t1,c1,p1,1,1,2025-07-01 09:15:00", "t2,c1,p1,1,1,2025-03-30 02:30:00")
    batch = read(bench, TRANSACTIONS, "transactions: {time_zone: Europe/Berlin}")
    assert [row[5] for row in accepted(batch)] == ["2025-07-01 07:15:00"]
    assert list(rejected(batch).values()) == [["transaction_date_is_a_time"]]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "second",
    [
        "CUSTOMER_ID,TRANSACTION_ID,PRODUCT_ID,QUANTITY,PRICE,TRANSACTION_DATE",
        "TRANSACTION_ID,PRODUCT_ID,CUSTOMER_ID,PRICE,QUANTITY,TRANSACTION_DATE",
        "transaction_date,price,quantity,product_id,customer_id,transaction_id",
        '"TRANSACTION_ID", "CUSTOMER_ID" ,"SHOP","STAFF","PRICE","TRANSACTION_DATE"',
    ],
)
def test_a_second_header_of_other_columns_refuses_the_run_and_names_the_line(bench: Workbench, second: str) -> None:
    path = bench.sales(f"t1,c1,p1,2,1.50,{TIME}", second, f"t2,p1,c1,2,1.50,{TIME}")
    outcome = bench.load()
    assert outcome.exit_code == REFUSED
    assert f"{path}, line 3: breaks the rule header_is_the_only_one" in outcome.error
    assert "Two exports were put together, and their headers differ" in outcome.error
    assert bench.versions() == {}


def test_a_second_header_of_customers_is_seen_where_nothing_but_names_is_read(bench: Workbench) -> None:
    path = bench.people("c1,Ann,30,Mali", "NAME,CUSTOMER_ID,AGE,COUNTRY", "Bob,c2,31,Mali")
    feeds = bench.folder / "feeds.yml"
    for columns in ("{CUSTOMER_ID: CUSTOMER_ID, NAME: NAME}", "{CUSTOMER_ID: CUSTOMER_ID, AGE: AGE}"):
        feeds.write_text(f"customers: {{columns: {columns}, other_columns: ignore}}")
        outcome = load_by(bench, feeds, f"--customers={bench.customers}")
        assert outcome.exit_code == REFUSED, columns
        assert f"{path}, line 3: breaks the rule header_is_the_only_one" in outcome.error


def test_the_same_header_again_and_the_lines_above_it_are_rejected_and_people_named_like_columns_are_not(
    bench: Workbench,
) -> None:
    bench.file(
        bench.customers / "people.csv",
        f"Our customers\n{CUSTOMERS_HEADER}\nc1,Ann,30,Mali\nOur customers\n{CUSTOMERS_HEADER}\n"
        "c2,Age,31,Country\nName,Age,,Mali\n",
    )
    batch = read(bench, CUSTOMERS_FEED, "customers: {dialect: {commentRows: [1]}}")
    assert [row[0] for row in accepted(batch)] == ["Name", "c1", "c2"]
    assert rejected(batch) == {
        "Our customers": ["header_is_not_repeated"],
        CUSTOMERS_HEADER: ["header_is_not_repeated"],
    }
    assert (batch.rows_read, batch.rejected) == (5, 2)


def test_totals_below_the_rows_are_rejected(bench: Workbench) -> None:
    totals = [
        "Total customers: 2,,,",
        "Grand total,,,",
        "TOTAL,,,",
        "Summe: 7,,,",
        "Count=2,,,",
        "*** Sub-Total ***,,,",
    ]
    people = ["c1,Ann,30,Mali", "Totalis,,,", "sum,Sum Ting,,", "counter-5,,,", "c2,,,"]
    bench.people(*people, *totals)
    batch = read(bench, CUSTOMERS_FEED, "customers: {}")
    assert {row[0] for row in accepted(batch)} == {"c1", "Totalis", "sum", "counter-5", "c2"}
    assert rejected(batch) == {line: ["row_is_not_a_total"] for line in totals}
    bench.sales("Total,,,3,7.50,", f"Total,,p1,3,7.50,{TIME}")
    refused = rejected(read(bench, TRANSACTIONS, NOTHING))
    assert all("customer_id_is_present" in reasons for reasons in refused.values())
    assert len(refused) == 2


@pytest.mark.thorough
def test_ids_that_a_spreadsheet_has_rounded_are_rejected_and_the_run_says_what_to_do(bench: Workbench) -> None:
    bench.people("4.00E+12,Ann,30,Mali", "4.5e+9,Bob,31,Mali", "4E12,Cy,32,Mali")
    bench.sales(
        f"7.65432E+15,c1,p1,1,1.00,{TIME}",
        f't2,"7,65432E+15",p1,1,1.00,{TIME}',
        f"t3,c1,7E+5,1,1.00,{TIME}",
        f"t+4,c+1E+5,E+5,1,1.00,{TIME}",
    )
    outcome = bench.must_load()
    assert outcome.report is not None
    assert {rule: count["rows"] for rule, count in outcome.report["rejected_by_reason"].items()} == {
        "transactions.transaction_id_is_not_rounded": 1,
        "transactions.customer_id_is_not_rounded": 1,
        "transactions.product_id_is_not_rounded": 1,
        "customers.customer_id_is_not_rounded": 2,
    }
    assert outcome.ledger()["new"] == 1
    advice = {count["advice"] for count in outcome.report["rejected_by_reason"].values()}
    assert advice == {
        "A spreadsheet has rounded the ids, and different ones became the same. Export again, with this column "
        "formatted as text."
    }


def test_ids_that_repeat_on_lines_of_one_order_are_made_the_lines_by_the_description(bench: Workbench) -> None:
    path = bench.sales(f"A1,c1,p1,1,5.00,{TIME}", f"A1,c1,p2,2,8.00,{TIME}", f"A2,c1,p1,1,5.00,{TIME}")
    refused = bench.load("--max-rejected-share=0.05")
    assert refused.exit_code == REFUSED
    assert "Reasons: transaction_is_unambiguous 2 (first: " in refused.error
    advice = "TRANSACTION_ID: {expression: \"concat_ws('-', TRANSACTION_ID, PRODUCT_ID)\"}"
    assert (
        "Where the id is that of an order and repeats on each of its lines, make it the line's, in the description of "
        f"the feed: {advice}." in refused.error
    )
    columns = "{CUSTOMER_ID: CUSTOMER_ID, PRODUCT_ID: PRODUCT_ID, QUANTITY: QUANTITY, PRICE: PRICE, "
    columns += f"TRANSACTION_DATE: TRANSACTION_DATE, {advice}}}"
    batch = read(bench, TRANSACTIONS, f"transactions: {{columns: {columns}}}", path)
    assert [row[0] for row in accepted(batch)] == ["A1-p1", "A1-p2", "A2-p1"]


@pytest.mark.thorough
def test_of_repeated_ids_the_last_one_counts_where_the_description_says_so(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali", "c2,Bob,31,Peru", "c1,Ann Lee,31,Mali", "c2,Bob,31,Peru")
    feeds = bench.folder / "feeds.yml"
    feeds.write_text("customers: {repeated_ids: reject}")
    refused = bench.load(f"--feeds={feeds}", "--max-rejected-share=0.05")
    assert refused.exit_code == REFUSED
    assert "customer_is_unambiguous 2" in refused.error
    assert "write repeated_ids: last in the description of the feed" in refused.error
    feeds.write_text("customers: {repeated_ids: last}")
    outcome = bench.must_load(f"--feeds={feeds}")
    assert outcome.ledger("customers") == {"rows_read": 4, "new": 2, "corrected": 1, "duplicate": 1}
    assert bench.rows("customers") == [("c1", "Ann Lee", 31, "Mali"), ("c2", "Bob", 31, "Peru")]


@pytest.mark.thorough
def test_returns_and_sales_of_guests_come_in_where_the_description_says_so(bench: Workbench) -> None:
    bench.sales(
        f"t1,c1,p1,2,1.50,{TIME}",
        f"back,c1,p1,-3,1.50,{TIME}",
        f"none,c1,p1,0,1.50,{TIME}",
        f"nobody,,p1,1,1.50,{TIME}",
        f"named,guest,p1,1,1.50,{TIME}",
    )
    outcome = bench.load("--dry-run")
    assert outcome.reasons() == {
        "quantity_is_positive": 2,
        "customer_id_is_present": 1,
        "customer_id_is_not_reserved": 1,
    }
    assert outcome.report is not None
    advice = {rule: count["advice"] for rule, count in outcome.report["rejected_by_reason"].items()}
    assert "write returns: allow" in advice["transactions.quantity_is_positive"]
    assert "write guests: allow" in advice["transactions.customer_id_is_present"]

    batch = read(bench, TRANSACTIONS, "transactions: {returns: allow, guests: allow}")
    assert [(row[0], row[1], row[3]) for row in accepted(batch)] == [
        ("back", "c1", -3),
        ("named", "guest", 1),
        ("nobody", "guest", 1),
        ("t1", "c1", 2),
    ]
    assert list(rejected(batch).values()) == [["quantity_is_not_zero"]]


def test_the_reserved_id_is_no_customer_and_rows_without_one_are_none_where_customers_are_read_from_sales(
    bench: Workbench,
) -> None:
    bench.people("guest,Ann,30,Mali", ",,,", "c1,Bob,31,Peru")
    assert rejected(read(bench, CUSTOMERS_FEED, "customers: {}")) == {
        "guest,Ann,30,Mali": ["customer_id_is_not_reserved"],
        ",,,": ["customer_id_is_present"],
    }
    batch = read(bench, CUSTOMERS_FEED, "customers: {guests: allow}")
    assert rejected(batch) == {"guest,Ann,30,Mali": ["customer_id_is_not_reserved"]}
    assert batch.rows_read == 2
