"""CSV files with all sorts of faults. Each follows from a seed and its number alone, so that any can be made again."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from common.contract import CUSTOMERS_FEED, TRANSACTIONS, Feed
from support.fuzzed_dialects import USUAL, Described, described_feed, number_as_written, time_as_written

# Of the files of a feed whose numbers share all but the last two digits, half are as nobody describes them, in two
# orders of columns, and the others follow two descriptions: each order is a scan, and each description a run.
BATCH = 100
_KINDS, _USUAL_KINDS = 4, 2

_ODD_TEXTS = [
    *("Smith, Ann", 'Ann "Ace" Lee', '"', '""', '"x"', "x,", ",", ",,,", "'single", "O'Brien", "#x", "=1+1", "-"),
    *("two\nlines", "two\r\nlines", "old\rmac", "a\n\nb", "\n", "\r\n", 'a "q"\nb', ' "x', "tab\tinside", "x" * 300),
    *("", " ", "\t", " padded ", "NULL", "null", "N/A", "\\N", "back\\slash", "ends\\", '\\"', "a\\,b", "nan"),
    *("Zo\u00eb", "e\u0301", "\u6771\u4eac", "\U0001f469\u200d\U0001f467", "\u200b", "\u00a0", "\ufeff", "\u202eabc"),
    *("\x00", "a\x00b", "\x07", "\x0b", "\x0c", "\x1a", "\x1f", "\x7f", "\x85", "\u2028", "\u3000x", "\ue000"),
    *("1.23457E+15", "4,5e+3", "7E+5", "guest", "Total", "END of file", "totals: 5", "12 rows", "totally"),
    *("x\nc1,Ann,30,Mali\ny", "x\nt1,c1,p1,1,2.50,2025-02-22 09:00:00\ny", "1,2\n3,4", "a\n,,,\nb", "a,b,c\nd"),
]
_ODD_NUMBERS = [
    *("0", "-1", "+3", "007", "2147483647", "2147483648", "-2147483649", "9" * 30, "0" * 16 + "5", "-0", "+", "-"),
    *(
        "1.0",
        "1.",
        "1e2",
        "1,000",
        "1_000",
        "1 000",
        "0x1F",
        "\uff11\uff12",
        "\u0663",
        "NaN",
        "Infinity",
        "five",
        "1\n",
    ),
    *("--5", "5-", "\u22125", "\u00a07", " 7", "7\t", "NULL", "", "1d", "'7", "7\x00", "121", "120", "999"),
    *("2.0", "2.", "+2.000", "2.5", ".0", ".", "1.000.000", "1.000", "12,0", "9" * 18 + ".0", "NA", "-", "\\N", "-2"),
]
_ODD_PRICES = [
    *("0", "0.00", "-0.00", "-1.25", "+1.25", "0.5", ".5", "5.", "12.340", "1.50000000000000000000", "1.005", "1.239"),
    *("9999999999999999.99", "10000000000000000.00", "0000000000000000000012.34", "1e2", "1E-2", "$5", "5\u20ac"),
    *(".99", ".990000", "-.5", "+.", ".", "5.000000", "4481.4300000000003", "9999999999999999.999", "0.005", "0.0049"),
    *("12.34.567,8", "12.345.678,9", "1,5", ",5", "5,", "1'234.50", "1'23.50", "12'345'678,90", "NA", "nan", "\\N"),
    *("1,234.50", "1.234,50", "1 234.50", "\uff11\uff12.50", "NaN", "-Infinity", "1d", "NULL", "", "1.50\n", "1..5"),
]
_TIME_SHAPES = [
    *("{d} {t}", "{d}T{t}", "{d}T{t}Z", "{d} {t}Z", "{d} {t}+05:30", "{d}T{t}-0130", "{d} {t}+02", "{d} {m}"),
    *("{d}T{m}Z", "{d} {t}.5", "{d} {t}.123456", "{d}T{t}.123456Z", "{d} {t}.123456000", "{d} {t}.000001-08:00"),
    *("{d} {t}+00:00", "{d} {t}+1400", "{d} {t}.1+18:00", "{d} {t} +0200", "{d} {t} UTC", "{d} {t}.5 GMT", "{d}t{t}z"),
    *("{d} {t}.1234567", "{d} {t}.999999999Z", "{d} {t}.12345678 -0330", "2025/02/22 {t}", "2025/02/22T{m}Z"),
    *("20250222T101112Z", "20250222t101112", "20250222T101112.5+02", "{d} 9:05:07", "{d} 0:00", "{d} {m} +02:00"),
    *("2025-03-30 02:30:00", "2025-10-26 02:30:00", "2025-03-09 02:30", "2025-11-02 01:30:00.25", "2025-03-30 02:30Z"),
]
_ODD_TIME_SHAPES = [
    *(
        "{d}",
        "{t}",
        "{d} 24:00:00",
        "{d} 10:60:00",
        "{d} 10:00:60",
        "2025-02-29 {t}",
        "2025-13-01 {t}",
        "1999-12-31 {t}",
    ),
    *("2999-01-01 {t}", "22/02/2025 {t}", "22.02.2025 {t}", "20250222T{t}", "2025-2-2 {t}", "{d} 4:00 PM", "{d}  {t}"),
    *("{d} {t} Europe/Berlin", "{d}T{t}+25:00", "{d} {t}+19:00", "{d} {t}+01:60", "{d} {t} utc", "{d} {t}  UTC"),
    *(
        "2025/02-22 {t}",
        "20250222 101112",
        "20250222T1011",
        "20250222T1011122",
        "{d} {t} CET",
        "{d} {t}+0100Z",
        "{d}T9",
    ),
    *("31/02/2025 10:00", "1/2/2025 9:5", "12/13/25 9:05 AM", "0/1/2025 10:00", "feb 3, 2025 12:00:00 am", "{d} 9:5"),
    *(
        "20250222101112",
        "2025022210111",
        "3 June 2025, 9.05 Uhr",
        "03.02.2025 24:00:00",
        "2/3/25 13:00 PM",
        "1/1/1 1:1",
    ),
    *(
        "{d} {t}.",
        "{d} {t}+1",
        "{d}\u00a0{t}",
        "{d}, {t}",
        "1740240037",
        "now",
        "NULL",
        "",
        "{d} {m}.5",
    ),
    *("\uff12025-02-22 {t}", "{d} {t}\n", "-{d} {t}", "+12025-02-22 {t}"),
]
_ODD_BYTES = [b'"', b'""', b",", b"\n", b"\r", b"\x00", b"\xff", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xef\xbb\xbf"]


@dataclass(frozen=True)
class FuzzedFile:
    """A file as it is to be read: `content` is what it holds, `stored` the bytes on disk, the same unless `.gz`."""

    number: int
    feed: Feed
    name: str
    content: bytes
    described: Described = USUAL

    @property
    def stored(self) -> bytes:
        return gzip.compress(self.content, mtime=0) if self.name.endswith(".gz") else self.content


def fuzzed_file(seed: int, number: int, *, as_usual: bool = False) -> FuzzedFile:
    """Transactions under even numbers, customers under odd ones; half of each in another dialect, unless `as_usual`. A
    quarter has stray quotes, and a quarter damaged bytes; the others are odd in what the dialect allows, in their
    values and in how many values a row has.
    """
    rng = Random(f"{seed} file {number}")
    feed = CUSTOMERS_FEED if number % 2 else TRANSACTIONS
    kind_of_format = number // 2 % _KINDS
    is_usual = as_usual or kind_of_format < _USUAL_KINDS
    described = USUAL if is_usual else described_feed(feed, f"{seed} {number // BATCH} {kind_of_format} {feed.name}")
    writer = _Writer(feed, described, rng.choice([0.0, 0.02, 0.1, 0.3]), rng)
    columns = _layout(seed, number, feed, described)
    kind = rng.choice(["tidy", "tidy", "quotes", "bytes"])
    rows = rng.randint(1, 30) if rng.random() < 0.98 else rng.randint(1_001, 1_500)
    header = writer.header(columns)
    records = [writer.record(columns, f"{number}-{row}") for row in range(rows)]
    body = [writer.faulty(record, header, kind) for record in records]
    if rng.random() < 0.03:
        body.insert(rng.randint(0, len(body)), writer.header(rng.sample(columns, len(columns))))
    ends = rng.choice([["\n"], ["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"], ["\n", "\r\n", "\r"]])
    # An empty title would make one end of two different ones.
    end = rng.choice(ends)
    head = "".join(line + end for line in (*described.titles, header))
    encoding = described.format.dialect.encoding
    content = "".join(line + rng.choice(ends) for line in body).encode(encoding, "replace")
    if rng.random() < 0.3:
        content = content.rstrip(b"\r\n")
    if kind == "bytes":
        for _ in range(rng.randint(1, 4)):
            content = _damaged(content, rng)
    byte_order_mark = b"\xef\xbb\xbf" if rng.random() < 0.1 and encoding == "utf-8" else b""
    name = f"file_{number:05}.csv" + (".gz" if rng.random() < 0.1 else "")
    return FuzzedFile(number, feed, name, byte_order_mark + head.encode(encoding) + content, described)


def file_with_a_bad_header(seed: int, number: int) -> FuzzedFile:
    """A file that is to be refused for its first line."""
    rng = Random(f"{seed} header {number}")
    good = fuzzed_file(seed, number, as_usual=True)
    header, break_, rest = re.split(rb"(\r\n|\r|\n)", good.content.removeprefix(b"\xef\xbb\xbf"), maxsplit=1)
    names = header.decode().split(",")
    at = rng.randrange(len(names))
    bad: bytes = rng.choice(
        [
            ",".join(names[:at] + names[at + 1 :]).encode(),
            ",".join([*names[:at], names[at - 1], *names[at + 1 :]]).encode(),
            ",".join([*names, names[at]]).encode(),
            ",".join([*names[:at], "EMAIL", *names[at:]]).encode(),
            ",".join([*names, ""]).encode(),
            ",".join([*names[:at], names[at].strip(' \t"')[:-1], *names[at + 1 :]]).encode(),
            ",".join(
                [*names[:at], names[at].strip(' \t"') + rng.choice("\u200b\x07_1\u00eb"), *names[at + 1 :]]
            ).encode(),
            rng.choice([";", "\t", "|", ", ,"]).join(names).encode(),
            b"\xef\xbb\xbf\xef\xbb\xbf" + header,
            break_ + header,
            b"sep=," + break_ + header,
            header[:at] + b"\x00" + header[at:],
            header.replace(b",", b",\x00", 1),
            header.decode().encode(rng.choice(["utf-16", "utf-16-le", "utf-16-be"])),
            gzip.compress(good.content, mtime=0),
            rest.split(break_)[0],
        ]
    )
    return FuzzedFile(number, good.feed, f"header_{number:05}.csv", bad + break_ + rest)


def _layout(seed: int, number: int, feed: Feed, described: Described) -> list[str]:
    """The columns of a file: those of the feed under the feed's names, and others. One without a name comes last."""
    rng = Random(f"{seed} layouts {number // BATCH} {feed.name} {described.text}")
    named = [*feed.column_names, *[name for name in described.others if name]]
    layouts = [named, rng.sample(named, len(named))]
    return layouts[number // 2 % 2] + [name for name in described.others if not name]


@dataclass
class _Writer:
    """Writes the rows of one file, each value and line odd now and then."""

    feed: Feed
    described: Described
    oddity: float
    rng: Random

    def __post_init__(self) -> None:
        dialect = self.described.format.dialect
        self.delimiter, self.quote, self.escape = dialect.delimiter, dialect.quote_char, dialect.escape_char

    def header(self, columns: list[str]) -> str:
        rng = self.rng
        names = [self.described.header_of(column) if column in self.feed.column_names else column for column in columns]
        names = rng.choice([names, [name.lower() for name in names], [name.title() for name in names]])
        styles = ["{}", "{}", "{}", " {} ", "{} ", *([] if not self.quote else [f"{self.quote}{{}}{self.quote}"])]
        style = rng.choice(styles)
        written = []
        for name in names:
            text = style.format(name)
            if self.delimiter in name or (self.quote and self.quote in name):
                text = self.in_quotes(name) if self.quote else name.replace(self.delimiter, " ")
            written.append(text)
        return self.delimiter.join(written)

    def record(self, columns: list[str], id_: str) -> list[str]:
        """The values of a row, each good but for an odd one now and then."""
        rng = self.rng
        if rng.random() < 0.03:
            id_ = f"again-{rng.randrange(40)}"
        good = _good_customer(id_, rng) if self.feed is CUSTOMERS_FEED else self.good_sale(id_)
        odd = {
            "QUANTITY": _ODD_NUMBERS,
            "AGE": _ODD_NUMBERS,
            "PRICE": _ODD_PRICES,
            "TRANSACTION_DATE": [*_ODD_TIME_SHAPES, *_TIME_SHAPES],
        }
        values = []
        for name in columns:
            value = good.get(name, "")
            if rng.random() < self.oddity or (name not in good and name):
                value = _time(rng.choice(odd[name]), rng) if name in odd else _odd_text(value, rng)
            if rng.random() < self.oddity / 5 and self.described.format.dialect.missing_values:
                value = rng.choice(self.described.format.dialect.missing_values)
            values.append(value)
        return values

    def good_sale(self, id_: str) -> dict[str, str]:
        rng, format_ = self.rng, self.described.format
        sale = _good_sale(id_, rng)
        if format_.allows_returns and rng.random() < 0.2:
            sale["QUANTITY"] = f"-{sale['QUANTITY']}"
        elif format_.dialect.group_char and rng.random() < 0.2:
            sale["QUANTITY"] = number_as_written(str(rng.randint(1, 2_000_000)), self.described, rng)
        if format_.allows_guests and rng.random() < 0.2:
            sale["CUSTOMER_ID"] = ""
        sale["PRICE"] = number_as_written(sale["PRICE"], self.described, rng)
        time_format = format_.columns["TRANSACTION_DATE"].format if format_.columns else None
        if time_format:
            time = datetime(2025, 2, 22) + timedelta(microseconds=rng.randrange(10**13))
            sale["TRANSACTION_DATE"] = time_as_written(time, time_format, rng)
        return sale

    def faulty(self, values: list[str], header: str, kind: str) -> str:
        """The row as a line, maybe with a value more or fewer, and whatever may stand between two rows."""
        rng, oddity = self.rng, self.oddity
        values = list(values)
        if rng.random() < oddity / 5:
            values = rng.choice([values[:-1], values[1:], values[:1], [*values, ""], [*values, "more"], ["", *values]])
        if rng.random() < oddity / 50:
            values = [*values, *[""] * rng.choice([990, 998, 1_000, 30_000])]
        if rng.random() < oddity / 100:
            values[0] = "x" * 200_000
        line = self.delimiter.join(self.written(value) for value in values)
        if kind == "quotes" and rng.random() < 0.1:
            at, quote = rng.randint(0, len(line)), self.quote or '"'
            stray = [quote, quote, quote * 2, f"{quote}x", f" {quote}", *([self.escape] if self.escape else [])]
            line = line[:at] + rng.choice(stray) + line[at:]
        if rng.random() < oddity / 5:
            titles = [f"\n{title}" for title in self.described.titles]
            empty = self.delimiter * len(values)
            titles += [f"\nGrand total: 2{empty[1:]}", f"\nEnd of report{empty[1:]}"]
            line += rng.choice(
                ["\n", "\n   ", "\n\t \n", f"\n{header}", "\n#comment", '\n""', f"\n{empty[:3]}", f"\n{empty}", *titles]
            )
        return line

    def written(self, value: str) -> str:
        rng, special = self.rng, f"{self.delimiter}{self.quote or ''}{self.escape or ''}\r\n"
        has_special = any(char in special for char in value)
        if self.quote and (has_special or rng.random() < 0.1):
            value = self.in_quotes(value)
        elif self.escape and has_special and rng.random() < 0.9:
            value = re.sub(f"[{re.escape(special)}]", lambda found: f"{self.escape}{found[0]}", value)
        elif has_special and rng.random() < 0.9:
            value = value.replace(self.delimiter, " ")
        if rng.random() < self.oddity / 10:
            value = rng.choice([" ", "\t", "  "]) + value
        if rng.random() < self.oddity / 10:
            value += rng.choice([" ", "\t"])
        return value

    def in_quotes(self, value: str) -> str:
        quote, escape = str(self.quote), self.escape
        # Now and then, an escape is left as it is, or a quote is not doubled but escaped.
        if escape and self.rng.random() < 0.95:
            value = value.replace(escape, escape * 2)
        pair = escape + quote if escape and self.rng.random() < 0.5 else quote * 2
        return quote + value.replace(quote, pair) + quote


def _good_customer(id_: str, rng: Random) -> dict[str, str]:
    name, country = rng.choice(["Ann Lee", "Bob", "Cy Ng"]), rng.choice(["Mali", "Peru", "Korea, Republic of"])
    return {"CUSTOMER_ID": id_, "NAME": name, "AGE": str(rng.randint(0, 120)), "COUNTRY": country}


def _good_sale(id_: str, rng: Random) -> dict[str, str]:
    return {
        "TRANSACTION_ID": id_,
        "CUSTOMER_ID": f"{rng.randint(0, 99)}-{rng.randint(0, 9)}",
        "PRODUCT_ID": f"p{rng.randint(1, 3)}",
        "QUANTITY": str(rng.randint(1, 9)),
        "PRICE": rng.choice([f"{rng.randint(0, 99999) / 100:.2f}", str(rng.randint(0, 999)), "0.1", "33.3300"]),
        "TRANSACTION_DATE": _time(rng.choice(["{d} {t}", "{d} {t}.295339", rng.choice(_TIME_SHAPES)]), rng),
    }


def _time(shape: str, rng: Random) -> str:
    if "{" not in shape:
        return shape
    minute = f"{rng.randint(9, 11):02}:{rng.randint(0, 59):02}"
    return shape.format(d="2025-02-22", m=minute, t=f"{minute}:{rng.randint(0, 59):02}")


def _odd_text(value: str, rng: Random) -> str:
    odd = rng.choice(_ODD_TEXTS)
    return rng.choice([odd, odd, value + odd, odd + value, f"{value}{odd}{value}", "x" * rng.choice([255, 256, 257])])


def _damaged(content: bytes, rng: Random) -> bytes:
    start = rng.randint(0, len(content))
    end = min(len(content), start + rng.randint(1, 30))
    put = rng.choice([b"", content[start:end] * 2, rng.choice(_ODD_BYTES), bytes([rng.randrange(256)])])
    cut = start if put in _ODD_BYTES else end
    if rng.random() < 0.05:
        return content[:start]
    return content[:start] + put + content[cut:]
