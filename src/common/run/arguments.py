"""The command line of a job: one long option per setting that it has."""

from __future__ import annotations

import argparse

from common.run.settings import Settings


def argument_parser(job: str, description: str, settings: type[Settings]) -> argparse.ArgumentParser:
    """A parser with one long option per setting; what is not given stays out of the result."""
    parser = argparse.ArgumentParser(
        prog=f"./spark-submit.sh {job}",
        description=description,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        epilog="Options of spark-submit itself (--master, --conf, ...) may stand among these. "
        "--no- before an option without a value turns it off where a file or a variable turns it on. "
        "Exit codes: 0 success, 1 failure, 2 bad usage or configuration, 3 data refused, 4 lake busy, "
        "5 the lake is not what it should be (verify_aggregate).",
    )
    for name, info in settings.model_fields.items():
        key = info.alias or name
        flag = key.replace("_", "-")
        if info.annotation is bool:
            parser.add_argument(f"--{flag}", dest=key, action="store_true", help=info.description)
            parser.add_argument(f"--no-{flag}", dest=key, action="store_false", help=argparse.SUPPRESS)
        else:
            parser.add_argument(f"--{flag}", dest=key, metavar="X", help=info.description)
    return parser
