"""The parts of a data set (training, validation, test) by its own names, where it has names for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from facemotion.errors import UnknownNameError

if TYPE_CHECKING:
    from facemotion.data.samples import Samples


def split_name(samples: Samples) -> str | None:
    """The data's own name of the split that these samples are; None where it has none."""
    return "/".join(name for name in samples.split_counts() if name) or None


def own_split(samples: Samples, name: str) -> str | None:
    """The data's own name of a split, None where it has none such."""
    try:
        return samples.find_split(name)
    except UnknownNameError:
        return None


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


def as_one_split(samples: Samples) -> Samples:
    """The samples in one split with the names of all that they are in."""
    return samples.with_splits(np.full(len(samples), split_name(samples) or ""))
