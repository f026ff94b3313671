"""The errors a person can meet, each with the exit code that tells a scheduler what kind it was."""

from __future__ import annotations

from pyspark.errors import PySparkException

try:
    from py4j.protocol import Py4JJavaError
except ImportError:
    # A client of Spark Connect alone has no JVM to hear of.
    class Py4JJavaError(Exception):  # type: ignore[no-redef]
        """Never raised."""


# What Spark raises: of its own accord, and what comes from the JVM as it is.
SPARK_ERRORS = (PySparkException, Py4JJavaError)

_SAID_BY_DISKS = (
    "No space left on device",
    "Disk quota exceeded",
    "Read-only file system",
    "Permission denied",
    "Operation not permitted",
    "Input/output error",
)


class SalesLakehouseError(Exception):
    """A failure of the run itself or of what it runs on: exit code 1. The message is for a person."""

    exit_code = 1
    # Whether the report on standard output says it already, as JSON: then nothing else is printed.
    is_in_report = False


class LakeError(SalesLakehouseError):
    """A table of the lake cannot be read or written, or is not what the contract says."""


class LakeConflictError(LakeError):
    """Someone else wrote a table while a step of this run was at work; the step is safe to do again from its start."""


class ConfigError(SalesLakehouseError):
    """A wrong argument, environment variable or configuration file, or an input path that is not there."""

    exit_code = 2


class DataRefusedError(SalesLakehouseError):
    """The input is not fit to be loaded; no table was changed."""

    exit_code = 3


class LakeBusyError(SalesLakehouseError):
    """Another run holds the lake; trying again later is enough."""

    exit_code = 4


class LakeDiffersError(SalesLakehouseError):
    """A table does not hold what it should; found by verify_aggregate, which changes nothing."""

    exit_code = 5

    def __init__(self, message: str, *, is_in_report: bool = False) -> None:
        super().__init__(message)
        self.is_in_report = is_in_report


def condition_of(error: Exception) -> str:
    """What kind of error it is, or what the disk says, without the values that its message may quote."""
    said = next((words for words in _SAID_BY_DISKS if words in str(error)), None)
    if said:
        return f'"{said}"'
    if "Mkdirs failed to create" in str(error):
        # Java does not say why.
        return '"a folder cannot be written", for want of space or permission'
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
