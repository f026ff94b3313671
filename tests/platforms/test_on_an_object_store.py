"""Feeds and lake at s3a://, in a real S3 server on this machine: what comes out, and what a second writer does."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from support.lakes import (
    CUSTOMERS_HEADER,
    REAL_DATA,
    SALES_HEADER,
    arrow,
    needs_real_data,
    recomputed_by_duckdb,
)
from support.object_store import BUCKET, Gate, Jars, S3Server
from support.project import ROOT
from support.worker import Worker, submit_arguments

pytestmark = pytest.mark.platform

SALES, CUSTOMERS, AGGREGATE = "sales_data_partitioned", "customers", "customer_aggregated_data"
TABLES = (SALES, CUSTOMERS, AGGREGATE, "rejected_rows")
FAILED, USAGE = 1, 2
S3A, SDK = "org.apache.hadoop.fs.s3a", "software.amazon.awssdk.auth.credentials"
# What only says when, where and by which run.
OF_ONE_RUN = {"rejected_id", "file", "run_id", "rejected_at"}


@dataclass
class Store:
    """The server, the gate before it, and two jobs' processes that reach it through the gate."""

    server: S3Server
    gate: Gate
    first: Worker
    second: Worker

    def put_sales(self, folder: str, name: str, *lines: str) -> str:
        """A file of transactions; returns its folder, for --transactions."""
        self.server.put(f"{folder}/{name}", "\n".join([SALES_HEADER, *lines, ""]).encode())
        return f"s3a://{BUCKET}/{folder}/"

    def put_people(self, folder: str, name: str, *lines: str) -> str:
        self.server.put(f"{folder}/{name}", "\n".join([CUSTOMERS_HEADER, *lines, ""]).encode())
        return f"s3a://{BUCKET}/{folder}/"

    def rows(self, lake: str, table: str) -> list[tuple[Any, ...]]:
        return _rows(self.server.table(lake, table))

    def ids(self, lake: str) -> list[str]:
        return sorted(self.server.table(lake, SALES)["TRANSACTION_ID"].to_pylist())

    def versions(self, lake: str) -> dict[str, int]:
        return {table: self.server.delta_table(lake, table).version() for table in TABLES}

    def assert_equals_recompute(self, lake: str) -> None:
        sales, customers, aggregate = (self.server.table(lake, table) for table in (SALES, CUSTOMERS, AGGREGATE))
        held = sorted(
            ((*row[:7], str(int(row[7].timestamp())), *row[8:]) for row in _tuples(aggregate, aggregate.column_names)),
            key=repr,
        )
        assert held == recomputed_by_duckdb(sales, customers)


@pytest.fixture(scope="module")
def jars() -> Jars:
    return Jars.fetched()


@pytest.fixture(scope="module")
def server(jars: Jars, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(jars, tmp_path_factory.mktemp("s3")) as server:
        server.wait_until_it_answers()
        yield server


@pytest.fixture(scope="module")
def store(jars: Jars, server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("workers")
    with ExitStack() as stack:
        gate = stack.enter_context(Gate(server.port))

        def worker(name: str) -> Worker:
            arguments = submit_arguments(folder / name / "warehouse", *_options(jars, server))
            environment = {**server.environment(gate.port), "PYSPARK_SUBMIT_ARGS": arguments}
            return stack.enter_context(Worker(folder / name, environment))

        yield Store(server, gate, worker("first"), worker("second"))


def _options(jars: Jars, server: S3Server) -> list[str]:
    """The options of spark-submit.sh for s3a://, patience with what the gate holds, and buckets that cannot be had."""
    lines = (line.split() for line in (ROOT / "conf" / "s3a.conf").read_text().splitlines())
    settings = {line[0]: line[1] for line in lines if line and not line[0].startswith("#")}
    settings |= {
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.request.timeout": "900s",
        "spark.hadoop.fs.s3a.connection.timeout": "900s",
        # Delta's own log store, which is what s3:// has here.
        "spark.hadoop.fs.s3.impl": f"{S3A}.S3AFileSystem",
        **{
            f"spark.hadoop.fs.s3a.bucket.{bucket}.{key}": value
            for bucket, key, value in (
                ("wrong-secret", "aws.credentials.provider", f"{S3A}.SimpleAWSCredentialsProvider"),
                ("wrong-secret", "access.key", server.key_id),
                ("wrong-secret", "secret.key", "not-the-secret"),
                ("wrong-key", "aws.credentials.provider", f"{S3A}.SimpleAWSCredentialsProvider"),
                ("wrong-key", "access.key", "AKNOBODY"),
                ("wrong-key", "secret.key", "not-the-secret"),
                ("no-key", "aws.credentials.provider", f"{SDK}.SystemPropertyCredentialsProvider"),
                ("unreachable", "endpoint", "http://127.0.0.1:9"),
            )
        },
    }
    return [f"--driver-class-path {jars.of_jobs}", *[f"--conf {key}={value}" for key, value in settings.items()]]


def _tuples(table: pa.Table, columns: list[str]) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in table.to_pylist()]


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """The rows of a table in order, without what differs from run to run."""
    return sorted(_tuples(table, [name for name in table.column_names if name not in OF_ONE_RUN]), key=repr)


def _load(worker: Worker, transactions: str, customers: str, lake: str) -> None:
    worker.begin(
        "load_sales",
        f"--transactions={transactions}",
        f"--customers={customers}",
        f"--lake={lake}",
        "--max-rejected-share=1",
        "--json",
    )


def _loaded(worker: Worker, transactions: str, customers: str, lake: str) -> dict[str, Any]:
    _load(worker, transactions, customers, lake)
    return _report(worker)


def _report(worker: Worker) -> dict[str, Any]:
    """The report of a run that ended well; what it says besides stands before it."""
    exit_code, printed = worker.result()
    assert exit_code == 0, printed
    report: dict[str, Any] = json.loads(printed[printed.index("{") :])
    return report


def _count(report: dict[str, Any], name: str) -> int:
    return int(next(feed for feed in report["feeds"] if feed["feed"] == "transactions")[name])


@dataclass(frozen=True)
class RealLake:
    """The lake of the real files, as the script has loaded them into the store: what that printed, where the feeds and
    the lake are, and the first sale.
    """

    printed: str
    places: tuple[str, str, str]
    first_sale: str


@pytest.fixture(scope="module")
def real_lake(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> RealLake:
    folder = tmp_path_factory.mktemp("script")
    transactions, customers = ((REAL_DATA / name).read_bytes() for name in ("transactions.csv", "customer.csv"))
    header, *lines = transactions.splitlines(keepends=True)
    # A name that has to be escaped, a compressed file, and a row that is refused.
    server.put("real/sales/part 1 of+2%.csv", header + b"".join(lines[:9000]) + b"bad,c,p,many,1.00,2025-02-22\n")
    server.put("real/sales/part_2.csv.gz", gzip.compress(header + b"".join(lines[9000:])))
    server.put("real/customers/customer.csv", customers)
    places = f"s3a://{BUCKET}/real/sales/part*", f"s3a://{BUCKET}/real/customers/", f"s3a://{BUCKET}/real/lake"
    arguments = [f"--transactions={places[0]}", f"--customers={places[1]}", f"--lake={places[2]}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK", "SPARK"))}
    environment |= {**server.environment(), "SALES_SPARK_LOG_LEVEL": "info"}
    done = subprocess.run(
        [str(ROOT / "spark-submit.sh"), *arguments, "--json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert list(folder.iterdir()) == []
    return RealLake(done.stdout + done.stderr, places, lines[0].decode())


@needs_real_data
def test_the_real_files_make_the_same_tables_as_on_a_local_disk(
    store: Store, real_lake: RealLake, tmp_path: Path
) -> None:
    server, local = store.server, tmp_path / "local"
    for name in ("sales", "customers"):
        (local / name).mkdir(parents=True)
    for info in server.objects("real/sales"):
        (local / "sales" / info.base_name).write_bytes(server.content(info))
    for info in server.objects("real/customers"):
        (local / "customers" / info.base_name).write_bytes(server.content(info))
    _loaded(store.first, f"{local}/sales/part*", f"{local}/customers", f"{local}/lake")
    for table in TABLES:
        assert store.rows("real/lake", table) == _rows(arrow(f"{local}/lake/{table}")), table
    assert server.table("real/lake", SALES).num_rows == 16_084
    assert server.table("real/lake", "rejected_rows").num_rows == 1
    store.assert_equals_recompute("real/lake")


@needs_real_data
def test_the_secret_stands_in_nothing_that_is_printed_or_written(store: Store, real_lake: RealLake) -> None:
    server = store.server
    assert "S3AFileSystem" in real_lake.printed, "the log that is searched for the secret is not there"
    written = [server.content(info) for info in server.objects("real/lake")]
    assert len(written) > len(TABLES)
    said = [real_lake.printed.encode(), *written]
    said += [str(server.table("real/lake", table).to_pylist()).encode() for table in (*TABLES, "pipeline_runs")]
    assert not any(server.secret.encode() in text for text in said)


@needs_real_data
def test_a_second_run_writes_nothing_and_one_of_another_process_what_is_new(store: Store, real_lake: RealLake) -> None:
    versions = store.versions("real/lake")
    again = _loaded(store.first, *real_lake.places)
    assert again["changed_nothing"]
    assert store.versions("real/lake") == versions

    # A correction that moves to another hour, and a new customer.
    old_id, customer, product = real_lake.first_sale.split(",")[:3]
    store.put_people("real/customers", "new.csv", "new,Zoë,30,Mali")
    store.put_sales(
        "real/sales",
        "part_3.csv",
        f"{old_id},{customer},{product},7,2.50,2025-02-25 09:15:00",
        f"new-sale,new,{product},1,1.00,2025-02-22 16:15:00",
    )
    increment = _loaded(store.second, *real_lake.places)
    assert (_count(increment, "new"), _count(increment, "corrected")) == (1, 1)
    store.assert_equals_recompute("real/lake")
    assert store.second.run("verify_aggregate", f"--lake={real_lake.places[2]}")[0] == 0


def _two_writers(store: Store, folder: str, scheme: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """One run looks whether there is a version 2 of the sales, and before it writes its own, another does all its work.
    Returns what both reported; the first brought the sale t2, the other one t3.
    """
    lake = f"{scheme}://{BUCKET}/{folder}/lake"
    people = store.put_people(f"{folder}/people", "a.csv", "c1,Ann,30,Mali")
    sales = store.put_sales(f"{folder}/one", "a.csv", "t1,c1,p1,1,1.00,2025-02-22 08:15:00")
    _loaded(store.first, sales, people, lake)
    two = store.put_sales(f"{folder}/two", "a.csv", "t2,c1,p1,1,1.00,2025-02-22 09:15:00")
    three = store.put_sales(f"{folder}/three", "a.csv", "t3,c1,p1,1,1.00,2025-02-22 10:15:00")
    commit = f"{folder}/lake/{SALES}/_delta_log/00000000000000000002.json"
    store.gate.hold_first(commit)
    _load(store.first, two, people, lake)
    store.gate.wait_until_held()
    other = _loaded(store.second, three, people, lake)
    store.gate.released.set()
    report = _report(store.first)
    answers = [status for key, status in store.gate.answers if key.endswith(commit)]
    assert len(answers) == 2, answers
    return report, other


def test_of_two_writers_at_once_the_later_starts_again_and_nothing_is_lost(store: Store) -> None:
    later, earlier = _two_writers(store, "writers", "s3a")
    assert 412 in [status for _, status in store.gate.answers]
    assert (_count(later, "new"), _count(earlier, "new")) == (1, 1)
    assert store.ids("writers/lake") == ["t1", "t2", "t3"]
    assert store.versions("writers/lake")[SALES] == 3
    runs = store.server.table("writers/lake", "pipeline_runs")["run_id"].to_pylist()
    assert {later["run_id"], earlier["run_id"]} < set(runs)
    store.assert_equals_recompute("writers/lake")


def test_with_deltas_own_log_store_the_same_loses_a_commit(store: Store) -> None:
    """What conf/s3a.conf is there for: both runs say that all went well, and the sale of one is gone."""
    _two_writers(store, "unsafe", "s3")
    assert store.ids("unsafe/lake") == ["t1", "t2"]


def test_two_writers_at_once_on_a_lake_that_is_not_there_yet(store: Store) -> None:
    people = store.put_people("both/people", "a.csv", "c1,Ann,30,Mali")
    lake = f"s3a://{BUCKET}/both/lake"
    workers = {"one": store.first, "two": store.second}
    folders = {
        name: store.put_sales(f"both/{name}", "a.csv", f"{name},c1,p1,1,1.00,2025-02-22 09:15:00") for name in workers
    }
    for name, worker in workers.items():
        _load(worker, folders[name], people, lake)
    for name, worker in workers.items():
        exit_code, printed = worker.result()
        if exit_code != 0:
            assert exit_code == FAILED
            assert "was written by someone else" in printed or "If no other run is making it" in printed
            _loaded(worker, folders[name], people, lake)
    assert store.ids("both/lake") == ["one", "two"]
    store.assert_equals_recompute("both/lake")


def test_a_commit_whose_answer_was_lost_is_known_as_ones_own(store: Store) -> None:
    people = store.put_people("lost/people", "a.csv", "c1,Ann,30,Mali")
    sales = store.put_sales("lost/sales", "a.csv", "t1,c1,p1,1,1.00,2025-02-22 09:15:00")
    commit = f"lost/lake/{SALES}/_delta_log/00000000000000000001.json"
    store.gate.lose_first_answer(commit)
    report = _loaded(store.first, sales, people, f"s3a://{BUCKET}/lost/lake")
    assert [status for key, status in store.gate.answers if key.endswith(commit)] == [200, 412]
    # A run that had taken it for another's would have started again, and found its row unchanged.
    assert _count(report, "new") == 1
    assert store.versions("lost/lake")[SALES] == 1
    store.assert_equals_recompute("lost/lake")


def test_maintain_puts_files_together_and_takes_no_folder_for_an_old_file(store: Store) -> None:
    people = store.put_people("small/people", "a.csv", "c1,Ann,30,Mali")
    lake = f"s3a://{BUCKET}/small/lake"
    for number in range(2):
        sales = store.put_sales("small/sales", f"{number}.csv", f"t{number},c1,p{number},1,1.00,2025-02-22 09:15:00")
        _loaded(store.first, sales, people, lake)
    assert len(store.server.delta_table("small/lake", SALES).file_uris()) == 2
    # A change of a sale leaves files of the change feed besides.
    sales = store.put_sales("small/sales", "2.csv", "t0,c1,p0,1,1.00,2025-02-22 10:15:00")
    _loaded(store.first, sales, people, lake)
    exit_code, printed = store.first.run("maintain", f"--lake={lake}")
    assert exit_code == 0, printed
    assert len(store.server.delta_table("small/lake", SALES).file_uris()) == 2
    assert "none is old enough to be deleted" in printed
    assert "files of older versions" not in printed
    store.assert_equals_recompute("small/lake")


@pytest.mark.parametrize(
    ("bucket", "expected", "sentence"),
    [
        ("wrong-secret", USAGE, "access is denied"),
        ("wrong-key", USAGE, "access is denied"),
        ("no-key", USAGE, "there are no credentials"),
        ("no-such-bucket", USAGE, "there is no such bucket"),
        ("unreachable", FAILED, "it does not answer"),
    ],
)
@pytest.mark.parametrize("of", ["lake", "feed"])
def test_a_store_that_is_not_to_be_had_is_named_in_one_sentence(
    store: Store, bucket: str, expected: int, sentence: str, of: str
) -> None:
    people = store.put_people("mistakes/people", "a.csv", "c1,Ann,30,Mali")
    lake, sales = f"s3a://{BUCKET}/mistakes/lake", f"s3a://{BUCKET}/mistakes/people/"
    if of == "lake":
        lake = f"s3a://{bucket}/lake"
    else:
        sales = f"s3a://{bucket}/sales/"
    exit_code, printed = store.first.run(
        "load_sales", f"--transactions={sales}", f"--customers={people}", f"--lake={lake}"
    )
    said = [line for line in printed.splitlines() if line.startswith("load_sales:")]
    assert len(said) == 1, printed
    assert said[0].startswith(f"load_sales: s3a://{bucket} cannot be used: {sentence}")
    assert exit_code == expected
    assert "Traceback" not in printed
    assert "not-the-secret" not in printed
    assert store.server.secret not in printed


@pytest.mark.parametrize(
    "option",
    [
        lambda secret: ["--conf", f"spark.hadoop.fs.s3a.secret.key={secret}"],
        lambda secret: [f"--conf=spark.hadoop.fs.s3a.bucket.sales-lake.access.key={secret}"],
        lambda secret: ["--driver-java-options", f"-Dspark.hadoop.fs.s3a.session.token={secret}"],
        lambda secret: [f"--conf=spark.hadoop.fs.azure.account.key.shop.dfs.core.windows.net={secret}"],
    ],
)
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(
    option: Callable[[str], list[str]], tmp_path: Path
) -> None:
    command = [str(ROOT / "spark-submit.sh"), *option("hush-hush"), "--lake=s3a://sales-lake/lake"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == USAGE
    assert "is a credential" in done.stderr
    assert "hush-hush" not in done.stdout + done.stderr


def test_rejected_rows_hours_and_customers_are_seen_to_in_a_store_too(store: Store) -> None:
    """The jobs that people start by hand, one after the other, on one lake."""
    server, place = store.server, f"s3a://{BUCKET}/hands/lake"
    people = store.put_people("hands/people", "a.csv", "c1,Ann,30,Mali", "c2,Zebulon,31,Peru")
    sales = store.put_sales(
        "hands/sales",
        "a.csv",
        "t1,c1,p1,1,1.00,2025-02-22 09:15:00",
        "t2,c1,p1,1,1.00,2025-02-22 09:45:00",
        "t3,c2,p1,1,1.00,2025-02-22 10:15:00",
        "t4,c1,p1,many,1.00,2025-02-22 10:15:00",
    )
    _loaded(store.first, sales, people, place)

    def run(job: str, *options: str) -> dict[str, Any]:
        store.first.begin(job, f"--lake={place}", "--json", *options)
        return _report(store.first)

    [refused] = server.table("hands/lake", "rejected_rows")["rejected_id"].to_pylist()
    fixed = f'REJECTED_ID,CORRECTED_LINE\n{refused},"t4,c1,p1,3,1.00,2025-02-22 10:15:00"\n'
    server.put("hands/fixes/fixes.csv", fixed.encode())
    run("release_rejected", f"--corrections=s3a://{BUCKET}/hands/fixes/fixes.csv")
    assert store.ids("hands/lake") == ["t1", "t2", "t3", "t4"]
    assert store.rows("hands/lake", "rejected_rows") == []

    hour = store.put_sales("hands/nine", "a.csv", "t1,c1,p1,5,1.00,2025-02-22 09:15:00")
    run("restate", "--first-hour=2025-02-22T09", "--last-hour=2025-02-22T09", f"--from-files={hour}", "--apply")
    assert store.ids("hands/lake") == ["t1", "t3", "t4"]

    run("build_gold")
    run("forget_customer", "--customer-id=c2", "--apply")
    assert store.ids("hands/lake") == ["t1", "t4"]
    assert server.table("hands/lake", "customer_summary")["CUSTOMER_ID"].to_pylist() == ["c1"]
    logs = [server.content(info) for info in server.objects("hands/lake") if "_delta_log" in info.path]
    assert logs
    assert not any(b"Zebulon" in log for log in logs)

    run("maintain")
    store.assert_equals_recompute("hands/lake")
    assert store.first.run("verify_aggregate", f"--lake={place}")[0] == 0
    # Who was forgotten stays out.
    store.put_sales(
        "hands/sales", "b.csv", "t9,c2,p1,1,1.00,2025-02-22 11:15:00", "t5,c1,p1,1,1.00,2025-02-22 11:15:00"
    )
    _loaded(store.second, sales, people, place)
    assert store.ids("hands/lake") == ["t1", "t4", "t5"]
    store.assert_equals_recompute("hands/lake")
