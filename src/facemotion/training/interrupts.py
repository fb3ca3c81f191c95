"""Ctrl-C and SIGTERM, held back until the step that is under way is done."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType
from typing import Any

logger = logging.getLogger(__name__)

_HELD = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Within `with`, the first signal is only remembered; a second one of the same kind acts at once."""

    def __init__(self) -> None:
        self.caught: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        # Python lets only the main thread listen to signals; elsewhere they are the program's own affair
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._remember) for each in _HELD}
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def pass_on(self) -> None:
        """Let the signal that was held back do what it does without us; an exception, in most programs."""
        self._restore()
        if self.caught:
            signal.raise_signal(self.caught)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.caught = signal.Signals(number)
        signal.signal(number, self._before[self.caught])
        logger.warning("finishing this step and saving (%s); once more stops at once", self.caught.name)

    def _restore(self) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)
        self._before = {}
