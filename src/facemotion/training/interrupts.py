"""Ctrl-C, SIGTERM and the closing of a terminal, held back until the step that is under way is done."""

from __future__ import annotations

import logging
import signal
import threading
import time
from types import FrameType
from typing import Any

logger = logging.getLogger(__name__)

_HELD = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__)
# within so many seconds a second signal is the first one again: torchrun passes on to its processes what a terminal
# or SLURM has sent them already
_ECHO = 1.0


class Interrupts:
    """Within `with`, the first signal is only remembered; one that comes later acts at once.

    One that nobody asked for until the end acts there: it is late, but not lost.
    """

    def __init__(self) -> None:
        self.caught: signal.Signals | None = None
        self._since = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        # Python lets only the main thread listen to signals; elsewhere they are the program's own affair
        if threading.current_thread() is threading.main_thread():
            # what is ignored stays so: a shell does that for what it runs in the background
            held = [each for each in _HELD if signal.getsignal(each) != signal.SIG_IGN]
            self._before = {each: signal.signal(each, self._remember) for each in held}
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.pass_on()
        self._restore()

    def pass_on(self) -> None:
        """Let the signal that was held back do what it does without us; an exception, in most programs."""
        self._restore()
        if self.caught:
            signal.raise_signal(self.caught)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.caught is None:
            self.caught, self._since = signal.Signals(number), now
            logger.warning("finishing this step and saving (%s); once more stops at once", self.caught.name)
        elif now - self._since > _ECHO:
            self.pass_on()

    def _restore(self) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)
        self._before = {}
