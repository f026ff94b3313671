"""Settings come from a file, variables and arguments, in that order, and nothing unknown or of a wrong type passes."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from common.errors import ConfigError
from common.ingest.rules import ESSENTIAL_RULES, load_rules
from common.run.arguments import argument_parser
from common.run.configuration import load_settings
from common.run.settings import SETTINGS_BY_JOB, LoadSettings
from common.run.shared_settings import Settings
from support.project import ROOT

CONF = ROOT / "conf"
RULES = (CONF / "quality.yml").read_text(encoding="utf-8")


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "local.yml").write_text("transactions: t.csv\ncustomers: c.csv\nlake: lake\nmax_rejected_share: 0.1\n")
    monkeypatch.setenv("SALES_LAKEHOUSE_CONF_DIR", str(tmp_path))
    return tmp_path


def test_an_argument_wins_over_a_variable_and_a_variable_over_the_file(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings({}, LoadSettings).max_rejected_share == 0.1
    monkeypatch.setenv("SALES_LAKEHOUSE_MAX_REJECTED_SHARE", "0.2")
    monkeypatch.setenv("MAX_REJECTED_SHARE", "0.9")
    assert load_settings({}, LoadSettings).max_rejected_share == 0.2
    assert load_settings({"max_rejected_share": "0.3"}, LoadSettings).max_rejected_share == 0.3


def test_a_catalog_by_argument_replaces_a_folder_by_file_or_variable(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALES_LAKEHOUSE_LAKE", "elsewhere")
    assert load_settings({}, LoadSettings).lake == str(Path("elsewhere").absolute())
    settings = load_settings({"catalog": "main", "schema": "sales"}, LoadSettings)
    assert (settings.lake, settings.catalog, settings.schema_) == (None, "main", "sales")


@pytest.mark.parametrize(
    ("path", "absolute"),
    [
        ("file:///data/lake/", "/data/lake"),
        ("file:/data/lake", "/data/lake"),
        ("s3a://bucket/lake", "s3a://bucket/lake"),
        ("dbfs:/lake", "dbfs:///lake"),
        ("/data/lake", "/data/lake"),
    ],
)
def test_a_path_is_local_or_has_a_scheme(conf: Path, path: str, absolute: str) -> None:
    assert load_settings({"lake": path}, LoadSettings).lake == absolute


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("max_rejected_shares: 0.1", "max_rejected_shares: there is no such setting"),
        ("max_rejected_share: lots", "max_rejected_share: lots is no share: write a number from 0 to 1"),
        ("max_rejected_share: 1.5", "max_rejected_share: 1.5 is no share: write a number from 0 to 1"),
        ("transactions: 5", "transactions: write text"),
        ("customers: '{{customers}}'", "customers: {{customers}} still holds a placeholder"),
        ("source_time_zone: Mars/Olympus", "source_time_zone: Mars/Olympus is no time zone"),
        ("encoding: utf-16", "iconv -f utf-16 -t UTF-8"),
        ("encoding: klingon", "klingon is not known"),
        ("schema: sales", "name where the tables are"),
        ("lake: ''", "lake: is empty"),
        ("- a list", "local.yml"),
        ("\tnot: yaml", "local.yml"),
    ],
)
def test_a_wrong_line_in_the_file_is_named(conf: Path, line: str, sentence: str) -> None:
    with (conf / "local.yml").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(ConfigError) as error:
        load_settings({}, LoadSettings)
    assert sentence in str(error.value)


@pytest.mark.parametrize("name", ["lake", "transactions", "customers"])
def test_credentials_in_a_place_are_refused_and_not_repeated(conf: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: holds credentials") as error:
        load_settings({name: "s3a://AKNAME:hush/hush@bucket/lake"}, LoadSettings)
    assert "hush" not in str(error.value)
    # The name of an account is none.
    place = "abfss://container@account.dfs.core.windows.net/lake"
    assert getattr(load_settings({name: place}, LoadSettings), name) == place


def test_an_unknown_variable_is_named(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_LAKEHOUSE_MAX_REJECTED", "0.1")
    with pytest.raises(ConfigError, match="SALES_LAKEHOUSE_MAX_REJECTED is no setting"):
        load_settings({}, LoadSettings)


def test_every_job_that_has_settings_is_known() -> None:
    jobs = {path.stem for path in (CONF.parent / "src" / "jobs").glob("[a-z]*.py")} - {"describe_feed", "make_sample"}
    assert {job: import_module(f"jobs.{job}").JOB.settings for job in jobs} == SETTINGS_BY_JOB


# What a job cannot do without.
NEEDED = {
    "forget_customer": {"customer_id": "c1"},
    "restate": {"first_hour": "2025-02-22T09", "last_hour": "2025-02-22T09"},
}


@pytest.mark.parametrize(("job", "kind"), SETTINGS_BY_JOB.items())
def test_a_setting_of_one_job_is_passed_over_by_the_others(
    conf: Path, monkeypatch: pytest.MonkeyPatch, job: str, kind: type[Settings]
) -> None:
    with (conf / "local.yml").open("a") as file:
        file.write("retain_hours: 200\n")
    monkeypatch.setenv("SALES_LAKEHOUSE_CORRECTIONS", "fixes.csv")
    settings = load_settings(NEEDED.get(job, {}), kind).model_dump()
    assert settings.get("retain_hours") == (200 if job == "maintain" else None)
    assert settings.get("corrections") == (str(Path("fixes.csv").absolute()) if job == "release_rejected" else None)


@pytest.mark.parametrize("job", NEEDED)
def test_a_dry_run_by_variable_or_file_is_not_overruled_by_apply(
    conf: Path, monkeypatch: pytest.MonkeyPatch, job: str
) -> None:
    arguments = {**NEEDED[job], "apply": True}
    monkeypatch.setenv("SALES_LAKEHOUSE_DRY_RUN", "true")
    with pytest.raises(ConfigError, match="apply and dry_run are both set"):
        load_settings(arguments, SETTINGS_BY_JOB[job])
    monkeypatch.delenv("SALES_LAKEHOUSE_DRY_RUN")
    with (conf / "local.yml").open("a") as file:
        file.write("dry_run: true\n")
    with pytest.raises(ConfigError, match="apply and dry_run are both set"):
        load_settings(arguments, SETTINGS_BY_JOB[job])
    assert not load_settings(NEEDED[job], SETTINGS_BY_JOB[job]).writes


@pytest.mark.parametrize(
    ("job", "key"),
    [("load_sales", "dry_run"), ("load_sales", "reload"), ("build_gold", "json"), ("forget_customer", "apply")],
)
def test_an_argument_turns_off_what_a_file_turns_on(conf: Path, job: str, key: str) -> None:
    with (conf / "local.yml").open("a") as file:
        file.write(f"{key}: true\n")
    kind = SETTINGS_BY_JOB[job]

    def value_of(*arguments: str) -> object:
        given = vars(argument_parser(job, "", kind).parse_args(arguments))
        return load_settings({**NEEDED.get(job, {}), **given}, kind).model_dump(by_alias=True)[key]

    option = key.replace("_", "-")
    assert [value_of(), value_of(f"--no-{option}"), value_of(f"--no-{option}", f"--{option}")] == [True, False, True]


def test_only_the_job_that_has_a_setting_checks_its_value(conf: Path) -> None:
    with (conf / "local.yml").open("a") as file:
        file.write("retain_hours: long\n")
    load_settings({}, LoadSettings)
    with pytest.raises(ConfigError, match="retain_hours"):
        load_settings({}, SETTINGS_BY_JOB["maintain"])


def test_the_environments_that_come_with_the_project_are_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_LAKEHOUSE_CONF_DIR", str(CONF))
    # Which files are loaded is named for each run: a default could mix with what is real.
    for env in ("local", "cluster"):
        with pytest.raises(ConfigError, match=r"^name what to load: --transactions, --customers, or both"):
            load_settings({"env": env}, LoadSettings)
    assert load_settings({"transactions": "t.csv"}, LoadSettings).paths.keys() == {"transactions"}
    assert load_settings({"customers": "c.csv"}, LoadSettings).lake == str(Path("lake").absolute())
    assert load_settings({"env": "cluster", "transactions": "s3a://b/t"}, LoadSettings).schema_ == "sales"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("criticality: fail", "criticality: ignore", "structure.0.criticality"),
        ("name: quantity_is_positive", "name: Quantity!", "transactions.12.name"),
        ("check: QUANTITY > 0", "chek: QUANTITY > 0", "transactions.12.check"),
        ("name: quantity_is_positive", "name: price_is_present", "price_is_present stands there twice"),
        ("customers_together:", "customers_apart:", "customers_together"),
    ],
)
def test_a_wrong_rule_is_named(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in RULES
    path = tmp_path / "rules.yml"
    path.write_text(RULES.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_rules(path)
    assert sentence in str(error.value)


@pytest.mark.parametrize("name", [name for names in ESSENTIAL_RULES.values() for name in names])
def test_a_rule_that_the_tables_need_cannot_be_softened(tmp_path: Path, name: str) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(
        RULES.replace(f"name: {name}\n", f"name: {name}_not\n").replace(f"name: {name} ", f"name: {name}_not ")
    )
    with pytest.raises(ConfigError, match=f"the rule {name} must be there"):
        load_rules(path)
