"""A mistake ends in one clear sentence and an exit code of its own, and no table is made or changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from common.errors import LakeBusyError
from common.run.arguments import shown_as
from common.run.settings import SETTINGS_BY_JOB
from jobs import (
    build_gold,
    forget_customer,
    history,
    load_sales,
    maintain,
    make_sample,
    release_rejected,
    restate,
    verify_aggregate,
)
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
    sentence = (
        "1 of 2 rows of transactions would be rejected, a share of 0.5, and --max-rejected-share allows 0.49 "
        "(default: 0.05); of so few rows, one is too many. No table was changed. To load the others, and keep these in "
        "rejected_rows, run again with --max-rejected-share 0.5."
    )
    assert sentence in outcome.error
    assert "quantity_is_a_whole_number 1 (first: " in outcome.error
    assert "sales_001.csv, line 3" in outcome.error
    assert not bench.lake.exists()
    assert bench.load("--max-rejected-share=0.5").exit_code == 0


@pytest.mark.thorough
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
        (["--max-rejected-share=lots"], "--max-rejected-share: lots is no share: write a number from 0 to 1"),
        (["--customers={{customers}}"], "placeholder that nobody filled in"),
        (["--env=production"], "there are: cluster, local, managed"),
        (["--quality-rules=nowhere.yml"], "Cannot read nowhere.yml"),
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


@pytest.mark.parametrize(
    ("job", "arguments", "sentence"),
    [
        (load_sales, ["--no-such-option"], "There is no option --no-such-option; see --help."),
        (load_sales, ["--transaction=a.csv"], "There is no option --transaction: did you mean --transactions?"),
        (load_sales, ["--customer", "a.csv"], "There is no option --customer: did you mean --customers?"),
        (load_sales, ["stray"], "stray belongs to no option; see --help."),
        (
            load_sales,
            ["--transactions", "sales/1.csv", "sales/2.csv", "sales/3.csv", "--lake=lake"],
            "--transactions takes one path, and sales/2.csv is one more. Put globs in quotes, so that the shell leaves "
            "them as they are: --transactions 'folder/*.csv'.",
        ),
        (load_sales, ["--lake=lake"], "name what to load: --transactions, --customers, or both."),
        (load_sales, ["--lake"], "--lake needs a value."),
        (load_sales, ["--dry-run=yes"], "--dry-run takes no value: leave out =yes."),
        (load_sales, ["--max-rejected-share=50%"], "--max-rejected-share: write 0.5 instead of 50%."),
        (load_sales, ["--max-rejected-share=0,05"], "--max-rejected-share: write 0.05 instead of 0,05."),
        (forget_customer, ["--lake=lake"], "--customer-id is missing."),
        (restate, ["--last-hour=2025-02-22T09", "--lake=lake"], "--first-hour is missing."),
        (make_sample, ["--hours=many"], "--hours: many is no whole number."),
        (make_sample, ["--hours=0"], "--transactions, --customers and --hours are at least 1."),
    ],
)
def test_a_slip_of_the_pen_is_one_sentence_and_no_page_of_usage(
    capsys: pytest.CaptureFixture[str], job: ModuleType, arguments: list[str], sentence: str
) -> None:
    assert job.main(arguments) == USAGE
    assert capsys.readouterr() == ("", f"{job.__name__.removeprefix('jobs.')}: {sentence}\n")


@pytest.mark.parametrize("job", [*SETTINGS_BY_JOB, "describe_feed", "make_sample"])
def test_help_names_every_value_its_default_and_an_example(capsys: pytest.CaptureFixture[str], job: str) -> None:
    module = import_module(f"jobs.{job}")
    with pytest.raises(SystemExit) as stop:
        module.main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert f"example:\n  ./spark-submit.sh {job} --" in printed
    assert " X " not in printed
    if job in SETTINGS_BY_JOB:
        values = {shown_as(info).value for info in SETTINGS_BY_JOB[job].model_fields.values()} - {""}
        assert values <= set(printed.split())
        assert printed.index("\nlake:") < printed.index("\noutput:") < printed.index("\nexample:")


def test_a_lake_that_cannot_be_written_is_said_before_anything_is_read(bench: Workbench, tmp_path: Path) -> None:
    bench.people(ALICE)
    bench.sales(SALE)
    blocker = tmp_path / "a_file"
    blocker.write_text("in the way")
    bench.lake = blocker / "lake"
    outcome = bench.load()
    assert outcome.exit_code == USAGE
    assert f"{blocker} is a file, not a folder" in outcome.error


@pytest.mark.parametrize("job", [build_gold, history, maintain, release_rejected, verify_aggregate])
def test_a_folder_without_a_lake_is_said_and_left_as_it_is(bench: Workbench, tmp_path: Path, job: ModuleType) -> None:
    wrong = tmp_path / "photos"
    wrong.mkdir()
    (wrong / "cat.jpg").write_text("a cat")
    for folder in (wrong, tmp_path / "new" / "lake"):
        outcome = bench.run(job, f"--lake={folder}")
        assert outcome.exit_code == USAGE
        assert f"There is no lake at {folder}" in outcome.error
    assert [path.name for path in wrong.iterdir()] == ["cat.jpg"]
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif("config.getoption('--connect')", reason="a session without a JVM of its own takes no lock")
def test_one_at_a_time_holds_a_folder_that_each_takes_away_again(bench: Workbench) -> None:
    from common.lake.lock import lock_lake

    inside, most = [0], [0]

    def hold(name: str) -> int:
        times = 0
        while times < 50:
            try:
                with lock_lake(bench.spark, str(bench.folder / "new" / "lake"), name):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    inside[0] -= 1
                times += 1
            except LakeBusyError:
                continue
        return times

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(hold, ("one", "other"))) == [50, 50]
    assert most == [1]
    assert not (bench.folder / "new" / "lake" / ".lock").exists()


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


@pytest.mark.thorough
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
