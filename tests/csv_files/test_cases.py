"""Inputs that cost other people trouble, collected beside the project: each is right, file by file."""

from __future__ import annotations

from decimal import Decimal

import pytest

from common.contract import CUSTOMERS_FEED, TRANSACTIONS
from common.errors import DataRefusedError
from support.described import accepted, read, rejected
from support.lakes import Workbench
from support.project import ROOT

CASES = ROOT.parent / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside the project")

REFUSED = 3
COLUMNS = ("TRANSACTION_ID", "CUSTOMER_ID", "PRODUCT_ID", "QUANTITY", "PRICE", "TRANSACTION_DATE")
SALES = [
    ("z1", "1", "p1", 1, Decimal("5.00"), "2025-03-01 10:00:00"),
    ("z2", "2", "p1", 1, Decimal("6.00"), "2025-03-01 10:30:00"),
]


def columns(**changed: str) -> str:
    """A description of sales whose columns have their own names, but for some."""
    names = dict(zip(COLUMNS, COLUMNS, strict=True)) | changed
    return f"transactions: {{columns: {{{', '.join(f'{name}: {source}' for name, source in names.items())}}}}}"


@pytest.mark.thorough
@pytest.mark.parametrize(("feed", "line"), [("transactions", 42), ("customers", 22)])
def test_headers(bench: Workbench, feed: str, line: int) -> None:
    path = CASES / "headers" / ("transactions.csv" if feed == "transactions" else "customer.csv")
    outcome = bench.load(**{feed: path})
    assert outcome.exit_code == REFUSED
    assert f"{path}, line {line}: breaks the rule header_is_the_only_one" in outcome.error
    assert bench.versions() == {}


@pytest.mark.thorough
def test_totals(bench: Workbench) -> None:
    people = read(bench, CUSTOMERS_FEED, "customers: {}", CASES / "totals" / "customer.csv")
    assert [row[0] for row in accepted(people)] == ["1", "2"]
    assert rejected(people) == {"Total customers: 2,,,": ["row_is_not_a_total"]}
    sales = read(bench, TRANSACTIONS, "transactions: {}", CASES / "totals" / "transactions.csv")
    assert [row[0] for row in accepted(sales)] == ["t1"]


@pytest.mark.thorough
def test_spreadsheet_ids(bench: Workbench) -> None:
    outcome = bench.load(transactions=CASES / "spreadsheet-ids")
    assert outcome.reasons() == {"transaction_id_is_not_rounded": 2}
    assert outcome.report is not None
    advice = outcome.report["rejected_by_reason"]["transactions.transaction_id_is_not_rounded"]["advice"]
    assert "Export again, with this column formatted as text" in advice


@pytest.mark.thorough
def test_times(bench: Workbench) -> None:
    batch = read(bench, TRANSACTIONS, "transactions: {}", CASES / "times" / "transactions.csv")
    assert {row[0]: row[5] for row in accepted(batch)} == {
        "shopify1": "2025-03-01 07:50:26",
        "bigquery1": "2025-03-01 09:50:26",
        "bigquery2": "2025-03-01 09:50:26.123456",
        "snowflake1": "2025-03-01 17:50:26",
        "datetime2": "2025-03-01 09:50:26.123456",
        "pandasns": "2025-03-01 09:50:26.123456",
        "postgres1": "2025-03-01 09:50:26.295339",
        "rfc3339lower": "2025-03-01 09:50:26",
        "isobasic": "2025-03-01 09:50:26",
        "onedigithour": "2025-03-01 09:50:26",
        "slashiso": "2025-03-01 09:50:26",
    }
    assert batch.rejected == 0


@pytest.mark.thorough
def test_numbers_of_sales(bench: Workbench) -> None:
    path = CASES / "numbers" / "transactions.csv"
    as_it_is = read(bench, TRANSACTIONS, "transactions: {}", path)
    assert {row[0]: (row[3], row[4]) for row in accepted(as_it_is)} == {
        "oracle99": (1, Decimal("0.99")),
        "intpoint": (1, Decimal("5.00")),
        "pandasqty": (2, Decimal("5.00")),
        "pandasid": (2, Decimal("5.00")),
    }
    price = "{expression: \"regexp_replace(PRICE, '€| USD', '')\", round: true}"
    customer = "{expression: \"regexp_replace(CUSTOMER_ID, '\\\\\\\\.0$', '')\"}"
    description = columns(PRICE=price, CUSTOMER_ID=customer)[:-1]
    described = read(
        bench, TRANSACTIONS, f"{description}, dialect: {{groupChar: ' '}}, returns: allow, guests: allow}}", path
    )
    found = {row[0]: (row[1], row[3], str(row[4])) for row in accepted(described)}
    assert found == {
        "oracle99": ("1", 1, "0.99"),
        "intpoint": ("1", 1, "5.00"),
        "pandasqty": ("1", 2, "5.00"),
        "pandasid": ("1", 2, "5.00"),
        "floatnoise": ("1", 2, "4481.43"),
        "fuel": ("1", 40, "1.66"),
        "eur": ("1", 1, "9.90"),
        "usd": ("1", 1, "9.90"),
        "thinspace": ("1", 1, "1234.50"),
        "return1": ("1", -1, "9.90"),
        "guest1": ("guest", 1, "9.90"),
    }
    assert rejected(described) == {
        "kilo,1,p1,0.5,9.90,2025-03-01 10:00:00": ["quantity_is_a_whole_number"],
    }


@pytest.mark.thorough
def test_numbers_of_customers(bench: Workbench) -> None:
    description = r"customers: {dialect: {escapeChar: \, missingValues: [NaN, NA, \N, 'NULL']}}"
    batch = read(bench, CUSTOMERS_FEED, description, CASES / "numbers" / "customer.csv")
    assert accepted(batch) == [
        ("10", 'Sam "Ace" Moor', 20, "Peru"),
        ("11", "Back\\", 20, "Peru"),
        ("12", "Tia, Esc", 20, "Peru"),
        ("5", "Pia Float", 31, "Peru"),
        ("6", "Nan Age", None, "Peru"),
        ("7", "Na Age", None, "Peru"),
        ("8", None, None, None),
        ("9", None, None, None),
    ]
    assert rejected(batch) == {
        "Grand total: 9 customers,,,": ["row_is_not_a_total"],
        ",,,": ["customer_id_is_present"],
        "End of report,,,": ["row_is_not_a_total"],
    }


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("case", "description"),
    [
        ("extra/extra.csv", "transactions: {other_columns: ignore}"),
        ("preamble/report.csv", "transactions: {dialect: {commentRows: [1, 2, 3]}}"),
        (
            "renamed/renamed.csv",
            columns(
                TRANSACTION_ID="Order ID",
                CUSTOMER_ID="Customer ID",
                PRODUCT_ID="SKU",
                QUANTITY="Qty",
                PRICE="Unit Price",
                TRANSACTION_DATE="Created at",
            ),
        ),
        ("semi/semi.csv", "transactions: {dialect: {delimiter: ;, decimalChar: ','}}"),
        ("sepcomma/sep.csv", "transactions: {dialect: {commentRows: [1]}}"),
        ("sepsemi/sep.csv", "transactions: {dialect: {delimiter: ;, commentRows: [1]}}"),
        ("spacehdr/spacehdr.csv", columns(**{name: name.replace("_", " ").title() for name in COLUMNS})),
        ("trail/trail.csv", "transactions: {other_columns: ignore}"),
        ("trail2/trail2.csv", "transactions: {other_columns: ignore}"),
    ],
)
def test_dialects(bench: Workbench, case: str, description: str) -> None:
    path = CASES / "dialects" / case
    with pytest.raises(DataRefusedError) as error:
        read(bench, TRANSACTIONS, "transactions: {}", path)
    assert str(path) in str(error.value)
    assert "describe_feed" in str(error.value)
    batch = read(bench, TRANSACTIONS, description, path)
    assert accepted(batch) == SALES[: batch.rows_read]
    assert batch.rejected == 0


def test_each_dialect_is_looked_at() -> None:
    found = {f"{path.parent.name}/{path.name}" for path in (CASES / "dialects").glob("*/*")}
    parametrized = next(mark for mark in test_dialects.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    assert {case for case, *_ in parametrized.args[1]} == found


@pytest.mark.thorough
def test_order_lines(bench: Workbench) -> None:
    path = CASES / "dialects" / "order-lines.csv"
    refused = bench.load("--max-rejected-share=0.05", transactions=path)
    assert refused.exit_code == REFUSED
    assert "Where the id is that of an order and repeats on each of its lines, make it the line's" in refused.error
    advised = refused.error.partition("in the description of the feed: TRANSACTION_ID: ")[2].partition("}.")[0] + "}"
    batch = read(bench, TRANSACTIONS, columns(TRANSACTION_ID=advised), path)
    assert [row[0] for row in accepted(batch)] == ["SO1001-p1", "SO1001-p2", "SO1002-p1"]


@pytest.mark.thorough
def test_returns(bench: Workbench) -> None:
    folder = CASES / "returns"
    batch = read(bench, TRANSACTIONS, "transactions: {returns: allow, guests: allow}", folder)
    assert [(row[0], row[1], row[3]) for row in accepted(batch)] == [
        ("g1", "guest", 2),
        ("g2", "1", 1),
        ("q1", "1", 2),
        ("q2", "1", -2),
        ("q3", "2", 3),
    ]
    as_it_is = read(bench, TRANSACTIONS, "transactions: {}", folder)
    assert sorted(rejected(as_it_is).values()) == [["customer_id_is_present"], ["quantity_is_positive"]]
