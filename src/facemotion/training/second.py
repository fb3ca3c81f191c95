"""A second head: other labels of the same faces, learnt beside the recipe's own and left out of what is kept."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from facemotion.data.samples import shares
from facemotion.errors import FacemotionError, TrainingError
from facemotion.labels import LabelSet
from facemotion.training.setup import last_layer, read_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.backbones.network import EmotionNet
    from facemotion.data.samples import Samples
    from facemotion.recipes.recipe import Recipe

_REMEDY = "train without them by --set second.labels=[]"


def second_targets(samples: Samples, recipe: Recipe) -> NDArray[np.float32]:
    """(n, K): each face's shares of the second labels, a row of zeros where it has none of them.

    They are read from where the samples were read, and belong to the samples of the same file, row by row.
    """
    second = recipe.second
    other = dataclasses.replace(recipe, labels=second.labels, label_rule=second.label_rule)
    try:
        known = read_samples(samples.source, other)
    except FacemotionError as error:
        raise TrainingError(f"no second labels: {error}; {_REMEDY}") from error
    row = {known.place(index): index for index in range(len(known))}
    found = np.array([row.get(samples.place(index), -1) for index in range(len(samples))])
    if (found < 0).all():
        raise TrainingError(f"no second labels: those of {known.source} are of other faces; {_REMEDY}")
    return np.where(found[:, None] >= 0, shares(known)[found], np.float32(0))


def told_of_second(recipe: Recipe) -> dict[str, str]:
    """What weights say of the second labels that they were trained with."""
    second = recipe.second
    if not second.labels:
        return {}
    labels = LabelSet.of(second.labels)
    told = {"second_labels": labels.name or "/".join(labels)}
    return told | ({"second_label_rule": second.label_rule} if second.label_rule else {})


def add_head(net: EmotionNet, classes: int) -> None:
    """More classes behind the last layer's own, which stay as they are: the outputs of a second head."""
    own = last_layer(net)
    both = nn.Linear(own.in_features, own.out_features + classes)
    _copy_rows(own, both)
    net.head[-1] = both


def first_head(net: EmotionNet, classes: int) -> EmotionNet:
    """A copy of the network with its first classes alone."""
    alone, both = copy.deepcopy(net), last_layer(net)
    own = nn.Linear(both.in_features, classes, device=both.weight.device)
    _copy_rows(both, own)
    alone.head[-1] = own
    return alone


def _copy_rows(source: nn.Linear, target: nn.Linear) -> None:
    """The first rows of a layer, as many as both have, into another."""
    count = min(source.out_features, target.out_features)
    with torch.no_grad():
        target.weight[:count] = source.weight[:count]
        target.bias[:count] = source.bias[:count]
