"""Every job's settings. One entry is its name, type, default, and what --help says of it.

shared_settings.py has those that jobs have in common, configuration.py finds the values, arguments.py is the command
line, and a job takes its class from here.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from common.contract import CUSTOMERS_FEED, HOUR, TRANSACTIONS
from common.forecast.files import closed_days_in
from common.ingest.ledger import MAX_REJECTED_SHARE
from common.run.setting_types import Day, Days, Hour, Names, Place, Repeated, ServiceLevel, Share
from common.run.shared_settings import (
    ApplySettings,
    BusinessSettings,
    DescribedSettings,
    DryRunSettings,
    ReadingSettings,
    Settings,
    Shown,
)
from common.spark.sql import range_condition


class LoadSettings(ReadingSettings, DryRunSettings):
    example = "--transactions 'sales/*.csv' --customers customers.csv --lake lake"

    transactions: Annotated[
        Place | None,
        Field(description="file, folder or glob of sales, plain, .gz, .bz2 or .zst"),
        Shown("PATH", "input"),
    ] = None
    customers: Annotated[
        Place | None,
        Field(description="file, folder or glob of customers, plain, .gz, .bz2 or .zst"),
        Shown("PATH", "input"),
    ] = None
    reload: Annotated[
        bool, Field(description="load all the files, those that were loaded before too"), Shown(group="input")
    ] = False
    repeated_transactions: Annotated[
        Repeated,
        Field(description="what becomes of a newer file of sales that has the content of one that was loaded"),
        Shown("skip|load", "input"),
    ] = "skip"
    repeated_customers: Annotated[
        Repeated,
        Field(description="the same of customers, which are sent as snapshots: the newest file counts"),
        Shown("skip|load", "input"),
    ] = "load"
    max_rejected_share: Annotated[
        Share,
        Field(
            description="refuse the run where more than this share of a feed's rows is rejected; of few rows, one is "
            "a large share: 1 of 11 is 0.09"
        ),
        Shown("SHARE", "checks"),
    ] = MAX_REJECTED_SHARE

    @model_validator(mode="after")
    def _names_a_feed(self) -> LoadSettings:
        if not self.paths:
            raise ValueError("name what to load: --transactions, --customers, or both")
        return self

    @property
    def paths(self) -> dict[str, str]:
        """Where the files of each feed are that is to be loaded, by the feed's name: as the arguments say, or else the
        descriptions.
        """
        named = {TRANSACTIONS.name: self.transactions, CUSTOMERS_FEED.name: self.customers}
        if not any(named.values()):
            named = {feed: description.path for feed, description in self.descriptions.items()}
        return {feed: path for feed, path in named.items() if path is not None}

    @property
    def loads_repeated(self) -> dict[str, bool]:
        """By feed, whether a newer file is loaded that has the content of one that was loaded before."""
        repeated = {TRANSACTIONS.name: self.repeated_transactions, CUSTOMERS_FEED.name: self.repeated_customers}
        return {feed: what == "load" for feed, what in repeated.items()}


class GoldSettings(DryRunSettings):
    pass


class RecommendSettings(BusinessSettings, DryRunSettings):
    products_left_out: Annotated[
        Names | None,
        Field(description="PRODUCT_IDs, with commas between, that are no products to offer, such as POST or vouchers"),
        Shown("IDS", "what to do"),
    ] = None
    accuracy_cuts: Annotated[
        Days | None,
        Field(
            description="days, with commas between, at which to measure what would have been recommended (default: the "
            "last three Mondays of every fourth week that have four complete weeks behind them)"
        ),
        Shown("DAYS", "what to do"),
    ] = None


class ForecastSettings(BusinessSettings, DryRunSettings):
    lead_time_days: Annotated[
        int,
        Field(ge=1, le=180, description="days from an order until the goods are there"),
        Shown("DAYS", "what to do"),
    ] = 7
    service_level: Annotated[
        ServiceLevel,
        Field(description="share of lead times in which stock is to last"),
        Shown("SHARE", "what to do"),
    ] = 0.95
    closed_days: Annotated[
        str | None,
        Field(description="file of days on which nothing can sell, past and future, one a line"),
        Shown("FILE", "input"),
    ] = None
    stock: Annotated[
        Place | None,
        Field(description="CSV file of PRODUCT_ID,STOCK: the units in stock"),
        Shown("FILE", "input"),
    ] = None
    last_day: Annotated[
        Day | None,
        Field(description="the last whole day, such as 2025-02-22 (default: the one before that of the newest sale)"),
        Shown("DAY", "what to do"),
    ] = None

    @cached_property
    def days_closed(self) -> str:
        """The days in the file of closed ones, in order, with commas between. Raises ConfigError where one is none."""
        return ",".join(closed_days_in(self.closed_days)) if self.closed_days else ""

    @property
    def files_that_count(self) -> list[Path]:
        named = [path for path in (self.closed_days, self.stock) if path and "://" not in path]
        return [*super().files_that_count, *map(Path, named)]


class ForgetSettings(DescribedSettings, ApplySettings):
    example = "--customer-id C-1001 --lake lake --apply"

    customer_id: Annotated[str, Field(description="CUSTOMER_ID of the person"), Shown("ID", "what to do")]
    also_rejected: Annotated[
        str | None,
        Field(description="rejected_ids, with commas between: of rows that the plan leaves to you, take these out too"),
        Shown("IDS", "what to do"),
    ] = None
    keep_rejected: Annotated[
        str | None,
        Field(description="rejected_ids, with commas between: of rows that the plan is not sure of, keep these"),
        Shown("IDS", "what to do"),
    ] = None


class MaintainSettings(DryRunSettings):
    retain_hours: Annotated[
        int,
        Field(ge=168, description="how long versions stay readable that are no longer the newest"),
        Shown("HOURS", "what to do"),
    ] = 168


class ReleaseSettings(ReadingSettings, DryRunSettings):
    example = "--corrections fixes.csv --lake lake"

    corrections: Annotated[
        Place | None,
        Field(
            description="CSV file of REJECTED_ID,CORRECTED_LINE (REASONS is passed over): rows as they should have been"
        ),
        Shown("FILE", "input"),
    ] = None


class RestateSettings(ReadingSettings, ApplySettings):
    example = "--first-hour 2025-02-22T09 --last-hour 2025-02-22T17 --from-files 'sales/*.csv' --lake lake"

    first_hour: Annotated[
        Hour, Field(description="first hour of the range in UTC, such as 2025-02-22T09"), Shown("HOUR", "what to do")
    ]
    last_hour: Annotated[
        Hour, Field(description="last hour of the range in UTC; it belongs to the range"), Shown("HOUR", "what to do")
    ]
    from_files: Annotated[
        Place | None,
        Field(description="file, folder or glob of all the sales of the range; others in it are removed"),
        Shown("PATH", "input"),
    ] = None

    @model_validator(mode="after")
    def _is_a_range(self) -> RestateSettings:
        if self.first_hour > self.last_hour:
            raise ValueError("--first-hour is later than --last-hour")
        return self

    @property
    def range(self) -> str:
        """SQL that is true in the hours of the range."""
        return range_condition(HOUR, self.first_hour, self.last_hour)


class VerifySettings(Settings):
    pass


class HistorySettings(Settings):
    example = "--last 5 --lake lake"

    last: Annotated[
        int, Field(ge=1, description="show so many runs, the newest first"), Shown("RUNS", "what to do")
    ] = 20
    file: Annotated[
        str | None,
        Field(description="path of a file, or its name in any folder: show only the runs that loaded it"),
        Shown("FILE", "what to do"),
    ] = None


SETTINGS_BY_JOB: dict[str, type[Settings]] = {
    "load_sales": LoadSettings,
    "build_gold": GoldSettings,
    "recommend_products": RecommendSettings,
    "forecast_sales": ForecastSettings,
    "verify_aggregate": VerifySettings,
    "history": HistorySettings,
    "maintain": MaintainSettings,
    "release_rejected": ReleaseSettings,
    "restate": RestateSettings,
    "forget_customer": ForgetSettings,
}
