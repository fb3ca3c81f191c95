"""What a training has seen: the split that chose its epoch, and copies of the judged faces in its training data."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facemotion.data.copies import has_copy_in, has_near_copy_in
from facemotion.data.parts import own_split, part_of, split_name
from facemotion.data.samples import IN_MEMORY
from facemotion.errors import DataError, UnknownNameError
from facemotion.evaluation.metrics import accuracy_of
from facemotion.evaluation.reading import read_faces
from facemotion.labels import LabelSet
from facemotion.weights.spec import words_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.data.samples import Samples
    from facemotion.weights.spec import WeightsConfig

logger = logging.getLogger(__name__)

# splits that are the same faces wherever they lie, and what we call their data
_FAMOUS, _FAMOUS_TRAINING, _FAMOUS_DATA = ("PublicTest", "PrivateTest"), "Training", ("FER-2013", "FER+")
# what names a split for weights that are trained on from these
_OF_A_SPLIT = ("data", "split", "label_rule", "fingerprint")


@dataclass(frozen=True)
class Leak:
    """Judged faces with a copy in the training data, and the accuracy with and without them.

    training_data, training_split, training_count: what was searched. is_what_was_trained_on: whether it has the
    fingerprint that the weights tell of, None where they tell of none.
    exact: faces with a copy to the pixel; near: with one that is nearly the same, the exact ones counted too.
    without_exact, without_near: accuracy without these faces, with its interval and count. places: of the near ones.
    """

    training_data: str
    training_split: str | None
    training_count: int
    is_what_was_trained_on: bool | None
    exact: int
    near: int
    accuracy: dict[str, Any]
    without_exact: dict[str, Any]
    without_near: dict[str, Any]
    places: tuple[str, ...]


def splits_that_chose(config: WeightsConfig) -> tuple[dict[str, Any], ...]:
    """The splits that chose the epochs of weights and of those which they began from, as `chosen_before` has them."""
    if not config.chosen_on:
        return config.chosen_before
    chose = [told for told in config.metrics if words_for(told) == config.chosen_on] or [{"data": config.chosen_on}]
    known = [{key: told[key] for key in _OF_A_SPLIT if told.get(key) is not None} for told in chose]
    # a calibration may have told of the same faces once more
    once = [told for index, told in enumerate(known) if told not in known[:index]]
    return (*config.chosen_before, *({**told, "labels": list(config.labels)} for told in once))


def selected_split(config: WeightsConfig, samples: Samples) -> str | None:
    """The words for the split that chose the epoch of the weights, or of some they began from, if it is these samples.

    They are it where the fingerprint that the weights tell of is theirs; without one, where the split's name and the
    data's are. The splits of FER-2013 are known by their names, wherever they lie and whatever the label rule.
    Of several splits each is looked at by itself.
    """
    return next((words_for(told) for told in reversed(splits_that_chose(config)) if _chose(told, samples)), None)


def _chose(told: dict[str, Any], samples: Samples) -> bool:
    own = told.get("fingerprint")
    if own and _fingerprint(samples, LabelSet.of(told["labels"])) == own:
        return True
    names = list(samples.split_counts())
    if len(names) > 1:
        return any(_chose(told, samples.select(name)) for name in names if name)
    split = names[0] if names else ""
    parts = str(told.get("split") or "").split("/")
    # of several splits that chose together none has their fingerprint
    if split in parts and split and _same_name(told, samples) and (len(parts) > 1 or not own):
        return True
    return split in _FAMOUS and words_for(told).split()[-1:] == [split]


def trained_on(config: WeightsConfig, samples: Samples) -> bool | None:
    """Whether the weights were trained on just these samples; None where they don't tell."""
    told = [each["fingerprint"] for each in config.trained_on if each.get("fingerprint")]
    return _fingerprint(samples, config.label_set) in told if told else None


def may_be_trained_on(config: WeightsConfig, samples: Samples) -> bool:
    """Whether weights were trained on data of this name, and on this split of it where they have names.

    A training part that has no name is told as train, which in other copies of the data may be called otherwise.
    FER-2013's training part is known by its name, wherever it lies and whatever the label rule.
    """
    marks = samples.split_counts()
    for told in config.trained_on:
        splits = str(told.get("split") or "").split("/")
        if told.get("data") in _FAMOUS_DATA and _FAMOUS_TRAINING in marks and _FAMOUS_TRAINING in splits:
            return True
        if _same_name(told, samples) and (not any(marks) or any(own_split(samples, name) for name in splits)):
            return True
    return False


def _same_name(told: dict[str, Any], samples: Samples) -> bool:
    return samples.source != IN_MEMORY and Path(str(told.get("data"))).name == Path(samples.source).name


def _fingerprint(samples: Samples, labels: LabelSet) -> str:
    """As a training of weights with these labels would take it."""
    _ = samples.digests  # read once, and kept by what is made of the samples
    return samples.restrict(labels).fingerprint


def find_leak(config: WeightsConfig, samples: Samples, right: NDArray[np.bool_], training: Samples) -> Leak:
    """Look for the samples among those that the weights were trained on."""
    exact, near = has_copy_in(samples, training), has_near_copy_in(samples, training)
    known = trained_on(config, training)
    if known is False:
        # a training keeps a share of its data for choosing the epoch, where nobody gave it other faces for that
        logger.warning(
            "%s is not just what the weights say they were trained on: other data, or a share of it chose the epoch",
            training.source,
        )
    return Leak(
        training_data=training.source,
        training_split=split_name(training),
        training_count=len(training),
        is_what_was_trained_on=known,
        exact=int(exact.sum()),
        near=int(near.sum()),
        accuracy=accuracy_of(right),
        without_exact=accuracy_of(right[~exact]),
        without_near=accuracy_of(right[~near]),
        places=tuple(samples.place(int(index)) for index in np.flatnonzero(near)),
    )


def read_training(config: WeightsConfig, data: Samples | str | os.PathLike[str]) -> Samples:
    """The training part of the data that weights were trained on, or what is neither validation nor test."""
    # of several trainings, one from another, the last has the labels of the weights
    rule = config.trained_on[-1].get("label_rule") if config.trained_on else None
    try:
        training = read_faces(data, config.label_set, rule)
    except (DataError, UnknownNameError):
        # copies are found by their pixels alone: the votes that this rule needs may be elsewhere
        training = read_faces(data, config.label_set)
    try:
        return part_of(training, "train")
    except LookupError:
        others = [own_split(training, name) for name in ("val", "test")]
        return training.subset(~np.isin(training.splits, [name for name in others if name]))
