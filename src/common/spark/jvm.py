"""What is asked of Java past Spark's public interfaces: the only module that does. A session over Spark Connect has no
JVM of its own to ask.
"""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession

from common.spark.failures import SPARK_ERRORS


def has_jvm(spark: SparkSession) -> bool:
    """Whether the session has a JVM to ask."""
    return _jvm(spark) is not None


def open_file(spark: SparkSession, path: str) -> Any:
    """A file as Java has it open (java.io.RandomAccessFile), made where it is not there."""
    return _jvm(spark).java.io.RandomAccessFile(path, "rw")


def try_lock(file: Any) -> bool:
    """Take the operating system's lock on an open file; False where it is held, by another process or in this one."""
    try:
        return file.getChannel().tryLock() is not None
    except SPARK_ERRORS as error:
        if "OverlappingFileLockException" in str(error):
            return False
        raise


def write_checkpoint(spark: SparkSession, table: str, version: int) -> bool:
    """Have Delta write all that the log says of a table (named as in SQL), up to its newest version, into one file.

    Returns whether it did: not where that is there already, without a JVM, or where a platform's own Delta is made
    otherwise; for Delta has no public interface for it.
    """
    if not has_jvm(spark):
        return False
    found = _jvm(spark).io.delta.tables.DeltaTable.forName(table)
    if "deltaLog" not in dir(found):
        return False
    log = found.deltaLog()
    if log.checkpointExistsAtVersion(version):
        return False
    log.checkpoint()
    return bool(log.checkpointExistsAtVersion(version))


def delete_when_java_ends(spark: SparkSession, folder: str | None) -> None:
    """Have a folder deleted, with all that is in it, when Java ends by itself or by a signal that can be caught."""
    if folder and has_jvm(spark):
        jvm = _jvm(spark)
        jvm.org.apache.spark.util.ShutdownHookManager.registerShutdownDeleteDir(jvm.java.io.File(folder))


def silence_console(spark: SparkSession) -> None:
    """Have what Scala prints in this thread from now on go nowhere. Delta prints how many files a VACUUM has deleted,
    in the midst of the report on standard output, and has no setting for that.
    """
    if has_jvm(spark):
        jvm = _jvm(spark)
        nowhere = jvm.java.io.PrintStream(jvm.java.io.OutputStream.nullOutputStream())
        getattr(getattr(jvm, "scala.Console$"), "MODULE$").setOutDirect(nowhere)


def _jvm(spark: SparkSession) -> Any:
    return getattr(spark, "_jvm", None)
