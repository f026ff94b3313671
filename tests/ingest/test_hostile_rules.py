"""A rule is one expression about one row: it cannot reach out of its place, nor reach Java, files or other tables."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from pyspark.errors import ParseException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType

from common.errors import ConfigError
from common.ingest.rules import load_rules
from common.spark.expressions import FUNCTIONS, check_expression, check_types
from support.lakes import Workbench
from support.project import ROOT

USAGE = 2
RULES = ROOT / "conf" / "quality.yml"
JAVA = "reflect('java.lang.System', 'getenv', 'HOME') IS NOT NULL"


def written(folder: Path, check: str) -> Path:
    """The rules as delivered, but for one of customers."""
    path = folder / "rules.yml"
    text = RULES.read_text(encoding="utf-8")
    assert "check: AGE BETWEEN 0 AND 120" in text
    block = "\n".join(["check: |-", *(f"      {line}" for line in check.split("\n"))])
    path.write_text(text.replace("check: AGE BETWEEN 0 AND 120", block), encoding="utf-8")
    return path


def test_a_check_that_closes_the_parenthesis_around_it_switches_no_other_rule_off(bench: Workbench) -> None:
    # Put where a check stands today, it makes `coalesce((1=1), false) OR (true\n), false)`.
    bench.people("c1,Alice,999,Norway", "c2,Bob,abc,Mali")
    path = written(bench.folder, "1=1), false) OR coalesce((true")
    outcome = bench.load(f"--quality-rules={path}")
    assert outcome.exit_code == USAGE
    assert "customers: the quality rule age_is_plausible, its check: a ) closes what is not open" in outcome.error
    assert bench.versions() == {}


@pytest.mark.parametrize(
    ("check", "word"),
    [
        (JAVA, "reflect"),
        ("ReFlEcT ('java.lang.Math', 'random') > ''", "ReFlEcT"),
        ("reflect\n('java.lang.Math', 'random') > ''", "reflect"),
        ("`reflect`('java.lang.Math', 'random') > ''", "`reflect`"),
        ("system.builtin.reflect('java.lang.Math', 'random') > ''", "system"),
        ("builtin.`java_method`('java.lang.Math', 'random') > ''", "`java_method`"),
        ("try_reflect('java.lang.Math', 'random') > ''", "try_reflect"),
        ("IDENTIFIER('reflect')('java.lang.Math', 'random') > ''", "IDENTIFIER"),
        ("exists(array(1), x -> reflect('java.lang.Math', 'random') > '')", "reflect"),
        ("'\\'' = '' OR reflect('java.lang.Math', 'random') > '\\''", "reflect"),
        ("r'\\' = '' OR reflect('java.lang.Math', 'random') > r'\\'", "reflect"),
        ("'it''s' = '' OR reflect('java.lang.Math', 'random') > ''", "reflect"),
        ("1.R'\\' = '' OR reflect('java.lang.Math', 'random') > ''", "reflect"),
        ("\"reflect\"('java.lang.Math', 'random') > ''", '"reflect"'),
        ("reflect/**/('java.lang.Math', 'random') > ''", "/*"),
        ("reflect -- '\n ('java.lang.Math', 'random') > ''", "--"),
        ("'${env:HOME}' > ''", "${"),
        ("`${spark.app.name}` > ''", "${"),
        ("(SELECT count(1) FROM text.`/etc/passwd`) > 0", "SELECT"),
        ("(FROM text.`/etc/passwd` |> AGGREGATE count(1)) > 0", "FROM"),
        ("FROM text.`/etc/passwd` |> AGGREGATE count(1) > 0", "FROM"),
        ("AGE IN (TABLE customers)", "TABLE"),
        ("EXISTS (VALUES (1))", "VALUES"),
        ("EXISTS(WITH a AS (VALUES 1) FROM a)", "WITH"),
        ("AGE IN (WITH a AS (VALUES 1) FROM a)", "WITH"),
        ("AGE IN ((\n(VALUES 1)))", "VALUES"),
        ("AGE IN (MAP 1 USING 'cat' FROM customers)", "USING"),
        ("rand() < 2", "rand"),
        ("uuid() > ''", "uuid"),
        ("shuffle(array(1, 2))[0] = 1", "shuffle"),
        ("monotonically_increasing_id() >= 0", "monotonically_increasing_id"),
        ("spark_partition_id() >= 0", "spark_partition_id"),
        ("input_file_name() > ''", "input_file_name"),
        ("read_files('/etc/passwd') > ''", "read_files"),
        ("from_avro(x, '{}') IS NOT NULL", "from_avro"),
        ("a_function_of_ours(AGE)", "a_function_of_ours"),
        ("max(AGE) OVER () > 0", "max"),
        ("raise_error(NAME) IS NULL", "raise_error"),
        ("user = 'root'", "user"),
        ("`current_user` = 'root'", "`current_user`"),
        ("session.x", "session"),
        ("AGE > 0; DROP TABLE customers", ";"),
        ("AGE > 0, AGE < 5", "more than one expression"),
        ("", "no expression"),
        ("(AGE > 0", "a ) is missing"),
        ("AGE > 0]", "a ] closes"),
        ("NAME = 'x", "a ' is not closed"),
        ("AGE >\u00a00", "U+00A0"),
        ("réflect(AGE)", "U+00E9"),
    ],
)
def test_what_is_no_expression_of_columns_and_harmless_functions_is_refused_by_name(check: str, word: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_expression(check, "f.yml: a rule", may_ask_the_clock=True)
    assert str(refused.value).startswith("f.yml: a rule: ")
    assert word in str(refused.value)


@pytest.mark.parametrize(
    "check",
    [
        "AGE BETWEEN 0 AND 120",
        "COUNTRY IN ('Mali', 'Côte d\\'Ivoire', \"SELECT (\", 'reflect(1)', r'\\(')",
        "NAME RLIKE '^[(]--/*[)]' AND NOT (AGE IS NULL OR text.AGE IS NOT DISTINCT FROM '5')",
        "CASE WHEN (AGE) > 1.5e3 THEN (true) ELSE NOT(false) END",
        "exists(split(NAME, ' '), x -> x LIKE ANY ('a%', 'b%')) AND NAME IN ('c') AND cast(AGE AS DEC(4, 1)) <> .5",
        "now() - INTERVAL 1 DAY > TIMESTAMP '2000-01-01 00:00:00Z' AND current_date >= DATE '2000-01-01'",
        "extract(YEAR FROM current_timestamp()) > 2000 AND trim(BOTH 'x' FROM NAME) != ''",
        "`a name with (`.`user` > AGE::double - -1 AND text.user = map('a', 1)['a'] || 'b'",
        "AGE\n> 0 -\t1",
    ],
)
def test_what_rules_are_for_is_allowed(check: str) -> None:
    check_expression(check, "a rule", may_ask_the_clock=True)


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("date_format(now(), 'yyyy')", "now"),
        ("concat(`NOW`(), Day)", "`NOW`"),
        ("curdate ()", "curdate"),
        ("current_date", "current_date"),
        ("`Current_Timestamp`", "`Current_Timestamp`"),
        ("current_time(3)", "current_time"),
        ("date_format(localtimestamp, 'HH')", "localtimestamp"),
        ("unix_timestamp( )", "unix_timestamp"),
        ("timestamp'Now'", "'Now'"),
        ('CAST(" today UTC" AS DATE)', '" today UTC"'),
        ("Day < 'tomorrow' OR Day > r'yesterday'", "'tomorrow'"),
    ],
)
def test_a_value_that_depends_on_the_clock_is_for_rules_and_not_for_descriptions(expression: str, word: str) -> None:
    check_expression(expression, "a rule", may_ask_the_clock=True)
    with pytest.raises(ConfigError) as refused:
        check_expression(expression, "feeds.yml, line 5", may_ask_the_clock=False)
    assert str(refused.value).startswith(f"feeds.yml, line 5: {word} is refused: it asks the clock")


@pytest.mark.parametrize(
    "expression", ["concat(now, row.current_date)", "unix_timestamp(Day)", "'knows'", "'now or never'"]
)
def test_words_that_only_look_like_the_clock_are_allowed(expression: str) -> None:
    check_expression(expression, "feeds.yml", may_ask_the_clock=False)


@pytest.mark.parametrize("name", ["rand", "randn", "uuid", "shuffle", "input_file_name", "monotonically_increasing_id"])
def test_a_value_that_depends_on_the_run_is_refused_with_the_reason(name: str) -> None:
    for may_ask_the_clock in (True, False):
        with pytest.raises(ConfigError, match=f"{name} is refused: it (has another value|depends on how Spark)"):
            check_expression(f"concat({name}(), '')", "f.yml", may_ask_the_clock=may_ask_the_clock)


def test_functions_hidden_from_the_rules_file_do_not_run(bench: Workbench) -> None:
    bench.people("c1,Alice,30,Norway")
    outcome = bench.load(f"--quality-rules={written(bench.folder, JAVA)}", "--dry-run")
    assert outcome.exit_code == USAGE
    assert "age_is_plausible, its check: reflect is refused: it calls Java." in outcome.error


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        ("AGE > 0 AS x", "no valid SQL"),
        ("AGE > 0 x", "no valid SQL"),
        ("(AGE > 0, true)", "neither true nor false"),
        ("'true'", "neither true nor false"),
        ("*", "no valid SQL|neither true nor false"),
        ("AGE = a_variable", "a_variable is refused: it is a variable of the session"),
        ("`A_VARIABLE` = AGE", "`A_VARIABLE` is refused: it is a variable of the session"),
        ("AGE = nothing_of_the_kind", "no valid SQL"),
    ],
)
def test_an_expression_is_one_has_its_type_and_is_about_the_row(spark: SparkSession, check: str, sentence: str) -> None:
    spark.sql("DECLARE OR REPLACE VARIABLE a_variable INT DEFAULT 5")
    rows = spark.range(0).select(F.lit(1).alias("AGE"), F.lit("").alias("NAME"))
    try:
        check_types(rows, {"a good one": "exists(array(AGE), x -> x > 0)"}, BooleanType, "neither true nor false")
        with pytest.raises(ConfigError, match=sentence) as refused:
            check_types(rows, {"good": "AGE > 0", "bad": check}, BooleanType, "neither true nor false")
        assert str(refused.value).startswith("bad: ")
    finally:
        spark.sql("DROP TEMPORARY VARIABLE a_variable")


def test_all_functions_that_are_allowed_are_of_one_row_and_follow_from_their_arguments(spark: SparkSession) -> None:
    """As Spark's own classes have it."""
    there = {row[0] for row in spark.sql("SHOW SYSTEM FUNCTIONS").collect()}
    grammar = {"in", "position", "extract", "cast", "substring", "trim", "overlay"}
    assert there >= FUNCTIONS - grammar
    jvm = getattr(spark, "_jvm", None)
    if jvm is None:
        pytest.skip("Spark Connect does not show its classes")
    package = "org.apache.spark.sql.catalyst.expressions"
    others = (
        "Nondeterministic",
        "Generator",
        "WindowFunction",
        "CallMethodViaReflection",
        "aggregate.AggregateFunction",
    )
    refused = [jvm.java.lang.Class.forName(f"{package}.{name}") for name in others]
    catalog = spark._jsparkSession.sessionState().catalog()
    for function in sorted(FUNCTIONS & there):
        described = catalog.lookupFunctionInfo(jvm.org.apache.spark.sql.catalyst.FunctionIdentifier(function))
        found = jvm.java.lang.Class.forName(described.getClassName())
        assert not any(kind.isAssignableFrom(found) for kind in refused), function


def test_random_texts_that_are_allowed_mean_the_same_to_spark(spark: SparkSession) -> None:
    """What is taken for a text, a name or a number here is one there: else a call could hide in it."""
    if getattr(spark, "_jvm", None) is None:
        pytest.skip("Spark Connect does not show its parser")
    parser = spark._jsparkSession.sessionState().sqlParser()
    words = [
        "reflect",
        "reflect(1)",
        "`reflect`(1)",
        "abs",
        "abs(",
        "x",
        "e",
        "1",
        "1.",
        ".5",
        "a.",
        "user",
        "'a'",
        '"b"',
        "[0]",
    ]
    quotes = [
        "'",
        "'",
        '"',
        "`",
        "\\",
        "\\'",
        "''",
        "r'",
        'R"',
        "``",
        "(",
        "(",
        ")",
        ")",
        "->",
        "=",
        "::int",
        ",",
        "+",
        "-",
    ]
    others = [
        "--",
        "\n",
        "/*",
        "*/",
        " ",
        " ",
        "$",
        "//",
        "{",
        "FROM t",
        "VALUES 1",
        "TABLE t",
        "(SELECT 1)",
        "AND",
        "IN",
        "NOT",
    ]
    choose = random.Random(20250222)
    read_by_both = 0
    for _ in range(20_000):
        text = "".join(choose.choices([*words, *quotes, *others], k=choose.randint(1, 9)))
        try:
            check_expression(text, "random", may_ask_the_clock=True)
            parsed = parser.parseExpression(f"({text}\n)")
        except (ConfigError, ParseException):
            continue
        read_by_both += 1
        outside_of_texts = re.sub(r"'(?:[^'\\]|\\.)*'", "", parsed.sql(), flags=re.DOTALL)
        assert "reflect(" not in outside_of_texts, text
        assert "subquery" not in parsed.treeString(), text
    assert read_by_both > 500


def test_the_rules_as_delivered_are_allowed() -> None:
    assert load_rules(RULES).customers
