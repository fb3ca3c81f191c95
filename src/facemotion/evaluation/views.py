"""What a network is shown of a face: the crop, its mirror image, or ten crops, whose probabilities are averaged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from facemotion.errors import FacemotionError, UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.classifier import Classifier
    from facemotion.inputs import InputSpec
    from facemotion.results import Pixels

    Cut = Callable[[InputSpec, NDArray[np.int64]], Pixels]

logger = logging.getLogger(__name__)

Tta = Literal["flip", "ten-crop"]
TTAS = ("flip", "ten-crop")


def probabilities_of(
    classifier: Classifier,
    cut: Cut,
    count: int,
    *,
    tta: Tta | None = None,
    batch_size: int = 64,
    progress: Callable[[int, int], object] | None = None,
) -> NDArray[np.float64]:
    """(count, K) float64, rows sum to 1. `cut(spec, indices)` gives faces as a network wants them.

    flip: the mean of the face and its mirror image. ten-crop: as the FER-2013 challenge does it, 44 of 48 pixels: the
    face is made 12/11 as large as the network wants it, and the four corners and the centre, each with its mirror
    image, are averaged.
    """
    if tta not in (None, *TTAS):
        raise UnknownNameError("test-time augmentation", str(tta), TTAS)
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    spec = classifier.config.input
    larger = _for_ten_crops(spec) if tta == "ten-crop" else spec
    result = np.empty((count, len(classifier.labels)), np.float64)
    started = time.monotonic()
    for start in range(0, count, batch_size):
        indices = np.arange(start, min(start + batch_size, count))
        views = _views(cut(larger, indices), spec.size, tta)
        shown = [classifier.probabilities(view, batch_size).astype(np.float64) for view in views]
        result[indices] = np.mean(shown, axis=0)
        if progress is not None:
            progress(len(indices) + start, count)
    seconds = max(time.monotonic() - started, 1e-9)
    logger.info("%d faces in %.1f s: %.0f a second", count, seconds, count / seconds)
    # float32 rows sum to 1 but for rounding
    result /= result.sum(axis=1, keepdims=True)
    return result


def _for_ten_crops(spec: InputSpec) -> InputSpec:
    """What the ten crops are cut out of."""
    side = round(spec.size * 12 / 11)
    try:
        return replace(spec, size=side)
    except ValueError as error:
        what = f"ten-crop makes faces of {side} pixels for a network of {spec.size}, more than can be cut out"
        raise FacemotionError(f"{what}: take flip, or no test-time augmentation") from error


def _views(faces: Pixels, size: int, tta: Tta | None) -> list[Pixels]:
    if tta is None:
        return [faces]
    rest = faces.shape[1] - size
    corners = [(0, 0)] if tta == "flip" else [(0, 0), (0, rest), (rest, 0), (rest, rest), (rest // 2, rest // 2)]
    crops = [faces[:, top : top + size, left : left + size] for top, left in corners]
    return [*crops, *(crop[:, :, ::-1] for crop in crops)]
