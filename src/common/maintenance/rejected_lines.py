"""Which rows of rejected_rows are about a person, so that they are removed.

A row that can be parsed by the header of its file is about the customer in CUSTOMER_ID. A line that cannot be parsed is
taken for the person's where the id stands in the place of CUSTOMER_ID, or where a field is the name and no other
customer of the lake stands in that place. That is not certain, and each such line is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.contract import CUSTOMERS, CUSTOMERS_FEED, REJECTED, SALES, TRANSACTIONS, Feed
from common.csv_files import records
from common.csv_files.feed_format import FeedFormat, in_utf8
from common.csv_files.header import Header, names_in
from common.ingest.batch import REDACTED
from common.ingest.forgotten import CUSTOMER_NAMED, fields, folded, with_customer_named
from common.lake.lake import Lake
from common.maintenance.person import Person, Trace, line_of
from common.spark.driver_rows import local_rows

_ROW = ("block", "position")


def lines_about(lake: Lake, person: Person, formats: Mapping[str, FeedFormat]) -> list[Trace]:
    """The rejected rows that are about the person: by feed, in order of file and line. `formats` are those of the
    feeds, by name.
    """
    if lake.version(REJECTED) is None:
        return []
    return [
        found
        for feed in (TRANSACTIONS, CUSTOMERS_FEED)
        for found in _lines_of_feed(lake, feed, person, formats[feed.name])
    ]


def _lines_of_feed(lake: Lake, feed: Feed, person: Person, format_: FeedFormat) -> Iterator[Trace]:
    is_kept = (F.col("feed") == feed.name) & (F.col("raw_line") != REDACTED)
    # What tells a row apart, as the numbers that parsing hands through. An expression may speak of line and file.
    block = F.conv(F.substring("rejected_id", 1, 15), 16, 10).cast("bigint")
    stored = lake.read(REJECTED, lake.version(REJECTED)).where(is_kept)
    stored = stored.withColumns({"block": block, "position": F.col("line_number")})
    sources = sorted(map(tuple, stored.select("header", "file").distinct().collect()))
    if not sources:
        return
    headers = {
        order: Header(text, names_in(text), file=order, file_name=file.rpartition("/")[2])
        for order, (text, file) in enumerate(sources)
    }
    in_order = [(*source, order) for order, source in enumerate(sources)]
    orders = local_rows(lake.spark, in_order, "header string, file string, order int")
    lines = stored.join(F.broadcast(orders), on=["header", "file"], how="inner").select(
        F.col("order").alias("file"), *_ROW, F.col("raw_line").alias("line")
    )
    rows = records.parse(lines, headers, feed, in_utf8(format_))
    rows = with_customer_named(rows, headers, format_).withColumnRenamed(CUSTOMER_NAMED, "customer")
    is_theirs = F.col("customer") == person.customer_id
    why = (
        F.when(is_theirs & F.col("is_well_formed"), "")
        .when(is_theirs, "cannot be parsed; what stands where CUSTOMER_ID should come from is, or makes, the id")
        .when(
            F.col("is_well_formed") & (folded(F.col("customer")) == person.customer_id),
            "CUSTOMER_ID is the id with quotes, odd spaces or invisible characters",
        )
    )
    found = rows.where(why.isNotNull()).select(*_ROW, why.alias("why"))
    if person.name:
        others = _other_customers(lake, person)
        named = rows.where(why.isNull() & ~F.col("is_well_formed") & _has_field(person.name, format_))
        named = named.join(others, on=F.col("customer") == F.col("other"), how="left_anti")
        found = found.unionByName(named.select(*_ROW, F.lit("cannot be parsed; a field is the name").alias("why")))
    places = stored.select(*_ROW, "rejected_id", "file", "line_number").join(found, on=list(_ROW), how="inner")
    for row in places.orderBy("file", "line_number").collect():
        is_certain = row["why"] == ""
        place = line_of(row["file"], row["line_number"])
        yield Trace(place, row["why"] or "CUSTOMER_ID is the id", row["rejected_id"], is_certain)


def _has_field(name: str, format_: FeedFormat) -> Column:
    """Whether a field of the raw line is the name; a quote that is never closed belongs to its field."""
    wanted = folded(F.lit(name))

    def is_name(field: Column) -> Column:
        inside = F.regexp_extract(F.btrim(field, F.lit(" \t")), r'(?s)\A"(.*)"\z', 1)
        text = F.when(inside == "", field).otherwise(F.replace(inside, F.lit('""'), F.lit('"')))
        has_lone_quote = (inside == "") & field.contains('"')
        return (folded(text) == wanted) & ~has_lone_quote

    return F.exists(fields(format_.dialect), is_name)


def _other_customers(lake: Lake, person: Person) -> DataFrame:
    """The ids of all customers of the lake but this one."""
    ids = [lake.read(table, lake.version(table)).select("CUSTOMER_ID") for table in (CUSTOMERS, SALES)]
    others = ids[0].union(ids[1]).where(F.col("CUSTOMER_ID") != person.customer_id)
    return others.distinct().select(F.col("CUSTOMER_ID").alias("other"))
