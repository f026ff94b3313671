"""A run that is told to end says so in one sentence, whatever its end does to what was under way."""

from __future__ import annotations

import logging
import signal
from pathlib import Path

import pytest
from common.command import run_command
from common.settings import Settings
from pyspark.sql import SparkSession


def arguments(folder: Path) -> list[str]:
    return [f"--lake={folder}/lake"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_with_a_sentence_though_its_cleaning_up_fails(
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    number: signal.Signals,
) -> None:
    before = signal.getsignal(number)

    def run(_spark: SparkSession, _settings: Settings) -> None:
        try:
            signal.raise_signal(number)
        finally:
            logging.getLogger().error("as Py4J does where the JVM is gone")
            raise ConnectionError("as Py4J has it where the JVM is gone")

    assert run_command("load_sales", "", run, arguments(tmp_path), Settings) == 128 + number
    said = capsys.readouterr()
    assert said.out + said.err == "load_sales: stopped; the next run finishes what this one could not.\n"
    assert caplog.messages == []
    # A session that stays is as it was.
    assert signal.getsignal(number) is before
    assert logging.getLogger().isEnabledFor(logging.ERROR)
    assert spark.range(1).count() == 1


def test_a_signal_that_is_ignored_stays_so(spark: SparkSession, tmp_path: Path) -> None:
    """As nohup has it, for runs that go on when the terminal is closed."""

    def hang_up(_spark: SparkSession, _settings: Settings) -> None:
        signal.raise_signal(signal.SIGHUP)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run_command("load_sales", "", hang_up, arguments(tmp_path), Settings) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
