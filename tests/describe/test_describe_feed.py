"""From an export that nobody knows to a lake: describe_feed drafts, and load_sales loads by the draft as it stands."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from common.describe import sniffing
from jobs import describe_feed, load_sales
from support.lakes import REAL_DATA, SALES_HEADER, Workbench
from support.project import ROOT

CASES = ROOT.parent / "shared" / "cases"
ROWS = [
    ("a1", "c1", "p1", 2, Decimal("1004.50"), "2025-03-25 10:00:00"),
    ("a2", "c2", "p2", 1, Decimal("9.99"), "2025-03-31 10:30:00"),
]
PLAIN = "a1,c1,p1,2,1004.50,2025-03-25 10:00:00", "a2,c2,p2,1,9.99,2025-03-31 10:30:00"


def describe(bench: Workbench, *paths: Path, feeds: str = "feeds.yml") -> str:
    """Draft a description; returns what is printed, in which the bench looks for names and raw rows."""
    arguments = [*map(str, paths), f"--output={bench.folder / feeds}"]
    exit_code, output, error = bench.printed_by(describe_feed, *arguments)
    assert (exit_code, error) == (0, "")
    return output


def load(bench: Workbench, *options: str, feeds: str = "feeds.yml") -> Any:
    """Load by a description; returns the report."""
    outcome = bench.run(load_sales, f"--feeds={bench.folder / feeds}", f"--lake={bench.lake}", *options)
    assert outcome.exit_code == 0, outcome.error
    return outcome


def sales_of(bench: Workbench) -> list[tuple[Any, ...]]:
    found = bench.rows("sales_data_partitioned", *SALES_HEADER.split(","))
    return [(*row[:5], f"{row[5]:%Y-%m-%d %H:%M:%S}") for row in found]


# Two sales, as different programs export them.
EXPORTS: tuple[tuple[str, str | bytes], ...] = (
    (
        "semicolons.csv",
        SALES_HEADER.replace(",", ";") + "\na1;c1;p1;2;1.004,50;25.03.2025 10:00\na2;c2;p2;1;9,99;31.03.2025 10:30\n",
    ),
    ("sep.csv", "sep=\t\r\n" + "\r\n".join([SALES_HEADER, *PLAIN]).replace(",", "\t")),
    ("titles.csv", "\n".join(["Sales", "of,March", "", SALES_HEADER, *PLAIN])),
    ("trailing.csv", "\n".join(f"{line}," for line in [SALES_HEADER, *PLAIN])),
    (
        "renamed.csv.gz",
        gzip.compress("\n".join(["Order ID,Customer,SKU,Qty,Unit price,Created at", *PLAIN]).encode()),
    ),
    (
        "escaped.csv",
        "Store,"
        + SALES_HEADER
        + "\n"
        + "".join(f'"The \\"{"N, S"}\\" {number}",{line}\n' for number, line in enumerate(PLAIN)),
    ),
    ("single.csv", "\n".join([SALES_HEADER, *PLAIN]).replace("p1", "'p1'").replace("p2", "'p2'")),
    ("windows.csv", "\n".join([f"Größe,{SALES_HEADER}", *(f"ü,{line}" for line in PLAIN)]).encode("cp1252")),
    (
        "two columns.csv",
        "Bon,Kunde,Artikel,Menge,Preis,Datum,Uhrzeit\n"
        "a1,c1,p1,2,1004.50 €,25.03.2025,10:00\na2,c2,p2,1,9.99 €,31.03.2025,10:30\n",
    ),
    (
        "noise.csv",
        f"{SALES_HEADER}\na1,c1,p1,2.0,1004.4999999999999,2025-03-25T10:00:00Z\na2,c2,p2,1.0,9.99,2025-03-31T10:30:00Z\n",
    ),
    (
        "american.csv",
        f'{SALES_HEADER}\na1,c1,p1,2,"1,004.50",3/25/2025 10:00 AM\na2,c2,p2,1,9.99,3/31/2025 10:30 AM\n',
    ),
    (
        "since_1970.csv",
        "Order,Customer,Sku,Quantity,Price,Timestamp\na1,c1,p1,2,1004.50,1742896800\na2,c2,p2,1,9.99,1743417000\n",
    ),
    (
        "missing.csv",
        f"{SALES_HEADER},Age\n{PLAIN[0]},30\n{PLAIN[1]},-\n",
    ),
)


def test_an_export_loads_by_its_draft(bench: Workbench) -> None:
    """Each says the same sales, cell by cell: what the first has brought is found unchanged in all others."""
    for number, (name, content) in enumerate(EXPORTS):
        feeds = f"feeds_{number}.yml"
        assert "2 would be loaded" in describe(bench, bench.file(bench.folder / name, content), feeds=feeds), name
        outcome = "unchanged" if number else "new"
        assert load(bench, feeds=feeds).ledger() == {"rows_read": 2, outcome: 2}, name
        assert sales_of(bench) == ROWS


@pytest.mark.thorough
def test_lines_of_orders_guests_and_ids_with_decimals_load_with_the_customers_of_the_sales(bench: Workbench) -> None:
    path = bench.file(
        bench.folder / "shop.csv",
        "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Customer Name,Country\n"
        "i1,p1,2,2025-03-25 10:00:00,4.5,17.0,Jane Canary,Peru\n"
        "i1,p2,1,2025-03-25 10:00:00,9.99,17.0,Jane Canary,Peru\n"
        "i2,p1,1,2025-03-31 10:30:00,4.5,,,\n",
    )
    bench.canaries.names.add("Jane Canary")
    printed = describe(bench, path)
    assert "***" in printed
    load(bench)
    assert [row[:4] for row in sales_of(bench)] == [
        ("i1-2", "17", "p1", 2),
        ("i1-3", "17", "p2", 1),
        ("i2-4", "guest", "p1", 1),
    ]
    assert bench.rows("customers") == [("17", "Jane Canary", None, "Peru")]


@pytest.mark.thorough
def test_of_an_order_whose_later_lines_say_less_the_customer_keeps_his_name(bench: Workbench) -> None:
    path = bench.file(
        bench.folder / "shop.csv",
        "Name,Email,Lineitem quantity,Lineitem sku,Lineitem name,Lineitem price,Billing Name,"
        "Billing Country,Created at\n"
        "#1,a@b.c,1,p1,Hat,4.50,Jane Canary,Peru,2025-03-01 10:00:00 +0100\n"
        "#1,a@b.c,2,p2,Cap,3.50,,,2025-03-01 10:00:00 +0100\n",
    )
    bench.canaries.names |= {"Jane Canary", "a@b.c"}
    describe(bench, path)
    load(bench)
    assert bench.rows("customers") == [("a@b.c", "Jane Canary", None, "Peru")]


@pytest.mark.thorough
def test_returns_are_allowed_where_there_are_some(bench: Workbench) -> None:
    path = bench.sales(*PLAIN, "a3,c1,p1,-1,4.50,2025-03-31 10:40:00")
    assert "3 would be loaded" in describe(bench, path)
    load(bench)
    assert [row[3] for row in sales_of(bench)] == [2, 1, -1]


def test_the_first_lines_are_shown_as_they_would_be_loaded_beside_what_would_be_rejected_and_why(
    bench: Workbench,
) -> None:
    people = [f"c{number},Jane Canary,{30 + number % 50},Mali" for number in range(150)]
    people[5] = "c5,Jane Canary,old,Mali"
    people[6] = "c6,Jane Canary,30"
    people[8] = "c7,Joe Canary,31,Mali"
    people[120] = "c120,Jane Canary,old,Mali"
    path = bench.people(*people)
    printed = describe(bench, path).splitlines()
    assert any(line.startswith("│ c0 ") and "***" in line and "Mali" in line for line in printed)
    rejected = [
        [cell.strip() for cell in line.split("│")[1:3]] for line in printed if line.startswith("│ ") and "_is_" in line
    ]
    assert rejected == [
        ["7", "age_is_a_whole_number"],
        ["8", "row_is_well_formed"],
        ["9", "customer_is_unambiguous"],
        ["10", "customer_is_unambiguous"],
    ]
    assert f"Of the first 100 rows of {path}, 96 would be loaded, 4 rejected." in printed


def test_a_draft_that_leaves_something_open_says_so_and_is_refused_until_it_is_filled_in(bench: Workbench) -> None:
    path = bench.sales("a1,c1,p1,2,4.50,01/02/2025 10:00", "a2,c1,p2,2,4.50,02/02/2025 10:00")
    printed = describe(bench, path)
    assert "  transactions: TRANSACTION_DATE" in printed
    assert "would be loaded" not in printed
    feeds = bench.folder / "feeds.yml"
    arguments = [f"--feeds={feeds}", f"--lake={bench.lake}"]
    assert "transactions.columns.TRANSACTION_DATE: is not filled in" in bench.run(load_sales, *arguments).error
    feeds.write_text(
        feeds.read_text().replace('# {header: TRANSACTION_DATE, format: "%d', '{header: TRANSACTION_DATE, format: "%d')
    )
    load(bench)
    assert [row[5] for row in sales_of(bench)] == ["2025-02-01 10:00:00", "2025-02-02 10:00:00"]


def test_a_file_that_is_there_is_never_overwritten(bench: Workbench) -> None:
    feeds = bench.folder / "feeds.yml"
    feeds.write_text("mine")
    arguments = [str(bench.sales(*PLAIN)), f"--output={feeds}"]
    exit_code, output, error = bench.printed_by(describe_feed, *arguments)
    assert (exit_code, output) == (2, "")
    assert error == f"describe_feed: {feeds} is there already, and is left as it is: name another file with --output.\n"
    assert feeds.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "sentence"),
    [
        ([], 2, "name the files to look at"),
        (["{folder}/nowhere.csv"], 2, "There is no file at"),
        (["{folder}/transactions", "--output={folder}/no/feeds.yml"], 2, "there is no folder"),
        (["{folder}/transactions", "--json"], 2, "There is no option --json"),
        (["{folder}/people.csv"], 3, "has no header: its first line looks like a row"),
    ],
)
def test_a_mistake_is_said_in_a_sentence_and_nothing_is_written(
    bench: Workbench, arguments: list[str], exit_code: int, sentence: str
) -> None:
    bench.sales(*PLAIN)
    bench.file(bench.folder / "people.csv", "c1,Jane Canary,30,Mali\nc2,Joe Canary,31,Mali\n")
    bench.canaries.names |= {"Jane Canary", "Joe Canary"}
    given = [argument.format(folder=bench.folder) for argument in arguments]
    output = (
        [] if any(argument.startswith("--output") for argument in given) else [f"--output={bench.folder}/feeds.yml"]
    )
    ended, printed, error = bench.printed_by(describe_feed, *given, *output)
    assert (ended, printed) == (exit_code, "")
    assert error.startswith("describe_feed: ")
    assert sentence in error
    assert error.count("\n") == 1
    assert not (bench.folder / "feeds.yml").exists()


def test_without_duckdb_the_job_says_what_to_install(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    assert sniffing
    _, _, error = bench.printed_by(describe_feed, str(bench.sales(*PLAIN)), f"--output={bench.folder}/feeds.yml")
    assert error == "describe_feed: describe_feed needs DuckDB: pip install 'sales-lakehouse[describe]'.\n"


@pytest.mark.thorough
@pytest.mark.skipif(not CASES.exists(), reason="the cases are not beside the project")
@pytest.mark.parametrize(
    ("case", "rows"),
    [
        *((f"dialects/{name}", 2) for name in ("extra", "preamble", "renamed", "sepcomma", "sepsemi", "spacehdr")),
        *((f"dialects/{name}", 2) for name in ("trail", "trail2")),
        ("dialects/semi", 1),
        ("dialects/order-lines.csv", 3),
        ("returns/guest.csv", 2),
        ("returns/returns.csv", 3),
        ("times", 11),
    ],
)
def test_the_cases_of_other_people_load_by_a_draft_of_a_few_lines(bench: Workbench, case: str, rows: int) -> None:
    describe(bench, CASES / case)
    feeds = (bench.folder / "feeds.yml").read_text()
    assert len([line for line in feeds.splitlines() if not line.startswith("#")]) <= 10
    assert load(bench, "--dry-run").ledger() == {"rows_read": rows, "new": rows}


@pytest.mark.thorough
@pytest.mark.skipif(not CASES.exists(), reason="the cases are not beside the project")
def test_what_no_description_mends_in_the_cases_is_rejected(bench: Workbench) -> None:
    printed = describe(bench, CASES / "numbers" / "transactions.csv", CASES / "numbers" / "customer.csv")
    assert "price_is_an_amount_of_money" in printed
    outcome = load(bench, "--max-rejected-share=1", "--dry-run")
    assert outcome.ledger() == {"rows_read": 12, "new": 9, "rejected": 3}
    assert outcome.ledger("customers") == {"rows_read": 16, "new": 8, "rejected": 8}


@pytest.mark.thorough
@pytest.mark.skipif(not (REAL_DATA / "online-retail").exists(), reason="the real files are not beside the project")
def test_a_day_of_a_real_shop_loads_by_its_draft(bench: Workbench) -> None:
    path = REAL_DATA / "online-retail" / "2011-01-10.csv.gz"
    assert "CustomerID" in describe(bench, path)
    ledger = load(bench, "--dry-run").ledger()
    assert ledger == {"rows_read": 1976, "new": 1976}
    example = ROOT / "examples" / "online_retail" / "feeds.yml"
    assert len(example.read_text().splitlines()) <= 25
    outcome = bench.load("--dry-run", f"--feeds={example}", transactions=path, customers=path)
    assert outcome.ledger() == ledger
    assert outcome.ledger("customers")["new"] == 35
