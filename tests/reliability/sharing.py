"""Four processes that use the recognizer of a fifth, begun by `fork` or `spawn`: a program of its own.

python sharing.py METHOD DTYPE
"""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from facemotion import EmotionRecognizer

shared: EmotionRecognizer


def share(recognizer: EmotionRecognizer) -> None:
    global shared
    shared = recognizer


def classified(seed: int) -> list[list[float]]:
    """Of so many faces that torch shares them out among its threads."""
    crops = np.random.default_rng(seed).integers(0, 256, (64, 44, 44), np.uint8)
    shared.predict(np.zeros((480, 640, 3), np.uint8))
    return shared.classify(list(crops)).tolist()  # type: ignore[no-any-return]


if __name__ == "__main__":
    method, dtype = sys.argv[1:]
    if dtype != "float32":
        import torch

        torch.set_num_threads(2)
    share(EmotionRecognizer.from_pretrained("fast-7class", device="cpu", dtype=dtype))  # type: ignore[arg-type]
    alone = [classified(seed) for seed in range(8)]
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(4, context, initializer=share, initargs=(shared,)) as pool:
        together = list(pool.map(classified, range(8)))
    assert np.abs(np.subtract(alone, together)).max() < (1e-5 if dtype == "float32" else 0.02)
