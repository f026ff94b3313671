"""Rejected rows that are good by now, or corrected, come in by the same path as any other and leave rejected_rows."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from common.contract import CUSTOMERS, REJECTED, SALES
from jobs import release_rejected
from support.lakes import Workbench, assert_equals_recompute
from support.project import ROOT

NINE = "2025-02-22 09:15:00"


def corrections(path: Path, lines: dict[str, str]) -> str:
    """A file of corrected lines by rejected_id, with the reasons that helped to correct them, as an option."""
    with path.open("w", newline="") as file:
        rows = [(rejected_id, "[age_is_a_whole_number, name_is_present]", line) for rejected_id, line in lines.items()]
        csv.writer(file).writerows([("REJECTED_ID", "REASONS", "CORRECTED_LINE"), *rows])
    return f"--corrections={path}"


@pytest.fixture(scope="module")
def seven_rejected(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """A lake of two loads, with seven rejected rows."""
    bench = Workbench(spark, tmp_path_factory.mktemp("rejected"))
    bench.people("c1,Ann,30,Mali", 'c2,"Lee, Bob",old,Peru')
    bench.sales(
        f"1,t1,c1,p1,1.00,{NINE}",
        f"two,t2,c2,p1,2.00,{NINE}",
        f"3,t3,c1,p1,3.00,{NINE}",
        f"4,t3,c1,p1,3.00,{NINE}",
        f"five,t5,c1,p1,5.00,{NINE}",
        "6,t6,c1,p1,6.00,2055-02-22 09:15:00",
        "7,t7,c1,p1,7.00,2055-02-22 09:15:00",
        header="QUANTITY,TRANSACTION_ID,CUSTOMER_ID,PRODUCT_ID,PRICE,TRANSACTION_DATE",
    )
    bench.must_load()
    bench.sales(f"t7,c1,p1,77,7.00,{NINE}")
    bench.must_load()
    assert len(bench.rows(REJECTED.name)) == 7
    assert_equals_recompute(bench)
    return bench


@pytest.fixture
def bench(bench: Workbench, seven_rejected: Workbench) -> Workbench:
    """A copy of that lake."""
    bench.start_with(seven_rejected)
    return bench


@pytest.mark.thorough
def test_where_nothing_has_changed_nothing_is_released(bench: Workbench) -> None:
    versions = bench.versions()
    unchanged = bench.run(release_rejected, f"--lake={bench.lake}")
    assert unchanged.ledger() == {"rows_read": 6, "rejected": 6}
    assert unchanged.reasons()["quantity_is_a_whole_number"] == 2
    assert bench.versions() == versions


def test_rows_that_are_corrected_or_good_by_another_rule_are_released(bench: Workbench, tmp_path: Path) -> None:
    """A customer and a sale are corrected, and of two rows that contradict each other one is named. Another rule lets
    t6 in, and would let t7 in, but a later file had it.
    """
    ids = {raw: id_ for id_, raw in bench.rows(REJECTED.name, "rejected_id", "raw_line")}
    fixes = corrections(
        tmp_path / "fixes.csv",
        {
            ids['c2,"Lee, Bob",old,Peru']: 'c2,"Lee, Bob",44,Peru',
            ids[f"two,t2,c2,p1,2.00,{NINE}"]: f"2,t2,c2,p1,2.00,{NINE}",
            ids[f"4,t3,c1,p1,3.00,{NINE}"]: f"4,t3,c1,p1,3.00,{NINE}",
        },
    )
    rules = tmp_path / "rules.yml"
    text = (ROOT / "conf" / "quality.yml").read_text()
    rules.write_text(text.replace("TRANSACTION_DATE <= now() + INTERVAL 1 DAY", "true"))
    arguments = [f"--lake={bench.lake}", fixes, f"--quality-rules={rules}"]
    versions = bench.versions()
    planned = bench.run(release_rejected, *arguments, "--dry-run")
    assert bench.versions() == versions
    done = bench.run(release_rejected, *arguments)
    planned_tables = planned.report["plan"]["tables"] if planned.report else []
    assert done.report is not None, done.error
    assert done.report["written"][:3] == planned_tables
    assert done.ledger("customers") == {"rows_read": 1, "new": 1}
    assert done.ledger() == {"rows_read": 6, "new": 3, "corrected": 1, "rejected": 2}
    assert done.report["removed"] == {REJECTED.name: 5}
    units = dict(bench.rows(SALES.name, "TRANSACTION_ID", "QUANTITY"))
    assert units == {"t1": 1, "t2": 2, "t3": 4, "t6": 6, "t7": 77}
    assert ("c2", "Lee, Bob", 44, "Peru") in bench.rows(CUSTOMERS.name)
    assert sorted(raw[:7] for raw in bench.rejected()) == ["7,t7,c1", "five,t5"]
    assert_equals_recompute(bench)

    # The rows that the corrections name are no longer there.
    gone = bench.run(release_rejected, *arguments)
    assert gone.exit_code == 3
    assert "is not in rejected_rows" in gone.error


@pytest.mark.thorough
def test_a_correction_that_says_nothing_is_refused(bench: Workbench, tmp_path: Path) -> None:
    rejected_id = bench.rows(REJECTED.name, "rejected_id")[0][0]
    empty = corrections(tmp_path / "empty.csv", {rejected_id: ""})
    unclear = bench.run(release_rejected, f"--lake={bench.lake}", empty)
    assert unclear.exit_code == 3
    assert "by the rules of CSV" in unclear.error
