"""How a training cuts its data into batches, and each batch among the processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facemotion.data.loaders import Loader

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from facemotion.data.samples import Samples
    from facemotion.recipes.recipe import Recipe
    from facemotion.training.distributed import Processes

_CARD_LOADERS = 4


def training_batches(
    samples: Samples,
    recipe: Recipe,
    together: Processes,
    device: torch.device,
    *,
    second: NDArray[np.float32] | None = None,
    shown: Iterable[int] = (),
) -> Loader:
    """The batches to learn from. second, shown: the `Loader`'s, shown the sides."""
    # a rest that leaves a process without a face would leave it without a step, and a single face has no spread to
    # normalise by
    least = 2 * together.count if len(samples) > recipe.batch_size else together.count
    return Loader(
        samples,
        recipe.input,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        second=second,
        shown_sizes=shown,
        augment=recipe.augment,
        sampling=recipe.sampling,
        rank=together.rank,
        world_size=together.count,
        drop_last=len(samples) % recipe.batch_size < least,
        workers=_workers(device),
        device=_place(device),
    )


def validation_batches(samples: Samples, recipe: Recipe, together: Processes, device: torch.device) -> Loader:
    """The batches to judge by: every face once, as it is."""
    return Loader(
        samples,
        recipe.input,
        batch_size=recipe.batch_size,
        sampling="order",
        rank=together.rank,
        world_size=together.count,
        workers=_workers(device),
        device=_place(device),
    )


def _workers(device: torch.device) -> int:
    """Noise is drawn beside the card, which would wait for a single thread."""
    return _CARD_LOADERS if device.type == "cuda" else 1


def _place(device: torch.device) -> torch.device | str:
    """Other cards can't do all that is done to faces: a Mac's samples no border."""
    return device if device.type == "cuda" else "cpu"
