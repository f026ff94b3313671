"""A small lake as the code of now makes it, for the tests of later code to load into.

    . ./setup.sh requirements-dev.lock
    PYTHONPATH=src:tests .venv/bin/python tests/support/earlier_lake.py format_2

writes tests/support/earlier_lakes/format_2.tar.gz. To be done for each release that has another format of a lake.
"""

from __future__ import annotations

import os
import sys
import tarfile
import tempfile
from pathlib import Path

from support.lakes import CUSTOMERS_HEADER, SALES_HEADER
from support.worker import Worker

FOLDER = Path(__file__).with_name("earlier_lakes")
PEOPLE = ("c1,Ann Lee,30,Mali", "c2,Bob,70,Peru", "c3,Nobody Yet,,")
SALES = (
    "t1,c1,p1,2,1.50,2025-02-22 09:15:00",
    "t2,c1,p2,1,0.33,2025-02-22 09:59:59.999999",
    "t3,c2,p1,3,2.00,2025-02-15 09:00:00",
    "t4,c9,p3,1,3.33,2025-02-15 08:59:59.999999",
    "t5,c2,p2,many,0.10,2025-02-01 09:00:00",
    "t6,c2,p3,1,3.00,2025-02-22 08:00:00",
)
# A correction, a move, a new sale, a return and a sale of nobody who is known.
MORE_SALES = (
    "t2,c1,p2,4,0.33,2025-02-22 09:59:59.999999",
    "t6,c2,p3,1,3.00,2025-02-22 10:00:00",
    "t7,c2,p3,1,0.00,2025-02-08 09:59:59",
    "t10,c1,p1,-1,1.50,2025-02-22 09:45:00",
    "t11,,p1,1,2.00,2025-02-22 09:45:00",
)


def make(folder: Path) -> Path:
    """The lake of two loads, with gold built after each, and maintain, as files in a folder."""
    lake = folder / "lake"
    feeds = _file(folder / "feeds.yml", "transactions:\n  returns: allow\n  guests: allow\n")
    people = _file(folder / "people.csv", "\n".join([CUSTOMERS_HEADER, *PEOPLE, ""]))
    with Worker(folder / "worker") as worker:
        for number, lines in enumerate((SALES, MORE_SALES)):
            sales = _file(folder / f"sales_{number}.csv", "\n".join([SALES_HEADER, *lines, ""]))
            _run(worker, "load_sales", f"--lake={lake}", f"--transactions={sales}", f"--customers={people}",
                 f"--feeds={feeds}", "--max-rejected-share=1")  # fmt: skip
            _run(worker, "build_gold", f"--lake={lake}")
        _run(worker, "maintain", f"--lake={lake}")
    return lake


def _file(path: Path, text: str) -> Path:
    """A file that came long enough ago to be trusted by its time."""
    path.write_text(text)
    os.utime(path, (1_740_823_200, 1_740_823_200))
    return path


def _run(worker: Worker, job: str, *arguments: str) -> None:
    exit_code, printed = worker.run(job, *arguments)
    if exit_code:
        raise SystemExit(printed)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        made = make(Path(temporary))
        with tarfile.open(FOLDER / f"{sys.argv[1]}.tar.gz", "w:gz") as packed:
            packed.add(made, arcname=made.name)
