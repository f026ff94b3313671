"""Which rows are about a customer who was forgotten: they are rejected, and no copy of them is kept.

The CUSTOMER_ID of a row says whom it is about, as a whole, and no other column does: product 42, 42 units and a
customer aged 42 are not customer 42. A line that cannot be parsed is about whom it names in the place of CUSTOMER_ID.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from common.contract import FORGOTTEN
from common.csv_files.feed_format import Dialect, FeedFormat
from common.csv_files.header import Header
from common.lake.lake import Lake

# What the rule customer_id_is_clean lets into no id, so that no two ids that may enter the lake are taken for one.
_IN_NO_ID = r'["\p{Z}\p{Cc}\p{Cf}&&[^ ]]'


def hashes_of_forgotten(lake: Lake) -> list[str]:
    """The SHA-256 of every CUSTOMER_ID whose rows may not come back."""
    version = lake.version(FORGOTTEN)
    return [] if version is None else [row["customer_hash"] for row in lake.read(FORGOTTEN, version).collect()]


def is_about(hashes: Sequence[str], headers: Mapping[int, Header], format_: FeedFormat) -> Column:
    """Of a row of `records.parse`: whether it is about a forgotten customer. `headers` are those of the files."""
    customer = customer_named(headers, format_)
    is_forgotten = F.sha2(customer, 256).isin(list(hashes))
    is_written_oddly = is_odd(customer) & F.sha2(folded(customer), 256).isin(list(hashes))
    return F.coalesce(is_forgotten | is_written_oddly, F.lit(False))


def customer_named(headers: Mapping[int, Header], format_: FeedFormat) -> Column:
    """Of a row of `records.parse`: its CUSTOMER_ID; where it cannot be parsed, what stands in that place."""
    in_its_place = folded(F.get(fields(format_.dialect), _place_of_customer(headers, format_)))
    return F.when(F.col("is_well_formed"), F.col("CUSTOMER_ID")).otherwise(in_its_place)


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


def _place_of_customer(headers: Mapping[int, Header], format_: FeedFormat) -> Column:
    """Of a row, the place of CUSTOMER_ID in its file, counted from 0; null where the header does not name it, and where
    it is computed.
    """
    names = format_.columns["CUSTOMER_ID"].headers if "CUSTOMER_ID" in format_.columns else ("CUSTOMER_ID",)
    files: dict[int | None, list[int]] = {}
    for file, header in headers.items():
        files.setdefault(next(iter(header.places_of(names)), None), []).append(file)
    # Mostly all files have one layout, which takes no look at the file.
    in_order = sorted(files.items(), key=lambda item: -len(item[1]))
    found = F.lit(in_order[0][0] if in_order else None).cast("int")
    for place, those in in_order[1:]:
        found = F.when(F.col("file").isin(those), F.lit(place).cast("int")).otherwise(found)
    return found
