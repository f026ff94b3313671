"""Histories of random steps, each of those that are possible where it comes."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from support import meddling
from support.arriving_rows import HEADERS, lines_of
from support.histories import TABLES, History
from support.lakes import Workbench

AnyHistory = TypeVar("AnyHistory", bound=History)
# What can come next: how likely, and what the arguments of the step are drawn from.
Steps: TypeAlias = dict[str, tuple[int, dict[str, st.SearchStrategy[Any]]]]

STEPS = 10
# From the seed of one history to that of the next, so that batteries with seeds that are close have none in common.
TO_NEXT_SEED = 1_000_003

WAYS_TO_COME_AGAIN = (
    "another name",
    "same path",
    "reversed, another name",
    "reversed, same path",
    "compressed, another name",
    "CRLF and blank lines, same path",
    "byte-order mark, another name",
)
MAINTENANCE = st.sampled_from(["OPTIMIZE", "VACUUM"])
CHANGES = st.sampled_from(["DELETE", "UPDATE", "INSERT"])
ENGINE = st.sampled_from(meddling.ENGINES)


def let_anything_happen(
    spark: SparkSession,
    folder: Path,
    own_seed: int,
    name: str,
    tally: Counter[str],
    kind: type[AnyHistory],
    possible: Callable[[AnyHistory], Steps],
) -> None:
    """One history of random steps of those that are possible. Where it ends badly it is not made shorter, as each try
    would take half a minute.
    """

    @seed(own_seed)
    @settings(
        max_examples=2,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def anything_happens(data: st.DataObject) -> None:
        # Hypothesis tries the simplest example first, which is thus none, and a random one then.
        if not data.draw(st.booleans()):
            return
        folder.mkdir()
        try:
            history = kind(Workbench(spark, folder), tally, name)
            for _ in range(data.draw(st.integers(STEPS - 3, STEPS))):
                step, arguments = data.draw(next_step(possible(history)))
                getattr(history, step)(**arguments)
            history.end()
        finally:
            shutil.rmtree(folder)

    anything_happens()


def possible_steps(history: History) -> Steps:
    """What can come next to a lake."""
    sales, people = (lines_of(feed, history.rows_that_came(feed)) for feed in HEADERS)
    steps: Steps = {
        "files_arrive": (6, {"sales": sales, "people": people, "more_sales": sales}),
        "sales_arrive": (5, {"lines": sales}),
        "people_arrive": (3, {"lines": people}),
        "runs_are": (2, {"on_serverless": st.booleans()}),
    }
    if history.files["transactions"]:
        file = st.sampled_from([(feed, name) for feed in HEADERS for name in history.files[feed]])
        few = st.integers(1, 3)
        steps |= {
            "a_file_comes_again": (3, {"file": file, "how": st.sampled_from(WAYS_TO_COME_AGAIN)}),
            "rows_come_again_in_other_files": (3, {"file": file, "joined": few, "pieces": few}),
        }
    if history.loads:
        steps |= {
            "maintain": (3, {"table": st.sampled_from(TABLES), "how": MAINTENANCE, "engine": ENGINE}),
            "load_everything_again": (2, {}),
        }
    if history.restorable():
        steps["restore"] = (3, {"to": st.sampled_from(history.restorable()), "engine": ENGINE})
    if history.loads and history.targets():
        steps["meddle"] = (4, {"row": st.sampled_from(history.targets()), "what": CHANGES, "engine": ENGINE})
    if history.has_news:
        steps |= {"load": (11, {}), "load_after_a_dry_run": (2, {})}
    elif not history.told[-1].startswith("load("):
        steps["load"] = (1, {})
    return steps


def next_step(steps: Steps) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    names = [name for name, (weight, _) in steps.items() for _ in range(weight)]
    return st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), st.fixed_dictionaries(steps[name][1])))
