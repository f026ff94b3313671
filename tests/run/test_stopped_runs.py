"""A run that is told to end says so in one sentence, whatever its end does to what was under way."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from common.audit.findings import Verification
from common.run.command import run_command
from common.run.job import Job, Run, Step
from common.run.settings import VerifySettings


class Signalled(Run[VerifySettings]):
    """A run that gets a signal in its only step."""

    number: signal.Signals

    def begin(self) -> None:
        self.report = Verification(self.job, self.started_at)

    def steps(self) -> Iterator[Step]:
        yield Step("Get a signal", partial(self.get, self.number))

    def get(self, number: signal.Signals) -> str:
        signal.raise_signal(number)
        return ""


class FailingThen(Signalled):
    """And then fails, as what was under way does where the JVM is gone."""

    def get(self, number: signal.Signals) -> str:
        try:
            return super().get(number)
        finally:
            logging.getLogger().error("as Py4J does where the JVM is gone")
            raise ConnectionError("as Py4J has it where the JVM is gone")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_with_a_sentence_though_its_cleaning_up_fails(
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    # As a command has it that was not started by nohup, whatever the tests were started by.
    before = signal.signal(number, signal.SIG_DFL)
    monkeypatch.setattr(Signalled, "number", number, raising=False)
    job = Job("verify_aggregate", "", VerifySettings, FailingThen)

    try:
        assert run_command(job, [f"--lake={tmp_path}/lake", "--json"]) == 128 + number
        # A session that stays is as it was.
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    printed = capsys.readouterr()
    assert printed.out + printed.err == "verify_aggregate: stopped; the next run finishes what this one could not.\n"
    assert caplog.messages == []
    assert logging.getLogger().isEnabledFor(logging.ERROR)
    assert spark.range(1).count() == 1


def test_a_signal_that_is_ignored_stays_so(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As nohup has it, for runs that go on when the terminal is closed."""
    monkeypatch.setattr(Signalled, "number", signal.SIGHUP, raising=False)
    job = Job("verify_aggregate", "", VerifySettings, Signalled)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run_command(job, [f"--lake={tmp_path}/lake", "--json"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
