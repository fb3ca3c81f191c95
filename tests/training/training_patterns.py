"""Something small that a network can learn in seconds, in the shape of grey faces."""

from __future__ import annotations

import numpy as np

from facemotion.data.samples import Samples

LABELS = ("angry", "happy", "sad")


def patterns(count: int, seed: int) -> Samples:
    """Stripes of three directions under noise, a label each."""
    random = np.random.default_rng(seed)
    targets = np.arange(count) % 3
    row, column = np.mgrid[:24, :24]
    ways = np.stack([row, column, row + column])[targets]
    images = 128 + 40 * np.sin(ways * 0.9 + random.uniform(0, 6, (count, 1, 1))) + random.normal(0, 40, (count, 24, 24))
    return Samples.from_arrays(images.clip(0, 255).astype(np.uint8), targets, LABELS, source=f"patterns {seed}")
