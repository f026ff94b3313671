"""A description of the feeds: what each key does, and that every mistake in one is named with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.contract import CUSTOMERS_FEED, TRANSACTIONS
from common.csv_files.description import load_descriptions
from common.csv_files.feed_format import USUAL_FORMAT, Dialect, FeedFormat, Source
from common.errors import ConfigError, DataRefusedError
from common.run.configuration import load_settings
from common.run.settings import LoadSettings
from support.described import accepted, load_by, read
from support.lakes import Workbench
from support.project import ROOT

USAGE = 2
SALE = "t1,c1,p1,2,1.50,2025-02-22 09:15:00"
ALL_COLUMNS = """
  columns:
    TRANSACTION_ID: Order ID
    CUSTOMER_ID: Customer
    PRODUCT_ID: [SKU, Article]
    QUANTITY: Qty
    PRICE: {header: Amount}
    TRANSACTION_DATE: {header: Date}
"""


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    return tmp_path / "feeds.yml"


def test_each_key_is_taken_over(feeds: Path) -> None:
    feeds.write_text(r"""
transactions:
  path: exports/*.csv
  dialect:
    delimiter: ";"
    quoteChar: "'"
    escapeChar: \
    skipInitialSpace: true
    commentRows: [1, 2]
    encoding: Windows-1252
    decimalChar: ","
    groupChar: "."
    missingValues: [NA, '\N']
  time_zone: Europe/Berlin
  columns:
    TRANSACTION_ID: {expression: "concat(Order, '-', _line)"}
    CUSTOMER_ID: [Customer, Client]
    PRODUCT_ID: SKU
    QUANTITY: {header: Qty}
    PRICE: {header: Price, round: true}
    TRANSACTION_DATE: {header: Day, format: "%d.%m.%Y %H:%M"}
  other_columns: ignore
  returns: allow
  guests: allow
  repeated_ids: last
customers:
  dialect: {quoteChar: ""}
""")
    described = load_descriptions(feeds, "iso-8859-1", "UTC")
    sales = described["transactions"]
    assert sales.path == str(feeds.parent / "exports/*.csv")
    place = f"{feeds}, line {{}}: transactions.columns.{{}}"
    assert sales.format == FeedFormat(
        dialect=Dialect(";", "'", "\\", True, (1, 2), "cp1252", ",", ".", ("NA", "\\N")),
        time_zone="Europe/Berlin",
        columns={
            "TRANSACTION_ID": Source(expression="concat(Order, '-', _line)", place=place.format(16, "TRANSACTION_ID")),
            "CUSTOMER_ID": Source(("Customer", "Client"), place=place.format(17, "CUSTOMER_ID")),
            "PRODUCT_ID": Source(("SKU",), place=place.format(18, "PRODUCT_ID")),
            "QUANTITY": Source(("Qty",), place=place.format(19, "QUANTITY")),
            "PRICE": Source(("Price",), rounds=True, place=place.format(20, "PRICE")),
            "TRANSACTION_DATE": Source(("Day",), format="%d.%m.%Y %H:%M", place=place.format(21, "TRANSACTION_DATE")),
        },
        ignores_other_columns=True,
        allows_returns=True,
        allows_guests=True,
        last_counts=True,
    )
    people = described["customers"]
    assert people.path is None
    assert people.format == FeedFormat(Dialect(quote_char=None, encoding="iso-8859-1"), "UTC")


@pytest.mark.parametrize("text", ["", "transactions:\n", "customers: {}\n", "transactions: {dialect: {}}\n"])
def test_what_is_not_said_is_as_usual(feeds: Path, text: str) -> None:
    feeds.write_text(text)
    found = load_descriptions(feeds, "utf-8", "UTC")
    assert [description.format for description in found.values()] == [USUAL_FORMAT] * len(found)


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        ("in/sales.csv", "{folder}/in/sales.csv"),
        ("../in", "{parent}/in"),
        ("/data/sales/", "/data/sales"),
        ("file:///data/sales", "/data/sales"),
        ("s3a://bucket/sales", "s3a://bucket/sales"),
        ("dbfs:/sales", "dbfs:///sales"),
    ],
)
def test_a_relative_path_starts_at_the_folder_of_the_description(feeds: Path, path: str, whole: str) -> None:
    feeds.write_text(f"customers:\n  path: {path}\n")
    expected = whole.format(folder=feeds.parent, parent=feeds.parent.parent)
    assert load_descriptions(feeds, "utf-8", "UTC")["customers"].path == expected


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        # YAML
        ("transactions: [\n", ", line 2: ", "this is no valid YAML"),
        ("\ttransactions:\n", ", line 1: ", "this is no valid YAML"),
        ("transactions: !!python/object:os.system {}\n", ", line 1: ", "this is no valid YAML"),
        ("transactions: &all [*all]\n", " ", "is no valid YAML file of keys and values"),
        ("transactions: {}\ntransactions: {}\n", ", line 2: ", "transactions stands there twice"),
        ("customers:\n  dialect: {delimiter: ';', delimiter: ','}\n", ", line 2: ", "delimiter stands there twice"),
        ("- transactions\n", ": ", "write keys, each with a value"),
        ("transactions: ';'\n", ", line 1: transactions: ", "write keys, each with a value"),
        # keys with a typo
        ("transaction: {}\n", ", line 1: transaction: ", "there is no such key"),
        ("transactions:\n  seperator: x\n", ", line 2: transactions.seperator: ", "there is no such key"),
        (
            "customers:\n  dialect:\n    quotechar: x\n",
            ", line 3: customers.dialect.quotechar: ",
            "there is no such key",
        ),
        (
            "customers:\n  columns:\n    NAME: {heading: n}\n",
            ", line 3: customers.columns.NAME.heading: ",
            "there is no such key",
        ),
        # values of another type, or out of range
        ("customers:\n  path: 5\n", ", line 2: customers.path: ", "write text; a number or a date needs quotes"),
        ("customers:\n  path: ''\n", ", line 2: customers.path: ", "is empty"),
        ("customers:\n  path: s3a://me:hush@bucket\n", ", line 2: customers.path: ", "holds credentials"),
        ("customers:\n  dialect:\n    delimiter: tab\n", ", line 3: customers.dialect.delimiter: ", 'or "\\t"'),
        ("customers:\n  dialect:\n    delimiter: ' '\n", ", line 3: customers.dialect.delimiter: ", "no space"),
        ("customers:\n  dialect:\n    quoteChar: '''\"'\n", ", line 3: customers.dialect.quoteChar: ", "one character"),
        ('customers:\n  dialect:\n    escapeChar: "\\t"\n', ", line 3: customers.dialect.escapeChar: ", "no quote"),
        (
            "customers:\n  dialect:\n    quoteChar: ','\n",
            ", line 2: customers.dialect: ",
            "delimiter, quoteChar and escapeChar are the same character",
        ),
        ("customers:\n  dialect:\n    skipInitialSpace: 1\n", ", line 3: customers.dialect.skipInitialSpace: ", "true"),
        ("customers:\n  dialect:\n    commentRows: 2\n", ", line 3: customers.dialect.commentRows: ", "[1, 2]"),
        (
            "customers:\n  dialect:\n    commentRows: [2]\n",
            ", line 3: customers.dialect.commentRows: ",
            "without a gap",
        ),
        ("customers:\n  dialect:\n    encoding: utf-16\n", ", line 3: customers.dialect.encoding: ", "iconv -f utf-16"),
        ("customers:\n  dialect:\n    encoding: klingon\n", ", line 3: customers.dialect.encoding: ", "is not known"),
        (
            "customers:\n  dialect:\n    decimalChar: ;\n",
            ", line 3: customers.dialect.decimalChar: ",
            "write '.' or ','",
        ),
        (
            "customers:\n  dialect:\n    decimalChar: ','\n    groupChar: ','\n",
            ", line 2: customers.dialect: ",
            "decimalChar and groupChar are the same character",
        ),
        ("customers:\n  dialect:\n    groupChar: '-'\n", ", line 2: customers.dialect: ", "groupChar is a sign"),
        (
            "customers:\n  dialect:\n    missingValues: NA\n",
            ", line 3: customers.dialect.missingValues: ",
            "write a list",
        ),
        (
            "customers:\n  dialect:\n    missingValues:\n    - NA\n    - 0\n",
            ", line 5: customers.dialect.missingValues: ",
            "write text",
        ),
        ("customers:\n  time_zone: Mars\n", ", line 2: customers.time_zone: ", "Mars is no time zone"),
        ("customers:\n  other_columns: drop\n", ", line 2: customers.other_columns: ", "write 'refuse' or 'ignore'"),
        ("transactions:\n  returns: yes\n", ", line 2: transactions.returns: ", "write 'reject' or 'allow'"),
        ("customers:\n  returns: allow\n", ", line 2: customers.returns: ", "customers have no quantities"),
        ("customers:\n  guests: keep\n", ", line 2: customers.guests: ", "write 'reject' or 'allow'"),
        ("customers:\n  repeated_ids: first\n", ", line 2: customers.repeated_ids: ", "write 'reject' or 'last'"),
        # columns
        ("customers:\n  columns: id\n", ", line 2: customers.columns: ", "write keys, each with a value"),
        (
            "customers:\n  columns:\n    CUSTOMER_ID: id\n    EMAIL: mail\n",
            ", line 4: customers.columns.EMAIL: ",
            "customers have no such column; known: CUSTOMER_ID, NAME, AGE, COUNTRY",
        ),
        ("customers:\n  columns:\n    NAME: name\n", ", line 2: customers.columns: ", "says nothing of CUSTOMER_ID"),
        ("customers:\n  columns:\n    NAME: ''\n", ", line 3: customers.columns.NAME: ", "is empty"),
        ("customers:\n  columns:\n    NAME: []\n", ", line 3: customers.columns.NAME: ", "is empty"),
        ("customers:\n  columns:\n    NAME: 5\n", ", line 3: customers.columns.NAME: ", "write the name of a column"),
        (
            "customers:\n  columns:\n    NAME: {header: n, expression: upper(n)}\n",
            ", line 3: customers.columns.NAME: ",
            "write either header or expression",
        ),
        (
            "customers:\n  columns:\n    NAME: {format: '%d/%m/%Y %H'}\n",
            ", line 3: customers.columns.NAME: ",
            "write either header or expression",
        ),
        (
            "customers:\n  columns:\n    CUSTOMER_ID: {header: id, format: '%Y-%m-%d %H'}\n",
            ", line 3: customers.columns.CUSTOMER_ID.format: ",
            "CUSTOMER_ID is no time",
        ),
        (
            "customers:\n  columns:\n    CUSTOMER_ID: id\n    AGE: {header: age, round: true}\n",
            ", line 4: customers.columns.AGE.round: ",
            "AGE has no decimals",
        ),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(feeds: Path, text: str, place: str, reason: str) -> None:
    feeds.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_descriptions(feeds, "utf-8", "UTC")
    message = str(error.value)
    assert message.startswith(f"{feeds}{place}")
    assert reason in message
    assert message.endswith(".")
    assert not message.endswith("..")
    assert "\n" not in message
    assert "hush" not in message


@pytest.mark.parametrize(
    ("format_", "reason"),
    [
        ("%d/%m/%Y", "should say the hour once"),
        ("%H:%M", "should say the year once"),
        ("%Y-%y-%m-%d %H", "should say the year once"),
        ("%d/%m/%Y %H:%M:%M", "says a part twice"),
        ("%d/%m/%Y %I:%M", "go together"),
        ("%d/%m/%Y %H:%M %p", "go together"),
        ("%d/%m/%Y %H:%M:%s", "%s is not known; known are %Y, %y,"),
        ("dd.MM.yyyy HH:mm", "should say the year once"),
        ("%d/%m/%Y %H:%M%", "stands alone at its end"),
        ("", "should say the year once"),
    ],
)
def test_a_bad_time_format_is_named(feeds: Path, format_: str, reason: str) -> None:
    feeds.write_text("transactions:" + ALL_COLUMNS.replace("{header: Date}", f"{{header: Date, format: '{format_}'}}"))
    with pytest.raises(ConfigError) as error:
        load_descriptions(feeds, "utf-8", "UTC")
    assert str(error.value).startswith(f"{feeds}, line 8: transactions.columns.TRANSACTION_DATE.format: ")
    assert reason in str(error.value)


def test_columns_without_one_that_must_have_values_are_refused(feeds: Path) -> None:
    feeds.write_text("transactions:" + ALL_COLUMNS.replace("    QUANTITY: Qty\n", ""))
    with pytest.raises(ConfigError, match=r"line 2: transactions\.columns: says nothing of QUANTITY\."):
        load_descriptions(feeds, "utf-8", "UTC")


def test_a_description_that_cannot_be_read_is_named(feeds: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot read the description of the feeds .*: No such file"):
        load_descriptions(feeds, "utf-8", "UTC")
    feeds.write_bytes(b"transactions: {path: caf\xe9}\n")
    with pytest.raises(ConfigError, match="is not in UTF-8"):
        load_descriptions(feeds, "utf-8", "UTC")


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of configuration without a description."""
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "local.yml").write_text("lake: lake\n")
    (folder / "quality.yml").write_bytes((ROOT / "conf" / "quality.yml").read_bytes())
    monkeypatch.setenv("SALES_LAKEHOUSE_CONF_DIR", str(folder))
    return folder


def test_the_description_in_the_folder_of_configuration_is_used_unless_another_is_named(
    conf: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="name what to load"):
        load_settings({}, LoadSettings)
    (conf / "feeds.yml").write_text("transactions: {path: here.csv, returns: allow}\n")
    settings = load_settings({}, LoadSettings)
    assert settings.paths == {"transactions": str(conf / "here.csv")}
    assert settings.format_of("transactions").allows_returns
    other = tmp_path / "other.yml"
    other.write_text("customers: {path: there.csv}\n")
    settings = load_settings({"feeds": str(other)}, LoadSettings)
    assert settings.paths == {"customers": str(tmp_path / "there.csv")}
    assert settings.format_of("transactions") == USUAL_FORMAT


def test_files_that_arguments_name_are_read_by_the_description_and_the_others_not_at_all(conf: Path) -> None:
    (conf / "feeds.yml").write_text(
        "transactions: {path: a.csv, guests: allow}\ncustomers: {path: b.csv, dialect: {delimiter: ';'}}\n"
    )
    settings = load_settings({"transactions": "/in/sales.csv"}, LoadSettings)
    assert settings.paths == {"transactions": "/in/sales.csv"}
    assert settings.format_of("transactions").allows_guests
    assert load_settings({}, LoadSettings).paths == {
        "transactions": str(conf / "a.csv"),
        "customers": str(conf / "b.csv"),
    }


def test_encoding_and_zone_of_the_settings_count_where_the_description_names_none(conf: Path) -> None:
    (conf / "feeds.yml").write_text("transactions: {dialect: {encoding: iso-8859-15}}\ncustomers: {time_zone: UTC}\n")
    said = {"customers": "b.csv", "encoding": "windows-1252", "source_time_zone": "Europe/Berlin"}
    settings = load_settings(said, LoadSettings)
    sales, people = settings.format_of("transactions"), settings.format_of("customers")
    assert (sales.dialect.encoding, sales.time_zone) == ("iso8859-15", "Europe/Berlin")
    assert (people.dialect.encoding, people.time_zone) == ("cp1252", "UTC")


def test_the_hash_of_the_settings_changes_with_the_description(conf: Path) -> None:
    hashes = [load_settings({"customers": "b.csv"}, LoadSettings).hash()]
    for text in ("customers: {}\n", "customers: {repeated_ids: last}\n"):
        (conf / "feeds.yml").write_text(text)
        hashes += [load_settings({"customers": "b.csv"}, LoadSettings).hash() for _ in range(2)]
    assert hashes[1] == hashes[2]
    assert hashes[3] == hashes[4]
    assert len(set(hashes)) == 3


def test_a_feed_is_loaded_from_where_its_description_says(bench: Workbench) -> None:
    path = bench.sales("A-1;c1;p1;2;1,50;22.02.2025 09:15", header="Order ID;Customer;Article;Qty;Amount;Date")
    columns = ALL_COLUMNS.replace("{header: Date}", "{header: Date, format: '%d.%m.%Y %H:%M'}")
    feeds = bench.folder / "feeds.yml"
    feeds.write_text(
        f"transactions:\n  path: {path.relative_to(bench.folder)}\n"
        f"  dialect: {{delimiter: ';', decimalChar: ','}}{columns}"
    )
    outcome = load_by(bench, feeds)
    assert outcome.exit_code == 0, outcome.error
    assert outcome.ledger() == {"rows_read": 1, "new": 1}
    row = bench.table("sales_data_partitioned").selectExpr("*", "CAST(TRANSACTION_DATE AS STRING) AS time").first()
    assert row is not None
    assert (row["TRANSACTION_ID"], str(row["PRICE"]), row["time"]) == ("A-1", "1.50", "2025-02-22 09:15:00")


@pytest.mark.parametrize("is_path_named", [True, False])
def test_a_mistake_ends_the_run_in_one_sentence(bench: Workbench, is_path_named: bool) -> None:
    bench.sales(SALE)
    feeds = bench.folder / "feeds.yml"
    feeds.write_text("transactions:\n  path: transactions\n  guests: maybe\n")
    options = [f"--transactions={bench.transactions}"] if is_path_named else []
    outcome = load_by(bench, feeds, *options)
    assert outcome.exit_code == USAGE
    assert outcome.error == f"load_sales: {feeds}, line 3: transactions.guests: write 'reject' or 'allow'.\n"
    assert not bench.lake.exists()


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("concat(Order", "a ) is missing"),
        ("concat(Ordr, '-')", "this is no valid SQL for these rows: [UNRESOLVED_COLUMN"),
        ("concat(Order, current_date)", "current_date is refused: it asks the clock"),
        ("no_such_function(Order)", "no_such_function is refused: it is none of the functions that may stand here"),
        ("array(Order)", "this is no text: write an expression that is: array(Order)"),
        ("to_date(Day)", "this is no text: write an expression that is: to_date(Day)"),
        ("CAST(Order AS INT)", "fails on some rows instead of being null: use try_cast and the like"),
    ],
)
def test_sql_that_does_not_do_is_refused_with_file_line_and_key(bench: Workbench, expression: str, reason: str) -> None:
    bench.sales("A1,c1,p1,2,1.50,2025-02-22 09:15", header="Order,C,P,Q,M,Day")
    feeds = bench.folder / "feeds.yml"
    feeds.write_text(f"""
transactions:
  columns:
    TRANSACTION_ID:
      expression: "{expression}"
    CUSTOMER_ID: C
    PRODUCT_ID: P
    QUANTITY: Q
    PRICE: M
    TRANSACTION_DATE: Day
""")
    outcome = load_by(bench, feeds, f"--transactions={bench.transactions}")
    assert outcome.exit_code == USAGE
    assert outcome.error.startswith(f"load_sales: {feeds}, line 4: transactions.columns.TRANSACTION_ID: ")
    assert reason in outcome.error
    assert "A1" not in outcome.error
    assert bench.versions() == {}


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("Order ID,Customer,SKU,Qty,Amount", "the header lacks the column Date for TRANSACTION_DATE."),
        ("Order ID,Customer,Qty,Amount,Date", "the header lacks the column SKU or Article for PRODUCT_ID."),
        ("Order ID,Customer,SKU,Article,Qty,Amount,Date", "has several columns for PRODUCT_ID: SKU, Article."),
        ("Order ID,Customer,SKU,Qty,Qty,Amount,Date", "the header has the column Qty twice."),
        (
            "Order ID,Customer,SKU,Qty,Amount,Date,PRICE",
            "the header has the column 'PRICE', of which the description of the feed says nothing; expected Order ID, "
            "Customer, SKU or Article, Qty, Amount, Date in any order. Where such columns may be passed over, write "
            "other_columns: ignore",
        ),
        ("Order ID,Customer,SKU,Qty,Amount,Date,", "has a column without a name, as where lines end with a delimiter"),
        (
            "TRANSACTION_ID,CUSTOMER_ID,PRODUCT_ID,QUANTITY,PRICE,TRANSACTION_DATE",
            "none of the columns of transactions (Order ID, Customer, SKU, Article, Qty, Amount, Date) stands there",
        ),
    ],
)
def test_a_header_that_does_not_fit_the_description_refuses_the_file(
    bench: Workbench, header: str, sentence: str
) -> None:
    path = bench.sales(header=header)
    with pytest.raises(DataRefusedError) as error:
        read(bench, TRANSACTIONS, "transactions:" + ALL_COLUMNS)
    assert str(error.value).startswith(f"{path}, line 1: ")
    assert sentence in str(error.value)


def test_columns_have_their_own_names_in_any_case_and_order_and_what_is_not_named_is_null(bench: Workbench) -> None:
    bench.people("31,Bob,c2,x", header="alter,NAME , kunde,Other")
    bench.people("c3,Cy,32", header="Customer No,Name,Alter")
    description = """
customers:
  columns: {CUSTOMER_ID: [Kunde, customer no], NAME: name, AGE: Alter}
  other_columns: ignore
"""
    assert accepted(read(bench, CUSTOMERS_FEED, description)) == [("c2", "Bob", 31, None), ("c3", "Cy", 32, None)]


def test_an_expression_sees_every_column_of_the_file_as_text_with_its_name_and_lines(bench: Workbench) -> None:
    bench.people(
        'Ann,Lee,1990,"a\nb"',
        "",
        "Bo,,abc,y",
        " Cy , Ng ,2000,",
        header="first,last,born,`odd name`",
        name="shop 1.csv",
    )
    description = """
customers:
  columns:
    CUSTOMER_ID: {expression: "concat(replace(_file, '.csv', ''), '-', _line)"}
    NAME: {expression: "concat_ws(' ', first, last)"}
    AGE: {expression: 2025 - try_cast(born AS INT)}
    COUNTRY: {expression: "```odd name```"}
"""
    assert accepted(read(bench, CUSTOMERS_FEED, description)) == [
        ("shop 1-2", "Ann Lee", 35, "a\nb"),
        ("shop 1-5", "Bo", None, "y"),
        ("shop 1-6", "Cy Ng", 25, None),
    ]
