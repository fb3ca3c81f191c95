"""What is minimised: over soft or hard targets, smoothed, weighted, focal, and beside teachers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from facemotion.data.loaders import class_weights

if TYPE_CHECKING:
    from facemotion.data.samples import Samples
    from facemotion.recipes.recipe import Recipe


class Objective(nn.Module):
    """The loss of a recipe: `objective(logits, targets, shown)` is summed over the batch, not averaged.

    The samples' labels come first in logits and targets; what follows is a second head's. shown: the crops for
    teachers, by their side. teachers: networks whose averaged probabilities for the samples' labels are learnt beside
    the targets.
    """

    weights: Tensor | None

    def __init__(self, recipe: Recipe, samples: Samples, teachers: Sequence[nn.Module] = ()) -> None:
        super().__init__()
        self._loss, self._distill, self._second = recipe.loss, recipe.distill, recipe.second
        self._classes = len(samples.labels)
        balanced = torch.from_numpy(class_weights(samples)) if recipe.loss.class_weights == "balanced" else None
        self.register_buffer("weights", balanced)
        self.teachers = nn.ModuleList(teachers).eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Objective:
        """Teachers never train: whatever mode the rest is in, they stay as they are."""
        super().train(mode)
        self.teachers.eval()
        return self

    def forward(self, logits: Tensor, targets: Tensor, shown: dict[int, Tensor]) -> Tensor:
        logits, second = logits.float().tensor_split([self._classes], dim=1)
        targets, second_targets = targets.tensor_split([self._classes], dim=1)
        first = self._first(logits, targets, shown)
        if not second.shape[1]:
            return first
        share = self._second.share
        return (1 - share) * first + share * functional.cross_entropy(second, second_targets, reduction="sum")

    def _first(self, logits: Tensor, targets: Tensor, shown: dict[int, Tensor]) -> Tensor:
        own = self._own(logits, targets)
        if not self.teachers:
            return own
        soft, mix = self._distill.temperature, self._distill.mix
        with torch.no_grad():
            opinions = [torch.softmax(teacher(shown).float() / soft, dim=1) for teacher in self.teachers]
        opinion = torch.stack(opinions).mean(dim=0)
        theirs = functional.cross_entropy(logits / soft, opinion, reduction="sum") * soft**2
        return (1 - mix) * own + mix * theirs

    def _own(self, logits: Tensor, targets: Tensor) -> Tensor:
        smoothing = self._loss.label_smoothing
        if self._loss.name == "cross-entropy":
            return functional.cross_entropy(logits, targets, self.weights, reduction="sum", label_smoothing=smoothing)
        targets = targets * (1 - smoothing) + smoothing / targets.shape[1]
        if self.weights is not None:
            targets = targets * self.weights
        log = functional.log_softmax(logits, dim=1)
        # never quite zero: there a gamma below 1 has no slope
        doubt = (-torch.expm1(log)).clamp_min(1e-7)
        return -(targets * doubt**self._loss.gamma * log).sum()
