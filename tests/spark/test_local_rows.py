"""Rows that the driver knows become the DataFrame that createDataFrame makes of them, without Python on executors."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from common.contract import TABLES, Table
from common.spark.driver_rows import local_rows, no_rows

AT = datetime(2025, 3, 30, 1, 30, 0, 123456, tzinfo=timezone.utc)
POLICY = "spark.sql.legacy.timeParserPolicy"
KINDS = (
    "`a b` string, n int, big bigint, at timestamp, is_so boolean, counts map<string,bigint>, "
    "files array<struct<p: string, at: timestamp>>"
)
ROWS: list[tuple[object, ...]] = [
    (
        'Zoë, "c"\n\u0001\U0001f600',
        -7,
        2**62 + 1,
        AT,
        True,
        {"x.y": 1},
        [{"p": "/a b", "at": AT}, {"p": None, "at": None}],
    ),
    ("", 0, 0, AT.replace(microsecond=0), False, {}, []),
    ("null", None, None, AT.astimezone(timezone(timedelta(hours=5, minutes=30))), None, None, None),
    (None,) * 7,
]


def test_rows_are_those_of_create_data_frame(spark: SparkSession) -> None:
    expected = spark.createDataFrame(ROWS, KINDS)
    assert_df_equality(local_rows(spark, ROWS, KINDS), expected, ignore_nullable=True)
    spark.conf.set(POLICY, "LEGACY")
    try:
        assert_df_equality(local_rows(spark, ROWS, KINDS), expected, ignore_nullable=True)
    finally:
        spark.conf.unset(POLICY)
    assert local_rows(spark, ROWS[:1], KINDS).where(F.col("`a b`") == F.lit(ROWS[0][0])).count() == 1


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_rows_have_the_columns_of_a_table(spark: SparkSession, table: Table) -> None:
    rows = no_rows(spark, table.ddl)
    assert rows.dtypes == [(column.name, column.type) for column in table.columns]
    assert rows.isEmpty()
    assert local_rows(spark, [], table.ddl).dtypes == rows.dtypes


def test_a_value_that_does_not_fit_is_an_error_and_never_null(spark: SparkSession) -> None:
    for value in ("seven", 2**31, [7]):
        with pytest.raises(Exception, match=r"MALFORMED|PARSE"):
            local_rows(spark, [(value,)], "n int").collect()
    with pytest.raises(TypeError):
        local_rows(spark, [(Decimal("1.5"),)], "d decimal(18,2)")
    with pytest.raises(ValueError, match="zip"):
        local_rows(spark, [(1, 2)], "n int")
