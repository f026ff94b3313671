"""Bring the recommendations up to date: what is bought together, what to offer to whom, and how good that has been."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from common.marts.recommended import large_baskets
from common.run.command import run_command
from common.run.job import BuildRun, Job, Step
from common.run.settings import RecommendSettings
from common.words import counted


class RecommendProducts(BuildRun[RecommendSettings]):
    """Write the rows of the tables of recommendations that are not as sales and customers have them now."""

    def more_steps(self) -> Iterator[Step]:
        yield Step("Count the baskets that are passed over", self.count_large_baskets)

    def count_large_baskets(self) -> str:
        planned = self.report.plan.tables if self.report.plan else []
        if not (self.report.written or planned):
            return "nothing has changed"
        self.report.baskets_passed_over = large_baskets(self.inputs.told(self.marts[0]))
        return counted(self.report.baskets_passed_over, "basket")


JOB = Job("recommend_products", __doc__, RecommendSettings, RecommendProducts)


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, argv)


if __name__ == "__main__":
    sys.exit(main())
