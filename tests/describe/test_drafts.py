"""What describe_feed writes of files, without Spark: each key only where a file needs it, and nothing is a guess."""

from __future__ import annotations

import bz2
import gzip
import os
import re
from decimal import Decimal
from pathlib import Path

import pytest

from common.contract import TRANSACTIONS
from common.csv_files import description
from common.csv_files.description import load_descriptions
from common.describe.account import loaded_table
from common.describe.draft import draft_of
from common.describe.findings import Finding, findings_in
from common.describe.preview import Preview
from common.describe.sample import find_files, read_samples
from common.describe.sniffing import look_at
from common.errors import ConfigError, DataRefusedError
from support.lakes import CUSTOMERS_HEADER, SALES_HEADER
from support.project import ROOT

SALES = "a1,c1,p1,2,4.50,2025-03-01 10:00:00", "a2,c2,p2,1,9.99,2025-03-31 10:30:00"
ZONE = "  time_zone: UTC  # a file does not say where its clocks are: write it, such as Europe/Berlin"


def found_in(*paths: Path | str) -> list[Finding]:
    return findings_in(look_at(read_samples(find_files([str(path) for path in paths]))))


def drafted(folder: Path, *lines: str, name: str = "sales.csv", encoding: str = "utf-8") -> list[str]:
    """The draft for a file of these lines, without its comments at the top and its path."""
    (folder / name).write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    text = draft_of(found_in(folder / name), str(folder))
    assert f"  path: {name}\n" in text
    return [line for line in text.splitlines() if not line.startswith(("#", "  path:"))]


def in_dialect(delimiter: str, *lines: str) -> list[str]:
    return [line.replace(",", delimiter) for line in lines]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([SALES_HEADER, *SALES], []),
        (in_dialect("\t", SALES_HEADER, *SALES), ["dialect:", '  delimiter: "\\t"']),
        (in_dialect("|", SALES_HEADER, *SALES), ["dialect:", '  delimiter: "|"']),
        (
            [line.replace(".50", ",50").replace("9.99", "1.009,99") for line in in_dialect(";", SALES_HEADER, *SALES)],
            ["dialect:", '  delimiter: ";"', '  decimalChar: ","', '  groupChar: "."'],
        ),
        (
            ["sep=;", *in_dialect(";", SALES_HEADER, *SALES)],
            ["dialect:", '  delimiter: ";"', "  commentRows: [1]  # the header stands in line 2"],
        ),
        (
            ["Umsatz März,,,,,", ",,,,,", SALES_HEADER, *SALES],
            ["dialect:", "  commentRows: [1, 2]  # the header stands in line 3"],
        ),
        (
            ["Sales report", "Period,2025-03-01,2025-03-31", "", SALES_HEADER, *SALES],
            ["dialect:", "  commentRows: [1, 2, 3]  # the header stands in line 4"],
        ),
        (
            [SALES_HEADER, *(line.replace("p1", r'"p \"1\" x"').replace("p2", '"p, 2"') for line in SALES)],
            ["dialect:", '  escapeChar: "\\\\"'],
        ),
        (
            [SALES_HEADER, *(line.replace("p1", "'p, 1'").replace("p2", "'p, 2'") for line in SALES)],
            ["dialect:", '  quoteChar: "\'"'],
        ),
        (
            [
                SALES_HEADER.replace(",", ", "),
                'a1, "c, 1", "p1", 2, 4.50, 2025-03-01 10:00:00',
                'a2, "c, 2", "p2", 1, 9.99, 2025-03-31 10:00:00',
            ],
            ["dialect:", "  skipInitialSpace: true"],
        ),
        ([f"{SALES_HEADER},", *(f"{line}," for line in SALES)], ["other_columns: ignore  # one without a name"]),
        ([f"{SALES_HEADER},STORE", *(f"{line},s1" for line in SALES)], ["other_columns: ignore  # STORE"]),
        (
            [SALES_HEADER, "a1,,p1,-2,4.50,2025-03-01 10:00:00", SALES[1]],
            ["returns: allow  # 1 of 2 rows have a negative quantity", "guests: allow  # 1 of 2 rows have no customer"],
        ),
        (
            [SALES_HEADER, r"a1,\N,p1,NA,4.50,2025-03-01 10:00:00", SALES[1]],
            [
                "dialect:",
                '  missingValues: [NA, "\\\\N"]  # they stand for no value, in every column',
                "guests: allow  # 1 of 2 rows have no customer",
            ],
        ),
    ],
)
def test_a_draft_says_what_is_unusual_about_a_file_and_no_more(
    tmp_path: Path, lines: list[str], expected: list[str]
) -> None:
    said = [line for line in drafted(tmp_path, *lines) if line != ZONE]
    assert said == ["transactions:", *(f"  {line}" for line in expected)]
    (tmp_path / "feeds.yml").write_text(draft_of(found_in(tmp_path / "sales.csv"), str(tmp_path)))
    assert list(load_descriptions(tmp_path / "feeds.yml", "utf-8", "UTC")) == ["transactions"]


def columns_of(draft: list[str]) -> dict[str, str]:
    """The entries of columns in a draft, by the column, without comments."""
    entries = [line.strip().partition("  #")[0].partition(":") for line in draft if line.startswith("    ")]
    return {column: source.strip() for column, _, source in entries if column.isupper()}


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        (
            "Transaction ID,customer id,Product ID,Quantity,Price,Transaction Date",
            SALES[0],
            ["Transaction ID", "customer id", "Product ID", "Quantity", "Price", "Transaction Date"],
        ),
        (
            "Order ID,Customer ID,SKU,Qty,Unit Price,Created at",
            SALES[0],
            ["Order ID", "Customer ID", "SKU", "Qty", "Unit Price", "Created at"],
        ),
        (
            "Belegnr,Kundennummer,Artikelnummer,Menge,Einzelpreis,Belegdatum",
            SALES[0],
            ["Belegnr", "Kundennummer", "Artikelnummer", "Menge", "Einzelpreis", "Belegdatum"],
        ),
        (
            "Numéro commande,Client,Référence,Quantité,Prix unitaire,Date commande",
            SALES[0],
            ["Numéro commande", "Client", "Référence", "Quantité", "Prix unitaire", "Date commande"],
        ),
        (
            "Name,Email,Lineitem sku,Lineitem quantity,Lineitem price,Created at,Lineitem name",
            f"{SALES[0]},a thing",
            ["Name", "Email", "Lineitem sku", "Lineitem quantity", "Lineitem price", "Created at"],
        ),
        (
            "order-item-id,buyer-email,sku,quantity-purchased,item-price,purchase-date,order-id",
            f"{SALES[0]},o1",
            ["order-item-id", "buyer-email", "sku", "quantity-purchased", None, "purchase-date"],
        ),
    ],
)
def test_columns_are_known_by_the_names_that_exports_have(
    tmp_path: Path, header: str, row: str, expected: list[str | None]
) -> None:
    entries = columns_of(drafted(tmp_path, header, row))
    assert [entries.get(name) or None for name in SALES_HEADER.split(",")] == expected


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (("25/03/2025 10:15", "01/02/2025 09:05"), 'header: TRANSACTION_DATE, format: "%d/%m/%Y %H:%M"'),
        (("03/25/2025 10:15:30 AM", "1/2/2025 9:05:00 PM"), 'header: TRANSACTION_DATE, format: "%m/%d/%Y %I:%M:%S %p"'),
        (("31.3.25 10:15:30", "1.2.25 9:05:00"), 'header: TRANSACTION_DATE, format: "%d.%m.%y %H:%M:%S"'),
        (("20250325 101530", "20250201 090500"), 'header: TRANSACTION_DATE, format: "%Y%m%d %H%M%S"'),
        (("Mar 25 2025 10:15", "May 1 2025 09:05"), 'header: TRANSACTION_DATE, format: "%b %d %Y %H:%M"'),
        (
            ("1740822600", "1740822700"),
            "expression: \"concat(CAST(timestamp_seconds(try_cast(`TRANSACTION_DATE` AS BIGINT)) AS STRING), 'Z')\"",
        ),
        (("2025-03-25", "2025-02-01"), "expression: \"concat(`TRANSACTION_DATE`, ' 00:00')\""),
    ],
)
def test_a_time_that_is_not_read_as_it_is_has_a_format(tmp_path: Path, times: tuple[str, str], expected: str) -> None:
    rows = [f"a{number},c1,p1,2,4.50,{time}" for number, time in enumerate(times)]
    assert columns_of(drafted(tmp_path, SALES_HEADER, *rows))["TRANSACTION_DATE"] == f"{{{expected}}}"


def test_a_day_and_a_time_of_day_in_two_columns_are_put_together(tmp_path: Path) -> None:
    draft = drafted(tmp_path, "Receipt,Customer,SKU,Qty,Price,Date,Time", "r1,c1,p1,2,4.50,25.03.2025,10:15")
    expected = '{expression: "concat(`Date`, \' \', `Time`)", format: "%d.%m.%Y %H:%M"}'
    assert columns_of(draft)["TRANSACTION_DATE"] == expected


def refusal_of(folder: Path, draft: list[str], change: tuple[str, str] = ("", "")) -> str:
    """Why a draft is refused, beside the name of its file; empty where it is not."""
    path = folder / "feeds.yml"
    path.write_text("\n".join(draft).replace(*change) if change[0] else "\n".join(draft))
    try:
        load_descriptions(path, "utf-8", "UTC")
    except ConfigError as error:
        return str(error).removeprefix(f"{path}, ")
    return ""


def test_where_day_and_month_cannot_be_told_apart_the_draft_is_refused_until_someone_chooses(tmp_path: Path) -> None:
    rows = ["a1,c1,p1,2,4.50,01/02/2025 10:00", "a2,c1,p1,2,4.50,03/04/2025 10:00"]
    draft = drafted(tmp_path, SALES_HEADER, *rows)
    choices = [line for line in draft if "%" in line]
    assert choices == [
        '      # {header: TRANSACTION_DATE, format: "%d/%m/%Y %H:%M"}  # 01/02 is 1 February',
        '      # {header: TRANSACTION_DATE, format: "%m/%d/%Y %H:%M"}  # 01/02 is 2 January',
    ]
    line = draft.index(choices[0])
    assert refusal_of(tmp_path, draft).startswith(f"line {line}: transactions.columns.TRANSACTION_DATE: is not filled")
    for choice in choices:
        assert refusal_of(tmp_path, draft, (choice, choice.replace("# ", "", 1))) == ""


def test_a_column_that_is_not_found_is_left_open_with_its_line(tmp_path: Path) -> None:
    draft = drafted(tmp_path, SALES_HEADER.replace("PRODUCT_ID", "Thing"), *SALES)
    [line] = [line for line in draft if "PRODUCT_ID" in line]
    assert line == "    PRODUCT_ID:  # not found: write the name of the file's column"
    assert refusal_of(tmp_path, draft).startswith(f"line {draft.index(line) + 1}: transactions.columns.PRODUCT_ID: ")
    assert refusal_of(tmp_path, draft, ("PRODUCT_ID:", "PRODUCT_ID: Thing")) == ""


def test_money_of_a_whole_line_is_not_taken_for_a_price(tmp_path: Path) -> None:
    draft = drafted(tmp_path, SALES_HEADER.replace("PRICE", "Total"), *SALES)
    assert refusal_of(tmp_path, draft).partition(": ")[2].startswith("transactions.columns.PRICE: is not filled in")
    [divided] = [line for line in draft if "try_divide" in line]
    assert refusal_of(tmp_path, draft, (divided, divided.replace("# ", "", 1))) == ""


def test_two_columns_of_which_either_may_be_meant_are_left_open(tmp_path: Path) -> None:
    draft = drafted(
        tmp_path, SALES_HEADER.replace("PRICE", "Unit Price,Selling Price"), "a1,c1,p1,2,4,5,2025-03-01 10:00"
    )
    assert columns_of(draft)["PRICE"] == ""
    assert "      # {header: Selling Price}  # this one" in draft


@pytest.mark.parametrize(("price", "quantity"), [("1,234", "1"), ("1.234", "1"), ("5.000", "2")])
def test_numbers_that_can_be_read_in_two_ways_are_left_open(tmp_path: Path, price: str, quantity: str) -> None:
    row = f"a1;c1;p1;{quantity};{price};2025-03-01 10:00"
    draft = drafted(tmp_path, *in_dialect(";", SALES_HEADER), row)
    assert "transactions.dialect.decimalChar" in refusal_of(tmp_path, draft)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            [SALES_HEADER, "o1,c1,p1,2,4.50,2025-03-01 10:00:00", "o1,c1,p2,1,9.99,2025-03-01 10:00:00"],
            "{expression: \"concat(`TRANSACTION_ID`, '-', _line)\"}",
        ),
        (
            [
                "Order ID,Line,Customer,SKU,Qty,Price,Date",
                "o1,1,c1,p1,2,4.50,2025-03-01 10:00:00",
                "o1,2,c1,p2,1,9.99,2025-03-01 10:00:00",
            ],
            "{expression: \"concat(`Order ID`, '-', `Line`)\"}",
        ),
        # Rows that a load would reject do not vote: too short, too long, without a number, without a time.
        (
            [SALES_HEADER, SALES[0], "a1,c1,p1", f"{SALES[0]},x", SALES[0].replace(",2,", ",two,"), "a1,c1,p1,9,4.50,"],
            None,
        ),
        # The same row twice is a duplicate, not another line of an order.
        ([SALES_HEADER, SALES[0], SALES[0], SALES[1]], None),
    ],
)
def test_an_id_of_an_order_becomes_one_of_its_lines(tmp_path: Path, lines: list[str], expected: str | None) -> None:
    assert columns_of(drafted(tmp_path, *lines)).get("TRANSACTION_ID") == expected


def test_the_same_id_in_two_files_is_a_correction_and_no_order_of_two_lines(tmp_path: Path) -> None:
    (tmp_path / "day_1.csv").write_text(f"{SALES_HEADER}\n{SALES[0]}\n")
    (tmp_path / "day_2.csv").write_text(f"{SALES_HEADER}\n{SALES[0].replace(',2,', ',3,')}\n")
    [finding] = found_in(tmp_path)
    assert "_line" not in draft_of([finding], str(tmp_path))


def test_ids_that_all_end_in_a_decimal_lose_it(tmp_path: Path) -> None:
    rows = [line.replace("c1", "17850.0").replace("c2", "13047.0") for line in SALES]
    expected = "{expression: \"regexp_replace(`CUSTOMER_ID`, '[.]0$', '')\"}"
    assert columns_of(drafted(tmp_path, SALES_HEADER, *rows))["CUSTOMER_ID"] == expected
    assert "CUSTOMER_ID" not in columns_of(drafted(tmp_path, SALES_HEADER, rows[0], SALES[1]))


def test_prices_with_a_currency_or_with_what_a_computer_left(tmp_path: Path) -> None:
    noisy = drafted(tmp_path, SALES_HEADER, SALES[0].replace("4.50", "4481.4300000000003"), SALES[1])
    assert columns_of(noisy)["PRICE"] == "{header: PRICE, round: true}"
    with_currency = [line.replace("4.50", "€4.50").replace("9.99", "€9.99") for line in SALES]
    expected = "{expression: \"regexp_replace(`PRICE`, '[^0-9.,+-]', '')\"}"
    assert columns_of(drafted(tmp_path, SALES_HEADER, *with_currency))["PRICE"] == expected


def test_times_with_an_offset_need_no_zone(tmp_path: Path) -> None:
    assert ZONE not in drafted(tmp_path, SALES_HEADER, *(f"{line}+01:00" for line in SALES))


@pytest.mark.parametrize(("encoding", "said"), [("cp1252", True), ("utf-8", False), ("utf-8-sig", False)])
def test_another_encoding_than_utf_8_is_said_with_the_advice_to_look(tmp_path: Path, encoding: str, said: bool) -> None:
    draft = drafted(tmp_path, CUSTOMERS_HEADER, "c1,Zoé,30,Curaçao", encoding=encoding)
    [finding] = found_in(tmp_path / "sales.csv")
    assert [row[1:] for row in finding.look.rows] == [("c1", "Zoé", "30", "Curaçao")]
    assert any("encoding: windows-1252  # these files are not in UTF-8" in line for line in draft) is said


def test_customers_are_described_from_a_file_of_their_own_or_from_sales(tmp_path: Path) -> None:
    people = drafted(tmp_path, "Kundennr,Vorname,Nachname,Alter,Land", "k1,Zoé,Lee,30,Peru", name="people.csv")
    assert people == [
        "customers:",
        "  columns:",
        "    CUSTOMER_ID: Kundennr",
        "    NAME: {expression: \"concat_ws(' ', `Vorname`, `Nachname`)\"}",
        "    AGE: Alter",
        "    COUNTRY: Land",
    ]
    sales = f"{SALES_HEADER},Country", f"{SALES[0]},Peru", "a2,,p2,1,9.99,2025-03-01 10:30:00,"
    both = drafted(tmp_path, *sales)
    assert both[both.index("customers:") :] == [
        "customers:",
        "  columns:",
        "    CUSTOMER_ID: CUSTOMER_ID",
        "    COUNTRY: Country",
        "  other_columns: ignore  # TRANSACTION_ID, PRODUCT_ID, QUANTITY, PRICE, TRANSACTION_DATE",
        "  guests: allow  # 1 of 2 rows say nothing of a customer",
        "  sequence_by: TRANSACTION_DATE  # a customer stands in each of his sales: the newest one counts",
    ]
    # A file of customers of their own is the better one.
    names = [finding.feed.name for finding in found_in(tmp_path / "sales.csv", tmp_path / "people.csv")]
    assert names == ["transactions", "customers"]


def test_of_an_order_whose_later_lines_say_less_the_first_says_who_the_customer_is(tmp_path: Path) -> None:
    """As Shopify exports them. The last row of an id counts."""
    header = "Name,Email,Lineitem quantity,Lineitem name,Lineitem price,Billing Name,Billing Country,Created at"
    first = "#1,a@b.c,1,Hat,4.50,Ann Lee,Peru,2025-03-01 10:00:00"
    second = "#1,a@b.c,2,Cap,3.50,,,2025-03-01 10:00:00"
    draft = drafted(tmp_path, header, first, second)
    entries = columns_of(draft[draft.index("customers:") :])
    expected = "if(coalesce(`Billing Name`, `Billing Country`) IS NULL, NULL, `Email`)"
    assert entries["CUSTOMER_ID"] == f'{{expression: "{expected}"}}'
    assert "  guests: allow  # 1 of 2 rows say nothing of a customer" in draft


def test_rows_of_another_width_than_the_header_do_not_hide_it(tmp_path: Path) -> None:
    draft = drafted(tmp_path, SALES_HEADER, "b9,c1,p1", SALES[0], f"{SALES[1]},x,y")
    assert draft == ["transactions:", ZONE]


def test_sales_without_a_column_for_customers_leave_it_open_and_say_how_to_have_guests_alone(tmp_path: Path) -> None:
    draft = drafted(tmp_path, "Bon,Artikel,Menge,Preis,Datum", "b1,p1,2,4.50,2025-03-01 10:00:00")
    [line] = [line for line in draft if "CUSTOMER_ID" in line]
    assert "write {expression: CAST(NULL AS STRING)} and guests: allow" in line
    assert "customers:" not in draft
    filled = "CUSTOMER_ID: {expression: CAST(NULL AS STRING)}"
    assert refusal_of(tmp_path, draft, ("CUSTOMER_ID:", filled)) == ""


@pytest.mark.parametrize(
    ("customer_id", "is_shown"),
    [("17850", True), ("C-17", True), ("guest", True), ("Jane", False), ("Jane Doe 2", False), ("j1@doe.org", False)],
)
def test_an_id_that_may_be_a_name_or_an_address_is_not_printed(customer_id: str, is_shown: bool) -> None:
    row = ("a1", customer_id, "p1", 1, Decimal("4.50"), None)
    table = loaded_table(Preview(TRANSACTIONS, "sales.csv", 1, [row], []))
    assert [*table.columns[1].cells] == [customer_id if is_shown else "***"]


def test_files_of_one_kind_are_one_feed_under_a_glob_that_fits_them(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    for day in ("03-01", "03-02", "04-01"):
        content = f"{SALES_HEADER}\n{SALES[0].replace('a1', day)}\n".encode()
        (landing / f"sales_2025-{day}.csv.gz").write_bytes(gzip.compress(content))
    (landing / "_hidden.csv").write_text("passed over")
    assert '  path: "landing/*.csv.gz"\n' in draft_of(found_in(landing), str(tmp_path))
    (landing / "customers.csv.gz").write_bytes(gzip.compress(f"{CUSTOMERS_HEADER}\nc1,Ann,30,Mali\n".encode()))
    text = draft_of(found_in(landing / "*.csv.gz"), str(tmp_path))
    assert '  path: "landing/sales_2025-*.csv.gz"\n' in text or '  path: "landing/sales_*.csv.gz"\n' in text
    assert "  path: landing/customers.csv.gz\n" in text
    assert f'  path: "{landing}/sales_' in draft_of(found_in(landing), str(landing / "elsewhere"))


def test_files_in_folders_of_their_own_are_one_feed_too(tmp_path: Path) -> None:
    for folder in ("a", "b/c"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "sales.csv").write_text(f"{SALES_HEADER}\n{SALES[0]}\n")
    assert "  path: in\n" in draft_of(found_in(tmp_path / "in"), str(tmp_path))


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.csv": SALES_HEADER, "b.csv": f"{SALES_HEADER},STORE"}, "are both sales, and differ in header or dialect"),
        (
            {"a.csv": "c1,Canary Name,30,Mali\nc2,Canary Two,31,Peru\n"},
            "a.csv has no header: its first line looks like",
        ),
        ({"a.csv": "just\nsome\nwords\n"}, "a.csv: no columns can be told apart"),
        ({"a.csv": ""}, "a.csv is empty: there is nothing to describe"),
        ({"a.csv": "", "b.csv": "\n \n"}, "All files are empty"),
        ({"a.csv": b"PK\x03\x04" + bytes(40)}, "a.csv is a zip archive"),
        ({"a.csv": f"{SALES_HEADER}\n".encode("utf-16")}, "a.csv is not in UTF-8 but looks like UTF-16"),
        ({"a.csv.gz": gzip.compress(f"{SALES_HEADER}\n".encode() * 99)[:40]}, "a.csv.gz cannot be read to its end"),
        ({"a.csv.gz": SALES_HEADER}, "a.csv.gz is not compressed as its name says"),
        ({"a.csv.zst": b"\x28\xb5\x2f\xfd" + bytes(40)}, "a.csv.zst is compressed by zstd"),
    ],
)
def test_what_cannot_be_described_is_said_in_a_sentence(
    tmp_path: Path, files: dict[str, str | bytes], sentence: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataRefusedError) as refusal:
        found_in(*sorted(tmp_path.iterdir()))
    assert sentence in str(refusal.value)
    assert "anary" not in str(refusal.value)


@pytest.mark.parametrize(("path", "sentence"), [("nowhere/*.csv", "There is no file at"), ("s3a://b/x", "not on this")])
def test_a_path_without_files_is_a_mistake_in_the_arguments(path: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        find_files([path])


def test_the_guide_has_every_key_of_a_description() -> None:
    guide = (ROOT / "docs" / "guides" / "describe-a-feed.md").read_text()
    models = description._Feed, description._Dialect, description._Source
    keys = [info.alias or name for model in models for name, info in model.model_fields.items()]
    assert len(keys) > 15
    assert [key for key in keys if f"| `{key}` |" not in guide] == []


def test_the_description_in_the_guide_is_one(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "guides" / "describe-a-feed.md").read_text()
    [shown] = re.findall(r"^```yaml\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    (tmp_path / "feeds.yml").write_text(shown)
    assert list(load_descriptions(tmp_path / "feeds.yml", "utf-8", "UTC")) == ["transactions"]


def test_a_file_is_looked_at_up_to_a_limit(tmp_path: Path) -> None:
    rows = "".join(f"a{number},c1,p1,2,4.50,2025-03-01 10:00:00\n" for number in range(200_000))
    (tmp_path / "sales.csv.bz2").write_bytes(bz2.compress(f"{SALES_HEADER}\n{rows}".encode()))
    [finding] = found_in(tmp_path / "sales.csv.bz2")
    assert len(finding.look.rows) == 20_000 - 1
    assert not finding.look.samples[0].is_whole


def test_the_copy_that_duckdb_reads_is_private_and_gone_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "sales.csv").write_text(f"{SALES_HEADER}\n{SALES[0]}\n")
    made: list[int] = []
    opened = os.open

    def watched(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        made.extend([mode] if flags & os.O_CREAT else [])
        return opened(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr("common.describe.sniffing.os.open", watched)
    found_in(tmp_path / "sales.csv")
    assert set(made) == {0o600}
    assert [path.name for path in tmp_path.iterdir()] == ["sales.csv"]
