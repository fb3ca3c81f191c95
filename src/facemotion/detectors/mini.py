"""`mini`: the library's own detector. 90 thousand weights in the wheel; no download, no torch, any OpenCV since 4.10.

How it was trained: examples/train_detector. What it can and can't do: weights/files/mini/README.md.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from facemotion import engines
from facemotion.boxes import Box
from facemotion.crops import sample
from facemotion.devices import cpu_threads
from facemotion.opencv import cv2
from facemotion.results import Face
from facemotion.weights.store import locate

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from facemotion.results import Pixels

_STRIDES = (8, 16, 32)
_OUTPUTS = [f"stride{stride}" for stride in _STRIDES]
# All of this was chosen on the tenth of the pictures that was kept for choosing: see the model card.
_MIN_SCORE = 0.56
# what a 640x480 picture is shrunk to: a face of 24 pixels keeps 12
_PIXELS = 320 * 240
# no picture of faces is a line; one that is would be as much work as many pictures
_LONGEST = 4096
# Looked at again, so many at most: scores between these two, and faces with fewer pixels in the picture.
_UNSURE, _SURE, _SMALL, _MOST_LOOKS = 0.35, 0.75, 40, 32
# the side of what is seen then, and of the face in the midst of it
_NEAR, _NEAR_FACE = 96, 56
_NMS_IOU = 0.4
_SAME_FACE = 0.3
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
        self._looks = TwoLooks(lambda: onnxruntime_engine(model) or opencv_engine(model))

    def detect_batch(self, images: list[Pixels]) -> list[list[Face]]:
        """As `detect`, of many pictures: one a thread. They differ in size, and each is too little work for two."""
        with ThreadPoolExecutor(cpu_threads()) as pool:
            return list(pool.map(self.detect, images))

    def detect(self, image: Pixels) -> list[Face]:
        rows = self._looks(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), self._min_score)
        return [
            Face(Box(*box), score, points)
            for (score, *box), points in zip(rows[:, :5].tolist(), rows[:, 5:].reshape(-1, 5, 2), strict=True)
        ]


class TwoLooks:
    """The faces of a grey picture: the whole is looked at small, then closer at what is uncertain or small in it."""

    def __init__(self, make: Callable[[], engines.Engine]) -> None:
        # one for each size: OpenCV sets itself up anew for another one
        self._whole, self._near = make(), make()

    def __call__(self, grey: NDArray[np.uint8], min_score: float) -> NDArray[np.float32]:
        """Rows of score, box and landmarks in the picture's pixels, best first, each face once."""
        small, scale_x, scale_y = shrink(grey)
        rows = decode(self._whole(fold(small)), min(min_score, _UNSURE))
        rows[:, 1::2] *= scale_x
        rows[:, 2::2] *= scale_y
        spans = (rows[:, 3:5] - rows[:, 1:3]).max(axis=1, initial=0)
        again = (rows[:, 0] >= _UNSURE) & ((rows[:, 0] < _SURE) | (spans < _SMALL))
        for place in np.flatnonzero(again)[:_MOST_LOOKS]:
            rows[place] = self._closer(grey, rows[place], _NEAR_FACE / spans[place])
        rows = rows[rows[:, 0] >= min_score]
        rows = rows[np.argsort(-rows[:, 0], kind="stable")]
        return rows[_distinct(rows[:, 1:5])]

    def _closer(self, grey: NDArray[np.uint8], row: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
        """What is there at that scale. Where the first look was unsure, both count alike; nothing seen counts as 0."""
        left, top = _NEAR / 2 - (row[1:3] + row[3:5]) / 2 * scale
        matrix = np.array([[scale, 0, left], [0, scale, top]], np.float32)
        seen = decode(self._near(fold(sample(grey, matrix, _NEAR, cv2.BORDER_CONSTANT))), _UNSURE)
        seen[:, 1::2] = (seen[:, 1::2] - left) / scale
        seen[:, 2::2] = (seen[:, 2::2] - top) / scale
        shared = _overlaps(row[1:5], seen[:, 1:5])
        closer = np.append(np.float32(0), row[1:])
        if (shared > _SAME_FACE).any():
            closer = seen[shared.argmax()]
        closer[0] = row[0] if row[0] >= _SURE else (row[0] + closer[0]) / 2
        return closer


def shrink(grey: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float, float]:
    """The picture at the network's size, and the factors that bring x and y back.

    It is black to the right and below, up to multiples of 32, 64 at least.
    """
    height, width = grey.shape
    # Small faces in large pictures need more pixels, and 1280x720 may cost half more than 640x480.
    pixels = _PIXELS * min(1.25, max(1.0, width * height / 307200) ** 0.18)
    scale = min(1.0, (pixels / (width * height)) ** 0.5, _LONGEST / max(width, height))
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
    logits = np.concatenate([output[0, 0].ravel() for output in outputs])
    # The sigmoid is taken only of what passes, so the threshold is brought to the raw values.
    places = np.flatnonzero(logits >= np.log(min_score / (1 - min_score)))
    places = places[np.argsort(-logits[places], kind="stable")[:_TOP_K]]
    cells = np.concatenate([output[0].reshape(15, -1) for output in outputs], axis=1)[:, places].T
    middles, strides = (each[places] for each in _grid(tuple(output.shape[2:] for output in outputs)))
    rows = np.empty((len(places), 15), np.float32)
    rows[:, 0] = 1 / (1 + np.exp(-cells[:, 0]))
    centres = (middles + cells[:, 1:3]) * strides
    halves = np.exp(np.minimum(cells[:, 3:5], 5)) * (strides / 2)
    rows[:, 1:3], rows[:, 3:5] = centres - halves, centres + halves
    rows[:, 5:] = (cells[:, 5:] + np.tile(middles, 5)) * strides
    return rows[_distinct(rows[:, 1:5])]


@lru_cache(maxsize=64)
def _grid(shapes: tuple[tuple[int, int], ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of each cell of maps with these sides the middle (x, y), in cells, and the stride."""
    middles = [np.indices(shape).reshape(2, -1)[::-1].T + 0.5 for shape in shapes]
    strides = np.repeat(_STRIDES, [len(each) for each in middles])[:, None]
    return np.concatenate(middles).astype(np.float32), strides.astype(np.float32)


def _distinct(boxes: NDArray[np.float32]) -> list[int]:
    """The rows left when each box, best first, removes the later ones that overlap it."""
    same = _overlaps(boxes[:, None], boxes) > _NMS_IOU
    kept, gone = [], np.zeros(len(boxes), bool)
    for place in range(len(boxes)):
        if not gone[place]:
            kept.append(place)
            gone |= same[place]
    return kept


def _overlaps(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """IoU of boxes, in any shapes that fit each other."""
    wide = np.minimum(one[..., 2], other[..., 2]) - np.maximum(one[..., 0], other[..., 0])
    high = np.minimum(one[..., 3], other[..., 3]) - np.maximum(one[..., 1], other[..., 1])
    common = np.maximum(wide, 0) * np.maximum(high, 0)
    areas = [(box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]) for box in (one, other)]
    shared: NDArray[np.float32] = common / (areas[0] + areas[1] - common)
    return shared
