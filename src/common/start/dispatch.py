"""The one command of the wheel: `sales-lakehouse JOB [options]` runs a job, as the command of that name does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from common.start.command_line import HELP, VERSION, jobs_in, list_of, no_such_job

_PROGRAM = "sales-lakehouse"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job that the first argument names, with the others; returns its exit code.

    Without `argv` it is the program, and leaves with that code where it is not 0, as every job does.
    """
    exit_code = _dispatch(sys.argv[1:] if argv is None else argv)
    if argv is None and exit_code:
        sys.exit(exit_code)
    return exit_code


def _dispatch(arguments: Sequence[str]) -> int:
    package = find_spec("jobs")
    folder = Path(next(iter((package and package.submodule_search_locations) or []), ""))
    jobs = jobs_in(folder)
    if not arguments or arguments[0] in HELP:
        print(f"usage: {_PROGRAM} JOB [options]\n\njobs:\n{list_of(jobs)}\n")
        print(f"  {_PROGRAM} JOB --help   the options of a job")
        return 0
    job, *options = arguments
    if job in VERSION:
        print(version(_PROGRAM))
        return 0
    if job not in jobs:
        print(f"{_PROGRAM}: {no_such_job(job, list(jobs))}", file=sys.stderr)
        return 2
    exit_code: int = import_module(f"jobs.{job}").main(options)
    return exit_code
