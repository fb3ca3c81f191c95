"""One step and one look at the validation part; everything that decides the next step can be saved and put back."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from facemotion.errors import RecipeError
from facemotion.evaluation.metrics import accuracy, macro_f1
from facemotion.training.optim import LearningRate, build_optimizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.backbones.network import EmotionNet
    from facemotion.data.loaders import Batch, Loader
    from facemotion.recipes.recipe import Recipe
    from facemotion.training.distributed import Processes
    from facemotion.training.losses import Objective


@dataclass(frozen=True)
class Validation:
    """What a network makes of the validation part. confusion: counts, rows are the truth."""

    loss: float
    confusion: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        return accuracy(self.confusion)

    @property
    def macro_f1(self) -> float:
        """The mean over the classes that occur."""
        return macro_f1(self.confusion)


class Loop:
    """A network in training. `judged` is what is validated and kept: the moving average where there is one."""

    def __init__(
        self, net: EmotionNet, objective: Objective, recipe: Recipe, device: torch.device, together: Processes
    ) -> None:
        self._recipe, self._device, self._together = recipe, device, together
        self._classes = len(recipe.label_set)
        self.net = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch knows it
        self.judged = copy.deepcopy(self.net).eval().requires_grad_(False) if recipe.ema else self.net
        self._objective = objective.to(device)
        self._frozen = _freeze(self.net, recipe.freeze)
        if not any(each.requires_grad for each in self.net.parameters()):
            raise RecipeError("nothing is left to train", "freeze", "fewer layers", ", ".join(recipe.freeze))
        self._optimizer = build_optimizer(recipe.optimizer, self.net.parameters())
        self._wrapped = together.wrap(self.net, device)
        self.rate = LearningRate()
        self._steps = 0

    def step(self, batch: Batch, lr: float) -> Tensor:
        """Learn from a batch. Gives the summed loss over this process's part, and how many of it were right.

        They stay on the device: to read them is to wait until the step is done.
        """
        self._wrapped.train()
        self._objective.train()
        for module in self._frozen:
            module.eval()
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        images, targets = self._moved(batch.images), batch.targets.to(self._device)
        shown = {size: self._moved(crops) for size, crops in batch.shown.items()}
        with self._autocast():  # for the teachers too
            logits = self._wrapped(images)
            loss = self._objective(logits, targets, shown)
        self._optimizer.zero_grad(set_to_none=True)
        # the mean over the whole batch: with several processes their gradients are averaged afterwards
        (loss * (self._together.count / batch.size)).backward()
        if self._recipe.clip_grad:
            nn.utils.clip_grad_norm_(self.net.parameters(), self._recipe.clip_grad)
        self._optimizer.step()
        self._steps += 1
        self._average()
        first, truth = logits[:, : self._classes], targets[:, : self._classes]
        right = (first.argmax(dim=1) == truth.argmax(dim=1)).sum()
        return torch.stack([loss.detach(), right.float()])

    def validate(self, loader: Loader) -> Validation:
        """Judge the network on samples, each seen once, as inference sees it."""
        classes = self._classes
        # batch statistics differ between processes: those that are kept are the ones to judge
        self._together.share(self.judged.buffers())
        self.judged.eval()
        self._objective.eval()
        pairs, losses = [], []
        with torch.inference_mode():
            for batch in loader.epoch(0):
                images, targets = self._moved(batch.images), batch.targets.to(self._device)
                with self._autocast():
                    logits = self.judged(images)[:, :classes]
                losses.append(nn.functional.cross_entropy(logits.float(), targets, reduction="sum"))
                pairs.append(batch.labels.to(self._device) * classes + logits.argmax(dim=1))
        confusion = torch.bincount(torch.cat(pairs).cpu(), minlength=classes * classes)
        loss = torch.stack(losses).cpu().double().sum(dim=0, keepdim=True)
        totals = self._together.total(torch.cat([confusion, loss]).to(self._device, torch.float32)).cpu()
        matrix = totals[:-1].reshape(classes, classes).numpy().round().astype(np.int64)
        return Validation(float(totals[-1]) / max(int(matrix.sum()), 1), matrix)

    def _moved(self, images: Tensor) -> Tensor:
        return images.to(self._device, memory_format=torch.channels_last)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._recipe.precision == "bf16")

    def _average(self) -> None:
        if self.judged is self.net:
            return
        # young averages follow faster: what they began with was noise
        decay = min(self._recipe.ema, (1 + self._steps) / (10 + self._steps))
        follow = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        follow(_learnt(self.judged), _learnt(self.net), self._steps)
        for mean, now in zip(self.judged.buffers(), self.net.buffers(), strict=True):
            if not mean.is_floating_point():
                mean.copy_(now)

    def is_sound(self) -> bool:
        """Whether every weight is a number still."""
        return all(bool(torch.isfinite(each).all()) for each in self.net.parameters())

    def leave(self) -> None:
        """Let go of the other processes; no step is possible afterwards."""
        if self._wrapped is not self.net:
            # it is part of circles, and what it holds of the others must be gone before the interpreter ends
            vars(self._wrapped).clear()
        del self._wrapped

    def state(self) -> dict[str, Any]:
        """All that the next step depends on, but for the batches. Every process has to ask for it."""
        return {
            "net": self.net.state_dict(),
            "judged": None if self.judged is self.net else self.judged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "rate": self.rate.state(),
            "steps": self._steps,
            "random": self._together.gather(self._random()),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        if state["judged"] is not None:
            self.judged.load_state_dict(state["judged"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.rate = LearningRate(**state["rate"])
        self._steps = state["steps"]
        if self._together.rank < len(state["random"]):  # else there are more processes now, and this one is new
            own = state["random"][self._together.rank]
            torch.set_rng_state(own["cpu"])
            if self._device.type == "cuda" and own["cuda"] is not None:
                torch.cuda.set_rng_state(own["cuda"], self._device)

    def _random(self) -> dict[str, Tensor | None]:
        """The states of this process's random numbers."""
        cuda = torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None
        return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _learnt(net: nn.Module) -> list[Tensor]:
    """All of a network but its counters, of which there is no average."""
    return [each.detach() for each in (*net.parameters(), *net.buffers()) if each.is_floating_point()]


def _freeze(net: nn.Module, prefixes: tuple[str, ...]) -> list[nn.Module]:
    """Stop the layers whose names begin so from training; gives them, since their statistics must stand still too."""
    frozen = [module for name, module in net.named_modules() if name and name.startswith(prefixes)] if prefixes else []
    for module in frozen:
        module.requires_grad_(False)
    # a backbone may have layers that it keeps still itself
    norms = [each for each in net.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm) and each.affine]
    return frozen + [each for each in norms if not each.weight.requires_grad]
