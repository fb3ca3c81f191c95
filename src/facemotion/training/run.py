"""One call of `Trainer.fit`: epochs, checkpoints, the best network, and going on where an earlier call was stopped."""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from facemotion.backbones.network import EmotionNet
from facemotion.classifier import save_network
from facemotion.data.loaders import Batch, Loader
from facemotion.devices import cpu_threads
from facemotion.errors import TrainingError
from facemotion.recipes.recipe import Recipe
from facemotion.training.checkpoint import (
    load_checkpoint,
    recover_folder,
    replace_folder,
    save_checkpoint,
    write_whole,
)
from facemotion.training.history import Epoch, History, TensorBoard
from facemotion.training.loop import Loop, Validation
from facemotion.training.losses import Objective
from facemotion.training.setup import choose_precision, starting_network, teachers

if TYPE_CHECKING:
    from facemotion.data.samples import Samples
    from facemotion.training.distributed import Processes
    from facemotion.training.interrupts import Interrupts

logger = logging.getLogger(__name__)

# a checkpoint within an epoch, for epochs that take longer
_CHECKPOINT_SECONDS = 120.0
_SHEET = 64


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a training stands, after each step. faces: how many this epoch has seen, of `total`."""

    epoch: int
    epochs: int
    faces: int
    total: int
    loss: float
    accuracy: float
    faces_per_second: float


@dataclasses.dataclass
class _Sums:
    """What an epoch has added up so far, over all processes."""

    step: int = 0
    faces: int = 0
    loss: float = 0.0
    right: int = 0
    seconds: float = 0.0


class Run:
    """One call of `fit`."""

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        device: torch.device,
        training: Samples,
        validation: Samples,
        together: Processes,
        interrupts: Interrupts,
        progress: Callable[[Progress], object],
    ) -> None:
        self._asked, self._out, self._device = recipe, out, device
        self._training, self._validation = training, validation
        self._together, self._interrupts, self._progress = together, interrupts, progress
        self._data = {"training": training.fingerprint, "validation": validation.fingerprint}
        self.history, self._sums = History(), _Sums()
        recover_folder(self._out / "best")
        saved = load_checkpoint(self._out)
        if saved:
            self._check_same(saved)
        net, self._config = starting_network(self._asked, training.labels)
        self._recipe = self._resolved(saved, net)
        torch.set_num_threads(self._recipe.threads)
        self._loader = self._batches(training, augmented=True)
        self._judge = self._batches(validation, augmented=False)
        objective = self._objective()
        self._loop = Loop(net, objective, self._recipe, self._device, together)
        torch.manual_seed(self._recipe.seed + together.rank)
        if saved:
            self._loop.load_state(saved["loop"])
            self.history = History.from_state(saved["history"])
            self._sums = _Sums(**saved["sums"])
            logger.info("going on in epoch %d, step %d", len(self.history) + 1, self._sums.step)
        self._board = TensorBoard(self._out / "tensorboard") if together.first else None

    def go(self) -> History:
        if self._together.first and not self.history.finished:
            self._out.mkdir(parents=True, exist_ok=True)
            write_whole(self._out / "recipe.toml", self._recipe.to_toml().encode())
        while not self.history.finished:
            self._epoch(len(self.history))
        return self.history

    def close(self) -> None:
        if self._board:
            self._board.close()

    def _epoch(self, number: int) -> None:
        recipe, sums = self._recipe, self._sums
        mixing = number < recipe.epochs - recipe.augment.plain_epochs
        started, saved = time.monotonic() - sums.seconds, time.monotonic()
        for batch in self._loader.epoch(number, sums.step, mixing=mixing):
            if number == 0 and sums.step == 0 and self._board:
                self._board.faces(_sheet(batch, recipe))
            lr = self._loop.rate.at(recipe, number + sums.step / len(self._loader))
            self._learn(batch, lr, number)
            sums.seconds = time.monotonic() - started
            rate = sums.faces / max(sums.seconds, 1e-9)
            where = Progress(
                number + 1,
                recipe.epochs,
                sums.faces,
                len(self._training),
                sums.loss / sums.faces,
                sums.right / sums.faces,
                rate,
            )
            self._progress(where)
            if self._together.any(self._interrupts.caught is not None, self._device):
                self._save()
                logger.warning("stopped in epoch %d after step %d; the same command goes on", number + 1, sums.step)
                self._interrupts.pass_on()
                raise TrainingError(f"another process was stopped in epoch {number + 1}; the same command goes on")
            if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                self._save()
                saved = time.monotonic()
        self._finish_epoch(number, lr=self._loop.rate.at(recipe, float(number)))

    def _learn(self, batch: Batch, lr: float, number: int) -> None:
        sums = self._sums
        loss, right = self._loop.step(batch, lr)
        if self._together.count > 1:
            loss, right = self._together.total(torch.tensor([loss, right], device=self._device)).tolist()
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} in epoch {number + 1}, batch {sums.step + 1}: the learning rate ({lr:g}) may be "
                "too high: --set optimizer.lr=..., or clip gradients: --set clip_grad=1. The last checkpoint is kept"
            )
        sums.step += 1
        sums.faces += batch.size
        sums.loss += loss
        sums.right += int(right)

    def _finish_epoch(self, number: int, lr: float) -> None:
        recipe, sums, history = self._recipe, self._sums, self.history
        result = self._loop.validate(self._judge)
        row = Epoch(
            number + 1,
            lr,
            train_loss=sums.loss / sums.faces,
            train_accuracy=sums.right / sums.faces,
            val_loss=result.loss,
            val_accuracy=result.accuracy,
            val_macro_f1=result.macro_f1,
            seconds=sums.seconds,
            faces_per_second=sums.faces / max(sums.seconds, 1e-9),
        )
        better = history.add(row, result.score(recipe.best), recipe.stop)
        if better:
            self._keep_best(result)
        self._loop.rate.after_epoch(recipe, result.loss)
        tired = bool(recipe.stop.patience) and history.waited >= recipe.stop.patience
        history.finished = tired or number + 1 >= recipe.epochs
        self._sums = _Sums()
        self._save()
        if self._together.first:
            history.write(self._out)
        if self._board:
            self._board.epoch(row, result.confusion)
        mark = " (best so far)" if better else ""
        logger.info("epoch %d of %d: validation accuracy %.4f%s", number + 1, recipe.epochs, result.accuracy, mark)

    def _keep_best(self, result: Validation) -> None:
        if not self._together.first:
            return
        figures = {"accuracy": result.accuracy, "macro_f1": result.macro_f1}
        config = dataclasses.replace(
            self._config,
            description=self._recipe.description,
            trained_on=(self._told_of(self._training),),
            chosen_on=f"{self._validation.source} {_split(self._validation)}".strip(),
            metrics=({**self._told_of(self._validation), **figures},),
        )
        net: EmotionNet = self._loop.judged
        name = self._out.resolve().name
        replace_folder(self._out / "best", lambda folder: save_network(net, config, folder, name=name))

    def _told_of(self, samples: Samples) -> dict[str, Any]:
        told: dict[str, Any] = {"data": samples.source, "split": _split(samples), "count": len(samples)}
        return told | {"label_rule": self._recipe.label_rule, "fingerprint": samples.fingerprint}

    def _save(self) -> None:
        # statistics of batches differ between processes: those of the first are saved, as DDP keeps them
        if self._together.first:
            state = {
                "recipe": self._asked.to_toml(),
                "resolved": self._recipe.to_toml(),
                "data": self._data,
                "loop": self._loop.state(),
                "history": self.history.state(),
                "sums": dataclasses.asdict(self._sums),
            }
            save_checkpoint(self._out, state)

    def _check_same(self, saved: dict[str, Any]) -> None:
        """A TrainingError unless the folder's training is this one."""
        old, new = (_flat(Recipe.from_toml(text).to_dict()) for text in (saved["recipe"], self._asked.to_toml()))
        changed = [
            f"{key}: {old.get(key)!r} there, {new.get(key)!r} here" for key in new | old if old.get(key) != new.get(key)
        ]
        changed += [f"the {part} data is another" for part in self._data if saved["data"][part] != self._data[part]]
        if changed:
            ways = "start anew with --fresh, or choose another --out"
            raise TrainingError(f"{self._out} holds another training ({'; '.join(changed)}): {ways}")

    def _resolved(self, saved: dict[str, Any] | None, net: EmotionNet) -> Recipe:
        """The recipe with what was decided for this machine: once, on the first process, and kept on going on."""
        if saved:
            return Recipe.from_toml(saved["resolved"])
        recipe = dataclasses.replace(
            self._asked, input=self._config.input, threads=self._asked.threads or cpu_threads()
        )
        self._recipe = dataclasses.replace(recipe, precision="fp32")
        if recipe.precision == "auto":
            chosen = ""
            if self._together.first:
                batch = next(iter(self._batches(self._training, augmented=True).epoch(0)))
                chosen = choose_precision(net, self._objective(), batch, self._device)
            recipe = recipe.override({"precision": self._together.agree(chosen)})
        return self._together.agree(recipe)

    def _objective(self) -> Objective:
        return Objective(
            self._asked.loss, self._asked.distill, self._training, teachers(self._asked, self._training.labels)
        )

    def _batches(self, samples: Samples, *, augmented: bool) -> Loader:
        recipe = self._recipe
        return Loader(
            samples,
            recipe.input,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            augment=recipe.augment if augmented else None,
            sampling=recipe.sampling if augmented else "order",
            rank=self._together.rank,
            world_size=self._together.count,
            # a rest that is too small to give every process a face would leave one of them without a step
            drop_last=augmented and len(samples) % recipe.batch_size < self._together.count > 1,
        )


def _split(samples: Samples) -> str:
    return "/".join(name for name in samples.split_counts() if name)


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return flat


def _sheet(batch: Batch, recipe: Recipe) -> Any:
    """The first faces of a batch in rows of eight, as the network is fed them."""
    images = batch.images[:_SHEET].permute(0, 2, 3, 1).numpy()
    images = images * np.array(recipe.input.std) + np.array(recipe.input.mean)
    faces = (images.clip(0, 1) * 255).astype(np.uint8)
    whole = faces[: len(faces) // 8 * 8] if len(faces) >= 8 else faces
    rows = [np.concatenate(list(whole[start : start + 8]), axis=1) for start in range(0, len(whole), 8)]
    sheet = np.concatenate(rows)
    return np.repeat(sheet, 3, axis=2) if sheet.shape[2] == 1 else sheet
