"""Frames handed from a thread that reads them to whoever looks at them: all of them, or always the newest."""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")

# how many frames are decoded before they are asked for: enough to bridge one that takes longer
_AHEAD = 4
# how long a thread is waited for that was told to stop: a camera that says nothing holds it up
_PATIENCE_SECONDS = 2.0
_running: dict[threading.Thread, threading.Event] = {}


class _End:
    """After the last item. error: what the thread ended with, which belongs to whoever reads the items."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(items: Generator[_Item, None, None]) -> Generator[_Item, None, None]:
    """The same items, made in a thread of their own while the earlier ones are looked at."""
    ready: queue.Queue[_Item | _End] = queue.Queue(_AHEAD)
    stopped = threading.Event()

    def put(item: _Item | _End) -> None:
        while not stopped.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return items.close()
            put(_End())
        except BaseException as error:
            put(_End(error))

    with _beside(work, stopped, "facemotion frames"):
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error:
            raise item.error


def newest(items: Generator[_Item | None, None, None]) -> Generator[_Item, None, None]:
    """Each time the newest item that was not given out yet; older ones are forgotten. A None only asks to go on."""
    changed = threading.Condition()
    # the newest item alone, or what it ended with
    latest: list[_Item] = []
    end: list[BaseException | None] = []
    stopped = threading.Event()

    def work() -> None:
        error = None
        try:
            for item in items:
                if stopped.is_set():
                    return items.close()
                if item is not None:
                    with changed:
                        latest[:] = [item]
                        changed.notify()
        except BaseException as raised:
            error = raised
        with changed:
            end.append(error)
            changed.notify()

    with _beside(work, stopped, "facemotion newest frame"):
        while True:
            with changed:
                changed.wait_for(lambda: latest or end)
                if not latest:
                    break
                item = latest.pop()
            yield item
        if end[0] is not None:
            raise end[0]


@contextmanager
def _beside(work: Callable[[], None], stopped: threading.Event, name: str) -> Iterator[None]:
    """Work in a thread of its own until `stopped` is set, which is done at the end."""

    def run() -> None:
        try:
            work()
        finally:
            del _running[threading.current_thread()]

    thread = threading.Thread(target=run, name=name, daemon=True)
    _running[thread] = stopped
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(_PATIENCE_SECONDS)


@atexit.register
def _stop_all() -> None:
    """A thread that is inside OpenCV while the interpreter goes away aborts the program: end what nobody ended."""
    threads = dict(_running)
    for stopped in threads.values():
        stopped.set()
    for thread in threads:
        thread.join(_PATIENCE_SECONDS)
