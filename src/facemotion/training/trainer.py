"""`Trainer`: a recipe and data in, a training folder out; it can be stopped at any moment and gone on with."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from facemotion.devices import resolve_device
from facemotion.errors import TrainingError
from facemotion.recipes.recipe import Recipe
from facemotion.training.checkpoint import move_aside
from facemotion.training.distributed import own_device, processes
from facemotion.training.interrupts import Interrupts
from facemotion.training.run import Progress, Run
from facemotion.training.setup import read_samples, training_data

if TYPE_CHECKING:
    from facemotion.data.samples import Samples
    from facemotion.training.history import History

logger = logging.getLogger(__name__)


class Trainer:
    """Trains the network of a recipe into the folder `out`.

    recipe: a Recipe, the name of one in the package, or the path of a TOML file. overrides: keys of the recipe, where
    a double underscore reaches into a table: `Trainer("fast-7class", out="runs/a", epochs=5, optimizer__lr=0.05)`.
    """

    def __init__(
        self,
        recipe: Recipe | str | os.PathLike[str],
        *,
        out: str | os.PathLike[str],
        device: str = "auto",
        **overrides: Any,
    ) -> None:
        known = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
        self.recipe = known.override({key.replace("__", "."): value for key, value in overrides.items()})
        self.out = Path(out)
        self._device = own_device(resolve_device(device))

    def read(self, source: Samples | str | os.PathLike[str], split: str | None = None) -> Samples:
        """The data of a source, or of one of its splits, numbered with the recipe's labels."""
        return read_samples(source, self.recipe, split)

    def fit(
        self,
        train: Samples | str | os.PathLike[str],
        val: Samples | str | os.PathLike[str] | None = None,
        *,
        resume: Literal["auto", "never"] = "auto",
        progress: Callable[[Progress], object] = lambda progress: None,
    ) -> History:
        """Train to the end, or go on where an earlier call was stopped.

        train, val: samples or anything `read_data` reads; without `val` the data's own validation split is used, else
        a share of the training part. resume: "never" moves an earlier training in the same folder aside.
        After Ctrl-C or SIGTERM the step is finished and saved before the program ends.
        """
        with processes(self._device) as together, Interrupts() as interrupts:
            training, validation = training_data(train, val, self.recipe)
            if together.first and resume == "never":
                move_aside(self.out)
            together.agree(None)  # nobody looks into the folder before it was moved
            run = Run(self.recipe, self.out, self._device, training, validation, together, interrupts, progress)
            try:
                return run.go()
            except (MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                half = max(self.recipe.batch_size // 2, 1)
                remedy = f"try --set batch_size={half}"
                raise TrainingError(
                    f"a batch of {self.recipe.batch_size} does not fit into memory: {remedy}"
                ) from error
            finally:
                run.close()


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
