"""Paths as Spark and a person write them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pyspark.sql import is_remote


def plain_path(path: str) -> str:
    """A path on the local disk without its scheme, of which Spark writes one, two or three slashes."""
    return re.sub(r"^file:/+", "/", path)


def whole_path(path: str, folder: Path | None = None) -> str:
    """A path with all its folders, or with a scheme such as s3a://; a relative one starts at a folder, or else where
    the run was started. Raises ValueError where it holds credentials.
    """
    path = re.sub(r"^dbfs:/+", "dbfs:///", plain_path(path))
    if re.match(r"[\w+.-]+://[^@]*:[^@]*@", path):
        # The value is not quoted: messages end up in logs.
        raise ValueError("holds credentials, which belong into the environment; see docs/guides/object-stores.md")
    if "://" in path or path.startswith("/"):
        return path if path == "/" else path.rstrip("/")
    return os.path.abspath(os.path.join(folder or "", path))


def is_on_this_disk(folder: str) -> bool:
    """Whether Spark finds under a folder's path the files that this process finds there.

    Over Spark Connect, the server may run on another machine; it does not where PySpark has started it for us.
    """
    is_elsewhere = is_remote() and "SPARK_LOCAL_REMOTE" not in os.environ
    return "://" not in folder and not is_elsewhere
