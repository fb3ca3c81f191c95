"""Networks that a training learns from: any that know its labels and see faces as it does, at whatever size."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from facemotion.backbones.torch_runner import for_inference
from facemotion.classifier import Classifier
from facemotion.errors import RecipeError, UnknownNameError

if TYPE_CHECKING:
    from facemotion.labels import LabelSet
    from facemotion.recipes.recipe import Recipe


class Teacher(nn.Module):
    """A network that is asked about the crops of its own size, and about the student's labels."""

    def __init__(self, net: nn.Module, size: int, known: list[int]) -> None:
        super().__init__()
        self.net, self.size, self._known = net, size, known

    def forward(self, shown: dict[int, Tensor]) -> Tensor:
        """shown: crops of the same faces, by their side."""
        logits: Tensor = self.net(shown[self.size])
        return logits[:, self._known]


def read_teachers(recipe: Recipe) -> dict[str, Classifier]:
    """The weights that a recipe learns from, by their names."""
    return {name: Classifier.load(name, device="cpu") for name in recipe.distill.teachers}


def told_of_teachers(known: dict[str, Classifier]) -> tuple[dict[str, Any], ...]:
    """What the teachers were trained on: a student comes to know those faces too, without having seen them."""
    return tuple({**each, "teacher": name} for name, teacher in known.items() for each in teacher.config.trained_on)


def made_ready(known: dict[str, Classifier], recipe: Recipe, labels: LabelSet) -> list[Teacher]:
    """The networks of these weights. What they know besides the recipe's labels is not asked."""
    return [_made_ready(name, known[name], recipe, labels) for name in recipe.distill.teachers]


def _made_ready(name: str, teacher: Classifier, recipe: Recipe, labels: LabelSet) -> Teacher:
    own, spec = teacher.labels.labels, teacher.config.input
    try:
        known = [own.index(teacher.labels.find(label)) for label in labels.labels]
    except UnknownNameError:
        known = []
    if not known or dataclasses.replace(spec, size=recipe.input.size) != recipe.input:
        wanted, got = "all of the recipe's labels, and its input but for the size", f"{'/'.join(own)}, {spec}"
        raise RecipeError(f"teacher {name!r} does not fit", "distill.teachers", wanted, got)
    net = for_inference(teacher.net).to(memory_format=torch.channels_last)
    return Teacher(net, spec.size, known)
