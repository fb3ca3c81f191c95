"""`Trainer`: a recipe and data in, a training folder out; it can be stopped at any moment and gone on with."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Literal

import torch

from facemotion.devices import resolve_device
from facemotion.errors import RecipeError, TrainingError
from facemotion.file_names import at_home
from facemotion.recipes.recipe import Recipe
from facemotion.training.checkpoint import move_aside
from facemotion.training.distributed import own_device, processes
from facemotion.training.interrupts import Interrupts
from facemotion.training.progress import Progress
from facemotion.training.run import Run
from facemotion.training.setup import is_out_of_memory, read_samples, training_data

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
        self.out = at_home(out)
        self._device = own_device(resolve_device(device))

    def read(self, source: Samples | str | os.PathLike[str], split: str | None = None) -> Samples:
        """The data of a source, or of one of its splits, numbered with the recipe's labels."""
        return read_samples(source, self.recipe, split)

    def fit(
        self,
        train: Samples | str | os.PathLike[str],
        val: Samples | str | os.PathLike[str] | None = None,
        resume: Literal["auto", "never"] = "auto",
        *,
        progress: Callable[[Progress], object] = lambda progress: None,
    ) -> History:
        """Train to the end, or go on where an earlier call was stopped.

        train, val: samples or anything `read_data` reads; without `val` the data's own validation split is used, else
        a share of the training part. resume: "never" moves an earlier training in the same folder aside.
        After Ctrl-C, SIGTERM or the closing of its terminal the step is finished and saved before the program ends.
        """
        if resume not in ("auto", "never"):
            raise ValueError(f"resume: expected 'auto' or 'never', got {resume!r}")
        out = self.out.absolute()
        with processes(self._device) as together, _settings_as_before():
            if together.count > self.recipe.batch_size:
                got = str(self.recipe.batch_size)
                raise RecipeError(
                    "too small a batch", "batch_size", f"a face for each of {together.count} processes", got
                )
            training, validation = training_data(train, val, self.recipe)
            if together.first and resume == "never":
                move_aside(out)
            together.agree(None)  # nobody looks into the folder before it was moved
            interrupts = Interrupts()
            try:
                run = Run(self.recipe, out, self._device, training, validation, together, interrupts, progress)
                with closing(run), interrupts:
                    return run.go()
            except ValueError as error:
                if "more than 1 value per channel" not in str(error):
                    raise
                wanted = f"at least {2 * together.count}: this network normalises over the faces of a batch"
                got = f"{min(self.recipe.batch_size, len(training))} faces"
                raise RecipeError("too small a batch", "batch_size", wanted, got) from error
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                raise TrainingError(_too_large(self.recipe)) from error


@contextmanager
def _settings_as_before() -> Iterator[None]:
    """Give torch back what a training changes: the number of threads, and that cuDNN tries out its ways."""
    threads, tries = torch.get_num_threads(), torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True  # crops are of one size, so that it tries once
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = tries


def _too_large(recipe: Recipe) -> str:
    if recipe.batch_size == 1:
        return f"a single face does not fit into memory: try --set input.size={max(recipe.input.size // 2, 8)}"
    return (
        f"a batch of {recipe.batch_size} does not fit into memory: try --set batch_size={recipe.batch_size // 2} "
        "(in a folder that has a checkpoint already, with --fresh)"
    )
