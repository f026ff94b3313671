"""Bring the gold layer up to date: the tables and the view that answer questions about sales and customers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial

from common.contract import CUSTOMERS, SALES
from common.contract.gold import SALES_ENRICHED
from common.lake.upgrade import upgrades
from common.lake.views import define_view
from common.marts.mart import Mart, pinned_inputs, plan_refresh
from common.marts.plan import Plan
from common.marts.registry import marts_kept_by
from common.marts.sales_enriched import sales_enriched_sql
from common.run.command import run_command
from common.run.job import Job, LakeRun, Step
from common.run.settings import GoldSettings
from common.words import counted


class BuildGold(LakeRun[GoldSettings]):
    """Write the rows of the gold tables that are not as sales and customers have them now; with dry_run, count them."""

    def begin(self) -> None:
        super().begin()
        self.marts = marts_kept_by(self.job)
        tables = [mart.table for mart in self.marts]
        self.begin_on_existing(tables, makes_them=True)
        if self.settings.dry_run:
            self.report.plan = Plan()
            self.report.upgrades += upgrades(self.lake, tables)
        else:
            self.upgrade_tables()
            self.lake.create(tables)
        self.inputs = self.cleanup.enter_context(pinned_inputs(self.lake))

    def steps(self) -> Iterator[Step]:
        for mart in self.marts:
            yield Step(
                f"Bring {mart.table.name} up to date",
                partial(self.plan if self.settings.dry_run else self.refresh, mart),
            )
        if self.settings.schema_:
            yield Step(f"Define {SALES_ENRICHED.name}", self.define_view)
        if not self.settings.dry_run:
            yield Step("Record the run", self.record)

    def refresh(self, mart: Mart) -> str:
        change = self.refresh_mart(mart, self.inputs)
        if change is None:
            return "as it should be"
        return f"{counted(change.inserted + change.updated, 'row')} written, {change.deleted:,} removed"

    def plan(self, mart: Mart) -> str:
        planned = plan_refresh(mart, self.inputs)
        if planned is None:
            return "as it should be"
        change, whole = planned
        self.report.take_planned(change, whole)
        return (
            f"{counted(change.inserted + change.updated, 'row')} would be written, {change.deleted:,} would be removed"
        )

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
