"""The rooms of src: imports go down, and no room or module outgrows what a reader takes in at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.project import ROOT

MODULES = sorted((ROOT / "src").rglob("*.py"))
MOST_LINES = 300
MOST_MODULES = 12


def lint_imports(project: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of a copy of the project."""
    program = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    environment = {"PYTHONPATH": str(project / "src"), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(program, cwd=project, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("common/contract/model.py", "import common.run.work"),
        ("common/spark/sql.py", "from common.lake import ddl"),
        ("common/ingest/ledger.py", "from common.marts import plan"),
        ("jobs/maintain.py", "import jobs.load_sales"),
    ],
)
def test_an_import_that_goes_up_is_refused(tmp_path: Path, module: str, line: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src")
    as_it_is = lint_imports(tmp_path)
    assert as_it_is.returncode == 0, as_it_is.stdout + as_it_is.stderr

    path = tmp_path / "src" / module
    path.write_text(f"{path.read_text()}\n{line}\n")

    assert lint_imports(tmp_path).returncode == 1


def test_no_module_is_longer_than_a_reader_takes_in() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_no_folder_has_more_modules_than_a_reader_takes_in() -> None:
    folders = {path.parent for path in MODULES}
    counts = {
        str(folder.relative_to(ROOT)): sum(path.name != "__init__.py" for path in folder.glob("*.py"))
        for folder in folders
    }
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == {}
