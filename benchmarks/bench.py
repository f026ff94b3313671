"""What was measured: each run of each way, by the system and by Spark itself, as tables and pictures."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from matplotlib import pyplot

from event_log import EventLog, Figures, read_event_log
from processes import Measured, measure

ROOT = Path(__file__).parents[1]
OURS = "load_sales"

SPARK_FIGURES: dict[str, Callable[[Figures], float]] = {
    "Spark jobs": lambda figures: figures.jobs,
    "stages": lambda figures: figures.stages,
    "tasks": lambda figures: figures.tasks,
    "executor run time, s": lambda figures: figures.task_seconds,
    "files read": lambda figures: figures.files_read,
    "input, MB": lambda figures: figures.read_mb,
    "shuffle write, MB": lambda figures: figures.shuffled_mb,
    "disk spill, MB": lambda figures: figures.spilled_mb,
}


@dataclass(frozen=True)
class Run:
    """One run of a way: what the system saw of it, what Spark did (nothing where it was without Spark), and how many
    data files it left that were not there before.
    """

    process: Measured
    spark: EventLog
    files_written: int


@dataclass
class Bench:
    """A folder with the data of one scenario, and what was measured in it, by way."""

    folder: Path
    options: argparse.Namespace
    runs: dict[str, list[Run]] = field(default_factory=dict)
    reports: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def ours(
        self,
        name: str,
        lake: Path,
        sales: Path,
        customers: Path,
        job: str = OURS,
        options: Sequence[str] = (),
        checkout: Path = ROOT,
    ) -> None:
        """Run the real command, of this checkout or another; what it reports is kept."""
        command = [f"{checkout}/spark-submit.sh", job, "--json", f"--lake={lake}", *options, *self._events()]
        if job == OURS:
            command += [f"--transactions={sales}", f"--customers={customers}"]
        self._measure(name, command, lake)
        # Beside it stands what came on standard error.
        printed = self.runs[name][-1].process.output.splitlines()
        report = json.loads(next(line for line in reversed(printed) if line.startswith("{")))
        self.reports.setdefault(name, []).append(report)

    def other(self, way: str, target: Path, sales: Path, customers: Path, name: str | None = None) -> None:
        """Run another way: with Spark under its usual settings and Delta where it needs it."""
        name = name or way
        program = [f"{ROOT}/benchmarks/contenders.py", way, str(target), str(sales), str(customers)]
        jars = os.environ["DELTA_JARS"].replace(",", ":")
        spark = [f"{os.environ['SPARK_HOME']}/bin/spark-submit", "--master=local[*]", "--driver-memory=4g"]
        spark += ["--driver-class-path", jars, "--conf=spark.sql.session.timeZone=UTC"]
        spark += ["--conf=spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension"]
        spark += ["--conf=spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog"]
        spark += self._events()
        prefix = {"polars": [sys.executable], "duckdb": [sys.executable], "empty_session": [sys.executable]}
        self._measure(name, [*prefix.get(way, spark), *program], target)

    def _events(self) -> list[str]:
        """Options by which Spark leaves its own figures; all that is of Spark, but the empty session, has them."""
        settings = {"enabled": "true", "compress": "false", "rolling.enabled": "false", "dir": self._log.as_uri()}
        return [f"--conf=spark.eventLog.{key}={value}" for key, value in settings.items()]

    @property
    def _log(self) -> Path:
        return self.folder / "event_log"

    def _measure(self, name: str, command: list[str], target: Path) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SALES_")}
        shutil.rmtree(self._log, ignore_errors=True)
        self._log.mkdir()
        before = _data_files(target)
        found = measure(command, environment, self.folder)
        self.runs.setdefault(name, []).append(Run(found, read_event_log(self._log), len(_data_files(target) - before)))
        print(f"{name:<28} {found.seconds:7.1f} s  {found.peak_bytes / 2**20:7,.0f} MiB", flush=True)

    def seconds(self, name: str) -> float:
        return self._median(name, lambda run: run.process.seconds)

    def _median(self, name: str, figure: Callable[[Run], float]) -> float:
        return statistics.median(figure(run) for run in self.runs[name])

    def table(self, baseline: str) -> str:
        """What was measured as Markdown, one row a way, medians, beside the seconds of the baseline."""
        rows = []
        for name in self.runs:
            process: list[Callable[[Run], float]] = [
                lambda run: run.process.peak_bytes / 2**20,
                lambda run: run.process.bytes_read / 1e6,
                lambda run: run.process.bytes_written / 1e6,
                lambda run: run.files_written,
            ]
            seconds = self.seconds(name)
            cells = [name, f"{seconds:.1f}", f"{seconds / self.seconds(baseline):.2f}"]
            cells += [f"{self._median(name, figure):,.0f}" for figure in process]
            for figure in SPARK_FIGURES.values():
                of_run = [figure(run.spark.between()) for run in self.runs[name] if run.spark.jobs]
                cells.append(f"{statistics.median(of_run):,.0f}" if of_run else "")
            rows.append(cells)
        columns = [
            "way",
            "seconds",
            f"x {baseline}",
            "peak memory, MiB",
            "read, MB",
            "written, MB",
            "data files written",
        ]
        return markdown([*columns, *SPARK_FIGURES], rows)

    def picture(self, baseline: str, path: Path) -> None:
        """Draw the seconds and the peak memory of each way, medians; the lines on the bars reach from least to most."""
        figure, axes = pyplot.subplots(1, 2, figsize=(10, 0.6 + 0.4 * len(self.runs)), sharey=True, layout="tight")
        names = list(self.runs)[::-1]
        colors = ["tab:orange" if name in self.reports else "tab:gray" for name in names]
        figures: dict[str, Callable[[Run], float]] = {
            "seconds": lambda run: run.process.seconds,
            "peak memory, MiB": lambda run: run.process.peak_bytes / 2**20,
        }
        for axis, (title, value) in zip(axes, figures.items(), strict=True):
            medians = [self._median(name, value) for name in names]
            spread = [[value(run) for run in self.runs[name]] for name in names]
            below = [median - min(values) for median, values in zip(medians, spread, strict=True)]
            above = [max(values) - median for median, values in zip(medians, spread, strict=True)]
            axis.barh(names, medians, xerr=[below, above], color=colors, ecolor="black")
            axis.set_xlabel(title)
        axes[0].axvline(self.seconds(baseline), color="black", linestyle=":", linewidth=1)
        path.parent.mkdir(exist_ok=True)
        # The same picture for the same figures.
        with pyplot.rc_context({"svg.hashsalt": ""}):
            figure.savefig(path, metadata={"Date": None})

    def profile(self, name: str) -> str:
        """Where the time of the last run of a way of ours went, as Markdown, one row a step."""
        run, report = self.runs[name][-1], self.reports[name][-1]
        begun = [datetime.fromisoformat(step["started_at"]).timestamp() for step in report["steps"]]
        first, last = run.process.began_at, run.process.began_at + run.process.seconds
        spans = [("Start Python, Java and Spark", first, begun[0])]
        spans += [
            (step["step"], begin, begin + step["seconds"]) for step, begin in zip(report["steps"], begun, strict=True)
        ]
        spans.append(("Report and stop", spans[-1][2], last))
        rows = []
        for step, begin, end in [*spans, ("All, with what lies between steps", first, last)]:
            figures = run.spark.between(begin, end)
            cells = [step, f"{end - begin:.1f}", f"{max(0.0, end - begin - figures.seconds_with_jobs):.1f}"]
            rows.append(cells + [f"{figure(figures):,.0f}" for figure in SPARK_FIGURES.values()])
        return markdown([f"step of {name}", "seconds", "of them without a Spark job", *SPARK_FIGURES], rows)


def _data_files(folder: Path) -> set[Path]:
    return set(folder.rglob("*.parquet"))


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
