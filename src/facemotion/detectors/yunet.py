"""`yunet`: the small strong network of the OpenCV model zoo, fetched once from the hub and verified."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facemotion.boxes import Box
from facemotion.detectors.shrink import shrink
from facemotion.devices import cpu_threads
from facemotion.onnx_runtime import load_onnxruntime
from facemotion.opencv import cv2
from facemotion.results import Face
from facemotion.weights.store import locate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.results import Pixels

    # an RGB image whose sides are multiples of 32 -> rows of x, y, width, height, ten of landmarks, score
    Engine = Callable[[Pixels], NDArray[np.float32]]

# above this side faces of more than about 300 px are lost: the network never sees them whole
_LONG_SIDE = 640
# the network's own default of 0.9 loses 7% of the faces that 0.6 finds
_MIN_SCORE = 0.6
_NMS_IOU = 0.3
_TOP_K = 5000
_STRIDES = (8, 16, 32)


class YuNet:
    """YuNet by onnxruntime where the extra `onnx` is installed (about twice as fast), else by OpenCV; same boxes."""

    def __init__(self, *, min_score: float | None = None, device: str = "auto") -> None:
        min_score = _MIN_SCORE if min_score is None else min_score
        model = locate("yunet")
        self._engine: Engine = _onnxruntime_engine(model, min_score) or _opencv_engine(model, min_score)

    def detect(self, image: Pixels) -> list[Face]:
        small, scale_x, scale_y = shrink(image, _LONG_SIDE)
        rows = self._engine(_padded(small))
        landmarks = rows[:, 4:14].reshape(-1, 5, 2) * np.array([scale_x, scale_y], np.float32)
        return [
            Face(Box(x, y, x + width, y + height).scale(scale_x, scale_y), min(score, 1.0), points)
            for (x, y, width, height, *_, score), points in zip(rows.tolist(), landmarks, strict=True)
        ]


def _padded(image: Pixels) -> Pixels:
    """Black below and to the right, to whole cells of the coarsest stride.

    At least two of them: on a map of one cell OpenCV 4 reads memory that nobody wrote.
    """
    height, width = (max(-(-side // 32), 2) * 32 for side in image.shape[:2])
    padded: Pixels = cv2.copyMakeBorder(
        image, 0, height - image.shape[0], 0, width - image.shape[1], cv2.BORDER_CONSTANT
    )
    return padded


def _opencv_engine(model: Path, min_score: float) -> Engine:
    with _quiet_opencv():
        network = cv2.FaceDetectorYN.create(str(model), "", (_LONG_SIDE, _LONG_SIDE), min_score, _NMS_IOU, _TOP_K)
    # the input size is part of the detector's state
    lock = threading.Lock()

    def run(image: Pixels) -> NDArray[np.float32]:
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        with lock:
            network.setInputSize(bgr.shape[1::-1])
            found: NDArray[np.float32] | None = network.detect(bgr)[1]
        return np.empty((0, 15), np.float32) if found is None else found

    return run


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """OpenCV 5 warns on stderr, at each load, of a choice of its own; OpenCV 4 has nothing to quieten."""
    if not hasattr(cv2.utils, "logging"):
        yield
        return
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def _onnxruntime_engine(model: Path, min_score: float) -> Engine | None:
    try:
        import onnx

        onnxruntime = load_onnxruntime()
    except ImportError:
        return None
    graph = onnx.load(str(model))
    _free_the_size(graph.graph)
    options = onnxruntime.SessionOptions()
    # its own choice is the processors of the machine, whatever a container or a worker on it is given
    if cpu_threads() < (os.cpu_count() or 1):
        options.intra_op_num_threads = cpu_threads()
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [f"{part}_{stride}" for part, stride in itertools.product(("cls", "obj", "bbox", "kps"), _STRIDES)]

    def run(image: Pixels) -> NDArray[np.float32]:
        blob = cv2.dnn.blobFromImage(image, swapRB=True)
        outputs = dict(zip(names, session.run(names, {"input": blob}), strict=True))
        return _decode(outputs, image.shape[1], min_score)

    return run


def _free_the_size(graph: Any) -> None:
    """The file says 640 x 640 throughout, though nothing in the network needs it: let any size in."""
    for dimension, name in zip(graph.input[0].type.tensor_type.shape.dim[2:], ("height", "width"), strict=True):
        dimension.dim_param = name
    for output in graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = "anchors"
    del graph.value_info[:]


def _decode(outputs: dict[str, NDArray[np.float32]], width: int, min_score: float) -> NDArray[np.float32]:
    """Boxes, landmarks and scores as `cv2.FaceDetectorYN` makes them of the same outputs."""
    parts = []
    for stride in _STRIDES:
        confidence = np.clip(outputs[f"cls_{stride}"], 0, 1) * np.clip(outputs[f"obj_{stride}"], 0, 1)
        score = np.sqrt(confidence[0, :, 0])
        kept = np.flatnonzero(score >= min_score)
        cell = np.stack([kept % (width // stride), kept // (width // stride)], axis=1).astype(np.float32)
        box = outputs[f"bbox_{stride}"][0, kept]
        size = np.exp(box[:, 2:]) * stride
        corner = (cell + box[:, :2]) * stride - size / 2
        points = (outputs[f"kps_{stride}"][0, kept].reshape(-1, 5, 2) + cell[:, None]) * stride
        parts.append(np.hstack([corner, size, points.reshape(-1, 10), score[kept, None]]))
    rows: NDArray[np.float32] = np.concatenate(parts).astype(np.float32)
    # whole numbers, since FaceDetectorYN suppresses by those
    kept = cv2.dnn.NMSBoxes(rows[:, :4].astype(int).tolist(), rows[:, 14].tolist(), min_score, _NMS_IOU, top_k=_TOP_K)
    best: NDArray[np.float32] = rows[np.asarray(kept, int).reshape(-1)]
    return best
