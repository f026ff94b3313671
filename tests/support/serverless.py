"""What Databricks documents that its serverless compute refuses, refused by the session here while a job runs.

See "Serverless compute limitations" and "Configure Spark properties for serverless notebooks and jobs" in its
documentation: no rows are kept, and few properties can be set or read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

OFFERED = {
    "spark.databricks.execution.timeout",
    "spark.sql.ansi.enabled",
    "spark.sql.legacy.timeParserPolicy",
    "spark.sql.session.timeZone",
    "spark.sql.shuffle.partitions",
}


@contextmanager
def refusals(spark: SparkSession) -> Iterator[None]:
    """While this lasts, the session keeps no rows, and knows no properties but those that are offered."""

    def refuse_rows(*_: object, **__: object) -> NoReturn:
        raise AnalysisException("[NOT_SUPPORTED_WITH_SERVERLESS] PERSIST TABLE is not supported on serverless compute.")

    def only_offered(method: Any) -> Any:
        def called(conf: object, key: str, *arguments: object) -> object:
            # The client of Spark Connect reads properties of its own.
            is_pyspark = sys._getframe(1).f_globals["__name__"].startswith("pyspark.")
            if key not in OFFERED and not is_pyspark:
                raise AnalysisException(f"[CONFIG_NOT_AVAILABLE] Configuration {key} is not available.")
            return method(conf, key, *arguments)

        return called

    conf, rows = type(spark.conf), type(spark.range(1))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("set", "get", "unset"):
            patch.setattr(conf, name, only_offered(getattr(conf, name)))
        for name in ("persist", "unpersist", "cache"):
            patch.setattr(rows, name, refuse_rows)
        yield
