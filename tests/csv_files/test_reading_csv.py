"""Where Spark's own CSV reader is silently wrong, and what is read instead: docs/explanation/csv.md, on real files."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from common.contract import CUSTOMERS, CUSTOMERS_FEED
from common.csv_files.records import MAX_LINES_OF_A_RECORD
from common.errors import ConfigError, DataRefusedError
from common.ingest.batch import Batch, read_feed
from common.ingest.rejected import rejected_rows
from common.ingest.rules import QualityRules, load_rules
from common.lake.lake import Lake
from common.landing.unreadable import unreadable
from common.run.configuration import load_settings
from common.run.shared_settings import ReadingSettings, conf_dir
from support.lakes import CUSTOMERS_HEADER, Workbench

RULES = load_rules(conf_dir() / "quality.yml")


def read(bench: Workbench, path: Path | str | None = None, rules: QualityRules = RULES, **settings: Any) -> Batch:
    """The customers feed, read and checked against an empty lake."""
    lake = Lake(bench.spark, str(bench.lake), None, None)
    loaded = load_settings({"lake": str(bench.lake), **settings}, ReadingSettings)
    place, format_ = str(path or bench.customers), loaded.format_of(CUSTOMERS_FEED.name)
    return read_feed(lake, CUSTOMERS_FEED, CUSTOMERS, place, rules, format_, skip_loaded=True)


def accepted(batch: Batch) -> list[tuple[Any, ...]]:
    return sorted(map(tuple, batch.accepted.select(*CUSTOMERS_FEED.column_names).collect()), key=repr)


def refused(batch: Batch) -> list[tuple[int, str, list[str]]]:
    """Line number, raw line and reasons of each row refused."""
    rows = rejected_rows(batch, "run", "2025-01-01T00:00:00Z", None).select("line_number", "raw_line", "reasons")
    return sorted((number, raw, sorted(reasons)) for number, raw, reasons in rows.collect())


def test_why_a_file_cannot_be_read_is_looked_at(bench: Workbench) -> None:
    colon = bench.people("c1,Ann,30,Mali", name="08:00.csv")
    outcome = bench.load()
    assert outcome.exit_code == 3
    assert f"{colon} has a colon in its name, which Hadoop cannot read: rename it." in outcome.error
    colon.unlink()
    damaged = bench.file(bench.customers / "people.csv.gz", gzip.compress(b"CUSTOMER_ID,NAME,AGE,COUNTRY\n" * 9)[:30])
    assert (
        f"{damaged} cannot be read to its end: it is damaged or not complete. Deliver it again." in bench.load().error
    )
    assert "is missing: it was there when the run began" in str(unreadable(str(colon)))


def test_a_file_without_permission_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("TRANSACTION_ID\n")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        # The one who may do everything has to be someone else for this.
        os.seteuid(65534)
    try:
        error = unreadable(str(path))
    finally:
        os.seteuid(user)
    assert isinstance(error, ConfigError)
    assert str(error) == f"{path} cannot be read: no permission. Let the user who runs this read it."


def test_quotes_follow_rfc_4180_and_a_stray_one_costs_its_own_line(bench: Workbench) -> None:
    long = "x" * 200_000 + '""' * 50_000
    bench.people(
        'c01,"Smith, Ann",30,Norway',
        'c02,"Ann ""The Ace"" Lee",31,"Korea, Republic of"',
        'c03,Ann "Ace" Lee,32,Japan',
        'c04,"two\nlines",33,Peru',
        'c05,"three\n\nlines",34,Peru',
        "c06,back\\slash,35,Chad",
        'c07,"ends with \\",36,Chad',
        f'c08,"{long}",37,Mali',
        "#c09,no comment,38,Mali",
        "c10,'single,39,Mali",
        "c11, padded ,40,\tMali ",
        'c12,"",41,',
        'c13,"wrong"end,42,Mali',
        'c14, "after a space",43,Mali',
        'c15,"never closed,44,Mali',
        "c16,whole,45,Mali",
    )
    batch = read(bench)
    assert accepted(batch) == [
        ("#c09", "no comment", 38, "Mali"),
        ("c01", "Smith, Ann", 30, "Norway"),
        ("c02", 'Ann "The Ace" Lee', 31, "Korea, Republic of"),
        ("c03", 'Ann "Ace" Lee', 32, "Japan"),
        ("c04", "two\nlines", 33, "Peru"),
        ("c05", "three\n\nlines", 34, "Peru"),
        ("c06", "back\\slash", 35, "Chad"),
        ("c07", "ends with \\", 36, "Chad"),
        ("c08", long.replace('""', '"'), 37, "Mali"),
        ("c10", "'single", 39, "Mali"),
        ("c11", "padded", 40, "Mali"),
        ("c12", None, 41, None),
        ("c16", "whole", 45, "Mali"),
    ]
    assert [(number, raw[:3], reasons) for number, raw, reasons in refused(batch)] == [
        (17, "c13", ["row_is_well_formed"]),
        (18, "c14", ["row_is_well_formed"]),
        (19, "c15", ["row_is_well_formed"]),
    ]
    assert batch.rows_read == 16


def test_a_value_that_starts_like_a_mark_or_a_comment_is_read_to_the_letter(bench: Workbench) -> None:
    """Found by the battery of fuzzed files: Spark's parser drops a byte-order mark that is a line's first value."""
    starts = ["\ufeff", "\ufeffAnn", "\x1f", "\x1fAnn", "#Ann", "\ufeff\ufeff"]
    plain = [f"{start},c{number},30,Mali" for number, start in enumerate(starts)]
    with_quotes = [f'{start},q{number},30,"Korea, South"' for number, start in enumerate(starts)]
    bench.people(*plain, *with_quotes, header="NAME,CUSTOMER_ID,AGE,COUNTRY")
    names = {id_: name for id_, name, _, _ in accepted(read(bench))}
    assert [names.get(f"q{number}") for number in range(len(starts))] == starts
    assert [names.get(f"c{number}") for number in range(len(starts))] == starts


def test_a_stray_quote_does_not_swallow_the_rest_of_a_long_file(bench: Workbench) -> None:
    good = [f"c{number},Name,30,Mali" for number in range(MAX_LINES_OF_A_RECORD + 500)]
    bench.people('x1,"stray,30,Mali', *good, 'x2,"stray,30,Mali', "y1,Name,30,Mali")
    batch = read(bench)
    assert batch.accepted.count() == len(good) + 1
    assert [(number, raw[:2]) for number, raw, _ in refused(batch)] == [(2, "x1"), (len(good) + 3, "x2")]


def test_two_stray_quotes_do_not_make_one_row_of_all_between_them(bench: Workbench) -> None:
    bench.people(
        'c1,"Ann,30,Mali',
        "c2,Cy,31,Mali",
        "c3,Di,32,Mali",
        'c4,Bob",33,Mali',
        'c5,"Eve,34,Mali',
        'c6,Fay",35,Mali',
        'c7,"two\nlines",36,Mali',
    )
    batch = read(bench)
    assert accepted(batch) == [
        ("c2", "Cy", 31, "Mali"),
        ("c3", "Di", 32, "Mali"),
        ("c4", 'Bob"', 33, "Mali"),
        ("c6", 'Fay"', 35, "Mali"),
        ("c7", "two\nlines", 36, "Mali"),
    ]
    assert [number for number, _, _ in refused(batch)] == [2, 6]


def test_records_of_several_lines_in_a_single_byte_encoding(bench: Workbench) -> None:
    lines = 'c1,"Dupont, Ren\u00e9",30,Mali\nc2,"Zo\u00eb\nLee",31,"Cura\u00e7ao"\nc3,x,32,\u00e9"\n'
    bench.file(bench.customers / "a.csv", f"{CUSTOMERS_HEADER}\n{lines}".encode("cp1252"))
    batch = read(bench, encoding="windows-1252")
    assert accepted(batch)[:2] == [
        ("c1", "Dupont, Ren\u00e9", 30, "Mali"),
        ("c2", "Zo\u00eb\nLee", 31, "Cura\u00e7ao"),
    ]


def test_ragged_rows_blank_lines_and_a_repeated_header_are_told_apart(bench: Workbench) -> None:
    bench.people(
        "c1,Ann,30,Mali",
        "",
        "   ",
        "c2,Ann,30",
        "c3,Ann,30,Mali,more",
        "c4",
        CUSTOMERS_HEADER,
        ",".join("c5" + "," * 30_000),
        "c6,Ann,30,Mali",
    )
    batch = read(bench)
    assert [row[0] for row in accepted(batch)] == ["c1", "c6"]
    assert [(number, reasons) for number, _, reasons in refused(batch)] == [
        (5, ["row_is_well_formed"]),
        (6, ["row_is_well_formed"]),
        (7, ["row_is_well_formed"]),
        (8, ["header_is_not_repeated"]),
        (9, ["row_is_well_formed"]),
    ]
    assert (batch.rows_read, batch.rejected) == (7, 5)
    assert batch.broken()["row_is_well_formed"].first_place.endswith(", line 5")


def test_a_header_is_matched_by_name_in_any_order_and_case(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali")
    bench.people("Mali,31,Bob,c2", header="COUNTRY,AGE,NAME,CUSTOMER_ID")
    bench.people("Mali,32,Cy,c3", header='"country","age", name ,Customer_Id')
    bench.file(bench.customers / "bom.csv", b"\xef\xbb\xbf" + f"{CUSTOMERS_HEADER}\nc4,Di,33,Mali\n".encode())
    bench.file(bench.customers / "crlf.csv", f'{CUSTOMERS_HEADER}\r\nc5,Ed,34,Mali\r\nc6,"F\r\ny",35,Mali\r\n')
    bench.file(bench.customers / "mac.csv", f"{CUSTOMERS_HEADER}\rc7,Gus,36,Mali")
    bench.file(bench.customers / "zipped.csv.gz", gzip.compress(f"{CUSTOMERS_HEADER}\nc8,Hal,37,Mali\n".encode()))
    (bench.customers / "sub folder").mkdir()
    bench.file(bench.customers / "sub folder" / "a [1] {x} 50% ü.csv", f"{CUSTOMERS_HEADER}\nc9,Ira,38,Mali\n")
    bench.file(bench.customers / "_hidden.csv", "left out, as everywhere in Spark")
    bench.people(name="no_rows.csv")
    batch = read(bench)
    assert accepted(batch) == [
        ("c1", "Ann", 30, "Mali"),
        ("c2", "Bob", 31, "Mali"),
        ("c3", "Cy", 32, "Mali"),
        ("c4", "Di", 33, "Mali"),
        ("c5", "Ed", 34, "Mali"),
        ("c6", "F\ny", 35, "Mali"),
        ("c7", "Gus", 36, "Mali"),
        ("c8", "Hal", 37, "Mali"),
        ("c9", "Ira", 38, "Mali"),
    ]
    assert batch.rejected == 0
    assert len(batch.files) == 9


def test_line_numbers_and_counts_hold_when_many_tasks_read_one_file(bench: Workbench) -> None:
    bench.people(
        *[f"c{number},{'x' if number % 100 else 'bad'},{number % 100 or 'old'},Mali" for number in range(2000)]
    )
    bench.spark.conf.set("spark.sql.files.maxPartitionBytes", "4096")
    try:
        batch = read(bench)
        numbers = [number for number, _, _ in refused(batch)]
    finally:
        bench.spark.conf.unset("spark.sql.files.maxPartitionBytes")
    assert len(batch.blocks) > 5
    assert numbers == [2 + 100 * index for index in range(20)]
    assert (batch.rows_read, batch.rejected) == (2000, 20)
    assert batch.broken()["age_is_a_whole_number"].first_place.endswith(", line 2")


@pytest.mark.parametrize(
    ("encoding", "text"), [("windows-1252", "Zoë €5 – ok"), ("iso-8859-15", "Zoë €5"), ("koi8-r", "Зоя")]
)
def test_a_configured_encoding_is_read_to_the_letter(bench: Workbench, encoding: str, text: str) -> None:
    bench.file(bench.customers / "a.csv", f"{CUSTOMERS_HEADER}\nc1,{text},30,Mali\n".encode(encoding))
    assert accepted(read(bench, encoding=encoding)) == [("c1", text, 30, "Mali")]


@pytest.mark.parametrize(
    ("line", "encoding"), [(b"c2,Zo\xeb,30,Mali", "utf-8"), (b"c2,\x81,30,Mali", "cp1252"), (b"c2,\xeb,1,x", "ascii")]
)
def test_bytes_that_the_encoding_does_not_have_are_found(bench: Workbench, line: bytes, encoding: str) -> None:
    bench.file(bench.customers / "a.csv", CUSTOMERS_HEADER.encode() + b"\nc1,Ann,30,Mali\n" + line + b"\n")
    batch = read(bench, encoding=encoding)
    assert accepted(batch) == [("c1", "Ann", 30, "Mali")]
    assert refused(batch) == [(3, line.decode("iso-8859-1"), ["encoding_is_valid"])]
    assert batch.broken()["encoding_is_valid"].first_place.endswith("a.csv, line 3")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\n" + CUSTOMERS_HEADER.encode(), "is the header missing"),
        (b"[" + b"x" * 200_000 + b"]", "this is no header"),
        (b"CUSTOMER_ID,NAME,AGE\n", "the header lacks the column COUNTRY"),
        (b"CUSTOMER_ID,NAME,AGE,COUNTRY,EMAIL\n", "the column 'EMAIL'"),
        (b"CUSTOMER_ID,NAME,AGE,COUNTRY,AGE\n", "has the column AGE twice"),
        (b'CUSTOMER_ID,NAME,AGE,"COUNTRY\nx"\nc1,Canary,30,Mali\n', "not closed"),
        (b'CUSTOMER_ID,"NA"ME,AGE,COUNTRY\nc1,Canary,30,Mali\n', "is astray"),
        (b"CUSTOMER_ID;NAME;AGE;COUNTRY\n", "it is separated by semicolons"),
        (b"c1,Canary,30,Mali\n", "is the header missing"),
        (gzip.compress(CUSTOMERS_HEADER.encode(), mtime=0), "rename it to end in .gz"),
        (CUSTOMERS_HEADER.encode("utf-16"), "looks like UTF-16"),
        (CUSTOMERS_HEADER.encode("utf-16-le"), "looks like UTF-16"),
    ],
)
def test_a_file_that_is_no_such_feed_is_refused_by_name(bench: Workbench, content: bytes, sentence: str) -> None:
    path = bench.file(bench.customers / "a.csv", content)
    with pytest.raises(DataRefusedError) as refusal:
        read(bench)
    assert sentence in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "canary" not in str(refusal.value).lower()


@pytest.mark.parametrize("path", ["nowhere.csv", "nowhere/*.csv", "_hidden.csv"])
def test_a_path_without_a_file_is_a_mistake_in_the_arguments(bench: Workbench, path: str) -> None:
    bench.file(bench.folder / "_hidden.csv", CUSTOMERS_HEADER)
    with pytest.raises(ConfigError, match=r"There is no file|starts with _"):
        read(bench, bench.folder / path)


def test_a_truncated_gz_is_an_error_and_not_a_shorter_file(bench: Workbench) -> None:
    lines = "\n".join(f"c{number},Name {number * 7919},30,Mali" for number in range(20_000))
    whole = gzip.compress(f"{CUSTOMERS_HEADER}\n{lines}\n".encode())
    bench.file(bench.customers / "a.csv.gz", whole[: len(whole) // 2])
    outcome = bench.load(transactions=bench.customers)
    assert outcome.exit_code == 3
    assert "a.csv.gz" in outcome.error


def test_files_come_in_order_of_arrival_then_name(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali", name="b.csv")
    bench.people("c1,Bob,30,Mali", name="a.csv")
    assert [Path(file.path).name for file in read(bench).files] == ["b.csv", "a.csv"]


def test_rows_are_judged_by_values_only_where_they_are_well_formed(bench: Workbench) -> None:
    bench.people("c1,Ann,old,Mali", ",Ann,999,Mali", "c2,Ann,old")
    assert refused(read(bench)) == [
        (2, "c1,Ann,old,Mali", ["age_is_a_whole_number"]),
        (3, ",Ann,999,Mali", ["age_is_plausible", "customer_id_is_present"]),
        (4, "c2,Ann,old", ["row_is_well_formed"]),
    ]


def test_the_fingerprint_of_a_file_is_of_its_lines_in_any_order(bench: Workbench) -> None:
    bench.people("c1,Ann,30,Mali", "c2,Bob,31,Mali", name="a.csv")
    bench.people("c2,Bob,31,Mali", "c1,Ann,30,Mali", name="same.csv")
    bench.people("c2,Bob,31,Mali", "c1,Ann,30,Mali", "c1,Ann,30,Mali", name="other.csv")
    batch = read(bench)
    assert [Path(file.path).name for file in batch.files] == ["a.csv", "other.csv"]
    assert batch.rows.where(~F.col("is_header")).count() == 5


def test_a_path_is_a_file_or_a_glob(bench: Workbench) -> None:
    path = bench.people("c1,Ann,30,Mali", name="a_1.csv")
    bench.people("c2,Bob,31,Mali", name="a_2.csv")
    bench.people("c3,Cy,32,Mali", name="b_1.csv")
    assert [row[0] for row in accepted(read(bench, path))] == ["c1"]
    assert [row[0] for row in accepted(read(bench, bench.customers / "a_*.csv"))] == ["c1", "c2"]
    assert [row[0] for row in accepted(read(bench, bench.customers / "{a_2,b_1}.csv"))] == ["c2", "c3"]


def test_a_rule_is_added_without_touching_python(bench: Workbench) -> None:
    rules = (conf_dir() / "quality.yml").read_text(encoding="utf-8")
    own = """customers:
  - name: country_is_not_a_code
    criticality: reject
    filter: COUNTRY IS NOT NULL
    check: length(COUNTRY) > 2
  - name: name_has_two_parts
    criticality: warn
    check: NAME LIKE '% %' # null counts as broken
"""
    path = bench.folder / "rules.yml"
    path.write_text(rules.replace("customers:\n", own, 1), encoding="utf-8")
    bench.people("c1,Ann Lee,30,Mali", "c2,Bob,31,ML", "c3,,32,")
    batch = read(bench, rules=load_rules(path))
    assert [row[0] for row in accepted(batch)] == ["c1", "c3"]
    assert refused(batch) == [(3, "c2,Bob,31,ML", ["country_is_not_a_code"])]
    assert {rule: count.rows for rule, count in batch.broken().items()} == {
        "country_is_not_a_code": 1,
        "name_has_two_parts": 2,
        "name_is_present": 1,
        "country_is_present": 1,
    }


def test_a_rule_that_fails_on_a_row_is_named(bench: Workbench) -> None:
    rules = (conf_dir() / "quality.yml").read_text(encoding="utf-8")
    path = bench.folder / "rules.yml"
    path.write_text(rules.replace("check: AGE BETWEEN 0 AND 120", "check: CAST(NAME AS INT) > 0"), encoding="utf-8")
    bench.people("c1,Canary,30,Mali")
    with pytest.raises(ConfigError, match="The quality rule age_is_plausible fails on some rows") as error:
        read(bench, rules=load_rules(path))
    assert "Canary" not in str(error.value)
