"""The docs: generated pages, links, the site, and the commands of the README, the tutorial and the guides."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import urlsplit

import pytest

from common.run.settings import SETTINGS_BY_JOB
from jobs import make_sample
from support.project import ROOT
from support.reference_docs import COMMAND, REFERENCE, pages

# What the parts of a page are loaded by; links that a reader may follow are not among them.
_LOADING = {
    ("link", "href"),
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("source", "srcset"),
}
_BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# In the order of a reader, on one lake. Those of other guides are about clusters and object stores.
_PAGES = (
    "README.md",
    "docs/tutorial/first-lake.md",
    "docs/tutorial/any-export.md",
    *(
        f"docs/guides/{name}.md"
        for name in (
            "load-your-files",
            "query",
            "correct-and-restate",
            "rejected-rows",
            "forget-a-customer",
            "maintain",
            "check",
            "operate",
        )
    ),
)


@pytest.mark.parametrize("name", pages())
def test_a_generated_page_says_what_the_code_says(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == pages()[name], f"make it anew: {COMMAND}"


def test_every_job_is_in_the_list_of_commands() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", (REFERENCE / "commands.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted([*SETTINGS_BY_JOB, "describe_feed", "make_sample"])


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "deploy/databricks/README.md"])
def test_links_between_pages_outside_the_site_lead_somewhere(page: str) -> None:
    """mkdocs looks after those inside it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert [link for link in links if not _leads_somewhere(ROOT / page, link)] == []


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    if not anchor:
        return target.exists()
    headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@dataclass(frozen=True)
class Part:
    """Something that a page of the site loads."""

    page: str
    address: str


class _Loaded(HTMLParser):
    """The addresses that a page loads by itself, and whether it has a picture that a script would have to draw."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.has_mermaid = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "link" and values.get("rel") == "canonical":
            return
        self.addresses += [value for name, value in values.items() if (tag, name) in _LOADING]
        self.addresses += re.findall(r"url\(([^)]+)\)", values.get("style", ""))
        self.has_mermaid |= "mermaid" in values.get("class", "").split()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built without a warning."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_no_page_of_the_site_loads_anything_from_another_host(site: Path) -> None:
    loaded: list[Part] = []
    for page in site.rglob("*.html"):
        parser = _Loaded()
        parser.feed(page.read_text(encoding="utf-8"))
        # The theme would load what draws it from elsewhere.
        assert not parser.has_mermaid, page
        loaded += [Part(page.name, address) for address in parser.addresses]
    for sheet in site.rglob("*.css"):
        found = re.findall(r"""url\(["']?([^"')]+)|@import ["']([^"']+)""", sheet.read_text(encoding="utf-8"))
        loaded += [Part(sheet.name, address or imported) for address, imported in found]
    assert any(part.address.endswith("flow.svg") for part in loaded)
    elsewhere = [part for part in loaded if urlsplit(part.address).scheme != "data" and urlsplit(part.address).netloc]
    assert elsewhere == []


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as a clone has it, set up, with files of one's own where the pages have them."""
    folder = tmp_path_factory.mktemp("clone") / "sales-lakehouse"
    not_in_a_clone = shutil.ignore_patterns(".git", ".*_cache", "__pycache__", ".venv", "*.egg-info")
    made_at_the_top = {"build", "data", "dist", "lake", "site"}

    def ignored(place: str, names: list[str]) -> set[str]:
        return not_in_a_clone(place, names) | (made_at_the_top if Path(place) == ROOT else set())

    shutil.copytree(ROOT, folder, ignore=ignored)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    landing = folder / "landing"
    options = ["--transactions=200", "--customers=20", "--hours=5", "--seed=2"]
    assert make_sample.main([f"--folder={landing}", *options]) == 0
    (landing / "sales_1.csv.gz").write_bytes(gzip.compress((landing / "transactions.csv").read_bytes()))
    (landing / "transactions.csv").unlink()
    (landing / "customers").mkdir()
    (landing / "customer.csv").rename(landing / "customers" / "customer.csv")
    return folder


@pytest.fixture(scope="module")
def already_run() -> set[tuple[str, str]]:
    """The blocks that ran for an earlier page: one that stands on several pages is run once."""
    return set()


def run(command: list[str], project: Path, typed: str = "") -> str:
    """Run a command as a person would at a terminal in the project's folder; returns what it prints."""
    ours = ("SALES_", "PYSPARK", "SPARK", "PYTHONPATH")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    with _keyboard(typed) if "spark-submit.sh shell" in command[-1] else _file(typed) as stdin:
        done = subprocess.run(
            command,
            cwd=project,
            env=environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    # A shell goes on after an error.
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}"
    assert "Traceback" not in done.stdout, f"{command[-1]}\n{done.stdout}"
    return done.stdout


@contextmanager
def _file(text: str) -> Iterator[int]:
    with TemporaryFile("w+") as file:
        file.write(text)
        file.seek(0)
        yield file.fileno()


@contextmanager
def _keyboard(text: str) -> Iterator[int]:
    """A terminal at which someone types a text and then Ctrl-D. Spark's shell makes its session only at a terminal."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, text.encode() + b"\x04")
        yield theirs
    finally:
        os.close(ours)
        os.close(theirs)


def blocks_of(text: str) -> Iterator[tuple[list[str], str]]:
    """Each block of a page as a command, and what goes to its standard input.

    A Python block is for `.venv/bin/python`, or for the shell that the block before it has started.
    """
    shell: list[str] = []
    for language, block in _BLOCK.findall(text):
        if language == "bash":
            command = ["bash", "-euo", "pipefail", "-c", block]
            if "spark-submit.sh shell" in block:
                shell = command
            else:
                yield command, ""
        else:
            yield shell or [".venv/bin/python", "-"], block
            shell = []


@pytest.mark.platform
@pytest.mark.in_order
@pytest.mark.parametrize("page", _PAGES)
def test_the_commands_of_a_page_work_as_they_stand(page: str, project: Path, already_run: set[tuple[str, str]]) -> None:
    for command, typed in blocks_of((ROOT / page).read_text(encoding="utf-8")):
        if (command[-1], typed) in already_run:
            continue
        output = run(command, project, typed)
        already_run.add((command[-1], typed))
        if page == "README.md" and command[-1] == "./spark-submit.sh\n":
            printed = {_without_figures(line) for line in output.splitlines()}
            assert [line for line in _shown(page) if _without_figures(line) not in printed] == []
    left = {path.name for path in project.iterdir()} & {"derby.log", "metastore_db", "spark-warehouse"}
    assert left == set()


def _shown(page: str) -> list[str]:
    """The output that a page shows, without what it leaves out."""
    [block] = re.findall(r"^```text\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for line in block.splitlines() if line != "..."]


def _without_figures(line: str) -> str:
    """A line without its figures and widths, which differ from run to run."""
    return " ".join(re.sub(r"\d[\d.,]*( s)?", "", line).split())


@pytest.mark.platform
def test_the_commands_for_cron_and_systemd_work_with_the_few_variables_that_these_set(project: Path) -> None:
    text = (ROOT / "docs/guides/operate.md").read_text(encoding="utf-8")
    [crontab] = re.findall(r"^```crontab\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    hourly, nightly = (line.split(maxsplit=5)[5] for line in crontab.splitlines())
    # systemd starts the same as cron does every hour.
    started = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    without_logs = hourly.replace(" >>/srv/load.log 2>&1", "").replace("./", "/srv/sales-lakehouse/")
    assert without_logs == " && ".join(["cd /srv/sales-lakehouse", *started])

    srv = project.parent / "srv"
    options = ["--transactions=50", "--customers=10", "--hours=2"]
    assert make_sample.main([f"--folder={srv}", *options]) == 0
    for feed, file in (("sales", "transactions.csv"), ("customers", "customer.csv")):
        (srv / "landing" / feed).mkdir(parents=True)
        (srv / file).rename(srv / "landing" / feed / file)
    (srv / "sales-lakehouse").symlink_to(project)
    environment = {"HOME": str(srv), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
    if "JAVA_HOME" in os.environ:
        environment["JAVA_HOME"] = os.environ["JAVA_HOME"]
    for line, log in ((hourly, "load.log"), (nightly, "night.log")):
        command = ["/bin/sh", "-c", line.replace("/srv/", f"{srv}/")]
        done = subprocess.run(command, cwd=srv, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}{(srv / log).read_text()}"
    assert "All is as it should be." in (srv / "night.log").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_understands_the_units_of_the_docs(tmp_path: Path) -> None:
    text = (ROOT / "docs/guides/operate.md").read_text(encoding="utf-8")
    service, timer = re.findall(r"^```ini\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    # The program has to be there, and is not under /srv here.
    (tmp_path / "sales-load.service").write_text(service.replace("/srv/sales-lakehouse", str(ROOT)))
    (tmp_path / "sales-load.timer").write_text(timer)
    units = [str(tmp_path / name) for name in ("sales-load.service", "sales-load.timer")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "sales-load" not in done.stderr
