"""How a job becomes a command: arguments in, one Spark session, a sentence and an exit code for every error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from common.errors import SalesLakehouseError
from common.feeds import damaged_file
from common.settings import TRACEBACK_VARIABLE, AnySettings, argument_parser, load_settings


def run_command(
    job: str,
    description: str,
    run: Callable[[SparkSession, AnySettings], object],
    argv: Sequence[str] | None,
    kind: type[AnySettings],
) -> int:
    """Run a job with the arguments of the command line; returns the exit code (see common/errors.py)."""
    if not os.environ.get(TRACEBACK_VARIABLE):
        # PySpark writes errors to standard error by itself, with the values that they quote.
        for logger in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
            PySparkLogger.getLogger(logger).disabled = True
    arguments = vars(argument_parser(job, description, kind).parse_args(argv))
    try:
        settings = load_settings(arguments, kind)
        spark = SparkSession.builder.appName(job).getOrCreate()
        run(spark, settings)
    except SalesLakehouseError as error:
        print(f"{job}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{job}: stopped; the next run finishes what this one could not.", file=sys.stderr)
        return 130
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        damaged = damaged_file(error)
        if damaged:
            print(
                f"{job}: {damaged} cannot be read: it is missing, damaged or not permitted. Bring it back from a "
                "backup; docs/design.md says what to do without one.",
                file=sys.stderr,
            )
            return 1
        print(
            f"{job}: failed with {_condition(error)}. The tables are readable and the next run finishes what this one "
            f"could not. For the whole message, which may quote rows, set {TRACEBACK_VARIABLE}=1.",
            file=sys.stderr,
        )
        return 1
    return 0


def _condition(error: Exception) -> str:
    """What kind of error it is, without the values that its message may quote."""
    if isinstance(error, PySparkException):
        return error.getCondition() or type(error).__name__
    if isinstance(error, Py4JJavaError):
        causes = []
        cause = error.java_exception
        while cause is not None:
            causes.append(str(cause.getClass().getSimpleName()))
            cause = cause.getCause()
        return " caused by ".join(causes)
    return type(error).__name__
