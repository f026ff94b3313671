"""Every invariant has a test that fails when the code that keeps it is broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.batteries import PROOF, Battery
from support.mutants import MUTANTS, Mutant, as_table
from support.project import ROOT, path_of_test

_TESTS_FAILED = 1


def run_test(project: Path, test: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SPARK_CONF_DIR": str(project / "conf")}
    options = ["-q", "-x", "-m", "", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, path_of_test(test, project)]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)


def mutated(mutant: Mutant, folder: Path) -> Path:
    """A copy of the project with the one change."""
    for part in ("src", "tests", "conf", "docs"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "spark-submit.sh", "setup.sh"):
        shutil.copy(ROOT / name, folder / name)
    path = folder / "src" / mutant.file
    path.write_text(path.read_text().replace(mutant.code, mutant.instead))
    return folder


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.change)
def test_every_mutant_has_its_place_in_the_code(mutant: Mutant) -> None:
    assert (ROOT / "src" / mutant.file).read_text().count(mutant.code) == 1


def test_the_table_of_mutants_is_that_of_the_docs() -> None:
    assert as_table() in PROOF.read_text(), (
        "run .venv/bin/python tests/support/mutants.py and put what it prints into docs/explanation/proof.md"
    )


@pytest.mark.battery
def test_mutants(battery: Battery, tmp_path: Path) -> None:
    chosen = MUTANTS[:: max(1, round(1 / battery.share))]
    survived = []
    for number, mutant in enumerate(chosen):
        run = run_test(mutated(mutant, tmp_path / str(number)), mutant.test)
        if run.returncode != _TESTS_FAILED or "1 failed" not in run.stdout:
            survived.append(f"{mutant.change} ({mutant.file}), {mutant.test}: {run.stdout[-500:]}")
    assert not survived, "\n".join(survived)
    battery.passed(f"{len(chosen)} changes that break the code, {len(chosen)} tests red")
