"""How a run is started: ./spark-submit.sh hands its arguments to `main`, which prints the command to run.

What it prints is for bash, each word ended by NUL: variables, NAME=VALUE to set and NAME to take away, then an empty
word, then the command. Only the standard library is imported, unless the input has to be
looked at or packages have to be packed.
"""

from __future__ import annotations

import glob
import os
import shlex
import subprocess
import sys
import zlib
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path

from common.start import run_folder
from common.start.command_line import (
    DESCRIBE,
    HELP,
    SHELL,
    VERSION,
    CommandLine,
    UsageError,
    check_not_beside_the_sample,
    help_of,
    jobs_in,
    must_make_sample,
    names_nothing,
    on_the_sample,
    parse,
    version_in,
)
from common.start.spark_options import (
    Host,
    Options,
    Target,
    delta_jars,
    s3_options,
    settings_for_the_work,
    target_of,
    uses_s3,
    what_travels,
)

_USAGE = 2
# By which spark-submit.sh has the file open that says who owns the run's folder.
_RUN_FOLDER_DESCRIPTOR = 7
# -I has Python look for modules neither in the current folder nor where PYTHONPATH says.
_SHELL = """
import os, sys
sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"))
from common.spark.jvm import delete_when_java_ends
delete_when_java_ends(spark, os.environ.get("RUN_FOLDER"))
"""
_DESCRIBE_EXTRA = "--describe"
# The jobs of which common/start/extras.py says what they need: to ask takes longer than others should wait.
_COMPUTES_WITH_EXTRAS = ("forecast_sales", "verify_aggregate", "forget_customer")


def main(argv: Sequence[str]) -> int:
    """Print the command for `HOME PID SPARK_HOME PYSPARK_PYTHON ARGUMENTS...`; returns an exit code.

    The middle two are the platform's own, or empty. Where the arguments ask for help alone, that is what is printed.
    """
    home, pid, platform_spark, platform_python, *arguments = argv
    host = Host(Path(home), dict(os.environ), platform_spark, platform_python, int(pid))
    jobs = host.home / "src" / "jobs"
    folder, is_taken = host.variable("RUN_FOLDER"), False
    try:
        if arguments[:1] and arguments[0] in HELP:
            print(help_of(jobs_in(jobs)), end="")
            return 0
        if arguments[:1] and arguments[0] in VERSION:
            print(version_in(host.home / "pyproject.toml"))
            return 0
        line = parse(arguments, host.environment, sorted(path.stem for path in jobs.glob("[a-z]*.py")))
        variables: dict[str, str | None] = {}
        if line.wants_help:
            command = [host.variable("PYSPARK_PYTHON"), _job(line, host), "--help"]
        elif line.job == "make_sample":
            command = [host.variable("PYSPARK_PYTHON"), _job(line, host), *line.job_options]
        else:
            line = _with_sample(line, host)
            options, command = decide(line, host)
            variables = options.variables
            is_taken = options.target.is_here
    except UsageError as error:
        print(f"spark-submit.sh: {error}", file=sys.stderr)
        return _USAGE
    except subprocess.CalledProcessError as error:
        # What was called has said what is wrong.
        return error.returncode
    finally:
        if folder and not is_taken:
            run_folder.remove(Path(folder))
    changes = [name if value is None else f"{name}={value}" for name, value in variables.items()]
    sys.stdout.buffer.write(b"".join(os.fsencode(word) + b"\0" for word in [*changes, "", *command]))
    sys.stdout.flush()
    return 0


def decide(line: CommandLine, host: Host) -> tuple[Options, list[str]]:
    """The variables and the command that run the job. What has to travel is packed into .venv on the way, and what
    s3a:// needs is fetched. Raises UsageError where the run cannot go where it is sent.
    """
    target = target_of(line, host)
    target = replace(target, jars=tuple(delta_jars(target, host)))
    has_s3 = uses_s3(line, host, target)
    if has_s3:
        target = replace(target, jars=(*target.jars, *_s3_jars(host, target)))
    options = Options(target)
    options.variables.update(_variables(host, target))
    is_small = target.is_here and not target.is_named and _is_small(line)
    # To keep classes takes seconds when Java ends, which nobody at a shell would wait for.
    archive = None if line.job == SHELL else class_archive(host, target)
    if line.job == DESCRIBE:
        _set_up(host, _DESCRIBE_EXTRA)
        # It sees too few of them to be the one that keeps them.
        archive = archive if archive and archive.is_file() else None
    for extra in _extras(line):
        _set_up(host, f"--{extra}")
    settings_for_the_work(options, host, archive, is_small=is_small)
    code, driver = (host.home / ".venv" / name for name in ("sales_lakehouse.zip", "sales_lakehouse-driver.zip"))
    what_travels(options, line, host, code, driver)
    if target.is_here:
        # Hadoop gives files the permissions that it is told of, whatever the umask of the process.
        options.conf_unless_named("spark.hadoop.fs.permissions.umask-mode", f"{_umask():03o}")
    if target.is_here and host.variable("RUN_FOLDER"):
        _use_run_folder(options, Path(host.variable("RUN_FOLDER")))
    if not target.is_here:
        pack_code(code, host.home / "src")
    if target.driver_is_elsewhere:
        from common.start.cluster_archive import pack

        pack(driver, Path(host.conf_dir))
    if has_s3:
        s3_options(options, host)
    spark_home = target.platform_spark or host.variable("SPARK_HOME")
    if line.job == SHELL:
        return options, _shell(options, line, host, spark_home)
    return options, [
        f"{spark_home}/bin/spark-submit",
        *options.words,
        *line.spark_options,
        _job(line, host),
        *line.job_options,
    ]


def _umask() -> int:
    """The umask of this process, which can only be read by setting another."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _use_run_folder(options: Options, folder: Path) -> None:
    """Have Spark, Hadoop, Java and Python write what they keep meanwhile into the run's own folder. Raises UsageError
    where Spark would take its path for two.
    """
    if "," in str(folder):
        raise UsageError(f"TMPDIR: {folder.parent} has a comma, which Spark takes for the end of a path; name another.")
    run_folder.take(folder, _RUN_FOLDER_DESCRIPTOR)
    run_folder.remove_abandoned(folder)
    options.conf_unless_named("spark.local.dir", str(folder))
    options.conf_unless_named("spark.hadoop.hadoop.tmp.dir", str(folder))
    options.variables["TMPDIR"] = str(folder)


def _shell(options: Options, line: CommandLine, host: Host, spark_home: str) -> list[str]:
    """What Spark's own bin/pyspark does, which starts a Python that looks for modules in the current folder first."""
    # Hive's catalog, the shell's own choice, would leave a metastore_db and a derby.log in the current folder.
    options.conf_unless_named("spark.sql.catalogImplementation", "in-memory")
    words = ["--name", "PySparkShell", *options.words, *line.spark_options, "pyspark-shell"]
    options.variables["PYSPARK_SUBMIT_ARGS"] = shlex.join(words)
    options.variables["OLD_PYTHONSTARTUP"] = host.variable("PYTHONSTARTUP")
    of_spark = [f"{spark_home}/python", *glob.glob(f"{glob.escape(spark_home)}/python/lib/py4j-*-src.zip")]
    places = [*of_spark, *host.variable("PYTHONPATH").split(os.pathsep)]
    options.variables["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    return [host.variable("PYSPARK_DRIVER_PYTHON"), "-I", "-i", "-c", _SHELL, f"{spark_home}/python/pyspark/shell.py"]


def _job(line: CommandLine, host: Host) -> str:
    return f"{host.home}/src/jobs/{line.job}.py"


def _variables(host: Host, target: Target) -> dict[str, str | None]:
    if target.platform_spark:
        return {"SPARK_HOME": target.platform_spark}
    return {"SPARK_CONF_DIR": host.variable("SPARK_CONF_DIR") or f"{host.home}/conf"}


def _with_sample(line: CommandLine, host: Host) -> CommandLine:
    """The job as it is asked for, or on the sample where nothing is named; the sample is made where it is not there."""
    settings = Path(host.conf_dir, "local.yml")
    text = settings.read_text(encoding="utf-8", errors="replace") if settings.is_file() else ""
    if not names_nothing(line, host.environment, text):
        check_not_beside_the_sample(line, host.environment, Path())
        return line
    if must_make_sample(line, host.environment, Path()):
        make = [host.variable("PYSPARK_PYTHON"), f"{host.home}/src/jobs/make_sample.py", "--folder", "data"]
        subprocess.run(make, check=True, stdout=sys.stderr)
    return on_the_sample(line)


def _is_small(line: CommandLine) -> bool:
    """Whether starting takes longer than reading what has arrived."""
    if line.job != "load_sales":
        return line.job == DESCRIBE
    from common.start.input_size import is_small

    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        return is_small(line.job_options)


def _extras(line: CommandLine) -> list[str]:
    """What the job computes tables with that not every job needs."""
    if line.job not in _COMPUTES_WITH_EXTRAS:
        return []
    from common.start.extras import extras_of

    return extras_of(line.job, line.job_options)


def _set_up(host: Host, option: str) -> None:
    """Have setup.sh install what only one feature needs, where it is not there yet."""
    subprocess.run(["bash", str(host.home / "setup.sh"), option], check=True, stdout=sys.stderr)


def _s3_jars(host: Host, target: Target) -> list[str]:
    """Fetch what s3a:// needs, where it is not there yet. Clusters bring Hadoop's connector in their own version, and
    are given the log store.
    """
    script = 'source "$1/setup.sh" --s3 >&2 && printf "%s\\0%s" "$S3_JARS" "$S3_LOG_STORE"'
    done = subprocess.run(["bash", "-c", script, "bash", str(host.home)], check=True, stdout=subprocess.PIPE)
    connector, log_store = os.fsdecode(done.stdout).split("\0")
    return [*(connector.split(",") if target.is_here else []), log_store]


def class_archive(host: Host, target: Target) -> Path:
    """Where the classes of Spark are kept for this Java and these JARs, in .venv."""
    release = Path(host.variable("JAVA_HOME"), "release")
    locks = [host.home / "conf" / "jars.lock", host.home / "requirements.lock"]
    texts = [path.read_bytes() for path in (release, *locks) if path.is_file()]
    key = zlib.crc32(b"".join([*texts, os.fsencode(" ".join([host.variable("LOCAL_FILES"), *target.jars]))]))
    archive = host.home / ".venv" / f"classes-{key:08x}.jsa"
    (archive.parent / "no-conf").mkdir(exist_ok=True)
    return archive


def pack_code(archive: Path, source: Path) -> None:
    """Write our packages as an archive; one that another process reads meanwhile stays whole."""
    import zipfile

    unfinished = archive.with_name(f"{archive.name}.{os.getpid()}")
    with zipfile.ZipFile(unfinished, "w") as packed:
        for package in ("common", "jobs"):
            for file in sorted((source / package).rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    packed.write(file, str(file.relative_to(source)))
    unfinished.replace(archive)
