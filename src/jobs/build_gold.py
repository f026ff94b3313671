"""Bring the gold layer up to date: the tables and the view that answer questions about sales and customers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from common.contract import CUSTOMERS, SALES
from common.contract.gold import SALES_ENRICHED
from common.lake.views import define_view
from common.marts.sales_enriched import sales_enriched_sql
from common.run.command import run_command
from common.run.job import BuildRun, Job, Step
from common.run.settings import GoldSettings


class BuildGold(BuildRun[GoldSettings]):
    """Write the rows of the gold tables that are not as sales and customers have them now; with dry_run, count them."""

    def more_steps(self) -> Iterator[Step]:
        if self.settings.schema_:
            yield Step(f"Define {SALES_ENRICHED.name}", self.define_view)

    def define_view(self) -> str:
        query = sales_enriched_sql(self.lake.name(SALES), self.lake.name(CUSTOMERS))
        if not define_view(self.lake, SALES_ENRICHED, query, only_look=self.settings.dry_run):
            return "as it should be"
        self.report.views_defined.append(SALES_ENRICHED.name)
        return f"{'would be ' if self.settings.dry_run else ''}defined anew"


JOB = Job("build_gold", __doc__, GoldSettings, BuildGold)


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, argv)


if __name__ == "__main__":
    sys.exit(main())
