"""How long a network takes for a face, on one thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from facemotion.devices import limited_cpu_threads

if TYPE_CHECKING:
    from facemotion.classifier import Classifier
    from facemotion.results import Pixels


def milliseconds(classifier: Classifier, batch: int, calls: int = 100) -> float:
    """What a face takes in batches of so many: of five medians the least, since other programs only add to it."""
    spec = classifier.config.input
    crops = np.random.default_rng(0).integers(0, 256, (batch, spec.size, spec.size, spec.channels), np.uint8)
    with limited_cpu_threads(1):  # torch's, and those among which the small network shares out many faces
        return min(_median(classifier, crops, calls) for _ in range(5)) * 1000 / batch


def _median(classifier: Classifier, crops: Pixels, calls: int) -> float:
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        classifier.probabilities(crops, len(crops))
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


if __name__ == "__main__":
    import sys

    from facemotion.classifier import Classifier as Loaded

    for count in (1, 16):
        print(f"{milliseconds(Loaded.load(sys.argv[1], device='cpu'), count):.2f} ms a face in batches of {count}")
