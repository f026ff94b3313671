"""How a job becomes a command: arguments in, one Spark session, a sentence and an exit code for every error."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from common.errors import SalesLakehouseError
from common.run.arguments import argument_parser
from common.run.configuration import AnySettings, load_settings
from common.run.job import Job, run_job
from common.run.shared_settings import TRACEBACK_VARIABLE
from common.run.signals import Signals
from common.spark.failures import condition_of, damaged_file, refusal_of
from common.spark.jvm import delete_when_java_ends
from common.spark.session import cancel_all_jobs
from common.words import shown

# Names the folder of spark-submit.sh for what this run keeps on disk meanwhile.
_RUN_FOLDER = "RUN_FOLDER"
# Names a file by which spark-submit.sh knows that a run did its work.
_MARK_OF_DONE = "MARK_OF_DONE"


def run_command(job: Job[AnySettings], argv: Sequence[str] | None) -> int:
    """Run a job with the arguments of the command line; returns the exit code (see common/errors.py)."""
    exit_code = attempt(job.name, partial(_run, job, argv))
    if exit_code == 0 and _MARK_OF_DONE in os.environ:
        Path(os.environ[_MARK_OF_DONE]).touch()
    return finished(exit_code, argv)


def finished(exit_code: int, argv: Sequence[str] | None) -> int:
    """The exit code. Without `argv` the job is the program, and leaves with that code where it is not 0.

    A platform that calls the entry point of a wheel looks at what it raises and not at what it returns, and takes
    `sys.exit(0)` for a failure.
    """
    if _RUN_FOLDER in os.environ and SparkSession.getActiveSession() is None:
        # Java, which deletes it else, has not been told of it.
        shutil.rmtree(os.environ[_RUN_FOLDER], ignore_errors=True)
    if argv is None and exit_code:
        sys.exit(exit_code)
    return exit_code


def attempt(name: str, work: Callable[[Signals], None]) -> int:
    """Do the work of a job, with a sentence for every error and for a signal; returns the exit code."""
    if not os.environ.get(TRACEBACK_VARIABLE):
        # PySpark writes errors to standard error by itself, with the values that they quote.
        for logger in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
            PySparkLogger.getLogger(logger).disabled = True
    signals = Signals()
    signals.listen()
    try:
        return _done(name, work, signals)
    except BaseException as error:
        # What was under way when the signal came may have failed in its own way, for want of a JVM.
        if signals.received is None and not isinstance(error, KeyboardInterrupt):
            raise
        print(f"{name}: stopped; the next run finishes what this one could not.", file=sys.stderr, flush=True)
        cancel_all_jobs()
        return 128 + (signals.received or signal.SIGINT)
    finally:
        signals.restore()


def _done(name: str, work: Callable[[Signals], None], signals: Signals) -> int:
    try:
        work(signals)
    except Exception as error:
        if signals.received is not None:
            raise
        return _explained(name, error)
    return 0


def _run(job: Job[AnySettings], argv: Sequence[str] | None, signals: Signals) -> None:
    arguments = argument_parser(job.name, job.description, job.settings).parse(argv)
    settings = load_settings(arguments, job.settings)
    run_job(job, session_of(job.name, signals), settings)


def session_of(name: str, signals: Signals) -> SparkSession:
    """The session of a job. Java deletes what the run keeps on disk when it ends."""
    spark = SparkSession.builder.appName(name).getOrCreate()
    # Spark takes Ctrl-C for itself when a session starts.
    signals.listen()
    delete_when_java_ends(spark, os.environ.get(_RUN_FOLDER))
    return spark


def _explained(job: str, error: Exception) -> int:
    """Say what went wrong in a sentence; returns the exit code."""
    if isinstance(error, SalesLakehouseError):
        return _failed(job, error)
    if os.environ.get(TRACEBACK_VARIABLE):
        raise error
    refusal = refusal_of(error)
    if refusal:
        return _failed(job, refusal)
    damaged = damaged_file(error)
    if damaged:
        print(
            f"{job}: {shown(damaged)} cannot be read: it is missing, damaged or not permitted. Bring it back from a "
            "backup; docs/explanation/design.md says what to do without one.",
            file=sys.stderr,
        )
        return 1
    print(
        f"{job}: failed with {condition_of(error)}. The tables are readable and the next run finishes what this one "
        f"could not. For the whole message, which may quote rows, set {TRACEBACK_VARIABLE}=1.",
        file=sys.stderr,
    )
    return 1


def _failed(job: str, error: SalesLakehouseError) -> int:
    if not error.is_in_report:
        print(f"{job}: {shown(str(error))}", file=sys.stderr)
    return error.exit_code
