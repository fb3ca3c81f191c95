"""Optimisers and learning rates, as recipes name them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from facemotion.recipes.recipe import Recipe
from facemotion.recipes.tables import Optimizer


def build_optimizer(settings: Optimizer, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser of a recipe over the parameters that are trained. Biases and norms are not pulled towards zero."""
    trained = [each for each in parameters if each.requires_grad]
    groups = [
        {"params": [each for each in trained if each.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [each for each in trained if each.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.name == "sgd":
        momentum = settings.momentum
        return torch.optim.SGD(groups, settings.lr, momentum, nesterov=settings.nesterov and momentum > 0)
    kind = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return kind(groups, settings.lr)


@dataclass
class LearningRate:
    """The learning rate at any moment. Only "plateau" looks back: its memory is what a checkpoint keeps."""

    best: float = math.inf
    waited: int = 0
    resting: int = 0
    cut: float = 1.0

    def at(self, recipe: Recipe, epoch: float) -> float:
        """The rate after so many epochs, parts of one included."""
        settings, top = recipe.schedule, recipe.optimizer.lr
        match settings.name:
            case "constant":
                return top
            case "steps":
                return top * settings.factor ** sum(epoch >= milestone for milestone in settings.milestones)
            case "plateau":
                return max(top * self.cut, settings.min_lr)
            case "one-cycle":
                return _one_cycle(top, epoch / recipe.epochs)
        if epoch < settings.warmup_epochs:
            # never quite zero, so that the first step does something
            return top * max(epoch / settings.warmup_epochs, 0.01)
        rest = max(recipe.epochs - settings.warmup_epochs, 1e-9)
        done = (epoch - settings.warmup_epochs) / rest
        return settings.min_lr + (top - settings.min_lr) * (1 + math.cos(math.pi * done)) / 2

    def after_epoch(self, recipe: Recipe, loss: float) -> None:
        """Take note of an epoch's validation loss."""
        settings = recipe.schedule
        # relative, so that noise in the fourth digit is no progress
        if loss < self.best * (1 - 1e-4):
            self.best, self.waited = loss, 0
        elif self.resting == 0:
            self.waited += 1
        self.resting = max(self.resting - 1, 0)
        if self.waited > settings.patience:
            self.cut, self.waited, self.resting = self.cut * settings.factor, 0, settings.cooldown

    def state(self) -> dict[str, Any]:
        return asdict(self)


def _one_cycle(top: float, done: float) -> float:
    """Up by a cosine for a third of the way, down to nearly nothing for the rest."""
    rise, start, end = 0.3, top / 25, top / 1e4
    if done < rise:
        return start + (top - start) * (1 - math.cos(math.pi * done / rise)) / 2
    return end + (top - end) * (1 + math.cos(math.pi * (done - rise) / (1 - rise))) / 2
