"""Say what will sell, by day and by hour, how good such forecasts have been, and how much of each product to stock."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from common.forecast.files import stock_in
from common.run.command import run_command
from common.run.job import BuildRun, Job
from common.run.settings import ForecastSettings


class ForecastSales(BuildRun[ForecastSettings]):
    """Write the rows of the forecasts that are not as the sales have them now; with dry_run, count them."""

    def begin(self) -> None:
        path = self.settings.stock
        self.stock = stock_in(self.lake.spark, path) if path else None
        super().begin()
        if self.stock:
            self.inputs.given["stock"] = self.stock.rows

    def told(self, name: str) -> str:
        if name == "stock_digest":
            return self.stock.digest if self.stock else ""
        return super().told(name)


JOB = Job("forecast_sales", __doc__, ForecastSettings, ForecastSales)


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(JOB, argv)


if __name__ == "__main__":
    sys.exit(main())
