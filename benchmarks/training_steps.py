"""Steps a second of the trainer against a bare loop over the same network and the same tensors.

    python benchmarks/training_steps.py [--faces 2560] [--rounds 5]

Both train `fast` in fp32 with SGD on batches of 128 that lie in memory already, an epoch each in turn. The trainer also
counts hits, watches for signals and for a loss that is no number, and reports progress.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from facemotion import LabelSet, Recipe, Samples
from facemotion.data.loaders import Loader
from facemotion.training.distributed import Processes
from facemotion.training.loop import Loop
from facemotion.training.losses import Objective
from facemotion.training.setup import starting_network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=2560)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    labels = LabelSet.named("fer7")
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (arguments.faces, 44, 44), np.uint8)
    samples = Samples.from_arrays(images, np.arange(arguments.faces) % 7, labels)
    recipe = replace(Recipe.load("fast-7class"), ema=0.0, precision="fp32", loss=Recipe().loss)
    loader = Loader(samples, recipe.input, batch_size=recipe.batch_size, augment=recipe.augment)
    batches = list(loader.epoch(0))

    net, _ = starting_network(recipe, labels)
    loop = Loop(net, Objective(recipe.loss, recipe.distill, samples), recipe, torch.device("cpu"), Processes())
    bare, _ = starting_network(recipe, labels)
    bare = bare.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(bare.parameters(), 0.01, 0.9, nesterov=True, weight_decay=5e-4)

    def ours() -> None:
        for batch in batches:
            loop.step(batch, 0.01)

    def theirs() -> None:
        for batch in batches:
            loss = functional.cross_entropy(bare(batch.images.to(memory_format=torch.channels_last)), batch.targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss.item()

    ours(), theirs()
    times = [(seconds(ours), seconds(theirs)) for _ in range(arguments.rounds)]
    ratio = statistics.median(one / other for one, other in times)
    trainer, plain = (len(batches) / statistics.median(column) for column in zip(*times, strict=True))
    print(f"{platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads, {len(times)} rounds")
    print(f"trainer      {trainer:6.2f} steps/s")
    print(f"bare loop    {plain:6.2f} steps/s")
    print(f"difference   {100 * (ratio - 1):6.1f} % of the time")


def seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
