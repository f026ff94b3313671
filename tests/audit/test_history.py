"""The record of runs as a person on call asks for it: what the last ones did, and which of them loaded a file."""

from __future__ import annotations

from jobs import history
from support.lakes import Workbench


def test_the_last_runs_are_shown_and_which_of_them_loaded_a_file(bench: Workbench) -> None:
    in_lake = f"--lake={bench.lake}"
    bench.people("c1,Ann,30,Mali")
    first = bench.sales("t1,c1,p1,1,1.00,2025-02-22 09:15:00", "t2,c1,p1,1,1.00,2025-02-22 10:15:00", name="monday.csv")
    one = bench.must_load()
    bench.sales("t1,c1,p1,2,1.00,2025-02-22 09:15:00", "t3,c1,p1,x,1.00,2025-02-22 09:15:00", name="tuesday.csv")
    two = bench.must_load()
    assert bench.load("--max-rejected-share=0", "--reload").exit_code == 3
    bench.must_load()
    assert one.report is not None
    assert two.report is not None
    versions = bench.versions()

    found = bench.run(history, in_lake)
    assert found.report is not None, found.error
    nothing_new, second, begun = found.report["runs"]
    assert found.report["runs_recorded"] == 3
    assert [second["run_id"], begun["run_id"]] == [two.report["run_id"], one.report["run_id"]]
    counts = ("files", "rows_read", "new", "corrected", "rejected", "hours_touched")
    assert [begun[name] for name in counts] == [2, 3, 3, 0, 0, 2]
    assert [second[name] for name in counts] == [1, 2, 0, 1, 1, 1]
    assert [nothing_new[name] for name in counts] == [0, 0, 0, 0, 0, 0]
    assert second["rejected_by_reason"] == dict.fromkeys(two.report["rejected_by_reason"], 1)
    assert second["started_at"] == two.report["started_at"]

    newest = bench.run(history, in_lake, "--last=1")
    assert newest.report is not None
    assert [run["run_id"] for run in newest.report["runs"]] == [nothing_new["run_id"]]

    for named in ("monday.csv", str(first)):
        by_file = bench.run(history, in_lake, f"--file={named}")
        assert by_file.report is not None
        [run] = by_file.report["runs"]
        [file] = run["files_named"]
        assert (run["run_id"], file["feed"], file["size"]) == (begun["run_id"], "transactions", first.stat().st_size)
    _, printed, _ = bench.printed_by(history, in_lake, "--file=tuesday.csv")
    assert "tuesday.csv: loaded as transactions by the run of" in printed
    assert "1 row rejected by" in printed
    _, printed, _ = bench.printed_by(history, in_lake, "--file=day.csv")
    assert "None of 3 runs loaded a file of this name." in printed
    assert bench.versions() == versions
