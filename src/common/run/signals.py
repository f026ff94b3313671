"""The signals that ask a run to end: Ctrl-C, a scheduler's, and that of a terminal which is closed."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType
from typing import Any


class Signals:
    """Has such a signal raise KeyboardInterrupt, and remembers which one came."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def listen(self) -> None:
        """Take them, also from Spark, which takes Ctrl-C for itself when a session starts."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            handler = signal.getsignal(number)
            # nohup has them ignored, which is to stay so.
            if handler not in (signal.SIG_IGN, self._stop):
                self._before[number] = handler
                signal.signal(number, self._stop)

    def restore(self) -> None:
        """Leave the signals to whoever had them before."""
        logging.disable(logging.NOTSET)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        # As a rule, the JVM is told to end as well. What it is asked for from now on fails, and Py4J logs that at
        # length: by the root logger, and by its own when Python ends.
        logging.disable()
        logging.getLogger("py4j").setLevel(logging.CRITICAL + 1)
        raise KeyboardInterrupt
