"""Bring the recommendations up to date: what is bought together, what to offer to whom, and how good that has been."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from common.run.command import run_command
from common.run.job import BuildRun, Job
from common.run.settings import RecommendSettings


class RecommendProducts(BuildRun[RecommendSettings]):
    """Write the rows of the tables of recommendations that are not as sales and customers have them now."""


JOB = Job("recommend_products", __doc__, RecommendSettings, RecommendProducts)


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, argv)


if __name__ == "__main__":
    sys.exit(main())
