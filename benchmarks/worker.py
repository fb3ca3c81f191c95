"""A contestant of frame.py and face.py, run by the Python of its own environment.

    python worker.py KIND DATA.npy THREADS

It looks at every item of DATA, says how much it found, and for every line on stdin looks at all of them again and says
how many seconds that took. Nothing of facemotion is imported for a contestant that is not ours.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import numpy as np

Look = Callable[[np.ndarray], object]

# the backbones for small grey crops
GREY = ("cnn", "cnn4", "fast")


def limit(threads: int) -> None:
    """No more processors than the others have; for OpenCV, which asks nobody, no more threads either."""
    import cv2

    cv2.setNumThreads(threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def frames_by_us(detector: str) -> Look:
    """`predict` with the default network."""
    from facemotion import EmotionRecognizer

    return EmotionRecognizer.from_pretrained(device="cpu", detector=detector).predict


def frames_without_onnxruntime(detector: str) -> Look:
    """The same as it is where the extra `onnx` is not installed."""
    sys.modules["onnxruntime"] = None  # what importing it then is: an ImportError
    return frames_by_us(detector)


def frames_by_fer(detector: str) -> Look:
    """With Haar's cascade, fer's default, or MTCNN; it wants OpenCV's order of colours."""
    from fer.fer import FER

    return FER(mtcnn=detector == "mtcnn").detect_emotions


def faces_by_us(weights: str) -> Look:
    """The network of a set of weights by the engine that it has here."""
    from facemotion.classifier import Classifier

    return Classifier.load(weights, device="cpu").probabilities


def faces_by_opencv(weights: str) -> Look:
    """The same where onnxruntime is not installed."""
    from facemotion.backbones.fast_onnx import PIXELS, fast_onnx
    from facemotion.backbones.quick_runner import QuickRunner
    from facemotion.classifier import Classifier
    from facemotion.engines import opencv_engine

    classifier = Classifier.load(weights, device="cpu")
    arrays = {name: tensor.numpy() for name, tensor in classifier.net.state_dict().items()}
    made = fast_onnx(classifier.config, arrays)
    assert made is not None
    engine = opencv_engine(made[0], PIXELS, [made[1]])
    return QuickRunner(engine, classifier.config.input, classifier.config.temperature, 1)


def faces_by_torch(weights: str) -> Look:
    """The same network by torch, as every other backbone is run."""
    import torch

    from facemotion.backbones.torch_runner import TorchRunner
    from facemotion.classifier import Classifier

    classifier = Classifier.load(weights, device="cpu")
    return TorchRunner(classifier.net, classifier.config.input, torch.device("cpu"), torch.float32)


def faces_by_backbone(name: str) -> Look:
    """An untrained network of a backbone, for grey crops of 48 where it takes these, else for 224 in RGB."""
    from facemotion import InputSpec
    from facemotion.backbones.network import build_network, plan_network
    from facemotion.classifier import Classifier

    half = (0.5,) * 3
    spec = InputSpec() if name in GREY else InputSpec(size=224, colour="rgb", mean=half, std=half)
    config = plan_network(name, "fer7", spec)
    return Classifier(build_network(config), config, device="cpu").probabilities


def faces_by_fer(engine: str) -> Look:
    """fer's network over grey faces of 64 x 64, by tflite (its default) or keras."""
    from fer.fer import FER

    classify = FER(use_tflite=engine == "tflite")._classify_emotions
    return lambda crops: np.asarray(classify(crops[..., 0].astype(np.float32)))


def product(_: str) -> Look:
    """A matrix product: as many multiplications a second as this machine does at its best."""
    return lambda pair: pair[0] @ pair[1]


KINDS: dict[str, Callable[[str], Look]] = {
    each.__name__: each
    for each in (
        frames_by_us,
        frames_without_onnxruntime,
        frames_by_fer,
        faces_by_us,
        faces_by_opencv,
        faces_by_torch,
        faces_by_backbone,
        faces_by_fer,
        product,
    )
}


def main() -> None:
    kind, path, threads = sys.argv[1:]
    limit(int(threads))
    name, _, argument = kind.partition(":")
    look, items = KINDS[name](argument), np.load(path)
    if name == "frames_by_fer":
        items = np.ascontiguousarray(items[..., ::-1])
    print("worker:", sum(len(look(item)) for item in items) / len(items), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        for item in items:
            look(item)
        print("worker:", time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
