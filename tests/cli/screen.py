"""A display of our own, on which real windows open, keys are pressed and pictures are taken."""

from __future__ import annotations

import ctypes
import ctypes.util
import itertools
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import ImageGrab


class Screen:
    """An X display. name: what DISPLAY is set to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._x11 = ctypes.CDLL(_library("X11"))
        self._test = ctypes.CDLL(_library("Xtst"))
        self._x11.XOpenDisplay.restype = ctypes.c_void_p
        self._x11.XStringToKeysym.restype = ctypes.c_ulong
        self._x11.XDefaultRootWindow.restype = ctypes.c_ulong
        self._display = ctypes.c_void_p(self._x11.XOpenDisplay(name.encode()))

    def press(self, key: str) -> None:
        """A key, into the window under the pointer: without a window manager there is no other focus."""
        code = self._x11.XKeysymToKeycode(self._display, ctypes.c_ulong(self._x11.XStringToKeysym(key.encode())))
        for down in (1, 0):
            self._test.XTestFakeKeyEvent(self._display, code, down, ctypes.c_ulong(0))
        self._x11.XFlush(self._display)

    def point_at(self, x: int, y: int) -> None:
        self._test.XTestFakeMotionEvent(self._display, -1, x, y, ctypes.c_ulong(0))
        self._x11.XFlush(self._display)

    def picture(self) -> np.ndarray:
        return np.asarray(ImageGrab.grab(xdisplay=self.name).convert("RGB"))

    def wait_for(self, seen: Callable[[np.ndarray], bool], seconds: float = 120) -> np.ndarray:
        """The picture, once it shows what is waited for."""
        deadline = time.monotonic() + seconds
        for turn in itertools.count(1):
            if seen(picture := self.picture()):
                return picture
            assert time.monotonic() < deadline, "it was never seen on the screen"
            time.sleep(0.1)
            if turn % 30 == 0 and not picture.any():
                self._map_again()

    def _map_again(self) -> None:
        """What a window manager does with a new window. Without one Qt sometimes misses that its window is there."""
        for window in self._windows():
            self._x11.XUnmapWindow(self._display, window)
            self._x11.XMapWindow(self._display, window)
        self._x11.XFlush(self._display)

    def _windows(self) -> list[ctypes.c_ulong]:
        """All but Qt's invisible ones, which are a pixel or three in size."""
        root, parent = ctypes.c_ulong(), ctypes.c_ulong()
        children, count = ctypes.POINTER(ctypes.c_ulong)(), ctypes.c_uint()
        desktop = ctypes.c_ulong(self._x11.XDefaultRootWindow(self._display))
        references = [ctypes.byref(each) for each in (root, parent, children, count)]
        self._x11.XQueryTree(self._display, desktop, *references)
        windows = [ctypes.c_ulong(window) for window in children[: count.value]]
        return [window for window in windows if self._width(window) > 100]

    def _width(self, window: ctypes.c_ulong) -> int:
        root, place, size = ctypes.c_ulong(), (ctypes.c_int * 2)(), (ctypes.c_uint * 4)()
        at = [ctypes.byref(root), *(ctypes.byref(place, 4 * k) for k in (0, 1))]
        at += [ctypes.byref(size, 4 * k) for k in range(4)]
        self._x11.XGetGeometry(self._display, window, *at)
        return size[0]

    def close_windows(self) -> None:
        """What the close button of a window manager does: ask each window to go."""
        for window in self._windows():
            event = (ctypes.c_long * 24)()
            event[0] = 33  # ClientMessage
            event[4] = window.value or 0
            event[5] = self._x11.XInternAtom(self._display, b"WM_PROTOCOLS", 0)
            event[6] = 32
            event[7] = self._x11.XInternAtom(self._display, b"WM_DELETE_WINDOW", 0)
            self._x11.XSendEvent(self._display, window, 0, ctypes.c_long(0), event)
        self._x11.XFlush(self._display)


def _library(name: str) -> str:
    found = ctypes.util.find_library(name)
    if found is None:
        pytest.skip(f"lib{name} is not installed: the webcam's window is not tested here")
    return found


@contextmanager
def open_screen() -> Iterator[Screen]:
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("Xvfb is not installed: the webcam's window is not tested here")
    readable, writable = os.pipe()
    command = [server, "-displayfd", str(writable), "-screen", "0", "1000x700x24", "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=[writable], stderr=subprocess.DEVNULL)
    try:
        os.close(writable)
        assert select.select([readable], [], [], 60)[0], "Xvfb did not start"
        number = os.read(readable, 20).decode().strip()
        yield Screen(f":{number}")
    finally:
        os.close(readable)
        process.terminate()
        process.wait()
