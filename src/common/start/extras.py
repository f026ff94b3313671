"""Which packages a job needs beside those of every job: setup.sh installs them when they are used."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from common.errors import SalesLakehouseError
from common.marts.registry import marts
from common.run.arguments import argument_parser
from common.run.configuration import load_settings
from common.run.settings import SETTINGS_BY_JOB

# They compute every table anew that there is.
_RECOMPUTE = ("verify_aggregate", "forget_customer")


def extras_of(job: str, options: Sequence[str]) -> list[str]:
    """The extras of pyproject.toml that a job with these options computes tables with. Of a lake that is not in a
    folder here, the job itself says what it lacks.
    """
    of_tables = {mart.table.name: mart.extra for mart in marts() if mart.extra}
    if job in _RECOMPUTE:
        lake = _lake(job, options)
        tables = [name for name in of_tables if lake and os.path.isdir(os.path.join(lake, name))]
    else:
        tables = [mart.table.name for mart in marts() if mart.extra and mart.table.kept_by == job]
    return sorted({of_tables[name] for name in tables})


def _lake(job: str, options: Sequence[str]) -> str | None:
    kind = SETTINGS_BY_JOB[job]
    try:
        known, _ = argument_parser(job, "", kind).parse_known_args(list(options))
        return load_settings(vars(known), kind).lake
    except (SalesLakehouseError, OSError, argparse.ArgumentError, SystemExit):
        # The job itself will say what is wrong.
        return None
