"""A mistake ends in one clear sentence and an exit code of its own, and no table is made or changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs import load_sales
from support.lakes import Workbench
from support.project import ROOT

ALICE = "c1,Alice,30,Norway"
SALE = "t1,c1,p1,2,1.50,2025-02-22 09:15:00"
USAGE, REFUSED, FAILED, BUSY = 2, 3, 1, 4


def test_a_share_of_rejected_rows_above_the_limit_refuses_the_run(bench: Workbench) -> None:
    bench.people(ALICE)
    bench.sales(SALE, "t2,c1,p1,none,1.50,2025-02-22 09:15:00")
    outcome = bench.load("--max-rejected-share=0.49")
    assert outcome.exit_code == REFUSED
    assert "1 of 2 rows of transactions" in outcome.error
    assert "quantity_is_a_whole_number 1 (first: " in outcome.error
    assert "sales_001.csv, line 3" in outcome.error
    assert bench.versions() == {}


def test_a_file_in_another_encoding_refuses_the_run_and_names_the_row(bench: Workbench) -> None:
    bench.sales(SALE)
    path = bench.file(bench.customers / "a.csv", "CUSTOMER_ID,NAME,AGE,COUNTRY\nc1,Zoë,30,Mali\n".encode("cp1252"))
    outcome = bench.load()
    assert outcome.exit_code == REFUSED
    assert f"{path}, line 2: breaks the rule encoding_is_valid" in outcome.error
    assert "--encoding windows-1252" in outcome.error
    assert "Zo" not in outcome.error
    assert bench.versions() == {}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--transactions=nowhere.csv"], "There is no file at"),
        (["--max-rejected-share=lots"], "max_rejected_share"),
        (["--customers={{customers}}"], "placeholder that nobody filled in"),
        (["--env=production"], "there are: cluster, local, managed"),
        (["--quality-rules=nowhere.yml"], "Cannot read the quality rules"),
        (["--schema=sales", "--lake=lake"], "name where the tables are"),
    ],
)
def test_a_wrong_argument_is_named(
    capsys: pytest.CaptureFixture[str], bench: Workbench, arguments: list[str], sentence: str
) -> None:
    bench.people(ALICE)
    defaults = [f"--transactions={bench.transactions}", f"--customers={bench.customers}", f"--lake={bench.lake}"]
    assert load_sales.main([*defaults, *arguments]) == USAGE
    assert sentence in capsys.readouterr().err
    assert not bench.lake.exists() or bench.versions() == {}


@pytest.mark.parametrize("arguments", [["--no-such-option"], ["--transaction=a.csv"], ["stray"]])
def test_an_unknown_argument_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        load_sales.main(arguments)
    assert stop.value.code == USAGE


def test_a_lake_that_cannot_be_written_is_said_before_anything_is_read(bench: Workbench, tmp_path: Path) -> None:
    bench.people(ALICE)
    bench.sales(SALE)
    blocker = tmp_path / "a_file"
    blocker.write_text("in the way")
    bench.lake = blocker / "lake"
    outcome = bench.load()
    assert outcome.exit_code == FAILED
    assert f"{blocker} is a file, not a folder" in outcome.error


def test_files_where_a_table_should_be_are_named_and_left(bench: Workbench) -> None:
    bench.people(ALICE)
    bench.sales(SALE)
    stray = bench.lake / "sales_data_partitioned" / "notes.txt"
    stray.parent.mkdir(parents=True)
    stray.write_text("not a table")
    outcome = bench.load()
    assert outcome.exit_code == FAILED
    assert f"{stray.parent} cannot be made: files are there already that are no table" in outcome.error
    assert stray.read_text() == "not a table"


@pytest.mark.skipif("config.getoption('--connect')", reason="a session without a JVM of its own takes no lock")
def test_a_second_run_on_the_same_lake_says_who_holds_it(bench: Workbench) -> None:
    from common.lake.lock import lock_lake

    bench.people(ALICE)
    bench.sales(SALE)
    with lock_lake(bench.spark, str(bench.lake), "the-first"):
        outcome = bench.load()
    assert outcome.exit_code == BUSY
    assert "run the-first" in outcome.error
    assert bench.versions() == {}


def test_a_rule_that_is_no_sql_is_named(bench: Workbench) -> None:
    bench.people(ALICE)
    bench.sales(SALE)
    rules = (ROOT / "conf" / "quality.yml").read_text()
    for broken, sentence in (("QUANTITTY > 0", "quantity_is_positive"), ("QUANTITY + 1", "neither true nor false")):
        path = bench.folder / "rules.yml"
        path.write_text(rules.replace("check: QUANTITY > 0", f"check: {broken}"))
        outcome = bench.load(f"--quality-rules={path}")
        assert outcome.exit_code == USAGE
        assert sentence in outcome.error
    assert bench.versions() == {}


def test_only_a_run_that_did_its_work_leaves_the_mark_of_it(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """By which spark-submit.sh keeps the archive of classes that a first run leaves."""
    mark = bench.folder / "mark"
    monkeypatch.setenv("MARK_OF_DONE", str(mark))
    bench.people(ALICE)
    bench.sales(SALE)
    assert bench.load(transactions=bench.folder / "nowhere").exit_code == USAGE
    assert not mark.exists()
    bench.must_load()
    assert mark.exists()
