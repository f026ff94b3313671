"""What somebody asks ./spark-submit.sh for: a job with its options, options of spark-submit among them, or help.

Only the standard library is imported here, since this runs before anything is set up.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

DEFAULT_JOB = "load_sales"
HELP, VERSION = ("help", "--help", "-h"), ("--version",)
# No job: Python with a session that has Delta and our code.
SHELL = "shell"
# A job that looks at files alone: it has no lake.
DESCRIBE = "describe_feed"
PREFIX = "SALES_LAKEHOUSE_"
SAMPLE_FOLDER, SAMPLE_LAKE = "data", "lake"
_SAMPLE_FILES = {"--transactions": f"{SAMPLE_FOLDER}/transactions.csv", "--customers": f"{SAMPLE_FOLDER}/customer.csv"}

# The options of spark-submit that have a value, and those that have none.
_VALUED = frozenset(
    {
        *("--master", "--deploy-mode", "--name", "--conf", "-c", "--properties-file", "--queue"),
        *("--driver-memory", "--driver-cores", "--driver-class-path", "--driver-library-path", "--driver-java-options"),
        *("--executor-memory", "--executor-cores", "--num-executors", "--total-executor-cores"),
        *("--jars", "--packages", "--exclude-packages", "--repositories", "--files", "--archives", "--py-files"),
        *("--principal", "--keytab", "--proxy-user"),
    }
)
_FLAGS = frozenset({"--verbose", "--supervise", "--load-spark-defaults"})
# Those that are not handed on as they are, since ours are added to them.
_JOINED = {
    "--properties-file": "properties",
    "--jars": "jars",
    "--archives": "archives",
    "--py-files": "py_files",
    "--driver-class-path": "class_path",
}
# Those that decide something here too, and are handed on.
_READ = {"--master": "master", "--deploy-mode": "deploy_mode"}
_READ_PROPERTIES = {"spark.master": "master", "spark.submit.deployMode": "deploy_mode", "spark.jars": "jars"}
_CREDENTIAL = re.compile(
    r"\.(access\.key|secret\.key|session\.token|account\.key\..*|client\.secret.*|sas\..*|private\.key.*)=", re.DOTALL
)
# What a job reads and writes: the sample is for those who name none of it.
_PLACES = ("transactions", "customers", "feeds", "lake", "catalog", "schema", "from-files")
_PATHS = frozenset({"--transactions", "--customers", "--lake", "--from-files"})
_IN_SETTINGS = re.compile(
    rf"^(?:(?:transactions|customers|catalog|schema)\s*:|lake\s*:(?!\s*{SAMPLE_LAKE}\s*$))", re.MULTILINE
)


class UsageError(Exception):
    """A command that cannot be run as it is: exit code 2. The message is for a person."""


@dataclass(frozen=True)
class CommandLine:
    """A job and its options, and what is for spark-submit. Empty text is what nobody has named."""

    job: str = DEFAULT_JOB
    job_options: tuple[str, ...] = ()
    spark_options: tuple[str, ...] = ()
    env: str = "local"
    master: str = ""
    deploy_mode: str = ""
    properties: str = ""
    jars: str = ""
    archives: str = ""
    py_files: str = ""
    class_path: str = ""
    # The values of all options of spark-submit, to look up what they name.
    values: str = ""
    # The job's options, without their values.
    named: frozenset[str] = field(default_factory=frozenset)
    # The last path of the job's that starts in the current folder, with its option.
    relative_path: str = ""

    @property
    def wants_help(self) -> bool:
        return bool(self.named & {"--help", "-h"})


def parse(arguments: Sequence[str], environment: Mapping[str, str], jobs: Sequence[str]) -> CommandLine:
    """What the arguments ask for; raises UsageError for what must not reach spark-submit."""
    waiting = list(arguments)
    job = DEFAULT_JOB
    if waiting and waiting[0] and not waiting[0].startswith("-"):
        job = waiting.pop(0)
        if job not in (*jobs, SHELL):
            raise UsageError(no_such_job(job, jobs))
    read: dict[str, str] = {"env": environment.get(f"{PREFIX}ENV") or "local"}
    job_options, spark_options, values, named = [], [], [], set()
    while waiting:
        word = waiting.pop(0)
        option, has_value, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if option in _VALUED:
            if not has_value:
                if not waiting:
                    raise UsageError(f"{option} needs a value.")
                value = waiting.pop(0)
            _check_may_be_seen(option, value)
            values.append(value)
            if option in _JOINED:
                read[_JOINED[option]] = value
                continue
            spark_options += [option, value]
            name, _, of_property = value.partition("=")
            if option in _READ:
                read[_READ[option]] = value
            elif option in ("--conf", "-c") and name in _READ_PROPERTIES:
                read[_READ_PROPERTIES[name]] = of_property
        elif option in _FLAGS:
            spark_options.append(option)
        else:
            job_options.append(word)
            named.add(option)
            given = value if has_value else next(iter(waiting), "")
            if option == "--env":
                read["env"] = given
            elif option in _PATHS and given and not given.startswith("/") and ":/" not in given:
                read["relative_path"] = f"{option} {given}"
    if job == SHELL and job_options:
        raise UsageError(
            f"{SHELL} has options of spark-submit alone, such as --master or --conf; not {job_options[0]}."
        )
    return CommandLine(
        job=job,
        job_options=tuple(job_options),
        spark_options=tuple(spark_options),
        values=" ".join(values),
        named=frozenset(named),
        **read,
    )


def _check_may_be_seen(option: str, value: str) -> None:
    if "{{" in value:
        raise UsageError(f"{option}: {value} still holds a placeholder that nobody filled in.")
    if _CREDENTIAL.search(value):
        raise UsageError(
            f"{option}: {value.partition('=')[0]} is a credential, which every user of this machine could read in the "
            "list of processes: set it as a variable, such as AWS_SECRET_ACCESS_KEY; see docs/guides/object-stores.md."
        )


def names_nothing(line: CommandLine, environment: Mapping[str, str], settings: str) -> bool:
    """Whether no argument, variable or line of conf/local.yml (its text) says what to load or where the tables are."""
    by_variable = any(environment.get(PREFIX + name.replace("-", "_").upper()) for name in _PLACES)
    by_argument = line.named & {f"--{name}" for name in _PLACES}
    return line.env == "local" and not by_argument and not by_variable and not _IN_SETTINGS.search(settings)


def check_not_beside_the_sample(line: CommandLine, environment: Mapping[str, str], folder: Path) -> None:
    """Raise UsageError where a load names files, but no place for tables, and the lake here holds the sample."""
    by_variable = any(environment.get(PREFIX + name.upper()) for name in ("lake", "catalog", "schema"))
    has_place = by_variable or line.named & {"--lake", "--catalog", "--schema"}
    has_sample = all((folder / name).exists() for name in (*_SAMPLE_FILES.values(), f"{SAMPLE_LAKE}/pipeline_runs"))
    if line.job == "load_sales" and line.env == "local" and not has_place and has_sample:
        raise UsageError(
            f"./{SAMPLE_LAKE} holds the sample of ./{SAMPLE_FOLDER}. Name a folder for your own tables: --lake FOLDER."
        )


def on_the_sample(line: CommandLine) -> CommandLine:
    """The same job on the sample and its lake."""
    if line.job in ("make_sample", DESCRIBE, SHELL):
        return line
    files = _SAMPLE_FILES if line.job == "load_sales" else {}
    more = [word for named in {**files, "--lake": SAMPLE_LAKE}.items() for word in named]
    return replace(line, job_options=(*line.job_options, *more))


def must_make_sample(line: CommandLine, environment: Mapping[str, str], folder: Path) -> bool:
    """Whether a job on the sample, started in the folder, needs it to be made; raises UsageError where it would meet
    what is no sample.
    """
    is_dry_run = "--dry-run" in line.named or environment.get(f"{PREFIX}DRY_RUN", "").lower() in ("1", "true", "yes")
    found = [name for name in _SAMPLE_FILES.values() if (folder / name).exists()]
    if line.job != "load_sales" or is_dry_run or len(found) == len(_SAMPLE_FILES):
        return False
    if found or (folder / SAMPLE_LAKE / "pipeline_runs").exists():
        there = found[0] if found else f"a lake in {SAMPLE_LAKE}"
        raise UsageError(
            f"no file is named, and the sample that is loaded then is not made, since there is {there} that does not "
            "belong to it. Name what to load: --transactions, --customers and --lake."
        )
    return True


def jobs_in(folder: Path) -> dict[str, str]:
    """The jobs in a folder of modules, each with what it does in a line."""
    found = {}
    for path in sorted(folder.glob("[a-z]*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found[path.stem] = re.split(r"[:;.](?:\s|$)", " ".join(text.split()), maxsplit=1)[0]
    return found


def list_of(jobs: Mapping[str, str]) -> str:
    """The jobs, a line each."""
    width = max(map(len, jobs))
    return "\n".join(f"  {job:{width}}  {does}" for job, does in jobs.items())


def help_of(jobs: Mapping[str, str]) -> str:
    """What ./spark-submit.sh --help prints."""
    return f"""usage: ./spark-submit.sh [JOB] [options]

Without a job, it is {DEFAULT_JOB}. Where neither files nor a place for the tables are named, it makes a sample in
./{SAMPLE_FOLDER} and loads that into ./{SAMPLE_LAKE}.

jobs:
{list_of(jobs)}

  ./spark-submit.sh JOB --help   the options of a job
  ./spark-submit.sh {SHELL}        a Python shell with Spark, for looking at tables
  ./spark-submit.sh --version    the version of this project

example:
  ./spark-submit.sh --transactions 'landing/sales_*.csv' --customers landing/customers.csv --lake lake
"""


def version_in(pyproject: Path) -> str:
    """The version that a pyproject.toml states."""
    stated = re.search(r'^version = "(.+)"$', pyproject.read_text(encoding="utf-8"), re.MULTILINE)
    if not stated:
        raise UsageError(f"{pyproject} states no version.")
    return stated[1]


def no_such_job(job: str, jobs: Sequence[str]) -> str:
    """What is said of a job that is not there."""
    close = difflib.get_close_matches(job, jobs, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"there is no job {job}; there are: {', '.join(jobs)}.{hint}"
