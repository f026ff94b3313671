"""Where the project is, and where in it a test."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def path_of_test(name: str, project: Path = ROOT) -> str:
    """The path, from the root of the project, of a test that is named by its file alone, such as `test_gold.py` or
    `test_gold.py::test_it`: no two files have the same name, and one that moves to another folder is still found.
    """
    file, colons, test = name.partition("::")
    (found,) = (project / "tests").rglob(file)
    return f"{found.relative_to(project)}{colons}{test}"
