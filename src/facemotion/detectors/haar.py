"""`haar`: the frontal cascade that OpenCV 4 carries. Fast to have, but it misses turned, dim and tilted faces."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from facemotion.boxes import Box
from facemotion.detectors.shrink import shrink
from facemotion.errors import MissingExtraError
from facemotion.opencv import cv2
from facemotion.results import Face

if TYPE_CHECKING:
    from facemotion.results import Pixels

# the cascade's time grows with the pixels; above this side nothing is gained but minutes
_LONG_SIDE = 1280
_SCALE_STEP = 1.1
_MIN_NEIGHBOURS = 5


class Haar:
    """OpenCV's frontal face cascade with a scale step of 1.1 and 5 neighbours. It gives no landmarks.

    The score is n / (n + 5) for n windows that agree on the face, so from 0.5 up: it ranks faces, it is no probability.
    """

    def __init__(self, *, min_score: float | None = None, device: str = "auto") -> None:
        if not hasattr(cv2, "CascadeClassifier"):
            raise MissingExtraError(
                f"detector 'haar' needs the cascades that OpenCV 5 left out (this is {cv2.__version__}). Use another "
                "one, such as FaceDetector('yunet'), or install an OpenCV that has them: pip install 'opencv-python<5'"
            )
        path = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(str(path))
        if self._cascade.empty():
            remedy = "pip install --force-reinstall 'opencv-python<5'"
            raise MissingExtraError(f"detector 'haar' can't read OpenCV's cascade {path}: {remedy}")
        self._min_score = min_score or 0.0
        # the cascade keeps its buffers in itself
        self._lock = threading.Lock()

    def detect(self, image: Pixels) -> list[Face]:
        small, scale_x, scale_y = shrink(image, _LONG_SIDE)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        with self._lock:
            boxes, counts = self._cascade.detectMultiScale2(grey, scaleFactor=_SCALE_STEP, minNeighbors=_MIN_NEIGHBOURS)
        faces = []
        for (x, y, width, height), count in zip(boxes, counts, strict=True):
            box = Box(float(x), float(y), float(x + width), float(y + height)).scale(scale_x, scale_y)
            faces.append(Face(box, float(count) / (float(count) + _MIN_NEIGHBOURS)))
        return [face for face in faces if face.score >= self._min_score]
