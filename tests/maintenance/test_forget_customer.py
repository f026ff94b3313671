"""A forgotten customer is nowhere in the lake, in no version, log or statistic, and does not come back."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from common.contract import AGGREGATE, CUSTOMERS, REJECTED, SALES
from common.contract.gold import CUSTOMER_SEGMENTS, CUSTOMER_SUMMARY
from jobs import build_gold, forget_customer
from support.expected_gold import assert_gold_is_right
from support.lakes import Workbench, assert_equals_recompute

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
