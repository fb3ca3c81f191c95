"""What a run tells while it goes on, and at its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class Progress:
    """Where a run stands. done, total: pictures and frames, of clips about; rate: of them a second, in this run.

    seconds_left: None as long as nobody knows.
    """

    done: int
    total: int
    rate: float
    seconds_left: float | None

    def __str__(self) -> str:
        text = f"{self.done:,} of {self.total:,} pictures and frames, {self.rate:,.1f} a second"
        if self.seconds_left is None:
            return text
        return f"{text}, {timedelta(seconds=round(self.seconds_left))} left"


@dataclass(frozen=True)
class Outcome:
    """What came of a run. inputs: pictures and clips; errors: those among them that stand in the errors table.

    done_before: parts that an earlier run had written; redone: starts of parts that a worker did not live to end.
    """

    out: str
    inputs: int
    errors: int
    parts: int
    done_before: int
    redone: int
    seconds: float


class Watch:
    """Counts what is done, and says so: in the log every ten seconds, and to whoever asked after each part."""

    def __init__(self, total: int, done: int, tell: Callable[[Progress], None] | None) -> None:
        self._total, self._before, self._done, self._tell = total, done, done, tell
        self._start = self._said = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start

    def add(self, images: int) -> None:
        self._done += images
        progress = self._progress()
        if self._tell:
            self._tell(progress)
        if time.monotonic() - self._said >= _SECONDS_BETWEEN_LINES or self._done >= self._total:
            self._said = time.monotonic()
            logger.info("%s", progress)

    def _progress(self) -> Progress:
        rate = (self._done - self._before) / max(self.seconds, 1e-9)
        left = (self._total - self._done) / rate if rate else None
        return Progress(self._done, self._total, rate, left)
