"""The faces of an evaluation: read for the weights that are to be judged, and the split that is meant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from facemotion.data.reading import read_data
from facemotion.data.samples import Samples
from facemotion.errors import DataError, UnknownNameError

if TYPE_CHECKING:
    from facemotion.labels import LabelSet


def read_faces(data: Samples | str | os.PathLike[str], labels: LabelSet, label_rule: str | None = None) -> Samples:
    """All of a data set with the labels that it has. Those in files must be known emotions or else the weights' own."""
    if isinstance(data, Samples) or labels.emotions:
        return read_data(data, numbers=labels, label_rule=label_rule, one_class=True)
    samples = read_data(data, labels=labels, label_rule=label_rule)
    return samples.restrict([label for label, count in samples.counts().items() if count])


def choose_split(samples: Samples, split: str | None) -> Samples:
    """The faces to judge: the split that is named, else the test split, else all where the data has no splits."""
    names = [name for name in samples.split_counts() if name]
    if split is not None:
        chosen = samples.select(split)
    elif len(samples.split_counts()) < 2:
        chosen = samples
    else:
        try:
            chosen = samples.select("test")
        except LookupError:
            raise DataError("which split is meant?", samples.source, " or ".join(names), "none named") from None
    if not len(chosen):
        raise DataError("no face to judge", samples.source, "at least one", "none")
    return chosen


def split_name(samples: Samples) -> str | None:
    """The data's own name of the split that these samples are; None where it has none."""
    return "/".join(name for name in samples.split_counts() if name) or None


def part_of(samples: Samples, name: str) -> Samples:
    """A split of the data where it has one of that name; all of it where it has one split alone, or none that is known.

    Where others are marked, the faces without a split are the training part. Of several splits the others are never
    taken for it: an UnknownNameError.
    """
    try:
        return samples.select(name)
    except UnknownNameError:
        marks = samples.split_counts()
        if len(marks) < 2 or not any(own_split(samples, each) for each in ("train", "val", "test")):
            return samples
        if name == "train" and "" in marks:
            return samples.subset(samples.splits == "")
        raise


def own_split(samples: Samples, name: str) -> str | None:
    """The data's own name of a split, None where it has none such."""
    try:
        return samples.find_split(name)
    except UnknownNameError:
        return None


def is_test(samples: Samples, name: str) -> bool:
    """Whether a split is the one that "test" finds."""
    return own_split(samples, "test") == name
