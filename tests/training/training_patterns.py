"""Something small that a network can learn in seconds, in the shape of grey faces; what several tests do with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from facemotion.data.samples import Samples
from facemotion.training.progress import Progress

LABELS = ("angry", "happy", "sad")


def patterns(count: int, seed: int) -> Samples:
    """Stripes of three directions under noise, a label each."""
    random = np.random.default_rng(seed)
    targets = np.arange(count) % 3
    row, column = np.mgrid[:24, :24]
    ways = np.stack([row, column, row + column])[targets]
    images = 128 + 40 * np.sin(ways * 0.9 + random.uniform(0, 6, (count, 1, 1))) + random.normal(0, 40, (count, 24, 24))
    return Samples.from_arrays(images.clip(0, 255).astype(np.uint8), targets, LABELS, source=f"patterns {seed}")


class Stopped(Exception):
    """Stands for whatever ends a program in the middle of a step."""


def stop_in_second_epoch(now: Progress) -> None:
    """As a training's `progress`: the first epoch is in a checkpoint by then."""
    if now.epoch == 2:
        raise Stopped


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "best" / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    """Whether two trainings have kept the same weights, to the bit."""
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
