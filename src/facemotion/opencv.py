"""OpenCV, imported in this one place, so that a missing system library becomes a message that helps."""

from __future__ import annotations

from typing import Any

from facemotion.errors import MissingExtraError

try:
    import cv2 as _cv2
except ImportError as error:  # libGL.so.1, libgthread-2.0.so.0 ... in containers; or no OpenCV at all
    raise MissingExtraError(
        f"OpenCV can't be loaded ({error}). Without a display, as in a container, use the build that needs no system "
        "library: pip uninstall -y opencv-python && pip install --force-reinstall opencv-python-headless"
    ) from error

# its type stubs differ between 4 and 5 and know arrays without shape or type: they would check nothing here
cv2: Any = _cv2

__all__ = ["cv2"]
