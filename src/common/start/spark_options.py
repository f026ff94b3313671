"""With which options and variables spark-submit runs a job: decided here, from what was asked for and what is there.

Only the standard library is imported here, since a run must not wait for anything else before Spark starts.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.start import run_folder
from common.start.class_archive import java_options
from common.start.command_line import PREFIX, CommandLine, UsageError

# Java compiles what runs often twice: quickly, and then well. Planning wants the quick compiler alone. That keeps too
# little room for code by itself; where it is full, Java says so on standard output, in the midst of the report.
_COMPILE_QUICKLY = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+DisplayVMOutputToStderr"
# Rows by the million want the other one, ten times later than Java would call it: most of what it would take up is soon
# done with.
_COMPILE_WHAT_REPEATS = (
    "-XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 "
    "-XX:Tier4CompileThreshold=150000 -XX:Tier4BackEdgeThreshold=400000"
)
# Java writes numbers, and turns I into i, as the machine's language has them, unless told which to take.
_ONE_LANGUAGE = "-Duser.language=en -Duser.country=US -Duser.timezone=UTC"
_SMALL_WORK = (
    "spark.sql.adaptive.enabled=false",
    "spark.sql.shuffle.partitions=2",
    "spark.databricks.delta.snapshotPartitions=1",
)
_DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
# The folder that a driver on the cluster finds its packages and settings in.
_LINK = "sales_lakehouse"


@dataclass(frozen=True)
class Host:
    """Where the command is given: the environment, with what setup.sh has put there, and what a platform had before."""

    home: Path
    environment: Mapping[str, str]
    # SPARK_HOME and PYSPARK_PYTHON where they are not those of .venv, else empty.
    platform_spark: str = ""
    platform_python: str = ""
    # Of the process that becomes Spark.
    pid: int = 0

    @property
    def conf_dir(self) -> str:
        return self.environment.get(f"{PREFIX}CONF_DIR") or f"{self.home}/conf"

    def variable(self, name: str) -> str:
        return self.environment.get(name, "")

    def jars(self, variable: str) -> list[str]:
        return [jar for jar in self.variable(variable).split(",") if jar]


@dataclass(frozen=True)
class Properties:
    """Spark's properties, as options and files name them: all values of options, and the lines of each file."""

    values: str
    files: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, values: str, paths: Iterable[str]) -> Properties:
        found = [Path(path) for path in paths if path and os.path.isfile(path)]
        texts = (path.read_text(encoding="utf-8", errors="surrogateescape") for path in found)
        return cls(values, tuple(tuple(_without_comments(text)) for text in texts))

    def value(self, name: str) -> str:
        """What the first file that has the property says last; empty where none has it."""
        pattern = re.compile(rf"\s*{re.escape(name)}[\s=]+(.*)")
        for lines in self.files:
            values = [match[1].rstrip() for line in lines if (match := pattern.match(line))]
            if values and values[-1]:
                return values[-1]
        return ""

    def name(self, text: str) -> bool:
        """Whether the text stands in an option or a file."""
        return text in self.values or any(text in line for lines in self.files for line in lines)


@dataclass(frozen=True)
class Target:
    """Which Spark runs the job, where, and with which file of properties."""

    # One process on this machine, not a cluster.
    is_here: bool
    # The platform's own Spark, or "" for that of .venv.
    platform_spark: str
    deploy_mode: str
    # The file of properties that spark-submit is told of, if any, and whether somebody has named it.
    file: str
    is_named: bool
    properties: Properties
    # What is on the class path, or travels: Delta, and what s3a:// needs.
    jars: tuple[str, ...] = ()

    @property
    def driver_is_elsewhere(self) -> bool:
        return not self.is_here and self.deploy_mode == "cluster"


@dataclass
class Options:
    """Options and variables of spark-submit, as they are put together. A variable that is None is taken away."""

    target: Target
    words: list[str] = field(default_factory=list)
    variables: dict[str, str | None] = field(default_factory=dict)

    def add(self, option: str, value: str) -> None:
        """An option, where it has a value."""
        if value:
            self.words += [option, value]

    def conf(self, name: str, value: str) -> None:
        self.add("--conf", f"{name}={value}")

    def conf_unless_named(self, name: str, value: str) -> None:
        if not self.target.properties.name(name):
            self.conf(name, value)


def target_of(line: CommandLine, host: Host) -> Target:
    """Where the job runs; raises UsageError where a file of properties is not there."""
    file = line.properties
    if not file:
        file = f"{host.home}/conf/spark-{line.env}.conf"
        # An environment without a file of its own is refused by the job, in words.
        file = file if os.path.isfile(file) else f"{host.home}/conf/spark-local.conf"
    elif not os.path.isfile(file):
        raise UsageError(f"--properties-file: there is no {file}.")
    platform = host.platform_spark
    conf_dir = host.variable("SPARK_CONF_DIR") or f"{platform}/conf"
    defaults = f"{conf_dir}/spark-defaults.conf" if platform else ""
    master = line.master or Properties.of(line.values, [file, defaults]).value("spark.master")
    is_here = re.match(r"local($|\[)", master) is not None or not (platform or master)
    # A platform's own Spark keeps its own settings: those of spark-defaults.conf, or of the file that is named.
    if is_here or not platform:
        platform = defaults = ""
    elif not line.properties:
        file = ""
    properties = Properties.of(line.values, [file, defaults])
    return Target(
        is_here=is_here,
        platform_spark=platform,
        deploy_mode=line.deploy_mode or properties.value("spark.submit.deployMode"),
        file=file,
        is_named=bool(line.properties),
        properties=properties,
    )


def delta_jars(target: Target, host: Host) -> list[str]:
    """The JARs of Delta to bring; raises UsageError where none that we have fits the platform's Spark."""
    jars = Path(target.platform_spark or host.variable("SPARK_HOME")) / "jars"
    # A Delta that is there already, or that an option brings, is not joined by another.
    if target.properties.name("delta-spark") or any(jars.glob("delta-spark*.jar")):
        return []
    if target.platform_spark and not any(jars.glob("spark-core_2.13-4.2.*.jar")):
        raise UsageError(
            f"SPARK_HOME is {target.platform_spark}, which is not Spark 4.2 with Scala 2.13, and there is no Delta in "
            "its jars. Name the Delta that fits it with --jars or --packages, or unset SPARK_HOME for the Spark of "
            "this project."
        )
    return host.jars("DELTA_JARS")


def uses_s3(line: CommandLine, host: Host, target: Target) -> bool:
    """Whether an argument, a variable, the settings or Spark's properties name s3a://."""
    places = [host.variable(PREFIX + name) for name in ("LAKE", "TRANSACTIONS", "CUSTOMERS")]
    named = [*line.job_options, *line.spark_options, line.values, *places]
    if any("s3a://" in word or "fs.s3a." in word for word in named):
        return True
    files = [path for path in (f"{host.conf_dir}/{line.env}.yml", target.file) if path and os.path.isfile(path)]
    texts = (Path(path).read_text(encoding="utf-8", errors="surrogateescape") for path in files)
    return any(re.search(r"^[^#\n]*(s3a://[^{\n]|fs\.s3a\.)", text, re.MULTILINE) for text in texts)


def s3_options(options: Options, host: Host) -> None:
    """What conf/s3a.conf says of s3a://."""
    for line in _without_comments((host.home / "conf" / "s3a.conf").read_text(encoding="utf-8")):
        if line.strip():
            options.conf(*line.split(maxsplit=1))
    # Stores other than Amazon's are known by one name, without one for each bucket.
    if host.variable("AWS_ENDPOINT_URL"):
        options.conf("spark.hadoop.fs.s3a.path.style.access", "true")


def settings_for_the_work(options: Options, host: Host, archive: Path | None, *, is_small: bool) -> None:
    """What suits the work: see docs/explanation/performance.md. A properties file of one's own is left as it is.

    `archive` is where Java keeps what it learned of Spark's classes, None where it cannot.
    """
    target, folder = options.target, host.variable("RUN_FOLDER")
    temporary = run_folder.java_option(folder) if folder and target.is_here else ""
    if target.is_here and not target.is_named:
        if is_small:
            for setting in _SMALL_WORK:
                options.add("--conf", setting)
        java = [_ONE_LANGUAGE, _COMPILE_QUICKLY if is_small else _COMPILE_WHAT_REPEATS]
        # Where a garbage collector is named already, Java refuses a second one.
        named = [host.variable("JAVA_TOOL_OPTIONS"), host.variable("JDK_JAVA_OPTIONS"), target.properties.values]
        if not re.search(r"-XX:\+Use\S*GC", " ".join(named)):
            java.append("-XX:+UseSerialGC" if is_small else "-XX:+UseParallelGC")
        # Java's options cannot hold a path with spaces.
        if archive and " " not in str(host.home):
            if not is_small:
                # Where one process plans and works on rows, code that plans is never taken up: see
                # conf/java-compiler.json. Java says on standard output that it read the file, if it may.
                directives = f"-XX:CompilerDirectivesFile={host.home}/conf/java-compiler.json"
                java.insert(0, f"-XX:+UnlockDiagnosticVMOptions {directives} -XX:-DisplayVMOutput")
            java += _class_archive(options, host, archive)
        options.conf("spark.driver.defaultJavaOptions", " ".join([*java, temporary]).strip())
    elif temporary:
        options.conf_unless_named("spark.driver.defaultJavaOptions", f"{_ONE_LANGUAGE} {temporary}")
    elif target.file and not target.is_named:
        options.conf_unless_named("spark.driver.defaultJavaOptions", f"{_ONE_LANGUAGE} {_COMPILE_QUICKLY}")
        options.conf_unless_named("spark.executor.defaultJavaOptions", f"{_ONE_LANGUAGE} {_COMPILE_WHAT_REPEATS}")
    options.add("--properties-file", target.file)
    for name, value in _DELTA.items():
        options.conf_unless_named(name, value)


def _class_archive(options: Options, host: Host, archive: Path) -> list[str]:
    """On one machine, Java keeps what it learned of Spark's classes at the end of the first run, and starts in half the
    time from then on. It archives none where a folder with files is on the class path, as conf/ would be.
    """
    java, variables = java_options(archive, host.pid)
    options.variables.update(variables)
    if options.variables.get("SPARK_CONF_DIR") == f"{host.home}/conf":
        options.variables["SPARK_CONF_DIR"] = f"{host.home}/.venv/no-conf"
        java.append(f"-Dlog4j2.configurationFile={host.home}/conf/log4j2.properties")
    return [*java, "-Xlog:disable"]


def what_travels(options: Options, line: CommandLine, host: Host, code: Path, driver: Path) -> None:
    """The class path, and what goes to the machines of a cluster: JARs, our `code`, and with a `driver` on the cluster
    the archive of what it needs. Raises UsageError for what a driver there could not find.
    """
    target = options.target
    # The option takes the place of the property.
    jars, py_files, class_path = line.jars or target.properties.value("spark.jars"), line.py_files, line.class_path
    archives = line.archives
    if target.is_here:
        # One process: what it needs is on its class path, and nothing has to travel.
        class_path = ":".join(filter(None, [host.variable("LOCAL_FILES"), *target.jars, class_path]))
        options.conf_unless_named("spark.hadoop.fs.file.impl", "saleslakehouse.LocalFiles")
        options.conf_unless_named("spark.hadoop.fs.AbstractFileSystem.file.impl", "saleslakehouse.LocalFilesOfLog")
        options.conf("spark.sql.warehouse.dir", f"{host.home}/.venv/spark-warehouse")
    else:
        jars = ",".join(filter(None, [*target.jars, jars]))
        py_files = ",".join(filter(None, [str(code), py_files]))
        # Python has to be of one minor version on both sides.
        options.variables["PYSPARK_PYTHON"] = host.platform_python or "python{}.{}".format(*sys.version_info[:2])
        if target.driver_is_elsewhere:
            archives = ",".join(filter(None, [f"{driver}#{_LINK}", archives]))
            _driver_on_cluster(options, line, host)
        else:
            # Else spark.pyspark.python, which is the executors', would be the driver's as well.
            options.conf_unless_named("spark.pyspark.driver.python", host.variable("PYSPARK_DRIVER_PYTHON"))
    options.add("--archives", archives)
    options.add("--driver-class-path", class_path)
    options.add("--jars", jars)
    options.add("--py-files", py_files)


def _driver_on_cluster(options: Options, line: CommandLine, host: Host) -> None:
    """The driver in a container of the cluster, which has neither .venv, conf/ nor variables of ours."""
    if line.env == "local":
        raise UsageError(
            "--env: conf/local.yml is about this machine, where the driver will not be; use --env cluster."
        )
    if line.relative_path:
        raise UsageError(
            f"{line.relative_path}: a driver on the cluster does not start in this folder; give a whole path."
        )
    there = {f"{PREFIX}CONF_DIR": f"{_LINK}/conf", "PYTHONPATH": f"{_LINK}/packages"}
    ours = {name: value for name, value in host.environment.items() if name.startswith("SALES_")}
    for name, value in sorted({**ours, **there}.items()):
        options.conf(f"spark.yarn.appMasterEnv.{name}", value)
        options.conf(f"spark.kubernetes.driverEnv.{name}", value)
    options.variables.update(there)
    options.variables["PYSPARK_DRIVER_PYTHON"] = None


def _without_comments(text: str) -> list[str]:
    return [line for line in text.split("\n") if not line.lstrip().startswith("#")]
