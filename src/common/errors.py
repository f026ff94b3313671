"""The errors a person can meet, each with the exit code that tells a scheduler what kind it was."""

from __future__ import annotations


class SalesLakehouseError(Exception):
    """A failure of the run itself or of what it runs on: exit code 1. The message is for a person."""

    exit_code = 1
    # Whether the report on standard output says it already, as JSON: then nothing else is printed.
    is_in_report = False


class LakeError(SalesLakehouseError):
    """A table of the lake cannot be read or written, or is not what the contract says."""


class LakeConflictError(LakeError):
    """Someone else wrote a table while a step of this run was at work; the step is safe to do again from its start."""


class NewerFormatError(SalesLakehouseError):
    """The lake was made by a newer version of the code, which may mean something else by what it holds."""


class ConfigError(SalesLakehouseError):
    """A wrong argument, environment variable or configuration file, or an input path that is not there."""

    exit_code = 2


class NoLakeError(ConfigError):
    """There is no lake, or not the table that a job begins with, at a place."""

    def __init__(self, place: str) -> None:
        super().__init__(f"There is no lake at {place}; load_sales makes it.")


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
