"""What a driver on a cluster needs besides Spark, as one archive: our Python packages, and the configuration.

Spark unpacks the archive on the cluster: `packages` belongs on the PYTHONPATH, `conf` holds the configuration. Some
packages are made for one version of Python and one kind of machine, which have to be those of the cluster.
"""

from __future__ import annotations

import os
import re
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

# The dependencies in pyproject.toml; Spark and Delta are the cluster's.
PACKAGES = ("pydantic-settings", "pyyaml", "rich", "tzdata")


def pack(archive: Path, conf: Path) -> None:
    """Write the archive; one that another process reads meanwhile stays whole."""
    unfinished = archive.with_name(f"{archive.name}.{os.getpid()}")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(path for path in conf.rglob("*") if path.is_file()):
            packed.write(file, f"conf/{file.relative_to(conf)}")
        for package in sorted(with_dependencies(PACKAGES)):
            for path in distribution(package).files or []:
                # Scripts lie outside of site-packages, and compiled files are of no use elsewhere.
                if ".." not in path.parts and path.suffix != ".pyc":
                    packed.write(str(path.locate()), f"packages/{path}")
    unfinished.replace(archive)


def with_dependencies(packages: tuple[str, ...]) -> set[str]:
    """The packages and all that they need in turn, as far as it is installed: markers have had their say by then."""
    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            if name in packages:
                raise
            continue
        found.add(name)
        waiting += [need for need in map(_name_of, needs) if need]
    return found


def _name_of(requirement: str) -> str | None:
    """The package that a requirement names; None where it belongs to an extra, which nobody asked for."""
    name, _, marker = requirement.partition(";")
    named = re.match(r"[\w.-]+", name)
    return named.group() if named and "extra" not in marker else None
