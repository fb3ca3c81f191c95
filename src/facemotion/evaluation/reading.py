"""The faces of an evaluation: read for the weights that are to be judged, and the split that is meant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from facemotion.data.reading import read_data
from facemotion.data.samples import Samples
from facemotion.errors import DataError

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
