"""SQL expressions that a person writes into a file of the configuration: what may stand in one.

An expression is put into a query that runs with all that the run may do. So it may name columns and the functions of
this module, and nothing else: a list of what is allowed stays right when an engine, a platform or a session adds
functions of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

from common.errors import ConfigError
from common.spark.sql import quoted

# Spark's functions of one row whose value follows from their arguments alone, and those of the clock, which stands
# still while a query runs.
_SCALAR = """
abs acos acosh add_months aggregate and array array_append array_compact array_contains array_distinct array_except
array_insert array_intersect array_join array_max array_min array_position array_prepend array_remove array_repeat
array_size array_sort array_union arrays_overlap arrays_zip ascii asin asinh atan atan2 atanh base64 between bigint
bin binary bit_count bit_get bit_length boolean bround btrim cardinality cast cbrt ceil ceiling char char_length
character_length chr coalesce collate concat concat_ws contains conv convert_timezone cos cosh cot crc32 csc curdate
current_date current_time current_timestamp date date_add date_diff date_format date_from_unix_date date_part date_sub
date_trunc dateadd datediff datepart day dayname dayofmonth dayofweek dayofyear decimal decode degrees double e
element_at elt encode endswith equal_null exists exp expm1 extract factorial filter find_in_set flatten float floor
forall format_number format_string from_csv from_json from_unixtime from_utc_timestamp get get_json_object getbit
greatest hash hex hour hypot if ifnull ilike in initcap instr int is_valid_utf8 is_valid_variant is_variant_null isnan
isnotnull isnull json_array_length json_object_keys lcase least left len length levenshtein like ln localtimestamp
locate log log10 log1p log2 lower lpad ltrim luhn_check make_date make_dt_interval make_interval make_time
make_timestamp make_timestamp_ltz make_timestamp_ntz make_valid_utf8 make_ym_interval map map_concat map_contains_key
map_entries map_filter map_from_arrays map_from_entries map_keys map_values map_zip_with mask md5 minute mod month
monthname months_between named_struct nanvl negative next_day not now nullif nullifzero nvl nvl2 octet_length or
overlay parse_json parse_url pi pmod position positive pow power printf quarter radians reduce regexp regexp_count
regexp_extract regexp_extract_all regexp_instr regexp_like regexp_replace regexp_substr repeat replace reverse right
rint rlike round rpad rtrim sec second sequence sha sha1 sha2 shiftleft shiftright shiftrightunsigned sign signum sin
sinh size slice smallint sort_array soundex space split split_part sqrt startswith str_to_map string struct substr
substring substring_index tan tanh time time_diff time_from_micros time_from_millis time_from_seconds time_to_micros
time_to_millis time_to_seconds time_trunc timestamp timestamp_micros timestamp_millis timestamp_seconds tinyint
to_binary to_char to_csv to_date to_json to_number to_time to_timestamp to_timestamp_ltz to_timestamp_ntz
to_unix_timestamp to_utc_timestamp to_varchar transform transform_keys transform_values translate trim trunc try_add
try_divide try_element_at try_make_interval try_make_timestamp try_make_timestamp_ltz try_make_timestamp_ntz try_mod
try_multiply try_parse_json try_parse_url try_subtract try_to_binary try_to_date try_to_number try_to_time
try_to_timestamp try_url_decode try_validate_utf8 try_variant_get typeof ucase unbase64 unhex unix_date unix_micros
unix_millis unix_seconds unix_timestamp upper url_decode url_encode variant_get weekday weekofyear width_bucket
xxhash64 year zeroifnull zip_with
"""
FUNCTIONS = frozenset(_SCALAR.split())
# What is written like a call of a function, and is grammar.
_LIKE_CALLS = """
case when then else try_cast timestampadd timestampdiff dateadd distinct div escape is interval from for placing both
leading trailing symmetric asymmetric as dec numeric varchar character timestamp_ltz timestamp_ntz
"""
_GRAMMAR = frozenset(_LIKE_CALLS.split())
# Words of queries, of windows and of aggregates. Whether a query begins with FROM, its place says.
_QUERY = frozenset(["select", "with", "table", "values", "using", "over", "within", "where", "lateral"])
# What Spark takes for a function without parentheses, in backquotes too, where no column has the name.
_WITHOUT_PARENTHESES = """
current_catalog current_database current_path current_schema current_user grouping__id session_user user
"""
_OF_THE_SESSION = frozenset(_WITHOUT_PARENTHESES.split())
# What says when the run is: with parentheses or without, and as a text that is taken for a time.
_OF_THE_CLOCK = frozenset(["curdate", "current_date", "current_time", "current_timestamp", "localtimestamp", "now"])
_CLOCK_WITHOUT_PARENTHESES = _OF_THE_CLOCK - {"curdate", "now"}
_TIME_IN_WORDS = re.compile(r"""[rR]?['"]\s*(now|today|tomorrow|yesterday)(\s+[^\s'"]+)?\s*['"]""", re.IGNORECASE)
_REASONS = {
    **dict.fromkeys(("reflect", "try_reflect", "java_method"), "calls Java"),
    **dict.fromkeys(
        ("rand", "randn", "random", "randstr", "uniform", "uuid", "shuffle", "aes_encrypt"),
        "has another value at each evaluation",
    ),
    **dict.fromkeys(
        ("monotonically_increasing_id", "spark_partition_id"), "depends on how Spark spreads the rows over its tasks"
    ),
    **dict.fromkeys(
        ("input_file_name", "input_file_block_start", "input_file_block_length"),
        "depends on how Spark reads the files; _file is the name of a row's file in a description",
    ),
    **dict.fromkeys(("raise_error", "assert_true"), "ends the run with what a row holds in its message"),
    **dict.fromkeys(_QUERY | {"from"}, "belongs to a query, and an expression is about one row"),
    **dict.fromkeys(_OF_THE_SESSION, "is about the session"),
    **dict.fromkeys(("system", "session"), "names what belongs to the session"),
}

# As Spark's grammar has them. What is none of these is refused, so that nothing is read here otherwise than there.
_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n\f\v]+)
    | (?P<refused>--|/\*|\*/|//)
    | (?P<text>[rR]'[^']*' | [rR]"[^"]*" | '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*")
    | (?P<quoted>`(?:[^`]|``)*`)
    | (?P<number>(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE][+-]))(?:[eE][+-]?[0-9]+)?(?:[fFdD]|[bB][dD])?(?![A-Za-z0-9_]))
    | (?P<word>[A-Za-z0-9_]+)
    | (?P<sign>->|=>|::|[][()<>=!+*/%|&^~.,-])
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENING, _CLOSING = {"(": ")", "[": "]"}, {")", "]"}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str

    @property
    def name(self) -> str:
        """What Spark looks up: in small letters, and without backquotes."""
        return (self.text[1:-1].replace("``", "`") if self.kind == "quoted" else self.text).lower()

    @property
    def is_name(self) -> bool:
        return self.kind in ("word", "quoted")

    @property
    def sign(self) -> str:
        return self.text if self.kind == "sign" else ""


_NOTHING = _Token("", "")


def check_expression(sql: str, what: str, *, may_ask_the_clock: bool) -> None:
    """Raise ConfigError, beginning with `what`, unless the text is one expression of columns, literals and `FUNCTIONS`,
    whatever it is put into; those of the clock only where it `may_ask_the_clock`. It is only looked at; whether Spark
    can read it is another question: see `check_types`.
    """
    refusal = _refusal(sql) or (None if may_ask_the_clock else next(_clocks(_tokens(sql)[0]), None))
    if refusal:
        raise ConfigError(f"{what}: {refusal}")


def check_types(
    rows: DataFrame, expressions: Mapping[str, str], wanted: type[DataType] | tuple[type[DataType], ...], otherwise: str
) -> None:
    """Raise ConfigError for the first of the expressions, by what each is, that is no SQL for these rows, names a
    variable of the session, or is not of the wanted type, but what `otherwise` says. Nothing is read.
    """
    for what, sql in expressions.items():
        _check_no_variables(rows, sql, what)
    in_parentheses = [f"({sql}\n)" for sql in expressions.values()]
    try:
        found = [field.dataType for field in rows.selectExpr(*in_parentheses).schema.fields]
    except (AnalysisException, ParseException):
        found = []
    if len(found) == len(in_parentheses) and all(isinstance(type_, wanted) for type_ in found):
        return
    for what, sql in expressions.items():
        try:
            fields = rows.select(F.expr(f"({sql}\n)")).schema.fields
        except (AnalysisException, ParseException) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"{what}: this is no valid SQL for these rows: {reason}") from error
        if len(fields) != 1 or not isinstance(fields[0].dataType, wanted):
            raise ConfigError(f"{what}: this is {otherwise}: {sql}")
    raise AssertionError("unreachable: each is good alone")


def _check_no_variables(rows: DataFrame, sql: str, what: str) -> None:
    """Raise ConfigError where a name that is no column means something nevertheless."""
    known = {column.lower() for column in rows.columns} | FUNCTIONS | _GRAMMAR | {"end", "false", "null", "true"}
    tokens, _ = _tokens(sql)
    for before, token in zip([_NOTHING, *tokens], tokens, strict=False):
        if not token.is_name or token.text.isdigit() or before.sign == "." or token.name in known:
            continue
        with suppress(AnalysisException, ParseException):
            # Of rows without columns of any name.
            nothing = rows.sparkSession.range(0).select(F.lit(None).alias(""))
            _ = nothing.select(F.expr(quoted(token.name))).schema
            raise ConfigError(f"{what}: {token.text} is refused: it is a variable of the session, and no column.")


def _refusal(sql: str) -> str | None:
    """Why the text may not be an expression, in a sentence; None where it may."""
    # Spark replaces it before it reads the SQL, in texts too.
    if "${" in sql:
        return "${ is refused, since Spark puts a setting or a variable of the environment in its place."
    tokens, refusal = _tokens(sql)
    if refusal or not tokens:
        return refusal or "there is no expression."
    return _unbalanced(tokens) or next(_refused_names(tokens), None)


def _tokens(sql: str) -> tuple[list[_Token], str | None]:
    """What the text consists of, up to what may not be there, and why that may not."""
    tokens: list[_Token] = []
    place = 0
    while place < len(sql):
        match = _TOKEN.match(sql, place)
        kind = match.lastgroup if match else None
        if match is None or kind is None:
            return tokens, _no_part_of_an_expression(sql[place])
        if kind == "refused":
            return tokens, f"{match[0]} is refused; write comments as the file has them, after #."
        if kind != "space":
            tokens.append(_Token(kind, match[0]))
        place = match.end()
    return tokens, None


def _no_part_of_an_expression(character: str) -> str:
    if character in "'\"`":
        return f"a {character} is not closed."
    shown = character if character.isprintable() and character.isascii() else f"the character U+{ord(character):04X}"
    return f"{shown} is refused; outside of texts, names in backquotes hold what is no plain letter."


def _unbalanced(tokens: list[_Token]) -> str | None:
    """Whether it would reach out of the parentheses that it is put into, or is several."""
    expected: list[str] = []
    for token in tokens:
        if token.sign in _OPENING:
            expected.append(_OPENING[token.sign])
        elif token.sign in _CLOSING:
            if not expected or token.sign != expected.pop():
                return f"a {token.sign} closes what is not open."
        elif token.sign == "," and not expected:
            return "there is more than one expression."
    return f"a {expected[-1]} is missing." if expected else None


def _refused_names(tokens: list[_Token]) -> Iterator[str]:
    befores = [_NOTHING, *tokens]
    afters = [*tokens[1:], _NOTHING]
    for before, token, after in zip(befores, tokens, afters, strict=False):
        if token.kind == "text" and after.sign == "(":
            yield f"{token.text} is refused: it is called like a function."
        if not token.is_name:
            continue
        is_field, is_called = before.sign == ".", after.sign == "("
        if is_called and not _may_be_called(before, token, is_field):
            yield f"{token.text} is refused: {_reason(token.name, is_field)}."
        elif token.kind == "word" and not is_field and token.name in _QUERY:
            yield f"{token.text} is refused: it {_REASONS[token.name]}; as a name, it goes into backquotes."
        elif _begins_query(before, token) or (not is_field and _is_of_the_session(token, after)):
            yield f"{token.text} is refused: it {_REASONS[token.name]}."


def _clocks(tokens: list[_Token]) -> Iterator[str]:
    befores, afters = [_NOTHING, *tokens], [*tokens[1:], _NOTHING, _NOTHING]
    for number, (before, token) in enumerate(zip(befores, tokens, strict=False)):
        is_called = afters[number].sign == "("
        is_now = token.name == "unix_timestamp" and is_called and afters[number + 1].sign == ")"
        is_function = (
            token.is_name
            and before.sign != "."
            and (token.name in _CLOCK_WITHOUT_PARENTHESES or (is_called and token.name in _OF_THE_CLOCK) or is_now)
        )
        if is_function or (token.kind == "text" and _TIME_IN_WORDS.fullmatch(token.text)):
            yield f"{token.text} is refused: it asks the clock, so that a file would not say the same in every run."


def _begins_query(before: _Token, token: _Token) -> bool:
    """EXTRACT, TRIM and IS DISTINCT FROM have the word elsewhere."""
    return token.kind == "word" and token.name == "from" and (before == _NOTHING or before.sign == "(")


def _is_of_the_session(token: _Token, after: _Token) -> bool:
    return token.name in _OF_THE_SESSION or (token.name in ("system", "session") and after.sign == ".")


def _may_be_called(before: _Token, token: _Token, is_field: bool) -> bool:
    if is_field:
        return False
    if token.kind == "word" and token.name in ("any", "some", "all"):
        return before.name in ("like", "ilike")
    return token.name in FUNCTIONS or (token.kind == "word" and token.name in _GRAMMAR)


def _reason(name: str, is_field: bool) -> str:
    if is_field:
        return "functions are named without what they belong to"
    if name in _REASONS:
        return f"it {_REASONS[name]}"
    return "it is none of the functions that may stand here, which docs/reference/rules.md lists"
