"""Descriptions of feeds, each following from a seed alone, and how values are written into files of theirs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from common.contract import TRANSACTIONS, Feed
from common.csv_files.description import load_descriptions
from common.csv_files.feed_format import USUAL_FORMAT, FeedFormat

# Computes a key as an expression of the description does: from the column of the file that has the key's name, the
# file's name and the line.
Compute = Callable[[str | None, str, int], str | None]

_OWN_NAMES = {
    "TRANSACTION_ID": ["Order ID", "Name", "order_id"],
    "CUSTOMER_ID": ["Kunde", "Customer Email", "customer id"],
    "PRODUCT_ID": ["SKU", "Lineitem sku", "Artikel-Nr."],
    "QUANTITY": ["Qty", "Menge", "Anzahl (Stück)"],
    "PRICE": ["Unit Price", "Preis", "Amount, net"],
    "TRANSACTION_DATE": ["Created at", "Datum", "Paid at"],
    "NAME": ["Full name", "Name"],
    "AGE": ["Alter", "Years"],
    "COUNTRY": ["Land", "Country Code"],
}
_TIME_FORMATS = [
    *("%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%m/%d/%y %I:%M %p", "%b %d, %Y %I:%M:%S %p", "%Y%m%d%H%M%S"),
    *("%Y-%m-%d %H:%M:%S.%f", "%d %B %Y, %H.%M Uhr"),
]
_TITLES = ["Sales report", "", "Period;2025-03-01;2025-03-02", 'He said "hm', "sep=;", " \t", "a,b,c,d,e,f", "it's"]


@dataclass(frozen=True)
class Described:
    """How the files of a feed are read: as a person writes it (empty where nobody describes them), and as our code
    reads that. `computed` has for each column with an expression the same in Python. `titles` are the lines above the
    header; `others` are columns of the file that the feed does not have.
    """

    text: str = ""
    format: FeedFormat = USUAL_FORMAT
    computed: Mapping[str, Compute] = field(default_factory=dict)
    titles: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash(self.text)

    def header_of(self, column: str) -> str:
        """The column of the file that a column of the feed comes from."""
        source = self.format.columns.get(column)
        return source.headers[0] if source and source.headers else column


USUAL = Described()


@cache
def described_feed(feed: Feed, seed: str) -> Described:
    """A description of a feed, the same for the same seed."""
    rng = Random(f"description {seed}")
    said: dict[str, Any] = {"dialect": _dialect(rng)}
    rows_above = rng.choice([0, 0, 0, 1, 2, 3])
    if rows_above:
        said["dialect"]["commentRows"] = list(range(1, rows_above + 1))
    if rng.random() < 0.3:
        said["time_zone"] = rng.choice(["Europe/Berlin", "America/New_York"])
    computed: dict[str, Compute] = {}
    if rng.random() < 0.7:
        unfit = "" if said["dialect"]["quoteChar"] else said["dialect"]["delimiter"]
        said["columns"] = _columns(feed, rng, computed, unfit)
    others: tuple[str, ...] = ()
    if rng.random() < 0.4:
        said["other_columns"] = "ignore"
        others = rng.choice([("",), ("", ""), ("Notes",), ("Notes", "")])
    if feed is TRANSACTIONS and rng.random() < 0.3:
        said["returns"] = "allow"
    if rng.random() < 0.3:
        said["guests"] = "allow"
    if rng.random() < 0.3:
        said["repeated_ids"] = "last"
    text = yaml.safe_dump({feed.name: said}, allow_unicode=True)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "feeds.yml"
        path.write_text(text, encoding="utf-8")
        format_ = load_descriptions(path, "utf-8", "UTC")[feed.name].format
    return Described(text, format_, computed, tuple(rng.choice(_TITLES) for _ in range(rows_above)), others)


def _dialect(rng: Random) -> dict[str, Any]:
    dialect: dict[str, Any] = {"delimiter": rng.choice([",", ";", ";", "\t", "|", "^"])}
    dialect["quoteChar"] = rng.choice(['"', '"', "'", ""])
    if rng.random() < 0.35:
        dialect["escapeChar"] = "\\"
    if rng.random() < 0.3:
        dialect["skipInitialSpace"] = True
    if rng.random() < 0.4:
        dialect["encoding"] = rng.choice(["windows-1252", "iso-8859-15"])
    if rng.random() < 0.4:
        dialect["decimalChar"] = ","
    if rng.random() < 0.4:
        dialect["groupChar"] = rng.choice([" ", "'", "\u00a0", "." if "decimalChar" in dialect else ","])
    if rng.random() < 0.4:
        dialect["missingValues"] = rng.sample(["NA", "NULL", "\\N", "-", "nan"], 2)
    return dialect


def _columns(feed: Feed, rng: Random, computed: dict[str, Compute], unfit: str) -> dict[str, Any]:
    """Sources of the feed's columns; `unfit` is a character that cannot stand in a header."""
    columns: dict[str, Any] = {}
    has_own_names = rng.random() < 0.7
    taken = set[str]()
    for name in feed.column_names:
        own_names = [own for own in _OWN_NAMES[name] if own not in taken and not (unfit and unfit in own)]
        own = rng.choice(own_names)
        header = own if has_own_names else name
        taken.add(header)
        columns[name] = rng.choice([header, {"header": header}, [header, f"{header} (old)"]])
        if name == "PRICE" and rng.random() < 0.3:
            columns[name] = {"header": header, "round": True}
        if name == "TRANSACTION_DATE" and rng.random() < 0.6:
            columns[name] = {"header": header, "format": rng.choice(_TIME_FORMATS)}
    if rng.random() < 0.4:
        sql, computed[feed.key] = rng.choice(_COMPUTED_IDS)
        columns[feed.key] = {"expression": sql.replace("ID", f"`{feed.key}`")}
    return columns


# ID stands for the column of the file that has the name of the feed's key.
_COMPUTED_IDS: list[tuple[str, Compute]] = [
    ("concat(_file, '-', _line)", lambda id_, file, line: f"{file}-{line}"),
    ("concat_ws('-', ID, _line)", lambda id_, file, line: str(line) if id_ is None else f"{id_}-{line}"),
    ("concat(_FILE, '/', ID)", lambda id_, file, line: None if id_ is None else f"{file}/{id_}"),
]


def number_as_written(number: str, described: Described, rng: Random) -> str:
    """A number with a decimal point as the files of a feed have it, with groups now and then."""
    dialect = described.format.dialect
    whole, point, decimals = number.partition(".")
    if dialect.group_char and rng.random() < 0.7:
        whole = f"{int(whole):,}".replace(",", dialect.group_char)
    return whole + (dialect.decimal_char if point else "") + decimals


def time_as_written(time: datetime, format_: str, rng: Random) -> str:
    """A time in a format, now and then without zeros in front of days, months and hours."""
    text = time.strftime(format_)
    return re.sub(r"(?<![0-9:.])0(?=[0-9][^0-9])", "", text) if rng.random() < 0.3 else text
