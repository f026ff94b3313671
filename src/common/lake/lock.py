"""One run at a time on a lake in a local folder.

The lock is an operating system's lock on a file, taken by the JVM, since it is the JVM that commits: a Python process
that is killed while its JVM lives on does not set it free, and nothing is left to clean up once that is gone too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from common.errors import LakeBusyError
from common.spark.jvm import has_jvm, open_file, try_lock
from common.spark.paths import is_on_this_disk

LOCK_FILE = ".lock"


@contextmanager
def lock_lake(spark: SparkSession, folder: str | None, run_id: str) -> Iterator[None]:
    """Hold the lake for one run; raises LakeBusyError, naming the holder, where another run holds it.

    Lakes in catalogs and on object stores, and sessions without a JVM of their own (Spark Connect), are not locked:
    there Delta's own conflict detection stops the later of two runs; on S3, with the log store of conf/s3a.conf.
    """
    if folder is None or not has_jvm(spark) or not is_on_this_disk(folder):
        yield
        return
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, LOCK_FILE)
    file = open_file(spark, path)
    try:
        if not try_lock(file):
            raise LakeBusyError(f"The lake {folder} is busy: {_holder(path)} holds it. Try again when it is done.")
        file.setLength(0)
        file.writeBytes(f"run {run_id}, process {os.getpid()}")
        try:
            yield
        finally:
            # Else a run that finds the lake busy before the next holder has written its name would name this one.
            file.setLength(0)
    finally:
        file.close()


def _holder(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read() or "another run"
