"""CSV files with all sorts of faults. Each follows from a seed and its number alone, so that any can be made again."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from random import Random

from common.contract import CUSTOMERS_FEED, TRANSACTIONS, Feed

# Files whose numbers share all but the last two digits share two orders of columns, since each order is a scan.
BATCH = 100

_ODD_TEXTS = [
    *("Smith, Ann", 'Ann "Ace" Lee', '"', '""', '"x"', "x,", ",", ",,,", "'single", "O'Brien", "#x", "=1+1", "-"),
    *("two\nlines", "two\r\nlines", "old\rmac", "a\n\nb", "\n", "\r\n", 'a "q"\nb', ' "x', "tab\tinside", "x" * 300),
    *("", " ", "\t", " padded ", "NULL", "null", "N/A", "\\N", "back\\slash", "ends\\", '\\"', "a\\,b", "nan"),
    *("Zo\u00eb", "e\u0301", "\u6771\u4eac", "\U0001f469\u200d\U0001f467", "\u200b", "\u00a0", "\ufeff", "\u202eabc"),
    *("\x00", "a\x00b", "\x07", "\x0b", "\x0c", "\x1a", "\x1f", "\x7f", "\x85", "\u2028", "\u3000x", "\ue000"),
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
]
_ODD_PRICES = [
    *("0", "0.00", "-0.00", "-1.25", "+1.25", "0.5", ".5", "5.", "12.340", "1.50000000000000000000", "1.005", "1.239"),
    *("9999999999999999.99", "10000000000000000.00", "0000000000000000000012.34", "1e2", "1E-2", "$5", "5\u20ac"),
    *("1,234.50", "1.234,50", "1 234.50", "\uff11\uff12.50", "NaN", "-Infinity", "1d", "NULL", "", "1.50\n", "1..5"),
]
_TIME_SHAPES = [
    *("{d} {t}", "{d}T{t}", "{d}T{t}Z", "{d} {t}Z", "{d} {t}+05:30", "{d}T{t}-0130", "{d} {t}+02", "{d} {m}"),
    *("{d}T{m}Z", "{d} {t}.5", "{d} {t}.123456", "{d}T{t}.123456Z", "{d} {t}.123456000", "{d} {t}.000001-08:00"),
    *("{d} {t}+00:00", "{d} {t}+1400", "{d} {t}.1+18:00"),
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
    *("{d} {t} Europe/Berlin", "{d} {t} +01:00", "{d}T{t}+25:00", "{d} {t}+19:00", "{d} {t}+01:60", "{d} {t}.1234567"),
    *(
        "{d} {t}.",
        "{d}t{t}",
        "{d} {t}z",
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

    @property
    def stored(self) -> bytes:
        return gzip.compress(self.content, mtime=0) if self.name.endswith(".gz") else self.content


def fuzzed_file(seed: int, number: int) -> FuzzedFile:
    """Transactions under even numbers, customers under odd ones. A quarter has stray quotes, and a quarter damaged
    bytes; the others are odd in what RFC 4180 allows, in their values and in how many values a row has.
    """
    rng = Random(f"{seed} file {number}")
    feed = CUSTOMERS_FEED if number % 2 else TRANSACTIONS
    columns = _layout(seed, number, feed)
    kind = rng.choice(["tidy", "tidy", "quotes", "bytes"])
    oddity = rng.choice([0.0, 0.02, 0.1, 0.3])
    rows = rng.randint(1, 30) if rng.random() < 0.98 else rng.randint(1_001, 1_500)
    header = _header(columns, rng)
    records = [_record(feed, columns, f"{number}-{row}", oddity, rng) for row in range(rows)]
    lines = [header, *(_faulty(record, header, kind, oddity, rng) for record in records)]
    ends = rng.choice([["\n"], ["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"], ["\n", "\r\n", "\r"]])
    head, *body = [line + rng.choice(ends) for line in lines]
    content = "".join(body).encode("utf-8")
    if rng.random() < 0.3:
        content = content.rstrip(b"\r\n")
    if kind == "bytes":
        for _ in range(rng.randint(1, 4)):
            content = _damaged(content, rng)
    byte_order_mark = b"\xef\xbb\xbf" if rng.random() < 0.1 else b""
    name = f"file_{number:05}.csv" + (".gz" if rng.random() < 0.1 else "")
    return FuzzedFile(number, feed, name, byte_order_mark + head.encode("utf-8") + content)


def file_with_a_bad_header(seed: int, number: int) -> FuzzedFile:
    """A file that is to be refused for its first line."""
    rng = Random(f"{seed} header {number}")
    good = fuzzed_file(seed, number)
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


def _layout(seed: int, number: int, feed: Feed) -> list[str]:
    rng = Random(f"{seed} layouts {number // BATCH} {feed.name}")
    layouts = [feed.column_names, rng.sample(feed.column_names, len(feed.columns))]
    return layouts[number // 2 % 2]


def _header(columns: list[str], rng: Random) -> str:
    name_style = rng.choice(["{}", "{}", "{}", '"{}"', " {} ", "{}\t"])
    names = rng.choice([columns, [name.lower() for name in columns], [name.title() for name in columns]])
    return ",".join(name_style.format(name) for name in names)


def _record(feed: Feed, columns: list[str], id_: str, oddity: float, rng: Random) -> list[str]:
    """The values of a row, each good but for an odd one now and then."""
    if rng.random() < 0.03:
        id_ = f"again-{rng.randrange(40)}"
    good = _good_customer(id_, rng) if feed is CUSTOMERS_FEED else _good_sale(id_, rng)
    odd = {"QUANTITY": _ODD_NUMBERS, "AGE": _ODD_NUMBERS, "PRICE": _ODD_PRICES, "TRANSACTION_DATE": _ODD_TIME_SHAPES}
    values = []
    for name in columns:
        value = good[name]
        if rng.random() < oddity:
            value = _time(rng.choice(odd[name]), rng) if name in odd else _odd_text(value, rng)
        values.append(value)
    return values


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


def _faulty(values: list[str], header: str, kind: str, oddity: float, rng: Random) -> str:
    """The row as a line, maybe with a value more or fewer, and whatever may stand between two rows."""
    values = list(values)
    if rng.random() < oddity / 5:
        values = rng.choice([values[:-1], values[1:], values[:1], [*values, ""], [*values, "more"], ["", *values]])
    if rng.random() < oddity / 50:
        values = [*values, *[""] * rng.choice([990, 998, 1_000, 30_000])]
    if rng.random() < oddity / 100:
        values[0] = "x" * 200_000
    line = ",".join(_written(value, oddity, rng) for value in values)
    if kind == "quotes" and rng.random() < 0.1:
        at = rng.randint(0, len(line))
        line = line[:at] + rng.choice(['"', '"', '""', '"x', ' "']) + line[at:]
    if rng.random() < oddity / 5:
        line += rng.choice(
            ["\n", "\n   ", "\n\t \n", f"\n{header}", "\n#comment", '\n""', "\n,,,", "\n" + "," * len(values)]
        )
    return line


def _written(value: str, oddity: float, rng: Random) -> str:
    if re.search(r'[",\r\n]', value) or rng.random() < 0.1:
        value = '"' + value.replace('"', '""') + '"'
    if rng.random() < oddity / 10:
        value = rng.choice([" ", "\t", "  "]) + value
    if rng.random() < oddity / 10:
        value += rng.choice([" ", "\t"])
    return value


def _damaged(content: bytes, rng: Random) -> bytes:
    start = rng.randint(0, len(content))
    end = min(len(content), start + rng.randint(1, 30))
    put = rng.choice([b"", content[start:end] * 2, rng.choice(_ODD_BYTES), bytes([rng.randrange(256)])])
    cut = start if put in _ODD_BYTES else end
    if rng.random() < 0.05:
        return content[:start]
    return content[:start] + put + content[cut:]
