"""Paths as Spark and a person write them."""

from __future__ import annotations

import os
import re

from pyspark.sql import is_remote


def plain_path(path: str) -> str:
    """A path on the local disk without its scheme, of which Spark writes one, two or three slashes."""
    return re.sub(r"^file:/+", "/", path)


def is_on_this_disk(folder: str) -> bool:
    """Whether Spark finds under a folder's path the files that this process finds there.

    Over Spark Connect, the server may run on another machine; it does not where PySpark has started it for us.
    """
    is_elsewhere = is_remote() and "SPARK_LOCAL_REMOTE" not in os.environ
    return "://" not in folder and not is_elsewhere
