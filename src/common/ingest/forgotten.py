"""Which rows are about a customer who was forgotten: they are rejected, and no copy of them is kept.

The CUSTOMER_ID of a row says whom it is about, as a whole, and no other column does: product 42, 42 units and a
customer aged 42 are not customer 42. A line that cannot be parsed is about whom it names in the place of CUSTOMER_ID;
where the description computes that, whom the expression makes of what stands in the places of the columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.contract import FORGOTTEN
from common.csv_files import values
from common.csv_files.expressions import COMPUTED, with_expressions
from common.csv_files.feed_format import Dialect, FeedFormat, Source
from common.csv_files.header import Header
from common.errors import ConfigError
from common.lake.lake import Lake
from common.spark.failures import SPARK_ERRORS
from common.spark.projections import computed_once

CUSTOMER_NAMED = "customer_named"
# What the rule customer_id_is_clean lets into no id, so that no two ids that may enter the lake are taken for one.
_IN_NO_ID = r'["\p{Z}\p{Cc}\p{Cf}&&[^ ]]'


def hashes_of_forgotten(lake: Lake) -> list[str]:
    """The SHA-256 of every CUSTOMER_ID whose rows may not come back."""
    version = lake.version(FORGOTTEN)
    return [] if version is None else [row["customer_hash"] for row in lake.read(FORGOTTEN, version).collect()]


def is_about(hashes: Sequence[str]) -> Column:
    """Of a row that has its CUSTOMER_NAMED: whether it is about a forgotten customer."""
    customer = F.col(CUSTOMER_NAMED)
    is_forgotten = F.sha2(customer, 256).isin(list(hashes))
    is_written_oddly = is_odd(customer) & F.sha2(folded(customer), 256).isin(list(hashes))
    return F.coalesce(is_forgotten | is_written_oddly, F.lit(False))


def with_customer_named(rows: DataFrame, headers: Mapping[int, Header], format_: FeedFormat) -> DataFrame:
    """Add CUSTOMER_NAMED to rows of `records.parse`: the CUSTOMER_ID, and of a line that cannot be parsed, what its
    fields say. `headers` are those of the files.
    """
    source = format_.columns["CUSTOMER_ID"] if format_.columns else Source(("CUSTOMER_ID",))
    fields_there = F.when(~F.col("is_well_formed"), fields(format_.dialect))
    if not source.expression:
        in_its_place = folded(F.get(fields_there, _place_of(source.headers, headers)))
        return rows.withColumn(CUSTOMER_NAMED, F.coalesce(in_its_place, F.col("CUSTOMER_ID")))
    rows = computed_once(rows.withColumn("fields_there", fields_there), "fields_there")
    names = {name.upper(): name for header in headers.values() for name in header.names}
    there = {name: folded(F.get("fields_there", _place_of([name], headers))) for name in names.values()}
    missing = format_.dialect.missing_values
    columns = {name: values.cleaned_text(value, F.lit(True), missing) for name, value in there.items()}
    file_names = {header.file: header.file_name for header in headers.values()}
    rows = with_expressions(rows, columns, {"CUSTOMER_ID": source}, file_names, of_broken_lines=True)
    customer = F.coalesce("CUSTOMER_ID", f"{COMPUTED}.CUSTOMER_ID")
    return rows.withColumn(CUSTOMER_NAMED, customer).drop("fields_there", COMPUTED)


def check_customer_named(rows: DataFrame, headers: Mapping[int, Header], format_: FeedFormat) -> None:
    """Raise ConfigError where that fails on some row; for use when a pass over all has failed."""
    try:
        with_customer_named(rows, headers, format_).select(F.max(CUSTOMER_NAMED)).collect()
    except SPARK_ERRORS as error:
        problem = "the expression fails on lines that cannot be parsed instead of being null: use try_cast and the like"
        raise ConfigError(f"{format_.columns['CUSTOMER_ID'].place}: {problem}.") from error


def is_odd(value: Column) -> Column:
    """Whether a value has quotes, invisible characters, or spaces of another kind, which no id has."""
    return value.rlike(_IN_NO_ID)


def folded(value: Column) -> Column:
    """The value without invisible characters, and without spaces of any kind and quotes around it."""
    with_plain_spaces = F.regexp_replace(value, r"[\p{Z}\t\r\n]", " ")
    visible = F.regexp_replace(with_plain_spaces, r"[\p{Cc}\p{Cf}]", "")
    return F.regexp_replace(visible, r'^[ "]++|[ "]++\z', "")


def fields(dialect: Dialect) -> Column:
    """The fields of a raw line as they stand there, quotes included, whether or not it can be parsed: a quote that is
    never closed ends with its field.
    """
    delimiter, quote = re.escape(dialect.delimiter), re.escape(dialect.quote_char or "")
    quoted = rf"(?:[ \t]*+{quote}[^{quote}]*+(?:{quote}{quote}[^{quote}]*+)*+{quote})?+" if quote else ""
    return F.regexp_extract_all("raw_line", F.lit(rf"({quoted}[^{delimiter}]*+)(?:{delimiter}|\z)"), 1)


def _place_of(names: Sequence[str], headers: Mapping[int, Header]) -> Column:
    """Of a row, the place of the column with one of the names in its file, counted from 0; null where the header does
    not name it.
    """
    files: dict[int | None, list[int]] = {}
    for file, header in headers.items():
        files.setdefault(next(iter(header.places_of(names)), None), []).append(file)
    # Mostly all files have one layout, which takes no look at the file.
    in_order = sorted(files.items(), key=lambda item: -len(item[1]))
    found = F.lit(in_order[0][0] if in_order else None).cast("int")
    for place, those in in_order[1:]:
        found = F.when(F.col("file").isin(those), F.lit(place).cast("int")).otherwise(found)
    return found
