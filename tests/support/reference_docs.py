"""The pages of docs/reference that are made from the code: tables, settings and rules.

    PYTHONPATH=src:tests .venv/bin/python tests/support/reference_docs.py

writes them anew. A test compares them with what this module makes.
"""

from __future__ import annotations

from collections.abc import Iterable

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from common.contract import OPTIONAL_TABLES, TABLES, Relation, Table
from common.contract.gold import SALES_ENRICHED
from common.ingest.rules import ESSENTIAL_RULES, QualityRules, Rule, load_rules
from common.marts.registry import gold_tables, marts_kept_by
from common.run.arguments import option_of, shown_as
from common.run.settings import SETTINGS_BY_JOB
from common.run.shared_settings import PREFIX
from common.spark.expressions import FUNCTIONS
from support.project import ROOT

REFERENCE = ROOT / "docs" / "reference"
COMMAND = "PYTHONPATH=src:tests .venv/bin/python tests/support/reference_docs.py"
_MADE = f"<!-- Made from the code. Change it there, then run: {COMMAND} -->"

_ABOUT_TABLES = """\
Times are UTC instants, money is exact decimal. Columns in upper case come from a CSV file or are computed from it;
those in lower case are added by the lake. A column may be null only where its type says so. Each meaning is also the
comment of the column, so `DESCRIBE` and a catalog show it.
"""

_ABOUT_OPTIONAL_TABLES = """\
`forget_customer` makes `forgotten_customers`, and `maintain` makes `sale_ids`.
"""

_ABOUT_GOLD = """\
`build_gold` makes these. A sale is a row with a `QUANTITY` above 0, a return one with a `QUANTITY` below 0. "The newest
sale" is the newest of both in the lake, never the clock: the same lake always gives the same answer.
[The gold layer](../explanation/gold.md) gives the reasons.
"""

_ABOUT_FORECASTS = """\
`forecast_sales` makes these. Days and hours are those of the setting `business_time_zone`.
[Forecasts](../explanation/forecasts.md) says what the figures mean, and when not to trust them.
"""

_ABOUT_OFFERS = """\
`recommend_products` makes these. A purchase is a row with a `QUANTITY` and a `PRICE` above 0 that has a customer; days
are those of the setting `business_time_zone`. [Recommendations](../explanation/recommendations.md) says what the
figures mean.
"""

_ABOUT_SETTINGS = """\
An argument wins over a variable, a variable over `conf/<env>.yml`, and that file over the default. In the file, a key
is the argument without `--` and with `_` for `-`. Unknown keys, wrong types and unfilled `{{...}}` are refused by name.
"""

_AFTER_SETTINGS = """\
`./spark-submit.sh JOB --help` lists the settings of a job, `./spark-submit.sh make_sample --help` the options of the
sample. [Commands](commands.md) says what is set in other ways: Spark's properties, its log, mirrors.
"""

_AFTER_FILES = """\
An environment of your own, such as `test`, is a file `conf/test.yml`, chosen with `--env test`. Its Spark properties
are in `conf/spark-test.conf`; without that file, those of `conf/spark-local.conf` are used.
"""

_ABOUT_RULES = """\
These are the quality rules in `conf/quality.yml`. A rule is SQL that is true of a good row; null counts as broken. Its
filter says which rows it is about.

- A row that breaks a rule of criticality `reject` goes to `rejected_rows`, with every rule that it broke.
- A row that breaks a rule of criticality `warn` is kept and counted.
- A row that breaks a rule of criticality `fail` refuses the whole run.

The essential rules cannot be removed, and cannot only warn: the tables could not hold such rows. See
[Rejected rows](../guides/rejected-rows.md#add-a-rule) to add a rule.
"""

_SECTIONS = {
    "structure": "For every row of both feeds, before its values. A row that breaks one is checked no further.",
    "transactions": "For the values of a row of transactions.",
    "customers": "For the values of a row of customers.",
    "transactions_together": "For the transactions that passed, looked at together.",
    "customers_together": "For the customers that passed, looked at together.",
}

_NAMES = (
    ("`QUANTITY`, ...", "a column of the feed, of its type; null where the text is not a clean value"),
    ("`text.QUANTITY`, ...", "what the file says, without spaces around it; null where empty"),
    ("`is_unambiguous`", "no other row of the same file has the same id and other values"),
    ("`is_duplicate`", "an earlier row of this run has the same id and the same values"),
    ("`is_known_customer`", "the customer is in the lake or in this run's customers (transactions only)"),
)


_ABOUT_FUNCTIONS = """\
These may stand in a rule, as far as the engine has them; others, queries, comments and variables of the session are
refused. [What a run trusts](../explanation/trust.md#expressions-in-the-configuration) says why. `IN`, `CAST`, `CASE`,
`INTERVAL` and the rest of the grammar of one expression may stand there too. In the expression of a description, those
of the clock are refused.
"""


def pages() -> dict[str, str]:
    """The text of each page, by its file name in docs/reference."""
    return {"tables.md": _tables_page(), "settings.md": _settings_page(), "rules.md": _rules_page()}


def _tables_page() -> str:
    made_by_build_gold = [*gold_tables(), SALES_ENRICHED]
    return _page(
        "# Tables",
        _MADE,
        _ABOUT_TABLES,
        "## Made by load_sales",
        *map(_relation, TABLES),
        "## Made by other jobs",
        _ABOUT_OPTIONAL_TABLES,
        *map(_relation, OPTIONAL_TABLES),
        "## Gold",
        _ABOUT_GOLD,
        *map(_relation, made_by_build_gold),
        "## Forecasts",
        _ABOUT_FORECASTS,
        *(_relation(mart.table) for mart in marts_kept_by("forecast_sales")),
        "## Recommendations",
        _ABOUT_OFFERS,
        *(_relation(mart.table) for mart in marts_kept_by("recommend_products")),
    )


def _relation(relation: Relation) -> str:
    """What a table or view is about, its grain, its columns and its constraints."""
    columns = [
        (f"`{column.name}`", f"{column.type}{', may be null' if column.nullable else ''}", column.comment)
        for column in relation.columns
    ]
    facts = [f"Key: {_names(relation.key)}."]
    constraints: list[tuple[str, ...]] = []
    if isinstance(relation, Table):
        if relation.partitioned_by:
            facts.append(f"Partitioned by {_names(relation.partitioned_by)}.")
        if relation.computed_from:
            facts.append(f"Computed from {_names(relation.computed_from)}.")
        constraints = [(f"`{name}`", _code(check)) for name, check in relation.constraints]
    else:
        facts.append("A view: nothing of it is stored.")
    parts = [f"### {relation.name}", relation.comment, " ".join(facts), _table(("column", "type", "meaning"), columns)]
    if constraints:
        parts.append(_table(("constraint", "true of every row"), constraints))
    return "\n\n".join(parts)


def _settings_page() -> str:
    jobs_of: dict[str, list[str]] = {}
    fields: dict[str, FieldInfo] = {}
    for job, kind in SETTINGS_BY_JOB.items():
        for name, info in kind.model_fields.items():
            fields.setdefault(name, info)
            jobs_of.setdefault(name, []).append(job)
    rows = [
        (
            f"`{f'{option_of(info.alias or name)} {shown_as(info).value}'.strip()}`<br>"
            f"`{PREFIX}{(info.alias or name).upper()}`",
            _default(info),
            "all"
            if len(jobs_of[name]) == len(SETTINGS_BY_JOB)
            else ", ".join(f"`{job}`" for job in sorted(jobs_of[name])),
            (info.description or "").replace("<", "&lt;"),
        )
        for name, info in fields.items()
    ]
    delivered = [
        (f"`conf/{path.name}`", _keys(yaml.safe_load(path.read_text(encoding="utf-8"))))
        for path in sorted((ROOT / "conf").glob("*.yml"))
        if path.stem != "quality"
    ]
    return _page(
        "# Settings",
        _MADE,
        _ABOUT_SETTINGS,
        _table(("argument and variable", "default", "jobs", "meaning"), rows),
        _AFTER_SETTINGS,
        "## The files as delivered",
        _table(("file", "sets"), delivered),
        _AFTER_FILES,
    )


def _keys(settings: dict[str, object]) -> str:
    return ", ".join(f"`{key}: {value}`" for key, value in settings.items())


def _default(info: FieldInfo) -> str:
    if info.default is PydanticUndefined:
        return "must be given"
    if info.default is None:
        return ""
    return f"`{str(info.default).lower() if isinstance(info.default, bool) else info.default}`"


def _rules_page() -> str:
    rules = load_rules(ROOT / "conf" / "quality.yml")
    return _page(
        "# Rules",
        _MADE,
        _ABOUT_RULES,
        *(_rules_of(section, getattr(rules, section)) for section in QualityRules.model_fields),
        "## Names that a rule may use",
        _table(("name", "what it is"), _NAMES),
        "The last three are for the rules of rows that are looked at together.",
        "## Functions",
        _ABOUT_FUNCTIONS,
        _names(sorted(FUNCTIONS)),
    )


def _rules_of(section: str, rules: list[Rule]) -> str:
    rows = [
        (
            f"`{rule.name}`",
            rule.criticality,
            "yes" if rule.name in ESSENTIAL_RULES[section] else "",
            _code(rule.check),
            _code(rule.filter) if rule.filter else "",
        )
        for rule in rules
    ]
    table = _table(("rule", "criticality", "essential", "check", "filter"), rows)
    return f"## {section}\n\n{_SECTIONS[section]}\n\n{table}"


def _page(*parts: str) -> str:
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _code(sql: str) -> str:
    return f"`{' '.join(sql.split())}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
