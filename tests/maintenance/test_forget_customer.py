"""A forgotten customer is nowhere in the lake, in no version, log or statistic, and does not come back; nobody else is
touched, and what cannot be told is shown.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from common.contract import AGGREGATE, CUSTOMERS, FORGOTTEN, REJECTED, SALES
from common.contract.gold import CUSTOMER_SEGMENTS, CUSTOMER_SUMMARY
from jobs import build_gold, forget_customer
from support.expected_gold import assert_gold_is_right
from support.lakes import SALES_HEADER, Outcome, Workbench, assert_equals_recompute

ZOE = "c-zoe-77"


def files_with(folder: Path, *words: str) -> list[Path]:
    """Every file below a folder in whose bytes, or rows where it is Parquet, one of the words stands."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += str(pq.ParquetFile(path).read().to_pylist()).encode()
        if any(word.encode() in content for word in words):
            found.append(path)
    return found


def forget(bench: Workbench, customer: str, *options: str) -> Outcome:
    return bench.run(forget_customer, f"--lake={bench.lake}", f"--customer-id={customer}", *options)


def listed(outcome: Outcome, which: str) -> list[str]:
    """What a report lists as not certain: file and line, without folders."""
    assert outcome.report is not None, outcome.error
    return [found["place"].rpartition("/")[2] for found in outcome.report[which]]


def test_a_customer_is_forgotten_everywhere_and_does_not_come_back(bench: Workbench) -> None:
    people = bench.people(f'{ZOE},"Quillfeather, Zoe",30,Mali', "c2,Bob,40,Peru", f'{ZOE},"Quillfeather, Zoe",x,Mali')
    sales = bench.sales(
        f"t1,{ZOE},p1,2,1.50,2025-02-22 09:15:00",
        "t2,c2,p1,1,2.00,2025-02-22 09:20:00",
        f"t3,{ZOE},p1,many,2.00,2025-02-22 09:20:00",
        "t4,c2,p1,many,2.00,2025-02-22 09:20:00",
        f"t5,{ZOE},p1,2,1.50,2025-02-23 09:15:00",
    )
    bench.must_load()
    bench.people(f'{ZOE},"Quillfeather, Zoe",31,Mali')
    bench.must_load()
    assert bench.run(build_gold, f"--lake={bench.lake}").exit_code == 0
    words = (ZOE, "Quillfeather")
    assert files_with(bench.lake, *words)
    assert not [path for path in files_with(bench.lake, *words) if "_delta_log" in path.parts]
    arguments = [f"--lake={bench.lake}", f"--customer-id={ZOE}"]

    versions = bench.versions()
    planned = bench.run(forget_customer, *arguments)
    assert planned.report is not None, planned.error
    held = {SALES.name: 2, CUSTOMERS.name: 1, AGGREGATE.name: 2, REJECTED.name: 2}
    held |= {CUSTOMER_SUMMARY.name: 1, CUSTOMER_SEGMENTS.name: 1}
    assert planned.report["removed"] == held
    assert bench.versions() == versions

    done = bench.run(forget_customer, *arguments, "--apply")
    assert done.report is not None, done.error
    assert done.report["removed"] == held
    assert files_with(bench.lake, *words) == []
    assert bench.rows(SALES.name, "TRANSACTION_ID") == [("t2",)]
    assert [raw[:2] for raw in bench.rejected()] == ["t4"]
    assert_equals_recompute(bench)
    assert_gold_is_right(bench)

    # Not even when all files are loaded again: the rows are refused, and nothing of them is kept.
    again = bench.must_load("--reload", "--max-rejected-share=0.2")
    assert again.ledger("customers") == {"rows_read": 4, "unchanged": 1, "rejected": 3}
    assert again.ledger() == {"rows_read": 5, "unchanged": 1, "rejected": 4}
    assert again.reasons()["customer_is_not_forgotten"] == 3
    assert files_with(bench.lake, *words) == []
    assert set(bench.rejected()) == {"(forgotten)", "t4,c2,p1,many,2.00,2025-02-22 09:20:00"}
    assert files_with(bench.folder, *words) == sorted([people, sales, bench.customers / "people_002.csv"])
    assert_equals_recompute(bench)


AT = "2025-02-22 09:15:00"
# Customer 42 is Omar Reed. By file and line: whose they are, as far as it can be told.
PEOPLE = (
    "42,Omar Reed,44,Oman",
    "103,Zed Lead,50,Peru",
    "104,Omar Reedham,1x,Peru",
    "42,Omar Reed,44",
    "Omar Reed,44,Oman",
    "103,Omar Reed,44",
    "105,Omar Reed,4x,Peru",
    ',"Omar Reed, Jr,7,Peru',
    "103,Zed Lead,42",
)
PEOPLE_TAKEN, PEOPLE_LEFT = (5, 6), (7, 8, 9, 10)
SALES_LINES = (
    f"a1,42,7,1,5.00,{AT}",
    f"a2,103,42,42,5.00,{AT}",
    f"a3,103,42,42,soon,{AT}",
    "a4,42,7,1,5.00",
    "a5,103,42,1,5.00",
    f"a6,\u00a042,7,1,5.00,{AT}",
    f"a7,4\u200b2,7,1,5.00,{AT}",
    f'a8,"""42""",7,1,5.00,{AT}',
    f"a9,42;,7,1,soon,{AT}",
    f"b1,42,7,1,soon,{AT}",
)
SALES_TAKEN, SALES_LEFT = (5, 7, 8, 9), (6, 10)


def places(name: str, *lines: int) -> list[str]:
    return [f"{name}, line {line}" for line in lines]


@pytest.mark.thorough
def test_of_lines_that_are_not_certain_none_is_taken_from_others_and_each_is_shown(bench: Workbench) -> None:
    bench.people(*PEOPLE, name="p.csv")
    bench.sales(*SALES_LINES, name="s.csv")
    bench.must_load()
    taken = places("s.csv", *SALES_TAKEN) + places("p.csv", *PEOPLE_TAKEN)
    left = places("s.csv", *SALES_LEFT) + places("p.csv", *PEOPLE_LEFT)

    planned = forget(bench, "42")
    assert listed(planned, "removed_uncertain") == taken
    assert sorted(listed(planned, "left_uncertain")) == sorted(left)
    assert planned.report is not None
    held = {SALES.name: 1, CUSTOMERS.name: 1, AGGREGATE.name: 1, REJECTED.name: len(taken) + 1}
    assert planned.report["removed"] == held
    _, printed, _ = bench.printed_by(forget_customer, f"--lake={bench.lake}", "--customer-id=42")
    assert all(place in printed for place in taken + left)

    # A person decides: of what the plan would take, one is somebody else's; of what it leaves, one is theirs.
    kept = planned.report["removed_uncertain"][0]["rejected_id"]
    more = planned.report["left_uncertain"][0]
    options = [f"--keep-rejected={kept}", f"--also-rejected={more['rejected_id'][:12]}"]
    decided = forget(bench, "42", *options)
    assert listed(decided, "removed_uncertain") == [*taken[1:], more["place"].rpartition("/")[2]]
    for option in (f"--keep-rejected={more['rejected_id']}", f"--also-rejected={kept}", "--also-rejected=0"):
        refused = forget(bench, "42", option, "--apply")
        assert refused.exit_code == 2
        assert "is not the rejected_id of one of the rows that the plan lists" in refused.error

    done = forget(bench, "42", "--apply")
    assert done.report is not None, done.error
    assert done.report["removed"] == held
    assert listed(done, "removed_uncertain") == taken
    assert sorted(listed(done, "left_uncertain")) == sorted(left)
    assert bench.rows(SALES.name, "TRANSACTION_ID") == [("a2",)]
    assert bench.rows(CUSTOMERS.name, "CUSTOMER_ID") == [("103",)]
    others = [PEOPLE[line - 2] for line in (4, *PEOPLE_LEFT)] + [SALES_LINES[line - 2] for line in (4, *SALES_LEFT)]
    assert sorted(bench.rejected()) == sorted(others)
    assert_equals_recompute(bench)


@pytest.mark.thorough
def test_new_rows_are_known_by_an_id_that_differs_in_what_cannot_be_seen(bench: Workbench) -> None:
    bench.people("1007,Ann,30,Mali", "1008,Bob,40,Peru")
    bench.sales(f"t0,1007,p1,1,1.00,{AT}")
    bench.must_load()
    assert forget(bench, "1007", "--apply").exit_code == 0
    # Of the id as it is, as in lakes of earlier code.
    assert bench.rows(FORGOTTEN.name, "customer_hash") == [(hashlib.sha256(b"1007").hexdigest(),)]

    theirs = [
        f"t1,1007,p1,1,1.00,{AT}",
        f"t2,10\u200b07,p1,1,1.00,{AT}",
        f"t3,\u00a01007\ufeff,p1,1,1.00,{AT}",
        f't4,"""1007""",p1,1,1.00,{AT}',
        "t5,1007,p1,1",
        "t6,10\u00ad07,p1",
        't7,"1007,p1,1,1.00',
    ]
    kept = [f"u1,100\u200b8,p1,1,1.00,{AT}", "u2,1008,1007,1", 'u3,"1008,1007",1007', "u4", f"1007,u5,p1,1007,x,{AT}"]
    new = [f"n{n},{customer},1007,1007,1.00,{AT}" for n, customer in enumerate(("1008", "10071", "1007;", "10-07"))]
    bench.sales(*theirs, *kept, *new)
    # The same, by another header.
    first, *others = SALES_HEADER.split(",")
    moved = [",".join([*line.split(",")[1:], line.split(",")[0]]) for line in (theirs[0], theirs[1])]
    bench.sales(*moved, "p1,1007", header=",".join([*others, first]))
    loaded = bench.must_load()
    assert loaded.reasons()["customer_is_not_forgotten"] == len(theirs) + len(moved)
    assert loaded.ledger()["new"] == len(new)
    assert sorted(bench.rejected()) == sorted(["(forgotten)", *kept, "p1,1007"])


@pytest.mark.thorough
def test_an_id_that_is_computed_is_known_in_lines_that_cannot_be_parsed(bench: Workbench) -> None:
    feeds = bench.folder / "feeds.yml"
    same = "".join(f"    {name}: {name}\n" for name in SALES_HEADER.split(",") if name != "CUSTOMER_ID")
    customer = "concat(left(_file, 2), '-', try_cast(Kunde AS INT))"
    feeds.write_text(f'transactions:\n  columns:\n    CUSTOMER_ID: {{expression: "{customer}"}}\n{same}')
    header = SALES_HEADER.replace("CUSTOMER_ID", "Kunde")
    theirs = [f"t1,7,p1,x,1.00,{AT}", 't2,"7",p1,1', "t3,007\u00a0"]
    others = [f"u1,8,p1,x,1.00,{AT}", "u2,8,7,1", "u3", "u4,7x,p1,1", f"7,,7,1,1.00,{AT}", "u5,,7"]
    bench.sales(f"t0,7,p1,1,1.00,{AT}", *theirs, *others, name="de.csv", header=header)
    # Another customer has the same number in another shop.
    also_others = [f"u6,7,p1,x,1.00,{AT}", "u7,7,p1"]
    bench.sales(f"u0,7,p1,1,1.00,{AT}", *also_others, name="fr.csv", header=header)
    assert bench.load(f"--feeds={feeds}", "--max-rejected-share=1").exit_code == 0

    planned = forget(bench, "de-7", f"--feeds={feeds}")
    assert planned.report is not None, planned.error
    assert planned.report["removed"][REJECTED.name] == len(theirs)
    assert listed(planned, "removed_uncertain") == places("de.csv", 4, 5)
    assert forget(bench, "de-7", f"--feeds={feeds}", "--apply").exit_code == 0
    assert sorted(bench.rejected()) == sorted(others + also_others)
    assert bench.rows(SALES.name, "TRANSACTION_ID") == [("u0",)]

    bench.sales(*theirs, "u8,9", name="de_2.csv", header=header)
    loaded = bench.load(f"--feeds={feeds}", "--max-rejected-share=1")
    assert loaded.reasons() == {"customer_is_not_forgotten": len(theirs), "row_is_well_formed": 3}
    assert sorted(bench.rejected()) == sorted([*others, *also_others, "u8,9", "(forgotten)"])


@pytest.mark.thorough
def test_the_name_of_a_file_that_names_the_person_is_shown_and_the_run_succeeds(bench: Workbench) -> None:
    bench.people("1007,Quillfeather Zoe,30,Mali", "1,Ann Lee,40,Peru", name="Zoë-quillfeather.csv")
    bench.sales(f"t1,1007,p1,1,1.00,{AT}", f"t2,1,p1,1,1.00,{AT}", name="customer 1007 (March).csv")
    bench.sales(f"t3,8,p1,1,1.00,{AT}", "t4,8", name="sales_1.csv")
    bench.must_load()
    assert listed(forget(bench, "1007"), "left_uncertain") == ["Zoë-quillfeather.csv", "customer 1007 (March).csv"]
    done = forget(bench, "1007", "--apply")
    assert done.exit_code == 0, done.error
    assert listed(done, "left_uncertain") == ["Zoë-quillfeather.csv", "customer 1007 (March).csv"]
    done = forget(bench, "1", "--apply")
    assert done.exit_code == 0, done.error
    assert listed(done, "left_uncertain") == ["sales_1.csv"]
    assert {row[0] for row in bench.rows(SALES.name, "TRANSACTION_ID")} == {"t3"}


@pytest.mark.thorough
def test_what_another_program_left_in_a_log_is_found_where_it_is_about_the_person(bench: Workbench) -> None:
    bench.people("7,Omar Reed,30,Mali", "8,Bob Lee,7,Peru")
    bench.sales(f"t1,7,7,7,7.00,{AT}", f"t2,8,7,7,7.00,{AT}")
    bench.must_load()
    table = f"delta.`{bench.path(SALES.name)}`"
    # About nobody: a property, a product and a number.
    bench.spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('shop.level' = '7')")
    bench.spark.sql(f"DELETE FROM {table} WHERE QUANTITY = 7 AND PRODUCT_ID = '7' AND CUSTOMER_ID = '8'")
    bench.must_load("--reload")
    # Perhaps about somebody.
    bench.spark.conf.set("spark.databricks.delta.commitInfo.userMetadata", "asked by reed, omar")
    bench.spark.sql(f"UPDATE {table} SET PRICE = 8.00 WHERE TRANSACTION_ID = 't1'")
    bench.spark.conf.unset("spark.databricks.delta.commitInfo.userMetadata")
    done = forget(bench, "7", "--apply")
    assert done.report is not None, done.error
    assert {found["why"] for found in done.report["left_uncertain"]} == {"the note of a commit holds the name"}

    # About this one.
    bench.spark.sql(f"DELETE FROM {table} WHERE PRODUCT_ID = '7' AND CUSTOMER_ID IN ('7', '8')")
    found = forget(bench, "7", "--apply")
    assert found.exit_code == 1
    assert "in the log of sales_data_partitioned: a predicate holds the id" in found.error


def test_statistics_and_partitions_of_a_log_are_decoded(bench: Workbench) -> None:
    bench.people("7,Omar Reed,30,Mali", "8,Bob Lee,40,Peru")
    bench.sales(f"t1,7,7,1,7.00,{AT}", f"t2,8,8,1,7.00,{AT}")
    bench.must_load()
    table = f"delta.`{bench.path(CUSTOMERS.name)}`"
    bench.spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.dataSkippingStatsColumns' = 'CUSTOMER_ID,AGE')")
    bench.spark.sql(f"UPDATE {table} SET AGE = 31 WHERE COUNTRY = 'Mali'")
    found = forget(bench, "7", "--apply")
    assert found.exit_code == 1
    assert "in the log of customers: statistics: CUSTOMER_ID is the id" in found.error


@pytest.mark.thorough
def test_customers_whose_ids_or_names_are_alike_are_shown_and_stay(bench: Workbench) -> None:
    """A variation selector cannot be seen, and no rule rejects it."""
    others = ("AB1,Bob,40,Peru", "ab1\ufe0f,Cid,50,Oman", "c4,Lee Ann,60,Chad", "ab12,Dan,1,Chad")
    bench.people("ab1,Ann Lee,30,Mali", *others)
    bench.sales(f"t1,ab1,p1,1,1.00,{AT}", f"t2,AB1,p1,1,1.00,{AT}", f"t3,ab1\ufe0f,p1,1,1.00,{AT}")
    bench.must_load()
    done = forget(bench, "ab1", "--apply")
    assert done.report is not None, done.error
    assert [(row["why"], row["place"].partition(" of ")[0]) for row in in_table(done, CUSTOMERS.name)] == [
        ("CUSTOMER_ID is the id in another spelling", "2 rows"),
        ("NAME is the name, and CUSTOMER_ID is another", "1 row"),
    ]
    assert {row[0] for row in bench.rows(SALES.name, "TRANSACTION_ID")} == {"t2", "t3"}
    assert len(bench.rows(CUSTOMERS.name)) == len(others)
    bench.sales(f"t4,ab1\ufe0f,p1,1,1.00,{AT}", f"t5,AB1,p1,1,1.00,{AT}")
    assert bench.must_load().ledger() == {"rows_read": 2, "new": 2}


def in_table(outcome: Outcome, name: str) -> list[dict[str, Any]]:
    assert outcome.report is not None, outcome.error
    return [found for found in outcome.report["left_uncertain"] if found["place"].endswith(f"/{name}")]
