"""Which files under a path are read, in which order, and which are left out: every one of those is said."""

from __future__ import annotations

import bz2
import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from common.errors import ConfigError
from common.landing.listing import list_files
from common.words import as_people_count, shown
from jobs import load_sales, restate
from support.lakes import CUSTOMERS_HEADER, Outcome, Workbench

ANN = "c1,Ann,30,Mali"
SALE = "t1,c1,p1,2,1.50,2025-02-22 09:15:00"


def left_out(outcome: Outcome, feed: str = "customers") -> dict[str, list[str]]:
    """The names of the files of a feed that were left out, by reason; of a link, with where it leads."""
    assert outcome.report is not None, outcome.error
    found = {}
    for kind in outcome.report["left_out"]:
        assert kind["files"] == len(kind["first"])
        if kind["feed"] == feed:
            found[kind["reason"]] = [_of(each) for each in kind["first"]]
    return found


def _of(each: dict[str, Any]) -> str:
    name = Path(each["file"]).name
    return f"{name} -> {Path(each['other']).name}" if each["other"] else name


def files(bench: Workbench, path: Path | str, **options: bool) -> list[str]:
    """The names of the files that are read, in order of arrival."""
    return [Path(file.path).name for file in list_files(bench.spark, str(path), **options).files]


def test_a_file_without_a_line_is_passed_over_and_loaded_when_it_has_some(bench: Workbench) -> None:
    quiet = [bench.file(bench.customers / name, b"") for name in ("quiet.csv", "quiet.csv.gz")]
    packed = [
        bench.file(bench.customers / "hour.csv.gz", gzip.compress(b"")),
        bench.file(bench.customers / "hour.csv.bz2", bz2.compress(b"")),
    ]
    first = bench.must_load()
    assert first.ledger("customers") == {}
    assert first.report is not None
    assert first.report["feeds"][0]["files"] == first.report["feeds"][0]["files_skipped"] == 0
    empty = {"empty": ["quiet.csv", "quiet.csv.gz", "hour.csv.gz", "hour.csv.bz2"]}
    assert left_out(first) == empty
    _, printed, _ = bench.printed_by(
        load_sales, f"--customers={bench.customers}", f"--lake={bench.lake}", "--max-rejected-share=1"
    )
    assert f"Left out: 4 files of customers (empty): {quiet[0]}, {quiet[1]}, {packed[0]}, {packed[1]}" in printed
    assert "4 left out" in printed
    versions = bench.versions()

    bench.people(ANN)
    second = bench.must_load()
    assert second.ledger("customers") == {"rows_read": 1, "new": 1}
    assert left_out(second) == empty

    bench.file(quiet[0], f"{CUSTOMERS_HEADER}\nc2,Bob,40,Peru\n")
    third = bench.must_load()
    assert third.ledger("customers") == {"rows_read": 1, "new": 1}
    assert left_out(third) == {"empty": empty["empty"][1:]}
    assert bench.versions()["customers"] == versions["customers"] + 2
    versions = bench.versions()
    assert bench.must_load().report["changed_nothing"]  # type: ignore[index]
    assert bench.versions() == versions

    # The file itself may be named.
    assert left_out(bench.load(customers=quiet[1])) == {"empty": ["quiet.csv.gz"]}


UNFINISHED = [
    *("a.csv.filepart", "a.csv.PART", "a.csv.partial", "a.tmp", "a.csv.crdownload", "a.csv.swp", "a.csv~"),
    *("~$people.xlsx", "a.csv.inprogress", "a.csv.gz.uploading", "a.download"),
]


def test_names_of_unfinished_uploads_are_left_out_and_said(bench: Workbench) -> None:
    for name in UNFINISHED:
        bench.file(bench.customers / name, b"half a li")
    bench.file(bench.customers / "empty.part", b"")
    for number, name in enumerate(("part_1.csv", "tmp.csv", "a.partly.csv", "download")):
        bench.people(f"c{number},Ann,30,Mali", name=name)
    done = bench.must_load()
    assert done.ledger("customers") == {"rows_read": 4, "new": 4}
    assert left_out(done) == {"unfinished": sorted([*UNFINISHED, "empty.part"])}
    # One that is there under its own name by now is loaded.
    (bench.customers / "a.csv.filepart").unlink()
    bench.people("c9,Zoe,30,Mali", name="a.csv")
    assert bench.must_load().ledger("customers") == {"rows_read": 1, "new": 1}

    named = bench.load(customers=bench.customers / "a.tmp")
    assert named.exit_code == 2
    assert f"{bench.customers / 'a.tmp'} has the name of a file that is not complete yet" in named.error
    planned = bench.run(load_sales, f"--customers={bench.customers}", f"--lake={bench.lake}", "--dry-run")
    assert left_out(planned)["unfinished"] == sorted([*UNFINISHED[1:], "empty.part"])
    exit_code, printed, _ = bench.printed_by(load_sales, f"--customers={bench.customers}", f"--lake={bench.lake}")
    assert exit_code == 0
    assert f"Left out: {len(UNFINISHED)} files of customers (not complete yet, by the name)" in printed
    assert printed.rstrip().endswith("loaded before.")
    assert f"and {len(UNFINISHED) - 5} more" in printed


@pytest.mark.thorough
def test_a_restatement_is_refused_where_a_file_of_it_would_be_left_out(bench: Workbench) -> None:
    bench.people(ANN)
    bench.sales(SALE)
    bench.must_load()
    for name in ("more.csv.part", "none.csv"):
        path = bench.file(bench.transactions / name, b"")
        outcome = bench.run(
            restate,
            "--first-hour=2025-02-22T09",
            "--last-hour=2025-02-22T09",
            f"--from-files={bench.transactions}",
            f"--lake={bench.lake}",
        )
        assert outcome.exit_code == 3
        assert f"{path} would be left out" in outcome.error
        path.unlink()


@pytest.mark.thorough
def test_a_link_that_leads_out_of_the_folder_is_left_out_and_said(bench: Workbench) -> None:
    elsewhere = bench.folder / "elsewhere"
    (elsewhere / "more").mkdir(parents=True)
    bench.file(elsewhere / "secret.csv", f"{CUSTOMERS_HEADER}\nc8,Eve,30,Mali\n")
    bench.file(elsewhere / "more" / "others.csv", f"{CUSTOMERS_HEADER}\nc9,Zoe,30,Mali\n")
    bench.people(ANN, name="own.csv")
    (bench.customers / "out.csv").symlink_to("../elsewhere/secret.csv")
    (bench.customers / "folder").symlink_to(elsewhere / "more")
    (bench.customers / "nowhere.csv").symlink_to("gone.csv")
    (bench.customers / "loop").symlink_to(".")
    (bench.customers / "also.csv").symlink_to("own.csv")
    links = {
        "link": ["others.csv -> others.csv", "out.csv -> secret.csv"],
        "dangling_link": ["nowhere.csv -> gone.csv"],
    }

    done = bench.must_load()
    assert done.ledger("customers") == {"rows_read": 1, "new": 1}
    found = left_out(done)
    second_names = found.pop("second_name")
    assert {name.partition(" -> ")[2] for name in second_names} == {"own.csv"}
    assert "also.csv -> own.csv" in second_names
    assert {reason: sorted(set(names)) for reason, names in found.items()} == links

    for glob in ("*.csv", "{out,own,nowhere}.csv", "[a-z]*.csv"):
        places = list_files(bench.spark, f"{bench.customers}/{glob}")
        assert [Path(file.path).name for file in places.files] == ["own.csv"]
        assert {each.reason for each in places.left_out} >= {"link", "dangling_link"}
    # What the path itself names may be a link, to a file or a folder.
    assert files(bench, bench.customers / "out.csv") == ["out.csv"]
    assert files(bench, bench.customers / "folder") == ["others.csv"]
    (bench.folder / "landing").symlink_to(bench.customers)
    assert files(bench, bench.folder / "landing") == files(bench, f"{bench.folder}/landing/o*.csv") == ["own.csv"]
    with pytest.raises(ConfigError, match=r"is a link that leads nowhere, to gone\.csv"):
        files(bench, bench.customers / "nowhere.csv")

    (bench.customers / "loop").unlink()
    followed = bench.must_load("--follow-links")
    assert followed.ledger("customers") == {"rows_read": 2, "new": 2}
    assert sorted(left_out(followed)) == ["dangling_link", "second_name"]


@pytest.mark.thorough
def test_names_with_control_characters_are_loaded_and_never_shown_as_they_are(bench: Workbench) -> None:
    names = ("a\nb.csv", "\x1b[31mred.csv", "tab\there.csv", "turned\u202evsc.csv", "\x9b1mc1.csv", "del\x7f.csv")
    for number, name in enumerate(names):
        bench.sales(f"t{number},c1,p1,1,1.50,2025-02-22 09:15:00", f"t{number},c1,p1,many,1,2025-02-22", name=name)
    bench.file(bench.transactions / "half\x1b[2J.part", b"x")
    arguments = [f"--transactions={bench.transactions}", f"--lake={bench.lake}"]
    for options in (["--max-rejected-share=0.1"], ["--max-rejected-share=1"], ["--json"]):
        _, printed, error = bench.printed_by(load_sales, *arguments, *options)
        for text in (printed, error):
            assert all(c == "\n" or c.isprintable() for c in text), ascii(text)
    assert len(bench.rows("sales_data_partitioned")) == len(names)
    assert sorted({Path(row[0]).name for row in bench.rows("rejected_rows", "file")}) == sorted(names)
    assert "half\\x1b[2J.part" in bench.printed_by(load_sales, *arguments)[1]

    for name, content in (("bad\nname.csv", "A,B\n"), ("cut\x1b[0m.csv.gz", gzip.compress(b"A" * 99)[:20])):
        bad = bench.file(bench.transactions / name, content)
        outcome = bench.load()
        assert outcome.exit_code == 3
        assert shown(str(bad)) in outcome.error
        assert outcome.error.count("\n") == 1
        bad.unlink()


def test_a_colon_in_a_name_is_said_however_the_file_is_found(bench: Workbench) -> None:
    colon = bench.people(ANN, name="08:00\x1b.csv")
    for path in (bench.customers, bench.customers / "*", bench.customers / "*.csv", colon, f"{bench.folder}/cust*"):
        outcome = bench.load(customers=Path(path))
        assert outcome.exit_code == 3
        assert f"{bench.customers}/08:00\\x1b.csv has a colon in its name" in outcome.error, path
        assert "rename it" in outcome.error


@pytest.mark.thorough
def test_a_name_that_java_cannot_open_is_said(bench: Workbench) -> None:
    bench.people(ANN)
    Path(os.fsdecode(os.fsencode(bench.customers) + b"/zo\xeb.csv")).write_text("x")
    assert left_out(bench.must_load()) == {"name_not_utf8": ["zo\udceb.csv"]}


def test_files_of_one_time_come_in_the_order_in_which_people_count(bench: Workbench) -> None:
    for number in (10, 9, 100, 1):
        path = bench.people(f"c1,Ann {number},30,Mali", name=f"people_{number}.csv")
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert files(bench, bench.customers) == [f"people_{number}.csv" for number in (1, 9, 10, 100)]
    bench.must_load()
    assert bench.rows("customers", "NAME") == [("Ann 100",)]


def test_names_are_compared_as_people_count() -> None:
    in_order = ["a", "a1b2", "a1b10", "a02", "a2", "a10", "b", "b1/x9", "b1/x10", "b2/x1"]
    backwards = in_order[::-1]
    backwards.sort(key=as_people_count)
    assert backwards == in_order
