"""The small network of our own, run without torch."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from facemotion.backbones.fast_onnx import PIXELS, fast_onnx
from facemotion.devices import cpu_threads
from facemotion.engines import onnxruntime_engine, opencv_engine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.engines import Engine
    from facemotion.inputs import InputSpec
    from facemotion.results import Pixels
    from facemotion.weights.spec import WeightsConfig

# from so many faces on a thread is worth its waking
_FACES_A_THREAD = 4
# torch takes half of OpenCV's time for many faces, and a second more to start
_MOST_BY_OPENCV = 4


class QuickRunner:
    """Crops through an engine that needs no torch: torch's results to 1e-5, sooner.

    most: up to how many faces at once it is the quicker one; None where there is no end to that.
    """

    def __init__(self, engine: Engine, spec: InputSpec, temperature: float, most: int | None) -> None:
        self._engine, self._temperature, self.most = engine, np.float32(temperature), most
        # one number a channel, as torch's own network gets its pixels in `normalise`
        self._factors, self._shifts = (
            np.array(each, np.float32)[:, None, None] for each in (spec.factors, spec.shifts)
        )

    @classmethod
    def of(cls, config: WeightsConfig, tensors: Mapping[str, NDArray[Any]], temperature: float) -> Self | None:
        """None for a network that torch alone can run."""
        made = fast_onnx(config, tensors)
        if made is None:
            return None
        model, logits = made
        engine = onnxruntime_engine(model, PIXELS, [logits])
        if engine is not None:
            return cls(engine, config.input, temperature, None)
        return cls(opencv_engine(model, PIXELS, [logits]), config.input, temperature, _MOST_BY_OPENCV)

    def __call__(self, crops: Pixels) -> NDArray[np.float32]:
        """(n, labels) probabilities of (n, size, size, channels) crops."""
        pixels = np.ascontiguousarray(crops.transpose(0, 3, 1, 2)) * self._factors - self._shifts
        logits = np.concatenate(self._logits(pixels)) / self._temperature
        with np.errstate(invalid="ignore"):  # of a broken network; whoever asked looks for numbers
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            shares: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
        return shares

    def _logits(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        if self.most is not None:  # OpenCV sets itself up anew for another number of faces
            return [self._engine(face)[0] for face in np.split(pixels, len(pixels))]
        threads = min(len(pixels) // _FACES_A_THREAD, cpu_threads()) if len(pixels) >= 2 * _FACES_A_THREAD else 1
        if threads == 1:
            return self._engine(pixels)
        with ThreadPoolExecutor(threads, "facemotion faces") as pool:
            return [logits for [logits] in pool.map(self._engine, np.array_split(pixels, threads))]
