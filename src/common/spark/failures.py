"""What Spark, Java and object stores say of a failure, in words for a person and without the values that they quote."""

from __future__ import annotations

import re
from urllib.parse import unquote

from pyspark.errors import PySparkException

from common.errors import ConfigError, LakeError, SalesLakehouseError
from common.spark.paths import plain_path

try:
    from py4j.protocol import Py4JJavaError
except ImportError:
    # A client of Spark Connect alone has no JVM to hear of.
    class Py4JJavaError(Exception):  # type: ignore[no-redef]
        """Never raised."""


# What Spark raises: of its own accord, and what comes from the JVM as it is.
SPARK_ERRORS = (PySparkException, Py4JJavaError)

_DISK_MESSAGES = (
    "No space left on device",
    "Disk quota exceeded",
    "Read-only file system",
    "Permission denied",
    "Operation not permitted",
    "Input/output error",
    "File too large",
    "Too many open files",
)

# What Delta raises where another writer came between.
_IS_CONFLICT = (
    "DELTA_CONCURRENT",
    "DELTA_CONSTRAINT_ALREADY_EXISTS",
    "DELTA_METADATA_CHANGED",
    "DELTA_PROTOCOL_CHANGED",
    "DELTA_TABLE_ALREADY_EXISTS",
)

# What an error of Hadoop's connectors holds, and what that means. The first that is found counts.
_REFUSALS: tuple[tuple[str, type[SalesLakehouseError], str], ...] = (
    (
        r"No FileSystem for scheme|ClassNotFoundException: Class org\.apache\.hadoop\.fs\.",
        ConfigError,
        "Spark has no connector for it here. For S3, write s3a://; see docs/guides/object-stores.md for the others.",
    ),
    (
        r"UnknownStoreException|NoSuchBucket",
        ConfigError,
        "there is no such bucket. Check its name, and where it is not at Amazon, AWS_ENDPOINT_URL.",
    ),
    (
        r"Unable to load credentials|NoAuthWithAWSException|NoAwsCredentialsException",
        ConfigError,
        "there are no credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role.",
    ),
    (
        # The answer to a look at an object has no body that could say which it is.
        r"Status Code: (403|401)|ExpiredToken|InvalidToken",
        ConfigError,
        "access is denied. The credentials are wrong, or have expired, or lack a permission: see "
        "docs/guides/object-stores.md.",
    ),
    (
        r"Unable to execute HTTP request|ConnectException|UnknownHostException|ConnectTimeoutException",
        LakeError,
        "it does not answer. Check the network, and AWS_ENDPOINT_URL where it is set; then run again.",
    ),
)


def refusal_of(error: Exception) -> SalesLakehouseError | None:
    """Why the object store that a run works on could not be used; None where that is not what the error is about."""
    text = str(error)
    store = re.search(r"\b(?:s3\w?|abfss?|gs)://[\w.@-]+|No FileSystem for scheme \"(?P<scheme>\w+)", text)
    if store is None:
        return None
    place = f"{store['scheme']}://" if store["scheme"] else store[0]
    meant = ((kind, meaning) for pattern, kind, meaning in _REFUSALS if re.search(pattern, text))
    return next((kind(f"{place} cannot be used: {meaning}") for kind, meaning in meant), None)


def is_conflict(error: Exception) -> bool:
    """Whether a write failed since someone else wrote the table meanwhile."""
    return any(condition in str(error) for condition in _IS_CONFLICT)


def is_out_of_memory(error: Exception) -> bool:
    """Whether Java had no memory left, here or on a machine of a cluster, where Spark's code for that is 52."""
    return re.search(r"OutOfMemoryError|ExecutorLostFailure.*\b52\b", str(error)) is not None


def condition_of(error: Exception) -> str:
    """What kind of error it is, or what the disk says, without the values that its message may quote."""
    of_disk = next((words for words in _DISK_MESSAGES if words in str(error)), None)
    if of_disk:
        return f'"{of_disk}"'
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


def damaged_file(error: Exception) -> str | None:
    """The file of which Spark says that it cannot read it; None where the error is another one."""
    found = re.search(r"FAILED_READ_FILE.*? file (\S+)\. |Checksum error: (\S+) at ", str(error))
    return plain_path(unquote(found[1] or found[2])) if found else None
