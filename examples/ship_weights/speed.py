"""How long a network takes for a face, on one thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from facemotion.classifier import Classifier


def milliseconds(classifier: Classifier, batch: int, calls: int = 200) -> float:
    """The median over calls of what a face takes, in batches of so many."""
    spec = classifier.config.input
    crops = np.random.default_rng(0).integers(0, 256, (batch, spec.size, spec.size, spec.channels), np.uint8)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    taken = []
    for _ in range(calls + 20):
        start = time.perf_counter()
        classifier.probabilities(crops, batch)
        taken.append(time.perf_counter() - start)
    torch.set_num_threads(threads)
    return float(np.median(taken[20:])) * 1000 / batch


if __name__ == "__main__":
    import sys

    from facemotion.classifier import Classifier as Loaded

    for count in (1, 16):
        print(f"{milliseconds(Loaded.load(sys.argv[1], device='cpu'), count):.2f} ms a face in batches of {count}")
