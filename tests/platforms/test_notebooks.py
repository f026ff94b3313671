"""The notebooks run from a clean clone, as a person would run them, on a lake of two runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs import build_gold, load_sales, make_sample
from support.project import ROOT

pytestmark = pytest.mark.platform


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake into which a sample was loaded, and then a sale more."""
    folder = tmp_path_factory.mktemp("notebooks")
    assert make_sample.main([f"--folder={folder}", "--transactions=2000", "--customers=100", "--hours=50"]) == 0
    header, *_ = (folder / "transactions.csv").read_text().splitlines()
    (folder / "later.csv").write_text(f"{header}\nt1,nobody,1,3,9.99,2025-02-23 12:34:56\n")
    for file in ("transactions.csv", "later.csv"):
        feeds = [f"--transactions={folder / file}", f"--customers={folder / 'customer.csv'}"]
        assert load_sales.main([*feeds, f"--lake={folder / 'lake'}"]) == 0
        assert build_gold.main([f"--lake={folder / 'lake'}"]) == 0
    return folder / "lake"


@pytest.mark.parametrize("name", ["without_spark", "with_spark"])
def test_a_notebook_runs_from_top_to_bottom(name: str, lake: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "--nbmake"]
    command += ["--nbmake-timeout=600", f"--rootdir={ROOT}", f"{ROOT}/notebooks/{name}.ipynb"]
    # The session of a notebook is its own, with no option of the one that made the lake.
    environment = {name: value for name, value in os.environ.items() if name != "PYSPARK_SUBMIT_ARGS"}
    environment["LAKE"] = str(lake)
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
