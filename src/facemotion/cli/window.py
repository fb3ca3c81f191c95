"""The webcam's window, and whether there can be one here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from facemotion.errors import VideoError

if TYPE_CHECKING:
    from facemotion.results import Pixels

_TITLE = "facemotion"
_LARGEST = 1280, 720
_INSTEAD = "`facemotion webcam --headless` works without a window"
# Qt ends the process that asks for a window where there is no display, so another process asks
_PROBE = "import cv2; cv2.namedWindow('facemotion'); cv2.destroyAllWindows()"


def window_toolkit(build: str) -> str | None:
    """What OpenCV draws windows with, by `cv2.getBuildInformation()`; None for a headless build."""
    toolkit = re.search(r"^\s*GUI:\s*(\S+)", build, re.MULTILINE)
    return None if toolkit is None or toolkit[1] == "NONE" else toolkit[1]


def start_window_check() -> Callable[[], None]:
    """Begin to find out whether a window can be opened. The function given back waits, and raises where none can."""
    from facemotion.opencv import cv2

    if window_toolkit(cv2.getBuildInformation()) is None:
        raise VideoError(
            f"this OpenCV is a headless build, which has no windows: pip install opencv-python. {_INSTEAD}"
        )
    # there is always a display on the others
    if sys.platform != "linux":
        return lambda: None
    command = [sys.executable, "-c", _PROBE]
    probe = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait() -> None:
        if probe.wait() != 0:
            display = os.environ.get("DISPLAY")
            why = f"nothing answers at DISPLAY={display}" if display else "DISPLAY is not set"
            raise VideoError(f"no window can be opened: no display ({why}). {_INSTEAD}")

    return wait


class Window:
    """One window on the screen; a context manager."""

    def __init__(self) -> None:
        from facemotion.opencv import cv2

        self._cv2 = cv2
        cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        self._sized = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cv2.destroyAllWindows()

    def show(self, image: Pixels) -> str | None:
        """Show an RGB image. Gives the key that was pressed, "" for none, and None once the window was closed."""
        if not self._sized:
            height, width = image.shape[:2]
            scale = min(1.0, _LARGEST[0] / width, _LARGEST[1] / height)
            self._cv2.resizeWindow(_TITLE, round(width * scale), round(height * scale))
        elif not self._is_open():
            return None
        self._sized = True
        self._cv2.imshow(_TITLE, self._cv2.cvtColor(image, self._cv2.COLOR_RGB2BGR))
        key = self._cv2.waitKey(1)
        return (chr(key & 0xFF) if key >= 0 else "") if self._is_open() else None

    def _is_open(self) -> bool:
        try:
            return bool(self._cv2.getWindowProperty(_TITLE, self._cv2.WND_PROP_VISIBLE) >= 1)
        except self._cv2.error:  # Qt says so once its last window is closed
            return False
