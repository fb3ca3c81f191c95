"""Splits: stratified, seeded, with all copies of a picture on one side; written down and read back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facemotion.data.copies import copy_groups
from facemotion.data.samples import Samples
from facemotion.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def split_samples(
    samples: Samples,
    share: float = 0.2,
    seed: int = 0,
    *,
    names: tuple[str, str] = ("train", "val"),
    groups: ArrayLike | None = None,
) -> Samples:
    """The samples with new splits: of each class this share goes to the second name, the rest to the first.

    The same samples and seed give the same split. No group sits on both sides; without `groups` these are the copies of
    a picture, near ones too. A column can be one as well: `groups=samples.columns["person"]`.
    """
    if not 0 < share < 1:
        raise ValueError(f"share: expected a number between 0 and 1, got {share!r}")
    member = copy_groups(samples) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if len(member) != len(samples):
        raise ValueError(f"groups: expected {len(samples)} of them, got {len(member)}")
    aside = _choose(samples, np.asarray(member, np.int64), share, np.random.default_rng(seed))
    return samples.with_splits(np.where(aside, names[1], names[0]))


def _choose(
    samples: Samples, member: NDArray[np.int64], share: float, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Which samples are put aside. Large groups are placed first, since single samples fill any gap that is left."""
    counts = np.bincount(samples.targets, minlength=len(samples.labels))
    # every class that can has a sample on both sides
    missing = np.clip(np.rint(counts * share), np.minimum(counts // 2, 1), np.maximum(counts - 1, 0)).astype(np.int64)
    order = np.argsort(member, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(member[order])) + 1) if len(order) else []
    groups = [groups[index] for index in random.permutation(len(groups))]
    groups.sort(key=len, reverse=True)
    aside = np.zeros(len(samples), bool)
    left = counts.astype(np.float64)
    for group in groups:
        needs = np.bincount(samples.targets[group], minlength=len(counts))
        touched = np.flatnonzero(needs)
        # with the chance at which the classes still need it, so that large groups are on both sides too
        chance = (missing[touched] / left[touched]).min()
        if (needs[touched] <= missing[touched]).all() and random.random() < chance:
            aside[group] = True
            missing -= needs
        left -= needs
    return aside


def write_split(samples: Samples, path: str | os.PathLike[str]) -> None:
    """Write down which sample is in which split, with the fingerprint of the data that this is true for."""
    names = list(samples.split_counts())
    number = {name: index for index, name in enumerate(names)}
    content = {
        "source": samples.source,
        "fingerprint": samples.fingerprint,
        "splits": names,
        "of": [number[str(name)] for name in samples.splits],
    }
    part = Path(path).with_name(Path(path).name + ".part")
    part.write_text(json.dumps(content) + "\n", "utf-8")
    part.replace(path)


def apply_split(samples: Samples, path: str | os.PathLike[str]) -> Samples:
    """The samples with the splits that were written down for them; a DataError where these are other samples."""
    try:
        content = json.loads(Path(path).read_text("utf-8"))
        names, of, fingerprint = content["splits"], content["of"], content["fingerprint"]
        splits = np.array([names[index] for index in of], np.str_)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        got = f"{type(error).__name__}: {error}"
        raise DataError("the split can't be read", str(path), "a file of `write_split`", got) from error
    if fingerprint != samples.fingerprint or len(splits) != len(samples):
        expected = f"the {len(splits)} samples of {content.get('source')}, fingerprint {fingerprint[:12]}"
        got = f"{len(samples)} of {samples.source}, {samples.fingerprint[:12]}"
        raise DataError("a split of other data", str(path), expected, got)
    return samples.with_splits(splits)
