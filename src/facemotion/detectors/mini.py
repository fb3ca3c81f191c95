"""`mini`: the library's own detector. 90 thousand weights in the wheel; no download, no torch, any OpenCV since 4.10.

How it was trained: examples/train_detector. What it can and can't do: weights/files/mini/README.md.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from facemotion import engines
from facemotion.boxes import Box
from facemotion.devices import cpu_threads
from facemotion.opencv import cv2
from facemotion.results import Face
from facemotion.weights.store import locate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.results import Pixels

_STRIDES = (8, 16, 32)
_OUTPUTS = [f"stride{stride}" for stride in _STRIDES]
# chosen on the tenth of the pictures that was kept for choosing: see the model card
_MIN_SCORE = 0.64
# what a 640x480 picture is shrunk to: a face of 24 pixels keeps 15
_PIXELS = 408 * 306
_NMS_IOU = 0.4
_TOP_K = 512

# of the network's file: the folded picture -> one output a stride
onnxruntime_engine = partial(engines.onnxruntime_engine, input_name="image", outputs=_OUTPUTS)
opencv_engine = partial(engines.opencv_engine, input_name="image", outputs=_OUTPUTS)


class Mini:
    """One small network over the grey picture, by onnxruntime where it is installed (faster), else by OpenCV."""

    def __init__(self, *, min_score: float | None = None, device: str = "auto") -> None:
        # logits are compared, and 0 and 1 have none
        self._min_score = min(max(_MIN_SCORE if min_score is None else min_score, 0.01), 0.999)
        model = locate("mini").read_bytes()
        self._engine = onnxruntime_engine(model) or opencv_engine(model)

    def detect_batch(self, images: list[Pixels]) -> list[list[Face]]:
        """As `detect`, of many pictures: one a thread. They differ in size, and each is too little work for two."""
        with ThreadPoolExecutor(cpu_threads()) as pool:
            return list(pool.map(self.detect, images))

    def detect(self, image: Pixels) -> list[Face]:
        grey, scale_x, scale_y = shrink(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        rows = decode(self._engine(fold(grey)), self._min_score)
        rows[:, 1::2] *= scale_x
        rows[:, 2::2] *= scale_y
        return [
            Face(Box(*box), score, points)
            for (score, *box), points in zip(rows[:, :5].tolist(), rows[:, 5:].reshape(-1, 5, 2), strict=True)
        ]


def shrink(grey: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float, float]:
    """The picture at the network's size, and the factors that bring x and y back.

    It is black to the right and below, up to multiples of 32, 64 at least.
    """
    height, width = grey.shape
    # Small faces in large pictures need more pixels, and 1280x720 may cost half more than 640x480.
    pixels = _PIXELS * min(1.25, max(1.0, width * height / 307200) ** 0.18)
    scale = min(1.0, (pixels / (width * height)) ** 0.5)
    whole = min(int(1 / scale + 0.02), width, height)
    if whole > 1:
        # By whole numbers OpenCV averages exactly and thirty times as fast as by others; less than two is left.
        grey = grey[: height // whole * whole, : width // whole * whole]
        size = grey.shape[1] // whole, grey.shape[0] // whole
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    if inner != grey.shape[::-1]:
        grey = cv2.resize(grey, inner, interpolation=cv2.INTER_LINEAR)
    # At least two cells of the coarsest stride: on a map of one cell OpenCV 4 reads memory that nobody wrote.
    framed = np.zeros([max(-(-side // 32), 2) * 32 for side in reversed(inner)], np.uint8)
    framed[: inner[1], : inner[0]] = grey
    kept = (width // whole * whole, height // whole * whole) if whole > 1 else (width, height)
    return framed, kept[0] / inner[0], kept[1] / inner[1]


def fold(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W) -> (1, 16, H/4, W/4): blocks of four by four pixels become channels.

    OpenCV 5 takes longer for a convolution over a single channel than for all the rest of this network.
    """
    height, width = grey.shape
    blocks = grey.reshape(height // 4, 4, width // 4, 4).transpose(1, 3, 0, 2)
    return blocks.astype(np.float32, order="C").reshape(1, 16, height // 4, width // 4)


def decode(outputs: list[NDArray[np.float32]], min_score: float) -> NDArray[np.float32]:
    """Rows of score, box and landmarks in the network's pixels, best first, each face once."""
    # The sigmoid is taken only of what passes, so the threshold is brought to the raw values.
    floor = np.log(min_score / (1 - min_score))
    found = [np.zeros((0, 15), np.float32)]
    for stride, output in zip(_STRIDES, outputs, strict=True):
        row, column = np.nonzero(output[0, 0] >= floor)
        if not len(row):
            continue
        cell = output[0, :, row, column]
        middle = np.stack([column, row], axis=1).astype(np.float32) + 0.5
        centre = (middle + cell[:, 1:3]) * stride
        half = np.exp(np.minimum(cell[:, 3:5], 5)) * (stride / 2)
        points = (cell[:, 5:].reshape(-1, 5, 2) + middle[:, None]) * stride
        score = 1 / (1 + np.exp(-cell[:, :1]))
        found.append(np.concatenate([score, centre - half, centre + half, points.reshape(-1, 10)], axis=1))
    rows = np.concatenate(found)
    rows = rows[np.argsort(-rows[:, 0], kind="stable")[:_TOP_K]]
    return rows[_distinct(rows[:, 1:5])]


def _distinct(boxes: NDArray[np.float32]) -> list[int]:
    """The rows left when each box, best first, removes the later ones that overlap it."""
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1) * (y2 - y1)
    kept = []
    left = np.arange(len(boxes))
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        wide = np.minimum(x2[best], x2[left]) - np.maximum(x1[best], x1[left])
        high = np.minimum(y2[best], y2[left]) - np.maximum(y1[best], y1[left])
        common = np.maximum(wide, 0) * np.maximum(high, 0)
        left = left[common <= _NMS_IOU * (area[best] + area[left] - common)]
    return kept
