"""A hundred kinds of bad rows in one delivery: each is refused under its reason, the good ones are in, rows add up."""

from __future__ import annotations

from support.lakes import Workbench, assert_equals_recompute

TIME = "2025-02-22 09:15:00"

WELL_FORMED = "row_is_well_formed"
QUANTITY = "quantity_is_a_whole_number"
PRICE = "price_is_an_amount_of_money"
DATE = "transaction_date_is_a_time"
PLAUSIBLE = "transaction_date_is_plausible"

GOOD_SALES = [
    f"g01,c1,p1,2,1.50,{TIME}",
    f"g02,c1,p1,1,0,{TIME}",
    f'"g03","c1","p,1","3","2.25","{TIME}"',
    "g04,c1,p1,1,1.500,2025-02-22T09:15:00Z",
    "  g05 , c1 , p1 , 1 , 9.99 , 2025-02-22 09:15 ",
    "g06,c1,p1,2147483647,9999999999999999.99,2025-02-22T09:15:00.123456+01:00",
    f"g07,c1,NULL,1,1,{TIME}",
]
BAD_QUANTITIES = [
    *("1.01", "1.5", "1e2", "1_000", "99999999999", "2147483648", "abc", "NaN", "Infinity", "0x10", "1-", "--1", "+-1"),
    *("1/2", "½", "²", "\u2167", "\uff11", "\u0663", "1;2", "#REF!", "NULL", "null", "N/A", "'1'", "1 2", "=1+1"),
    *("1kg", "true", "\u00a01", "1\u200b", "1\u0000"),
]
BAD_PRICES = [
    *(
        "1.239",
        "1.005",
        "1e2",
        "1E2",
        "1d",
        "5f",
        "NaN",
        "Infinity",
        "-Infinity",
        "abc",
        ".",
        ".505",
        "$5",
        "5€",
        "0x1p3",
    ),
    *("1_0", "\uff11.5", "1..5", "1.5.0", "--1", "10000000000000000.00", "NULL", '"1,234.50"', '"1,5"', "1 5"),
    *("=A1", "1.5 EUR", "1'5"),
]
BAD_DATES = [
    "2025-02-22",
    "09:15:00",
    "2025-02-22 24:00:00",
    "2025-02-22 25:00:00",
    "2025-02-22 09:60:00",
    "2025-02-22 09:15:61",
    "2025-02-30 09:15:00",
    "2025-00-10 09:15:00",
    "01/02/2024 09:15:00",
    "22.02.2025 09:15",
    "2025/02-22 09:15:00",
    "20250222T0915Z",
    "20250222 091500",
    "2025-2-22 9:15:00",
    "2025-02-22 09:15:00.",
    "2025-02-22 09:15:00 PM",
    "2025-02-22 09:15:00 Europe/Berlin",
    "2025-02-22T09:15:00+99:00",
    "Sat Feb 22 09:15:00 2025",
    "1740215700",
    "now",
    "epoch",
    "NULL",
    "２０２５-02-22 09:15:00",
]

BAD_SALES: list[tuple[str, set[str]]] = [
    *[(f"q{n:02},c1,p1,{text},1.50,{TIME}", {QUANTITY}) for n, text in enumerate(BAD_QUANTITIES)],
    *[(f"r{n:02},c1,p1,1,{text},{TIME}", {PRICE}) for n, text in enumerate(BAD_PRICES)],
    *[(f"d{n:02},c1,p1,1,1.50,{text}", {DATE}) for n, text in enumerate(BAD_DATES)],
    (f"s01,c1,p1,0,1.50,{TIME}", {"quantity_is_positive"}),
    (f"s02,c1,p1,-3,1.50,{TIME}", {"quantity_is_positive"}),
    (f"s03,c1,p1,1,-0.01,{TIME}", {"price_is_not_negative"}),
    (f"s04,c1,p1,,1.50,{TIME}", {"quantity_is_present"}),
    (f's05,c1,p1,"",1.50,{TIME}', {"quantity_is_present"}),
    (f"s06,c1,p1,1,,{TIME}", {"price_is_present"}),
    ("s07,c1,p1,1,1.50,", {"transaction_date_is_present"}),
    (f"s08,,p1,1,1.50,{TIME}", {"customer_id_is_present"}),
    (f"s09,c1,,1,1.50,{TIME}", {"product_id_is_present"}),
    (f",c1,p1,1,1.50,{TIME}", {"transaction_id_is_present"}),
    (f'"  ",c1,p1,2,1.50,{TIME}', {"transaction_id_is_present"}),
    (f"s\u00a010,c1,p1,1,1.50,{TIME}", {"transaction_id_is_clean"}),
    (f"s\u200b11,c1,p1,1,1.50,{TIME}", {"transaction_id_is_clean"}),
    (f"s12,c\t1,p1,1,1.50,{TIME}", {"customer_id_is_clean"}),
    (f'"s\n13",c1,p1,1,1.50,{TIME}', {"transaction_id_is_clean"}),
    (f"s14,c1,p\u202e1,1,1.50,{TIME}", {"product_id_is_clean"}),
    (f"{'x' * 300},c1,p1,1,1.50,{TIME}", {"transaction_id_is_clean"}),
    ("s15,c1,p1,1,1.50,1969-12-31 23:59:59", {PLAUSIBLE}),
    ("s16,c1,p1,1,1.50,0001-01-01 00:00:00", {PLAUSIBLE}),
    ("s17,c1,p1,1,1.50,2999-01-01 00:00:00", {PLAUSIBLE}),
    ("s18,,,-1,x,", {
        "customer_id_is_present",
        "product_id_is_present",
        "quantity_is_positive",
        PRICE,
        "transaction_date_is_present",
    }),
    ("s19,c1,p1,1,1.50", {WELL_FORMED}),
    (f"s20,c1,p1,1,1.50,{TIME},more", {WELL_FORMED}),
    (f"s21,c1,p1,1,1,50,{TIME}", {WELL_FORMED}),
    (f's22,"c1"x,p1,1,1.50,{TIME}', {WELL_FORMED}),
    (f's23, "c1",p1,1,1.50,{TIME}', {WELL_FORMED}),
    (f"s24;c1;p1;1;1.50;{TIME}", {WELL_FORMED}),
    (f"s25\tc1\tp1\t1\t1.50\t{TIME}", {WELL_FORMED}),
    ("x", {WELL_FORMED}),
    (",,,,,", {
        "transaction_id_is_present",
        "customer_id_is_present",
        "product_id_is_present",
        "quantity_is_present",
        "price_is_present",
        "transaction_date_is_present",
    }),
    ("TRANSACTION_ID,CUSTOMER_ID,PRODUCT_ID,QUANTITY,PRICE,TRANSACTION_DATE", {"header_is_not_repeated"}),
    (f"twice,c1,p1,1,1.50,{TIME}", {"transaction_is_unambiguous"}),
    (f"twice,c1,p1,2,1.50,{TIME}", {"transaction_is_unambiguous"}),
    (f's26,"c1,p1,1,1.50,{TIME}', {WELL_FORMED}),
]  # fmt: skip
BAD_PEOPLE: list[tuple[str, set[str]]] = [
    (",Nobody,30,Mali", {"customer_id_is_present"}),
    ("c90,Old,121,Mali", {"age_is_plausible"}),
    ("c91,Young,-1,Mali", {"age_is_plausible"}),
    ("c92,Half,30.5,Mali", {"age_is_a_whole_number"}),
    ("c93,Word,thirty,Mali", {"age_is_a_whole_number"}),
    ("c94,Short,30", {WELL_FORMED}),
    ("c95,One,30,Mali", {"customer_is_unambiguous"}),
    ("c95,Two,30,Mali", {"customer_is_unambiguous"}),
    ("c\u00a096,Space,30,Mali", {"customer_id_is_clean"}),
]


def test_each_bad_row_is_refused_under_its_reasons_and_the_good_ones_are_in(bench: Workbench) -> None:
    assert len(BAD_SALES) + len(BAD_PEOPLE) > 100
    bench.people("c1,Ann,30,Mali", "c2,,,", *[line for line, _ in BAD_PEOPLE])
    bench.sales(*GOOD_SALES, *[line for line, _ in BAD_SALES])

    outcome = bench.must_load()

    assert bench.rejected() == {line: sorted(reasons) for line, reasons in BAD_SALES + BAD_PEOPLE}
    assert outcome.ledger() == {
        "rows_read": len(GOOD_SALES) + len(BAD_SALES),
        "new": len(GOOD_SALES),
        "rejected": len(BAD_SALES),
    }
    assert outcome.ledger("customers") == {"rows_read": 2 + len(BAD_PEOPLE), "new": 2, "rejected": len(BAD_PEOPLE)}
    assert [row[0] for row in bench.rows("sales_data_partitioned", "TRANSACTION_ID")] == [f"g0{n}" for n in range(1, 8)]
    assert bench.rows("customers") == [("c1", "Ann", 30, "Mali"), ("c2", None, None, None)]
    assert outcome.report is not None
    warnings = {rule: count["rows"] for rule, count in outcome.report["warnings"].items()}
    assert warnings == {"customers.name_is_present": 1, "customers.country_is_present": 1}
    assert_equals_recompute(bench)

    # The same rows again, in a file of another name and one row more: nothing is refused or loaded twice but that.
    bench.sales(*GOOD_SALES, *[line for line, _ in BAD_SALES], f"g08,c1,p1,1,1.50,{TIME}", name="again.csv")
    versions = bench.versions()
    again = bench.must_load()
    assert again.ledger()["unchanged"] == len(GOOD_SALES)
    assert again.ledger()["new"] == 1
    assert again.ledger()["rejected"] == len(BAD_SALES)
    assert len(bench.rows("rejected_rows")) == 2 * len(BAD_SALES) + len(BAD_PEOPLE)
    assert bench.versions()["customers"] == versions["customers"]


def test_rows_refused_beside_others_are_kept_as_they_stood_on_several_lines_or_one(bench: Workbench) -> None:
    """Their lines are read again, from files of both kinds."""
    bench.people('c1,"two\nlines",30,Mali', 'c2,"a\nb",31,Peru', "c3,Ann,32,Chad", 'c2,"a\nc",31,Peru')
    bench.people("c4,Bob,33,Mali", "c5,Cy,34,Peru", "c4,Rob,33,Mali")
    bench.sales(f"t1,c1,p1,1,1.50,{TIME}")
    loaded = bench.must_load()
    assert loaded.ledger("customers") == {"rows_read": 7, "new": 3, "rejected": 4}
    refused = bench.rows("rejected_rows", "line_number", "raw_line")
    assert refused == [(2, "c4,Bob,33,Mali"), (4, 'c2,"a\nb",31,Peru'), (4, "c4,Rob,33,Mali"), (7, 'c2,"a\nc",31,Peru')]
