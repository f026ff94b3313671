"""What a record is in a dialect, as patterns that Spark evaluates: its values, its quotes, and if it is by the book."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from common.csv_files.feed_format import Dialect


@dataclass(frozen=True)
class Grammar:
    """A value in quotes may hold anything, its own quotes doubled or escaped. Any other holds no line break and does
    not start with a quote, after spaces or not unless the dialect skips those: parsers disagree about the rest.
    """

    delimiter: str
    quote: str | None
    escape: str | None
    missing_values: tuple[str, ...]
    value: str

    @classmethod
    def of(cls, dialect: Dialect) -> Grammar:
        """The grammar of a dialect."""
        delimiter, quote = re.escape(dialect.delimiter), re.escape(dialect.quote_char or "")
        escape = re.escape(dialect.escape_char or "")
        escaped = rf"{escape}(?s:.)" if escape else ""
        spaces = " " if dialect.delimiter == "\t" else r" \t"
        pair = f"(?:{quote}{quote}|{escaped})" if escape else quote * 2
        inside = rf"{quote}[^{quote}{escape}]*+(?:{pair}[^{quote}{escape}]*+)*+{quote}"
        if escape:
            first, more = f"[^{quote}{spaces}{delimiter}{escape}\\r\\n]", f"[^{delimiter}{escape}\\r\\n]"
            plain = rf"(?:(?:{first}|{escaped}){more}*+(?:{escaped}{more}*+)*+)?"
        else:
            plain = rf"(?:[^{quote}{spaces}{delimiter}\r\n][^{delimiter}\r\n]*+)?"
        before = rf"[{spaces}]*+" if dialect.skip_initial_space else ""
        value = rf"(?:{before}{inside}|[{spaces}]*+{plain})" if quote else rf"(?:[{spaces}]*+{plain})"
        return cls(dialect.delimiter, dialect.quote_char, dialect.escape_char, dialect.missing_values, value)

    def may_have_quotes(self, line: Column) -> Column:
        """Whether a line has a quote or an escape, so that splitting it at each delimiter would not do."""
        found = [line.contains(char) for char in (self.quote, self.escape) if char]
        return found[0] if len(found) == 1 else found[0] | found[1] if found else F.lit(False)

    def quotes_in(self, column: str) -> Column:
        """How many quotes a line has that are not escaped, in any encoding: counted in bytes, since characters may not
        be valid.
        """
        line = F.col(column)
        if not self.quote:
            return F.lit(0)
        if self.escape:
            for pair in (self.escape * 2, self.escape + self.quote):
                line = F.replace(line, F.lit(pair), F.lit(""))
        return _times(self.quote, line)

    def delimiters_in(self, line: Column) -> Column:
        """How many delimiters a line has, those in quotes too."""
        return _times(self.delimiter, line)

    def is_record(self, line: Column) -> Column:
        """Whether a line is a record by the book."""
        delimiter = re.escape(self.delimiter)
        return line.rlike(rf"^{self.value}(?:{delimiter}{self.value})*+\z")

    def split(self, line: Column) -> Column:
        """The values of a line without quotes and escapes."""
        return F.split(line, re.escape(self.delimiter))

    def values_of(self, line: Column) -> Column:
        """The values of a line with quotes or escapes, without those; null where it is no record by the book."""
        delimiter = re.escape(self.delimiter)
        found = F.regexp_extract_all(
            F.concat(F.lit(self.delimiter), line), F.lit(f"{delimiter}({self.value})"), F.lit(1)
        )
        return F.when(self.is_record(line), F.transform(found, self._without_quotes))

    def _without_quotes(self, value: Column) -> Column:
        quote = self.quote or ""
        start = F.ltrim(value, F.lit(" \t"))
        is_quoted = start.startswith(quote) if quote else F.lit(False)
        inner = F.substring(start, F.lit(2), F.length(start) - 2)
        if not self.escape:
            return F.when(is_quoted, F.replace(inner, F.lit(quote * 2), F.lit(quote))).otherwise(value)
        escape = re.escape(self.escape)
        unescaped = rf"{escape}((?s:.))"
        in_quotes = rf"{unescaped}|{re.escape(quote)}({re.escape(quote)})" if quote else unescaped
        # A missing value such as \\N is told before the escape is taken for one.
        is_missing = F.btrim(value, F.lit(" \t")).isin(*self.missing_values)
        return (
            F.when(is_quoted, F.regexp_replace(inner, in_quotes, "$1$2" if quote else "$1"))
            .when(is_missing, "")
            .otherwise(F.regexp_replace(value, unescaped, "$1"))
        )


def _times(char: str, line: Column) -> Column:
    return F.octet_length(line) - F.octet_length(F.replace(line, F.lit(char), F.lit("")))
