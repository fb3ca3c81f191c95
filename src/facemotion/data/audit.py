"""What is in a data set and what is wrong with it, before it costs a training."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from facemotion.data.copies import join_groups, near_pairs, scan
from facemotion.data.faults import Faults
from facemotion.data.reading import read_data
from facemotion.data.samples import Samples, with_digests
from facemotion.errors import UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Copies:
    """Pictures that occur more than once.

    extra: how many pictures could go without a loss; groups: of pictures that are copies of each other.
    across: {split: {other: n}}: n samples of split have a copy in other. in_training: samples outside the training
    split with a copy in it, None where there is no such split. disagree: groups with more than one label.
    examples: places of the groups that disagree, the first ones.
    """

    extra: int
    groups: int
    across: dict[str, dict[str, int]]
    in_training: int | None
    disagree: int
    examples: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Audit:
    """What `inspect` found.

    samples: those that could be read. counts: {split: {label: n}}. sizes: {"width x height": n}. grey: how many have no
    colour. imbalance: the largest class over the smallest that is not empty. blank, faults: places, and what is wrong
    there. exact: copies to the byte; near: pictures that are at least nearly the same, exact copies among them.
    """

    source: str
    label_rule: str | None
    samples: Samples = field(repr=False)
    counts: dict[str, dict[str, int]]
    sizes: dict[str, int]
    grey: int
    imbalance: float
    blank: list[str]
    faults: list[str]
    exact: Copies
    near: Copies

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        copies = {"exact": vars(self.exact), "near": vars(self.near)}
        names = ("source", "label_rule", "counts", "sizes", "grey", "imbalance", "blank", "faults")
        return {"total": len(self.samples)} | {name: getattr(self, name) for name in names} | {"copies": copies}


def inspect(
    source: Samples | str | os.PathLike[str],
    *,
    skip_bad: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Read every picture once and look for what costs a training.

    source: samples, or what `read_data` makes some of.
    skip_bad: a picture that can't be read is a fault in the list, instead of a DataError.
    progress: is told how many pictures are read, and of how many.
    """
    faults = Faults(skip=skip_bad)
    readable, thumbnails, blank = scan(read_data(source, skip_bad=skip_bad), faults, progress)
    readable = with_digests(replace(readable, faults=(*readable.faults, *faults.found)), readable.digests)
    exact = readable.groups
    near = join_groups(exact, near_pairs(readable, thumbnails))
    counts = Counter(zip(readable.splits.tolist(), readable.targets.tolist(), strict=True))
    totals = [count for count in readable.counts().values() if count]
    sizes = Counter(f"{width} x {height}" for height, width in readable.sizes.tolist())
    return Audit(
        source=readable.source,
        label_rule=readable.label_rule,
        samples=readable,
        counts={
            split: {label: counts[split, index] for index, label in enumerate(readable.labels)}
            for split in readable.split_counts()
        },
        sizes=dict(sizes.most_common()),
        grey=int(readable.pictures.grey[readable.rows].sum()),
        imbalance=max(totals) / min(totals) if totals else 1.0,
        blank=[readable.place(int(index)) for index in np.flatnonzero(blank)],
        faults=[str(fault) for fault in readable.faults],
        exact=_copies(readable, exact),
        near=_copies(readable, near),
    )


def _copies(samples: Samples, groups: NDArray[np.int64]) -> Copies:
    numbers, group = np.unique(groups, return_inverse=True)
    size = np.bincount(group, minlength=len(numbers))
    has_label = np.zeros((len(numbers), len(samples.labels)), bool)
    has_label[group, samples.targets] = True
    disagree = np.flatnonzero(has_label.sum(axis=1) > 1)
    splits = list(samples.split_counts())
    within = {split: np.bincount(group[samples.splits == split], minlength=len(numbers)) for split in splits}
    across = {
        split: {other: int(within[split][within[other] > 0].sum()) for other in splits if other != split}
        for split in splits
    }
    return Copies(
        extra=int((size - 1).sum()),
        groups=int((size > 1).sum()),
        across=across,
        in_training=_in_training(samples, within),
        disagree=len(disagree),
        examples=[
            [_described(samples, int(index)) for index in np.flatnonzero(group == each)] for each in disagree[:20]
        ],
    )


def _in_training(samples: Samples, within: dict[str, NDArray[np.int64]]) -> int | None:
    try:
        train = samples.find_split("train")
    except UnknownNameError:
        return None
    return sum(int(counts[within[train] > 0].sum()) for split, counts in within.items() if split != train)


def _described(samples: Samples, index: int) -> str:
    return f"{samples.place(index)} ({samples.label(index)})"
