"""Quality rules: SQL expressions in conf/quality.yml, evaluated in the pass that reads the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType

from common.contract import Feed
from common.csv_files.feed_format import FeedFormat
from common.csv_files.sequence import SEQUENCE
from common.errors import ConfigError
from common.spark.expressions import check_expression, check_types
from common.spark.failures import SPARK_ERRORS

# Without these the tables would not be what the contract says; they may reject or fail, not be dropped or only warn.
ESSENTIAL_RULES = {
    "structure": (
        "customer_is_not_forgotten",
        "encoding_is_valid",
        "header_is_not_repeated",
        "header_is_the_only_one",
        "row_is_well_formed",
    ),
    "transactions": (
        "transaction_id_is_present",
        "customer_id_is_present",
        "customer_id_is_not_reserved",
        "product_id_is_present",
        "quantity_is_present",
        "quantity_is_a_whole_number",
        "quantity_is_positive",
        "quantity_is_not_zero",
        "price_is_present",
        "price_is_an_amount_of_money",
        "price_is_not_negative",
        "transaction_date_is_present",
        "transaction_date_is_a_time",
        "sequence_is_present",
    ),
    "customers": (
        "customer_id_is_present",
        "customer_id_is_not_reserved",
        "age_is_a_whole_number",
        "sequence_is_present",
    ),
    "transactions_together": ("transaction_is_unambiguous",),
    "customers_together": ("customer_is_unambiguous",),
}


class Rule(BaseModel):
    """One rule: true of a good row. See conf/quality.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    criticality: Literal["reject", "warn", "fail"]
    check: str
    filter: str | None = None
    advice: str | None = None


class QualityRules(BaseModel):
    """All rules, by the moment at which they are evaluated."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    structure: list[Rule]
    transactions: list[Rule]
    customers: list[Rule]
    transactions_together: list[Rule]
    customers_together: list[Rule]

    def of_feed(self, feed: str) -> list[Rule]:
        return {"transactions": self.transactions, "customers": self.customers}[feed]

    def of_feed_together(self, feed: str) -> list[Rule]:
        return {"transactions": self.transactions_together, "customers": self.customers_together}[feed]

    def all_of_feed(self, feed: str) -> list[Rule]:
        return [*self.structure, *self.of_feed(feed), *self.of_feed_together(feed)]


def load_rules(path: Path) -> QualityRules:
    """Read and check the rules file; raises ConfigError naming the key that is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        rules = QualityRules.model_validate(content)
    except OSError as error:
        raise ConfigError(f"Cannot read the quality rules {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not in UTF-8.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(f"{path}: {where}: {first['msg']}.") from error
    for section, names in ESSENTIAL_RULES.items():
        _check_section(path, section, getattr(rules, section), names)
    for section in QualityRules.model_fields:
        for rule in getattr(rules, section):
            for what, sql in _expressions_of(rule).items():
                place = f"{path}: {section}: {what[0].lower()}{what[1:]}"
                check_expression(sql, place, may_ask_the_clock=True)
    for rule in rules.structure:
        if rule.criticality == "warn":
            raise ConfigError(f"{path}: structure: {rule.name} cannot warn: such a row has no values to keep.")
        if rule.name == "header_is_the_only_one" and rule.criticality != "fail":
            raise ConfigError(f"{path}: structure: {rule.name} has to fail: the rows after it are of other columns.")
    return rules


def _check_section(path: Path, section: str, rules: list[Rule], essential: tuple[str, ...]) -> None:
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{path}: {section}: the rule {name} stands there twice.")
    criticality = {rule.name: rule.criticality for rule in rules}
    for name in essential:
        if criticality.get(name) not in ("reject", "fail"):
            raise ConfigError(
                f"{path}: {section}: the rule {name} must be there with criticality reject or fail; "
                "the tables cannot hold rows that break it."
            )


def judged(rows: DataFrame, feed: Feed, format_: FeedFormat, rules: QualityRules) -> DataFrame:
    """Rows of `records.parse` with `broken_rules`, the names of those that each breaks by itself, and `is_rejected`."""
    of_feed = F.struct(
        F.lit(format_.allows_returns).alias("allows_returns"),
        F.lit(format_.allows_guests).alias("allows_guests"),
        F.lit(format_.sequence is not None).alias("has_sequence"),
        (F.col(SEQUENCE) if format_.sequence else F.lit(None).cast("string")).alias("sequence"),
    )
    rows = rows.withColumn("feed", of_feed)
    rows = with_broken_rules(rows, "broken_structure", rules.structure)
    rows = with_broken_rules(rows, "broken_values", rules.of_feed(feed.name))
    broken = (
        F.when(F.col("is_blank"), no_rules())
        .when(F.size("broken_structure") > 0, F.col("broken_structure"))
        .otherwise(F.col("broken_values"))
    )
    return (
        rows.withColumn("broken_rules", broken)
        .withColumn("is_rejected", is_rejected([*rules.structure, *rules.of_feed(feed.name)]))
        .drop("broken_structure", "broken_values", "feed")
    )


def with_broken_rules(rows: DataFrame, column: str, rules: list[Rule]) -> DataFrame:
    """Add a column with the names of the rules that each row breaks, an array; raises ConfigError for wrong SQL, before
    a row is read.
    """
    if not rules:
        return rows.withColumn(column, no_rules())
    expressions = {what: sql for rule in rules for what, sql in _expressions_of(rule).items()}
    check_types(rows, expressions, BooleanType, "neither true nor false")
    # One SQL text instead of hundreds of Column objects, each of which is a call into the JVM; and names joined and
    # split again, since Spark compiles neither array_compact nor what stands in it.
    cases = [f"CASE WHEN {_broken_sql(rule)} THEN '{rule.name}' END" for rule in rules]
    names = f"nullif(concat_ws(',', {', '.join(cases)}), '')"
    return rows.withColumn(column, F.coalesce(F.expr(f"split({names}, ',')"), no_rules()))


def advice_on(rules: list[Rule], name: str) -> str | None:
    """What a person may do about rows that break a rule, where the rule says so."""
    return next((rule.advice for rule in rules if rule.name == name), None)


def no_rules() -> Column:
    """What `broken_rules` is for a row that breaks none."""
    return F.array().cast("array<string>")


def names_of(rules: list[Rule], *criticalities: str) -> list[str]:
    """The names of the rules with one of the criticalities."""
    return [rule.name for rule in rules if rule.criticality in criticalities]


def is_rejected(rules: list[Rule]) -> Column:
    """Whether a row with `broken_rules` may not enter the lake."""
    rejecting = names_of(rules, "reject", "fail")
    if not rejecting:
        return F.lit(False)
    return F.arrays_overlap("broken_rules", F.array(*[F.lit(name) for name in rejecting]))


def _expressions_of(rule: Rule) -> dict[str, str]:
    """The SQL of a rule, by what it is."""
    parts = {"check": rule.check, "filter": rule.filter}
    return {f"The quality rule {rule.name}, its {part}": sql for part, sql in parts.items() if sql is not None}


def _broken_sql(rule: Rule) -> str:
    is_broken = f"NOT coalesce(({rule.check}\n), false)"
    return f"({rule.filter}\n) AND {is_broken}" if rule.filter else is_broken


def check_rules_run(rows: DataFrame, rules: list[Rule]) -> None:
    """Raise ConfigError naming the first rule whose SQL fails on some row; for use when a pass over all has failed."""
    for rule in rules:
        try:
            rows.where(F.expr(_broken_sql(rule))).count()
        except SPARK_ERRORS as error:
            raise ConfigError(
                f"The quality rule {rule.name} fails on some rows instead of being true or false: "
                "use try_cast and the like in its check and filter."
            ) from error
