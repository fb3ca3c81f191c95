"""Small networks as ONNX files, run without torch: by onnxruntime where it is installed (faster), else by OpenCV."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from facemotion.onnx_runtime import load_onnxruntime
from facemotion.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    # one input -> the outputs that were asked for, in that order; may be called from several threads at once
    Engine = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]


def onnxruntime_engine(model: bytes, input_name: str, outputs: Sequence[str]) -> Engine | None:
    """The network in onnxruntime on one thread, None where that is not installed."""
    try:
        onnxruntime = load_onnxruntime()
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    # A millisecond of work: waking other threads costs more than they save, and they'd spin between pictures.
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    wanted = list(outputs)

    def run(values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return list(session.run(wanted, {input_name: values}))

    return run


def opencv_engine(model: bytes, input_name: str, outputs: Sequence[str]) -> Engine:
    """The network in cv2.dnn."""
    network = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    # the input is part of the network's state
    lock = threading.Lock()
    wanted = list(outputs)

    def run(values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with lock:
            network.setInput(values, input_name)
            # by name: OpenCV 4 and 5 have different orders
            return list(network.forward(wanted))

    return run
