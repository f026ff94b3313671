"""verify_aggregate finds and names what a stranger or a bad disk did to a lake, and finds nothing in a good one."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from common.audit.checks import Checked, compare_rows
from common.contract import AGGREGATE, CUSTOMERS, FORGOTTEN, REJECTED, RUNS, SALES, Table
from common.lake.commit_note import CommitNote
from common.lake.lake import Lake
from common.maintenance.compaction import vacuum
from jobs import load_sales, verify_aggregate

DIFFERS, FAILED = 5, 1
PEOPLE = "CUSTOMER_ID,NAME,AGE,COUNTRY\nc1,Canary Ann,33,Mali\nc2,Canary Bob,44,Peru\n"
HEADER = "TRANSACTION_ID,CUSTOMER_ID,PRODUCT_ID,QUANTITY,PRICE,TRANSACTION_DATE\n"
FIRST_SALES = """t1,c1,p1,2,1.50,2025-02-22 09:15:00
t2,c1,p1,1,2.00,2025-02-22 09:15:00
t3,c2,p2,1,3.00,2025-02-22 09:15:00
t4,c2,p2,4,0.25,2025-02-22 10:15:00
t5,c9,p3,1,7.00,2025-02-22 10:15:00
t6,c2,p2,x,7.00,2025-02-22 10:15:00
"""
MORE_SALES = "t7,c1,p2,1,5.00,2025-02-22 09:15:00\n"


@dataclass
class Checkup:
    """A lake, and verify_aggregate on it."""

    spark: SparkSession
    lake: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def as_tables(self) -> Lake:
        return Lake(self.spark, str(self.lake), None, None)

    def table(self, table: Table) -> str:
        """The table as SQL names it."""
        return f"delta.`{self.lake / table.name}`"

    def data_file(self, table: Table) -> Path:
        """A data file of the table's newest version, without the checksum that Hadoop keeps beside it."""
        uris = self.spark.table(self.table(table)).selectExpr("_metadata.file_path").distinct().collect()
        names = sorted(row["file_path"].rpartition("/")[2] for row in uris)
        path = next(path for name in names for path in (self.lake / table.name).rglob(name))
        path.with_name(f".{path.name}.crc").unlink()
        return path

    def verify(self, *options: str) -> tuple[int, str, str]:
        """The exit code, and what is printed on standard output and standard error."""
        self.capsys.readouterr()
        exit_code = verify_aggregate.main([f"--lake={self.lake}", *options])
        printed = self.capsys.readouterr()
        return exit_code, printed.out, printed.err

    def report(self, expected_exit_code: int) -> dict[str, Any]:
        """The JSON report, beside which nothing is printed."""
        exit_code, printed, error = self.verify("--json")
        assert (exit_code, error) == (expected_exit_code, ""), printed
        report: dict[str, Any] = json.loads(printed)
        return report


def examples(report: dict[str, Any]) -> dict[tuple[str, str], list[str]]:
    return {(finding["table"], finding["what"]): finding["examples"] for finding in report["findings"]}


@pytest.fixture(scope="module")
def good_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two runs, of which the second adds a file to an hour of the first."""
    folder = tmp_path_factory.mktemp("good")
    feeds = folder / "transactions", folder / "customers"
    for feed in feeds:
        feed.mkdir()
    options = [
        f"--transactions={feeds[0]}",
        f"--customers={feeds[1]}",
        f"--lake={folder}/lake",
        "--max-rejected-share=1",
    ]
    (feeds[1] / "people.csv").write_text(PEOPLE)
    for number, sales in enumerate((FIRST_SALES, MORE_SALES)):
        (feeds[0] / f"sales_{number}.csv").write_text(HEADER + sales)
        assert load_sales.main([*options, "--max-rejected-share=1"]) == 0
    return folder / "lake"


@pytest.fixture
def checkup(spark: SparkSession, good_lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Checkup:
    """A copy of the good lake, to be spoiled."""
    shutil.copytree(good_lake, tmp_path / "lake")
    return Checkup(spark, tmp_path / "lake", capsys)


def test_a_good_lake_is_sound_and_left_as_it_is(checkup: Checkup) -> None:
    checkup.as_tables.create([FORGOTTEN])
    before = {path: path.stat().st_mtime_ns for path in checkup.lake.rglob("*")}
    report = checkup.report(0)
    assert report["is_sound"]
    assert report["findings"] == report["notes"] == []
    rows = {table["table"]: (table["version"], table["rows"]) for table in report["tables"]}
    assert rows == {
        SALES.name: (2, 6),
        CUSTOMERS.name: (1, 2),
        AGGREGATE.name: (2, 5),
        REJECTED.name: (1, 1),
        RUNS.name: (2, 2),
        FORGOTTEN.name: (0, 0),
    }
    assert (report["sources"]["sales_version"], report["sources"]["customers_version"]) == (2, 1)
    assert (report["groups_compared"], report["hours_compared"]) == (5, 2)
    assert {path: path.stat().st_mtime_ns for path in checkup.lake.rglob("*")} == before
    nothing = checkup.as_tables.read(AGGREGATE, None)
    assert compare_rows(nothing, nothing, AGGREGATE) == Checked(0, [])

    shutil.rmtree(checkup.lake / CUSTOMERS.name)
    exit_code, _, error = checkup.verify()
    assert exit_code == FAILED
    assert f"The lake lacks {checkup.lake / CUSTOMERS.name}; load_sales makes what is missing." in error


def test_what_a_stranger_did_to_the_aggregate_is_named_with_both_values(checkup: Checkup) -> None:
    table = checkup.table(AGGREGATE)
    for statement in (
        f"UPDATE {table} SET AMOUNT = AMOUNT + 1 WHERE CUSTOMER_ID = 'c1' AND PRODUCT_ID = 'p1'",
        f"UPDATE {table} SET NAME = 'Canary Zed', AGE = NULL WHERE transaction_hour = '2025-02-22T10:00:00Z'",
        f"DELETE FROM {table} WHERE CUSTOMER_ID = 'c9'",
        f"INSERT INTO {table} SELECT * FROM {table} WHERE CUSTOMER_ID = 'c1' AND PRODUCT_ID = 'p2'",
    ):
        checkup.spark.sql(statement)
    exit_code, printed, error = checkup.verify()
    assert exit_code == DIFFERS
    lines = [line.strip() for line in printed.splitlines()]
    findings = lines[lines.index(f"{AGGREGATE.name}: commits that are not clearly a run's: 1") :]
    assert findings == [
        f"{AGGREGATE.name}: commits that are not clearly a run's: 1",
        "its version 6 (WRITE) is not a run's",
        f"{AGGREGATE.name}: keys that are there more than once: 1",
        "c1 p2 2025-02-22 09:00 stands 2 times",
        f"{AGGREGATE.name}: groups that are not what a full recompute gives: 3",
        "c1 p1 2025-02-22 09:00: AMOUNT is 6.00, should be 5.00",
        "c2 p2 2025-02-22 10:00: NAME differs (personal, not shown), AGE differs (personal, not shown)",
        "c9 p3 2025-02-22 10:00 is missing: QUANTITY should be 1, PRICE should be 7.000000, AMOUNT should be 7.00, "
        "TRANSACTION_COUNT should be 1",
        f"{AGGREGATE.name}: hours whose sums are not those of the sales: 2",
        "2025-02-22 09:00: rows is 5, should be 4, units is 6, should be 5, amount is 19.00, should be 13.00",
        "2025-02-22 10:00: rows is 1, should be 2, units is 4, should be 5, amount is 1.00, should be 8.00",
    ]
    assert "groups that are not what a full recompute gives: 3" in error
    assert "Canary" not in printed + error


def test_what_a_stranger_did_to_the_sales_is_named_with_both_values(checkup: Checkup) -> None:
    table = checkup.table(SALES)
    for statement in (
        f"ALTER TABLE {table} DROP CONSTRAINT quantity_is_not_zero",
        f"ALTER TABLE {table} ALTER COLUMN PRODUCT_ID DROP NOT NULL",
        f"UPDATE {table} SET QUANTITY = 0 WHERE TRANSACTION_ID = 't2'",
        f"UPDATE {table} SET PRODUCT_ID = NULL WHERE TRANSACTION_ID = 't4'",
        f"INSERT INTO {table} SELECT 't1', 'c1', 'p1', 3, 1.00, TRANSACTION_DATE, transaction_hour FROM {table} "
        "WHERE TRANSACTION_ID = 't3'",
    ):
        checkup.spark.sql(statement)
    report = checkup.report(DIFFERS)
    found = examples(report)
    assert "(WRITE) is not a run's" in found[AGGREGATE.name, "commits that are not clearly a run's"][0]
    assert found[SALES.name, "keys that are there more than once"] == ["t1 stands 2 times"]
    assert found[SALES.name, "rows without PRODUCT_ID"] == ["first t4"]
    assert found[SALES.name, "rows that break the constraint quantity_is_not_zero"] == ["first t2"]
    recomputed = next(finding for finding in report["findings"] if "full recompute" in finding["what"])
    assert recomputed["count"] == 3
    changed, missing, extra = recomputed["differences"]
    assert (missing["key"], missing["kind"]) == ("c2 (null) 2025-02-22 10:00", "missing")
    assert (changed["key"], changed["kind"]) == ("c1 p1 2025-02-22 09:00", "changed")
    assert changed["cells"] == [
        {"column": "QUANTITY", "stored": "3", "expected": "5"},
        {"column": "PRICE", "stored": "1.666667", "expected": "1.200000"},
        {"column": "AMOUNT", "stored": "5.00", "expected": "6.00"},
        {"column": "TRANSACTION_COUNT", "stored": "2", "expected": "3"},
    ]
    assert (extra["key"], extra["kind"]) == ("c2 p2 2025-02-22 10:00", "extra")
    assert {"column": "AMOUNT", "stored": "1.00", "expected": None} in extra["cells"]


def test_every_damaged_file_is_named_and_the_other_tables_are_checked(checkup: Checkup) -> None:
    missing, changed, cut_short = (checkup.data_file(table) for table in (CUSTOMERS, SALES, REJECTED))
    missing.unlink()
    content = bytearray(changed.read_bytes())
    first_id = re.search(rb"t\d", content)
    assert first_id
    content[first_id.start()] ^= 1
    changed.write_bytes(content)
    cut_short.write_bytes(cut_short.read_bytes()[:-1])
    report = checkup.report(DIFFERS)
    found = examples(report)
    assert found[CUSTOMERS.name, "files that are not whole"] == [f"{missing} is missing"]
    assert found[SALES.name, "reads that failed"] == [f"{changed} is missing or damaged"]
    size = cut_short.stat().st_size
    assert found[REJECTED.name, "files that are not whole"] == [
        f"{cut_short} has {size:,} bytes instead of {size + 1:,}"
    ]
    assert (AGGREGATE.name, "comparisons that failed") in found
    rows = {table["table"]: table["rows"] for table in report["tables"]}
    assert rows == {SALES.name: None, CUSTOMERS.name: None, REJECTED.name: None, AGGREGATE.name: 5, RUNS.name: 2}


@pytest.mark.thorough
def test_maintenance_is_no_difference_and_vacuumed_versions_are_replaced_by_the_newest(checkup: Checkup) -> None:
    checkup.spark.sql(f"OPTIMIZE {checkup.table(SALES)}")
    newer = checkup.report(0)
    assert newer["sources"]["sales_version"] == 2
    assert newer["notes"] == []

    # Rows that a run has merged and not aggregated, since it died, are for the next run.
    people = checkup.spark.sql("SELECT 'c8' AS CUSTOMER_ID, 'Eve' AS NAME, 30 AS AGE, 'Mali' AS COUNTRY")
    checkup.as_tables.append(CUSTOMERS, people, note=CommitNote("a run that died", "load_sales"))
    assert checkup.report(0)["notes"][0].startswith(f"There are newer versions ({SALES.name} 3, {CUSTOMERS.name} 2)")

    vacuum(checkup.as_tables, SALES, retain_hours=0)
    vacuumed = checkup.report(0)
    assert vacuumed["sources"]["sales_version"] > 2
    assert f"made of ({SALES.name} 2, {CUSTOMERS.name} 1) can no longer be read" in vacuumed["notes"][1]
    assert (vacuumed["groups_compared"], vacuumed["hours_compared"]) == (5, 2)
