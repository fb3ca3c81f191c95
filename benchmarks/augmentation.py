"""How many faces a second does one core augment? Prints the median of several rounds, by the core's own time and by
the clock: on a machine that is shared the second is the lower one.

    python benchmarks/augmentation.py

The faces are 48x48 noise: what is done to a pixel does not depend on its value.
"""

from __future__ import annotations

import platform
import statistics
import time

import numpy as np
import torch

from facemotion import InputSpec, Samples
from facemotion.data.loaders import Loader
from facemotion.recipes.recipe import Augment

ROUNDS, BATCH = 9, 128
FULL = Augment(crop=0.8, flip=0.5, rotation=15, shift=0.05, brightness=0.2, contrast=0.2, erasing=0.5)
MIXED = Augment(crop=0.8, flip=0.5, rotation=15, brightness=0.2, contrast=0.2, erasing=0.5, mixup=0.2, cutmix=1.0)
RGB = {"colour": "rgb", "mean": (0.5,) * 3, "std": (0.5,) * 3}


def main() -> None:
    torch.set_num_threads(1)
    cases = {
        "crop, rotation, shift, flip, jitter, erasing": (InputSpec(), FULL, 12_800),
        "the same with mixup and cutmix": (InputSpec(), MIXED, 12_800),
        "the same as the first, grey to RGB": (InputSpec(**RGB), FULL, 12_800),
        "the same as the first, to 224 pixels in RGB": (InputSpec(size=224, **RGB), FULL, 640),
        "nothing but normalisation": (InputSpec(), None, 12_800),
    }
    loaders = {name: make(spec, augment, count) for name, (spec, augment, count) in cases.items()}
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    # interleaved, so that a slow moment of the machine falls on all of them
    for epoch in range(ROUNDS):
        for name, loader in loaders.items():
            clock, core = time.perf_counter(), time.process_time()
            faces = sum(len(batch.labels) for batch in loader.epoch(epoch))
            speeds[name].append((faces / (time.process_time() - core), faces / (time.perf_counter() - clock)))
    print(
        f"{platform.processor() or platform.machine()}, one thread, torch {torch.__version__}, numpy {np.__version__}"
    )
    print("faces a second: by the core's time, by the clock")
    for name, values in speeds.items():
        core, clock = (statistics.median(each) for each in zip(*values, strict=True))
        print(f"{core:10,.0f} {clock:10,.0f}  {name}")


def make(spec: InputSpec, augment: Augment | None, count: int) -> Loader:
    random = np.random.default_rng(0)
    faces = random.integers(0, 256, (count, 48, 48), np.uint8)
    samples = Samples.from_arrays(faces, random.integers(0, 7, count), "fer7")
    loader = Loader(samples, spec, batch_size=BATCH, augment=augment, workers=0)
    next(loader.epoch(0))  # what is done once, the copy into memory, is not counted
    return loader


if __name__ == "__main__":
    main()
