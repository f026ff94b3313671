"""Describe files of sales and customers: draft a feeds.yml from how they look, and show what a load would do."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from common.csv_files.description import load_descriptions
from common.describe.account import (
    columns_table,
    found_lines,
    loaded_table,
    notes_of,
    preview_line,
    rejected_table,
)
from common.describe.draft import draft_of
from common.describe.findings import Finding, findings_in
from common.describe.preview import preview_of
from common.describe.sample import find_files, read_samples
from common.describe.sniffing import look_at
from common.errors import ConfigError
from common.ingest.rules import load_rules
from common.run.arguments import Parser
from common.run.command import attempt, finished, session_of
from common.run.console import Console
from common.run.shared_settings import conf_dir
from common.run.signals import Signals
from common.spark.parallel import side_by_side
from common.spark.session import check_session

JOB = "describe_feed"


@dataclass(frozen=True)
class Options:
    """The files to look at, and where the draft is written."""

    files: list[str]
    output: str


def main(argv: Sequence[str] | None = None) -> int:
    return finished(attempt(JOB, partial(_run, argv)), argv)


def _run(argv: Sequence[str] | None, signals: Signals) -> None:
    parser = Parser(JOB, __doc__ or "", "--output feeds.yml 'export/*.csv'")
    parser.add_argument("files", nargs="*", metavar="FILE", default=[], help="file, folder or glob, plain, .gz or .bz2")
    parser.add_argument(
        "--output", default="feeds.yml", metavar="FILE", help="where the draft is written (default: feeds.yml)"
    )
    options = Options(**parser.parse(argv))
    if not options.files:
        raise ConfigError("name the files to look at; see --help.")
    output = Path(options.output)
    _check_is_new(output)
    console = Console(as_json=False)
    findings = findings_in(look_at(read_samples(find_files(options.files))))
    _write_draft(output, draft_of(findings, str(output.parent)))
    for finding in findings:
        _say_what_was_found(console, finding)
    open_questions = [f"{finding.feed.name}: {name}" for finding in findings for name in finding.open_questions]
    if open_questions:
        console.say("")
        console.say(f"{output} is a draft, and is refused until you fill in what the files leave open:")
        console.say(f"  {', '.join(open_questions)}")
    else:
        console.say("")
        console.say("Starting Spark, to read the first lines as a load would ...")
        _preview(console, findings, output, signals)
    _say_what_is_next(console, output)


def _check_is_new(output: Path) -> None:
    if output.exists():
        raise ConfigError(f"{output} is there already, and is left as it is: name another file with --output.")
    if not output.parent.is_dir():
        raise ConfigError(f"--output: there is no folder {output.parent}.")


def _write_draft(output: Path, text: str) -> None:
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"--output: {output} cannot be written: {error.strerror}.") from error


def _say_what_was_found(console: Console, finding: Finding) -> None:
    console.say("")
    for line in found_lines(finding):
        console.say(line)
    console.show(columns_table(finding))
    for line in notes_of(finding):
        console.say(line)


def _preview(console: Console, findings: Sequence[Finding], output: Path, signals: Signals) -> None:
    descriptions = load_descriptions(output, "utf-8", "UTC")
    rules = load_rules(conf_dir() / "quality.yml")
    spark = session_of(JOB, signals)
    check_session(spark)
    with tempfile.TemporaryDirectory(prefix="describe_feed-") as folder:
        first, *second = [
            partial(preview_of, spark, finding, descriptions[finding.feed.name].format, rules, Path(folder))
            for finding in findings
        ]
        previews = side_by_side(first, second[0]) if second else (first(),)
    for preview in previews:
        console.say("")
        console.say(f"{preview.feed.name} as they would be loaded:")
        console.show(loaded_table(preview))
        if preview.rejected:
            console.say("and what would be rejected:")
            console.show(rejected_table(preview))
        console.say(preview_line(preview))


def _say_what_is_next(console: Console, output: Path) -> None:
    load = f"./spark-submit.sh load_sales --feeds {output} --lake lake"
    console.say("")
    console.say(f"{output} is written. Next:")
    console.say(f"  read it, and mend it:  {output}  (docs/guides/describe-a-feed.md)")
    console.say(f"  see what would come:   {load} --dry-run")
    console.say(f"  load:                  {load}")


if __name__ == "__main__":
    sys.exit(main())
