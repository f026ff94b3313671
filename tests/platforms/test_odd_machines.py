"""A machine of another language, with an odd clock or with little room: the same tables, or a sentence."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from support.lakes import CUSTOMERS_HEADER, SALES_HEADER
from support.project import ROOT

pytestmark = pytest.mark.platform

# Letters that Turkish turns into others, and an hour that clocks skip.
SALES = ("I1,i1,PI,1,9.99,2025-01-01 10:00:00", "I2,I1,pı,2,1.50,2025-03-30 02:30:00+01:00")
PEOPLE = ("i1,İpek Işık,30,TÜRKİYE", "I1,Ali,41,Mali")
TABLES = ("sales_data_partitioned", "customers", "customer_aggregated_data")
EXPECTED_AMOUNTS = [("I1", 3.0), ("i1", 9.99)]


def run(folder: Path, before: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A load by the script, after a command for bash, beside these variables."""
    (folder / "sales.csv").write_text("\n".join([SALES_HEADER, *SALES, ""]), encoding="utf-8")
    (folder / "people.csv").write_text("\n".join([CUSTOMERS_HEADER, *PEOPLE, ""]), encoding="utf-8")
    command = f"{before}; exec {ROOT}/spark-submit.sh --lake=lake --transactions=sales.csv --customers=people.csv"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DeltaTable(f"{folder}/lake/{table}").to_pyarrow_table().to_pylist()
    return found


@pytest.mark.parametrize(
    ("zone", "language", "java"),
    [
        ("Asia/Kathmandu", "tr_TR.UTF-8", "-Duser.language=tr -Duser.country=TR"),
        ("Nowhere/Land", "xx_YY.UTF-99", "-Duser.language=ar -Duser.country=EG"),
        (":/etc/localtime", "th_TH.UTF-8", "-Duser.language=th -Duser.country=TH -Duser.timezone=Nowhere"),
    ],
)
def test_language_and_zone_of_a_machine_change_nothing(tmp_path: Path, zone: str, language: str, java: str) -> None:
    done = run(tmp_path, "ulimit -n 1024", TZ=zone, LC_ALL=language, JAVA_TOOL_OPTIONS=java)
    assert done.returncode == 0, done.stderr
    names = [(row["CUSTOMER_ID"], row["NAME"], row["COUNTRY"]) for row in rows(tmp_path, "customers")]
    assert sorted(names) == [("I1", "Ali", "Mali"), ("i1", "İpek Işık", "TÜRKİYE")]
    amounts = [(row["CUSTOMER_ID"], float(row["AMOUNT"])) for row in rows(tmp_path, "customer_aggregated_data")]
    assert sorted(amounts) == EXPECTED_AMOUNTS
    hours = sorted(f"{row['transaction_hour']:%Y-%m-%d %H}" for row in rows(tmp_path, "sales_data_partitioned"))
    assert hours == ["2025-01-01 10", "2025-03-30 01"]


def test_files_that_may_not_be_as_large_as_needed_end_the_run_with_a_sentence(tmp_path: Path) -> None:
    failed = run(tmp_path, "ulimit -f 4")
    assert failed.returncode == 1
    printed = failed.stdout + failed.stderr
    assert "File too large" in printed
    assert "\tat " not in printed
    done = run(tmp_path, "true")
    assert done.returncode == 0, done.stderr
    assert all(rows(tmp_path, table) for table in TABLES)
