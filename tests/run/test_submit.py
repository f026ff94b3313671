"""What ./spark-submit.sh starts Spark with: arguments, environment and files in, one command out. No Spark starts."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from common.start import submit
from common.start.command_line import (
    CommandLine,
    UsageError,
    check_not_beside_the_sample,
    help_of,
    jobs_in,
    must_make_sample,
    names_nothing,
    parse,
)
from common.start.spark_options import Host, Properties
from common.start.submit import decide, pack_code
from support.project import ROOT

JOBS = ("build_gold", "load_sales", "make_sample", "verify_aggregate")
FEEDS = ("--transactions=sales.csv", "--customers=people.csv", "--lake=lake")
ON_YARN = ("--env=cluster", "--master=yarn")
ARCHIVE = b"\xa8\xab\x0b\xf0 and what Java knows of classes"
DEAD = 2**22 + 1  # more than the greatest number of a process
QUICK, WHEN_HOT = "-XX:TieredStopAtLevel=1", "-XX:Tier4InvocationThreshold=50000"
JAVA = "spark.driver.defaultJavaOptions"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A checkout of the project that is set up, and small files in the current folder."""
    home = tmp_path / "home"
    shutil.copytree(ROOT / "conf", home / "conf")
    for package in ("common", "jobs"):
        (home / "src" / package).mkdir(parents=True)
        (home / "src" / package / "__init__.py").touch()
    (home / ".venv").mkdir()
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("sales.csv", "people.csv"):
        (folder / name).touch()
    monkeypatch.chdir(folder)
    found = {"SPARK_HOME": "/venv/spark", "DELTA_JARS": "/d/delta.jar,/d/storage.jar", "LOCAL_FILES": "/d/local.jar"}
    return Host(home, {**found, "PYSPARK_DRIVER_PYTHON": "/venv/python"}, pid=DEAD)


def platform_of(host: Host, *jars: str, defaults: str = "") -> Host:
    """The same with a Spark that a platform brings."""
    home = host.home.parent / "platform"
    for name in ("jars", "conf"):
        (home / name).mkdir(parents=True)
    for jar in jars:
        (home / "jars" / jar).touch()
    (home / "conf" / "spark-defaults.conf").write_text(defaults)
    return Host(host.home, host.environment, str(home), pid=host.pid)


class Started:
    """The command for some arguments, by its options."""

    def __init__(self, host: Host, *arguments: str) -> None:
        options, self.command = decide(parse(arguments, host.environment, JOBS), host)
        self.variables = options.variables
        [job] = [place for place, word in enumerate(self.command) if word.startswith(f"{host.home}/src/jobs/")]
        self.job = [Path(self.command[job]).stem, *self.command[job + 1 :]]
        self.pairs = list(zip(self.command[1:job], self.command[2:job], strict=False))

    def value(self, option: str) -> str | None:
        found = [value for name, value in self.pairs if name == option]
        assert len(found) < 2, f"{option} stands there twice"
        return found[0] if found else None

    def conf(self, name: str) -> str | None:
        """What Spark takes: the last."""
        found = [value.partition("=")[2] for option, value in self.pairs if option == "--conf" and f"{name}=" in value]
        return found[-1] if found else None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], CommandLine()),
        (["build_gold", "--lake", "l"], {"job": "build_gold", "job_options": ("--lake", "l")}),
        (["--lake=l"], {"job": "load_sales", "job_options": ("--lake=l",), "relative_path": "--lake l"}),
        (["--lake=/l", "--transactions", "s3a://b/t"], {"relative_path": ""}),
        (["--env", "test"], {"env": "test", "job_options": ("--env", "test")}),
        (["--master", "yarn"], {"master": "yarn", "spark_options": ("--master", "yarn"), "job_options": ()}),
        (["--conf=spark.master=yarn"], {"master": "yarn", "spark_options": ("--conf", "spark.master=yarn")}),
        (["-c", "spark.jars=a.jar"], {"jars": "a.jar", "values": "spark.jars=a.jar"}),
        (["--jars=a.jar", "--py-files", "b.py"], {"jars": "a.jar", "py_files": "b.py", "spark_options": ()}),
        (["--verbose", "--json"], {"spark_options": ("--verbose",), "job_options": ("--json",)}),
        (["--json", "--help"], {"wants_help": True}),
    ],
)
def test_options_of_spark_are_told_from_those_of_the_job(
    arguments: list[str], expected: CommandLine | dict[str, object]
) -> None:
    line = parse(arguments, {}, JOBS)
    if isinstance(expected, CommandLine):
        assert line == expected
    else:
        assert {name: getattr(line, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lod_sales"], "there is no job lod_sales; there are: .*Did you mean load_sales?"),
        (["--master"], "--master needs a value"),
        (["--conf", "spark.x={{y}}"], "--conf: spark.x={{y}} still holds a placeholder"),
        (["--conf=spark.hadoop.fs.s3a.secret.key=hush"], "spark.hadoop.fs.s3a.secret.key is a credential"),
    ],
)
def test_what_must_not_reach_spark_is_refused(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as refused:
        parse(arguments, {}, JOBS)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "environment", "settings", "expected"),
    [
        ([], {}, "encoding: utf-8\n", True),
        (["--json", "--reload"], {"SALES_LAKEHOUSE_ENCODING": "utf-8"}, "# lake: lake\n", True),
        (["--transactions=t"], {}, "", False),
        (["--customers", "c"], {}, "", False),
        (["--lake", "l"], {}, "", False),
        (["--catalog=c"], {}, "", False),
        (["--schema=s"], {}, "", False),
        (["restate", "--from-files=f"], {}, "", False),
        ([], {"SALES_LAKEHOUSE_TRANSACTIONS": "t"}, "", False),
        ([], {"SALES_LAKEHOUSE_CUSTOMERS": "c"}, "", False),
        ([], {"SALES_LAKEHOUSE_LAKE": "l"}, "", False),
        ([], {"SALES_LAKEHOUSE_SCHEMA": "s"}, "", False),
        ([], {}, "encoding: utf-8\nlake: lake\n", True),
        ([], {}, "encoding: utf-8\nlake: /srv/lake\n", False),
        (["--env=cluster"], {}, "", False),
        ([], {"SALES_LAKEHOUSE_ENV": "cluster"}, "", False),
    ],
)
def test_the_sample_is_for_those_who_name_nothing(
    arguments: list[str], environment: dict[str, str], settings: str, expected: bool
) -> None:
    line = parse(arguments, environment, (*JOBS, "restate"))
    assert names_nothing(line, environment, settings) is expected


def test_a_sample_is_made_once_and_never_over_or_into_what_is_no_sample(tmp_path: Path) -> None:
    load = CommandLine()
    assert must_make_sample(load, {}, tmp_path)
    assert not must_make_sample(CommandLine(named=frozenset({"--dry-run"})), {}, tmp_path)
    assert not must_make_sample(CommandLine(job="build_gold"), {}, tmp_path)
    (tmp_path / "lake" / "pipeline_runs").mkdir(parents=True)
    with pytest.raises(UsageError, match="there is a lake in lake"):
        must_make_sample(load, {}, tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "customer.csv").touch()
    with pytest.raises(UsageError, match=r"there is data/customer\.csv"):
        must_make_sample(load, {}, tmp_path)
    (tmp_path / "data" / "transactions.csv").touch()
    assert not must_make_sample(load, {}, tmp_path)


def test_files_of_ones_own_do_not_get_into_the_lake_of_the_sample(tmp_path: Path) -> None:
    for name in ("data/transactions.csv", "data/customer.csv", "lake/pipeline_runs/_delta_log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    own = CommandLine(named=frozenset({"--transactions"}))
    with pytest.raises(UsageError, match=r"\./lake holds the sample of \./data"):
        check_not_beside_the_sample(own, {}, tmp_path)
    check_not_beside_the_sample(own, {}, tmp_path / "data")
    check_not_beside_the_sample(own, {"SALES_LAKEHOUSE_LAKE": "mine"}, tmp_path)
    check_not_beside_the_sample(CommandLine(named=frozenset({"--transactions", "--lake"})), {}, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "megabytes", "compiler", "collector"),
    [
        (FEEDS, 1, QUICK, "-XX:+UseSerialGC"),
        (FEEDS, 17, WHEN_HOT, "-XX:+UseParallelGC"),
        (("verify_aggregate", "--lake=lake"), 1, WHEN_HOT, "-XX:+UseParallelGC"),
        ((*FEEDS, "--driver-java-options=-XX:+UseG1GC"), 1, QUICK, ""),
    ],
)
def test_on_one_machine_java_suits_the_work(
    host: Host, arguments: tuple[str, ...], megabytes: int, compiler: str, collector: str
) -> None:
    with Path("sales.csv").open("wb") as file:
        file.truncate(megabytes * 2**20)
    started = Started(host, *arguments)
    java = (started.conf(JAVA) or "").split()
    assert compiler in java
    # Whatever language and zone the machine has.
    assert {"-Duser.language=en", "-Duser.country=US", "-Duser.timezone=UTC"} <= set(java)
    assert [option for option in java if option.endswith("GC")] == [collector] * bool(collector)
    assert (started.conf("spark.sql.shuffle.partitions") == "2") is (compiler == QUICK)
    assert any("CompilerDirectivesFile" in option for option in java) is (compiler == WHEN_HOT)
    assert started.value("--properties-file") == f"{host.home}/conf/spark-local.conf"
    assert started.value("--driver-class-path") == "/d/local.jar:/d/delta.jar:/d/storage.jar"
    assert started.value("--jars") is None


def test_what_is_named_is_left_as_it_is(host: Host) -> None:
    Path("mine.conf").write_text("spark.master local[3]\nspark.sql.extensions mine\n")
    started = Started(host, *FEEDS, "--properties-file=mine.conf", "--jars=a.jar", "--archives", "z.zip", "--verbose")
    assert started.command[0] == "/venv/spark/bin/spark-submit"
    assert started.conf(JAVA) is None
    assert started.conf("spark.sql.extensions") is None
    assert started.conf("spark.sql.catalog.spark_catalog")
    assert [started.value(name) for name in ("--jars", "--archives", "--properties-file")] == [
        *("a.jar", "z.zip", "mine.conf")
    ]
    assert "--verbose" in started.command
    assert started.job == ["load_sales", *FEEDS]
    assert started.variables["SPARK_CONF_DIR"] == f"{host.home}/conf"


def test_files_of_the_lake_have_the_permissions_that_the_umask_allows(host: Host) -> None:
    before = os.umask(0o027)
    try:
        assert Started(host, *FEEDS).conf("spark.hadoop.fs.permissions.umask-mode") == "027"
        assert os.umask(0o027) == 0o027
        named = Started(host, *FEEDS, "--conf", "spark.hadoop.fs.permissions.umask-mode=077")
        assert named.conf("spark.hadoop.fs.permissions.umask-mode") == "077"
    finally:
        os.umask(before)


def test_a_shell_has_what_jobs_have_and_leaves_nothing_where_it_is_started(host: Host) -> None:
    options, command = decide(parse(["shell", "--master=local[1]"], host.environment, JOBS), host)
    assert command[:4] == ["/venv/python", "-I", "-i", "-c"]
    words = shlex.split(options.variables["PYSPARK_SUBMIT_ARGS"] or "")
    assert words[-3:] == ["--master", "local[1]", "pyspark-shell"]
    assert "spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension" in words
    assert "spark.sql.catalogImplementation=in-memory" in words
    assert "MARK_OF_DONE" not in options.variables
    with pytest.raises(UsageError, match="not --lake"):
        parse(["shell", "--lake=lake"], {}, JOBS)


def test_a_file_of_properties_that_is_not_there_is_named(host: Host) -> None:
    with pytest.raises(UsageError, match=r"there is no nowhere\.conf"):
        Started(host, *FEEDS, "--properties-file=nowhere.conf")


def test_on_a_cluster_code_and_jars_travel(host: Host) -> None:
    started = Started(host, *ON_YARN, "--lake=/lake", "--jars=a.jar", "--py-files=b.py")
    assert started.value("--jars") == "/d/delta.jar,/d/storage.jar,a.jar"
    assert started.value("--py-files") == f"{host.home}/.venv/sales_lakehouse.zip,b.py"
    assert started.value("--driver-class-path") is None
    assert started.conf("spark.pyspark.driver.python") == "/venv/python"
    assert started.conf("spark.executor.defaultJavaOptions") is not None
    assert started.variables["PYSPARK_PYTHON"] == "python{}.{}".format(*sys.version_info)
    with zipfile.ZipFile(host.home / ".venv" / "sales_lakehouse.zip") as packed:
        assert set(packed.namelist()) == {"common/__init__.py", "jobs/__init__.py"}


def test_a_driver_on_the_cluster_gets_our_variables(host: Host) -> None:
    told = Host(host.home, {**host.environment, "SALES_LAKEHOUSE_ENCODING": "latin-1"}, platform_python="/opt/python")
    started = Started(told, *ON_YARN, "--deploy-mode=cluster", "--lake=/lake", "--archives=z.zip")
    archive = f"{host.home}/.venv/sales_lakehouse-driver.zip"
    assert started.value("--archives") == f"{archive}#sales_lakehouse,z.zip"
    assert started.conf("spark.yarn.appMasterEnv.SALES_LAKEHOUSE_ENCODING") == "latin-1"
    assert started.conf("spark.kubernetes.driverEnv.PYTHONPATH") == "sales_lakehouse/packages"
    assert started.variables["PYSPARK_PYTHON"] == "/opt/python"
    assert started.variables["PYSPARK_DRIVER_PYTHON"] is None
    with zipfile.ZipFile(archive) as packed:
        assert {"conf/cluster.yml", "packages/yaml/__init__.py"} <= set(packed.namelist())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--env=cluster", "--lake=lake"), "--lake lake: a driver on the cluster"),
        (("--lake=/lake",), "use --env cluster"),
    ],
)
def test_a_driver_elsewhere_is_told_of_nothing_that_is_only_here(
    host: Host, arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        Started(host, "--master=yarn", "--deploy-mode=cluster", *arguments)


@pytest.mark.parametrize(
    ("jars", "jobs_jars"),
    [
        (["spark-core_2.13-4.2.0.jar"], "/d/delta.jar,/d/storage.jar,/opt/theirs.jar"),
        (["spark-core_2.13-4.0.1.jar", "delta-spark_2.13-4.0.1.jar"], "/opt/theirs.jar"),
        (["spark-core_2.12-3.5.1.jar"], None),
    ],
)
def test_a_platforms_spark_is_used_as_it_is(host: Host, jars: list[str], jobs_jars: str | None) -> None:
    platform = platform_of(host, *jars, defaults="spark.master yarn\nspark.jars /opt/theirs.jar\n")
    if jobs_jars is None:
        with pytest.raises(UsageError, match=r"which is not Spark 4\.2"):
            Started(platform, "--env=cluster")
        return
    started = Started(platform, "--env=cluster")
    assert started.command[0] == f"{platform.platform_spark}/bin/spark-submit"
    assert started.variables["SPARK_HOME"] == platform.platform_spark
    assert started.value("--properties-file") is None
    # Named as an option, or Spark would not read their property.
    assert started.value("--jars") == jobs_jars
    # On one machine, that of .venv runs.
    assert Started(platform, *FEEDS, "--master=local[1]").command[0] == "/venv/spark/bin/spark-submit"


def test_properties_are_read_as_spark_reads_them(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("# spark.master yarn\nspark.master=local\n spark.master   spark://a:1  \n")
    (tmp_path / "b.conf").write_text("spark.master k8s://b\nspark.submit.deployMode cluster\n")
    properties = Properties.of("spark.x=1", [f"{tmp_path}/a.conf", "", f"{tmp_path}/b.conf", f"{tmp_path}/none"])
    assert properties.value("spark.master") == "spark://a:1"
    assert properties.value("spark.submit.deployMode") == "cluster"
    assert properties.value("spark.jars") == ""
    assert properties.name("spark.x")
    assert not properties.name("yarn")


def test_the_archive_of_classes_is_that_of_a_run_that_did_its_work(host: Host) -> None:
    started = Started(host, *FEEDS)
    marked = started.variables["MARK_OF_DONE"]
    assert marked
    archive = Path(marked.removesuffix(f".{DEAD}.whole"))
    unfinished = archive.with_name(f"{archive.name}.{DEAD}")
    assert f"-XX:ArchiveClassesAtExit={unfinished}" in (started.conf(JAVA) or "")

    # A run that failed leaves none, and one that is still at it is let be.
    unfinished.write_bytes(ARCHIVE)
    at_work = archive.with_name(f"{archive.name}.{os.getpid()}")
    at_work.touch()
    assert "MARK_OF_DONE" in Started(host, *FEEDS).variables
    assert at_work.exists()
    assert not unfinished.exists()

    unfinished.write_bytes(ARCHIVE)
    Path(marked).touch()
    again = Started(host, *FEEDS)
    assert f"-XX:SharedArchiveFile={archive}" in (again.conf(JAVA) or "")
    assert "MARK_OF_DONE" not in again.variables
    kept = sorted(path.name for path in archive.parent.glob("classes-*"))
    assert kept == [archive.name, at_work.name, f"{archive.name}.record"]


def archive_left_by_a_run(host: Host, content: bytes, *, seconds_ago: float = 0) -> Path:
    """The archive that the next run would find where one that did its work left the content; it may not be there."""
    marked = Path(Started(host, *FEEDS).variables["MARK_OF_DONE"] or "")
    unfinished = marked.with_suffix("")
    unfinished.write_bytes(content)
    if seconds_ago:
        os.utime(unfinished, (time.time() - seconds_ago,) * 2)
    marked.touch()
    return unfinished.with_suffix("")


def uses_archive(host: Host) -> bool:
    return "-XX:SharedArchiveFile=" in (Started(host, *FEEDS).conf(JAVA) or "")


def test_an_archive_that_java_has_not_written_to_its_end_is_not_used(host: Host) -> None:
    """Java writes the head last: where it is killed before, that is empty."""
    archive = archive_left_by_a_run(host, bytes(len(ARCHIVE)))
    assert not uses_archive(host)
    assert not list(archive.parent.glob("classes-*"))
    # What it wrote before the machine was started: how much of that is on the disk?
    archive = archive_left_by_a_run(host, ARCHIVE, seconds_ago=time.monotonic() + 60)
    assert not uses_archive(host)
    assert not list(archive.parent.glob("classes-*"))


@pytest.mark.parametrize("damage", ["cut short", "cut to nothing", "other content", "no record", "torn record"])
def test_an_archive_that_is_not_whole_is_made_again(host: Host, damage: str) -> None:
    archive = archive_left_by_a_run(host, ARCHIVE)
    assert uses_archive(host)
    record = archive.with_name(f"{archive.name}.record")
    if damage == "no record":
        record.unlink()
    elif damage == "torn record":
        record.write_text(record.read_text()[:5])
    elif damage == "other content":
        archive.write_bytes(ARCHIVE[::-1])
        os.utime(archive, (1, 1))
    else:
        os.truncate(archive, 0 if damage == "cut to nothing" else len(ARCHIVE) - 1)
    assert not uses_archive(host)
    assert not archive.exists()
    archive_left_by_a_run(host, ARCHIVE)
    assert uses_archive(host)


def test_an_archive_that_was_copied_with_its_folder_is_read_once_and_used(host: Host) -> None:
    archive = archive_left_by_a_run(host, ARCHIVE)
    assert uses_archive(host)
    os.utime(archive, (1, 1))
    assert uses_archive(host)
    assert f" {10**9} " in archive.with_name(f"{archive.name}.record").read_text()


def test_a_path_with_a_space_has_no_place_in_javas_options(host: Host) -> None:
    spaced = Host(host.home.rename(host.home.with_name("my home")), host.environment)
    assert "my home" not in (Started(spaced, *FEEDS).conf(JAVA) or "")


def test_packed_code_holds_rooms_within_packages(tmp_path: Path) -> None:
    (tmp_path / "common" / "start" / "__pycache__").mkdir(parents=True)
    for name in ("common/start/submit.py", "common/start/__pycache__/submit.pyc"):
        (tmp_path / name).touch()
    pack_code(tmp_path / "code.zip", tmp_path)
    with zipfile.ZipFile(tmp_path / "code.zip") as packed:
        assert packed.namelist() == ["common/start/submit.py"]


def test_help_has_a_line_for_each_job_and_needs_no_spark(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = jobs_in(ROOT / "src" / "jobs")
    assert jobs["load_sales"] == "Load transactions and customers into the lake and bring the aggregate up to date"
    assert all(jobs.values())
    assert submit.main([str(ROOT), "1", "", "", "--help"]) == 0
    assert capsys.readouterr().out == help_of(jobs)


def test_words_reach_bash_as_they_are(host: Host) -> None:
    (host.home / "src" / "jobs" / "load_sales.py").touch()
    script = "import sys; from common.start.submit import main; sys.exit(main(sys.argv[1:]))"
    odd = "a\nb 'c' \"$d\" é"
    done = subprocess.run(
        [sys.executable, "-c", script, str(host.home), "1", "", "", *FEEDS, odd],
        env={"PATH": os.environ["PATH"], **host.environment, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    variables, _, command = done.stdout.partition(b"\0\0")
    assert f"SPARK_CONF_DIR={host.home}/.venv/no-conf".encode() in variables.split(b"\0")
    assert command.split(b"\0")[-2:] == [odd.encode(), b""]
