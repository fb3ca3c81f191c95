"""One call of `Trainer.fit`: epochs, checkpoints, the best network, and going on where an earlier call was stopped."""

from __future__ import annotations

import copy
import dataclasses
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from facemotion.backbones.network import EmotionNet
from facemotion.data.loaders import Batch
from facemotion.data.parts import split_name
from facemotion.errors import DataError, TrainingError
from facemotion.recipes.recipe import Recipe
from facemotion.training.batches import training_batches, validation_batches
from facemotion.training.distributed import own_threads
from facemotion.training.folder import TrainingFolder
from facemotion.training.history import Epoch, History
from facemotion.training.loop import Loop, Validation
from facemotion.training.losses import Objective
from facemotion.training.progress import Progress, Sums
from facemotion.training.resume import check_alike, check_same, earlier_state, fingerprints
from facemotion.training.second import add_head, first_head, second_targets, told_of_second
from facemotion.training.setup import choose_precision, same_network, starting_network
from facemotion.training.teachers import made_ready, read_teachers, told_of_teachers
from facemotion.weights.spec import words_for

if TYPE_CHECKING:
    from facemotion.data.samples import Samples
    from facemotion.training.distributed import Processes
    from facemotion.training.interrupts import Interrupts

logger = logging.getLogger(__name__)

_REMEDY = (
    "the learning rate may be too high: --set optimizer.lr=..., or clip gradients: --set clip_grad=1. "
    "The last checkpoint is kept"
)
# how long a card works on before it is asked what its steps gave
_READING_SECONDS = 0.2
# of fewer steps than these the trial of both precisions, eight steps, would be a large part: where a processor has no
# bfloat16 of its own each of its four takes as long as eight others
_STEPS_WORTH_A_TRIAL = 100


@dataclasses.dataclass(frozen=True)
class _Step:
    """A step that has begun. told: what `Loop.step` gave, which may not be known yet."""

    epoch: int
    batch: int
    lr: float
    faces: int
    told: torch.Tensor


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
        self._device = device
        self._training, self._validation = training, validation
        self._together, self._interrupts, self._progress = together, interrupts, progress
        self._second = second_targets(training, recipe) if recipe.second.labels else None
        known = read_teachers(recipe)
        self._taught = told_of_teachers(known)
        configs = [each.config for each in known.values()]
        self._data = fingerprints(training, validation, self._second, configs)
        check_alike(self._data, together)
        self.history, self._sums = History(), Sums()
        self._unread, self._read_at = list[_Step](), time.monotonic()
        saved = together.agree(earlier_state(out) if together.first else None)
        if saved:
            check_same(saved, recipe, self._data, out)
            self._asked = Recipe.from_toml(saved["recipe"])
            net, self._config = same_network(saved["config"], recipe, str(out))
        else:
            self._asked = recipe
            net, self._config = starting_network(recipe, training.labels)
        if self._second is not None:
            add_head(net, self._second.shape[1])
        self._recipe = self._settled(saved)
        teachers = made_ready(known, self._recipe, training.labels)
        shown = sorted({each.size for each in teachers})
        self._loader = training_batches(training, self._recipe, together, device, second=self._second, shown=shown)
        if not len(self._loader):
            raise DataError("too little to train on", training.source, f"{together.count} faces", str(len(training)))
        self._judge = validation_batches(validation, self._recipe, together, device)
        objective = Objective(self._recipe, training, teachers)
        self._recipe = self._with_precision(net, objective)
        self._loop = Loop(net, objective, self._recipe, device, together)
        torch.manual_seed(recipe.seed + together.rank)
        if saved:
            self._loop.load_state(saved["loop"])
            self.history = History.from_state(saved["history"])
            self._sums = Sums(**saved["sums"])
            logger.info("going on in epoch %d, step %d", len(self.history) + 1, self._sums.step)
        self._folder = TrainingFolder(out, self.history, training.labels, writes=together.first)

    def go(self) -> History:
        self._folder.begin(self._recipe)
        while not self.history.finished:
            number = len(self.history) + 1
            self._epoch(number - 1)
            if not self.history.finished:
                self._stop_if_asked(f"after epoch {number}")
        return self.history

    def close(self) -> None:
        self._folder.close()
        self._loop.leave()

    def _epoch(self, number: int) -> None:
        recipe, sums = self._recipe, self._sums
        mixing = number < recipe.epochs - recipe.augment.plain_epochs
        started = time.monotonic() - sums.seconds
        for batch in self._loader.epoch(number, sums.step, mixing=mixing):
            if number == 0 and sums.step == 0:
                self._folder.show(batch, recipe)
            lr = self._loop.rate.at(recipe, number + sums.step / len(self._loader))
            self._learn(batch, lr, number)
            sums.seconds = time.monotonic() - started
            if self._is_time_to_read():
                self._read()
                self._progress(self._standing(number))
            self._stop_if_asked(f"in epoch {number + 1} after step {sums.step}")
            self._save_if_due()
        self._read()
        sums.seconds = time.monotonic() - started
        self._finish_epoch(number, lr=self._loop.rate.at(recipe, float(number)))

    def _standing(self, number: int) -> Progress:
        last = self.history.epochs[-1].val_accuracy if self.history.epochs else None
        total = min(len(self._loader) * self._recipe.batch_size, len(self._training))
        return self._sums.standing(number + 1, self._recipe.epochs, total, last)

    def _stop_if_asked(self, where: str) -> None:
        if not self._together.any(self._interrupts.caught is not None, self._device):
            return
        self._save()
        if self._together.first:
            logger.warning("stopped %s; the same command goes on", where)
        self._interrupts.pass_on()
        raise TrainingError(f"another process was stopped {where}; the same command goes on")

    def _learn(self, batch: Batch, lr: float, number: int) -> None:
        told, sums = self._loop.step(batch, lr), self._sums
        sums.step += 1
        self._unread.append(_Step(number + 1, sums.step, lr, batch.size, told))

    def _is_time_to_read(self) -> bool:
        """Whether to wait for the steps that have begun: a card that has to tell of each stands idle in between."""
        alone_on_a_card = self._device.type == "cuda" and self._together.count == 1
        return not alone_on_a_card or time.monotonic() - self._read_at > _READING_SECONDS

    def _read(self) -> None:
        """Add up what the steps since the last time gave."""
        steps, self._unread, sums = self._unread, [], self._sums
        if not steps:
            return
        told = self._together.total(torch.stack([each.told for each in steps])).tolist()
        for step, (loss, right) in zip(steps, told, strict=True):
            if not math.isfinite(loss):
                number = (step.epoch - 1) * len(self._loader) + step.batch
                raise TrainingError(
                    f"the loss is {loss} in epoch {step.epoch}, batch {step.batch} "
                    f"(step {number}), at a learning rate of {step.lr:g}: {_REMEDY}"
                )
            sums.faces += step.faces
            sums.loss += loss
            sums.right += int(right)
        self._read_at = time.monotonic()

    def _finish_epoch(self, number: int, lr: float) -> None:
        recipe, sums, history = self._recipe, self._sums, self.history
        result = self._loop.validate(self._judge)
        if not math.isfinite(result.loss):
            raise TrainingError(f"the validation loss is {result.loss} after epoch {number + 1}: {_REMEDY}")
        row = Epoch(
            number + 1,
            lr,
            train_loss=sums.loss / sums.faces,
            train_accuracy=sums.right / sums.faces,
            val_loss=result.loss,
            val_accuracy=result.accuracy,
            val_macro_f1=result.macro_f1,
            seconds=sums.seconds,
            faces_per_second=sums.rate,
        )
        better = history.add(row, row.score(recipe.best), recipe.stop)
        standing = dataclasses.replace(self._standing(number), judged=True)
        if better:
            self._keep_best(result)
        self._loop.rate.after_epoch(recipe, result.loss)
        tired = bool(recipe.stop.patience) and history.waited >= recipe.stop.patience
        history.finished = tired or number + 1 >= recipe.epochs
        self._sums = Sums()
        self._folder.judged(result.confusion)
        self._save_if_due(epoch_is_over=True)
        self._progress(standing)
        mark = " (best so far)" if better else ""
        logger.info("epoch %d of %d: validation accuracy %.4f%s", number + 1, recipe.epochs, result.accuracy, mark)

    def _keep_best(self, result: Validation) -> None:
        if not self._together.first:
            return
        figures = {"accuracy": result.accuracy, "macro_f1": result.macro_f1}
        own = (*self._config.trained_on, _told_of(self._training) | told_of_second(self._recipe))
        judged = _told_of(self._validation)
        seen, before = [each.get("fingerprint") for each in own], self._config.chosen_before
        config = dataclasses.replace(
            self._config,
            # of a recipe of the package it tells of other faces, and of what others reached with it
            description=f"Recipe: {self._recipe.description}" if self._recipe.description else "",
            # the network's own faces last, whose labels are its own
            trained_on=(*(each for each in self._taught if each.get("fingerprint") not in seen), *own),
            chosen_on=words_for(judged),
            chosen_before=tuple(each for each in before if each.get("fingerprint") != judged["fingerprint"]),
            metrics=(judged | figures,),
        )
        net: EmotionNet = self._loop.judged
        net = copy.deepcopy(net) if self._second is None else first_head(net, len(self._training.labels))
        self._folder.keep(net, config)

    def _save_if_due(self, *, epoch_is_over: bool = False) -> None:
        due = self.history.finished or self._folder.is_due(epoch_is_over=epoch_is_over)
        if self._together.any(due, self._device):
            self._save()

    def _save(self) -> None:
        self._read()
        if not self._loop.is_sound():
            raise TrainingError(f"a weight is no number after step {self._sums.step} of this epoch: {_REMEDY}")
        state = {
            "recipe": self._asked.to_toml(),
            "resolved": self._recipe.to_toml(),
            "config": self._config.to_json(),
            "data": self._data,
            # statistics of batches differ between processes: those of the first are saved, as DDP keeps them
            "loop": self._loop.state(),
            "history": self.history.state(),
            "sums": dataclasses.asdict(self._sums),
        }
        self._folder.write(state)

    def _settled(self, saved: dict[str, Any] | None) -> Recipe:
        """The recipe with what was decided for this machine: once, on the first process, and kept on going on."""
        recipe = Recipe.from_toml(saved["resolved"]) if saved else self._asked
        config = self._config
        recipe = dataclasses.replace(
            recipe,
            backbone=config.backbone,
            backbone_args=config.backbone_args,
            input=config.input,
            threads=recipe.threads or own_threads(),
        )
        torch.set_num_threads(recipe.threads)
        return self._together.agree(recipe)

    def _with_precision(self, net: EmotionNet, objective: Objective) -> Recipe:
        """The recipe with a precision: by a trial where it names none, and where the training is not over before it."""
        if self._recipe.precision != "auto":
            return self._recipe
        chosen = "fp32"
        if self._together.first and self._recipe.epochs * len(self._loader) >= _STEPS_WORTH_A_TRIAL:
            batch = next(iter(self._loader.epoch(0)))
            chosen = choose_precision(net, objective, batch, self._device)
        return self._recipe.override({"precision": self._together.agree(chosen)})


def _told_of(samples: Samples) -> dict[str, Any]:
    told: dict[str, Any] = {"data": samples.source, "split": split_name(samples) or "", "count": len(samples)}
    return told | {"label_rule": samples.label_rule, "fingerprint": samples.fingerprint}
