"""Splits: stratified, seeded, with all copies of a picture on one side; written down and read back."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

import numpy as np

from facemotion.data.copies import copy_groups
from facemotion.data.reading import read_data
from facemotion.data.samples import Samples
from facemotion.errors import DataError
from facemotion.file_names import at_home
from facemotion.whole_files import growing

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def split_samples(
    source: Samples | str | os.PathLike[str],
    share: float = 0.2,
    seed: int = 0,
    *,
    names: tuple[str, str] = ("train", "val"),
    groups: ArrayLike | None = None,
) -> Samples:
    """The samples with new splits: of each class this share goes to the second name, the rest to the first.

    A picture and the seed decide on which side it is, so it stays there, but for a few at the edge of the share, in
    whatever company: with some classes left out, or with more pictures. No group sits on both sides; without `groups`
    these are the copies of a picture, near ones too. A column can be one as well: `groups=samples.columns["person"]`.
    Groups of your own may go a little beyond the share, where that is nearer to it than to stay below. A DataError
    where none of them can be put aside.
    source: samples, or what `read_data` makes some of.
    """
    if not 0 < share < 1:
        raise ValueError(f"share: expected a number between 0 and 1, got {share!r}")
    samples = read_data(source)
    given = copy_groups(samples) if groups is None else np.asarray(groups)
    if len(given) != len(samples):
        raise ValueError(f"groups: expected {len(samples)} of them, got {len(given)}")
    member = np.unique(given, return_inverse=True)[1]
    marks = [each.hex() for each in samples.digests.tolist()] if groups is None else map(str, given.tolist())
    # what a group is drawn by: its name, or the least of its pictures' hashes, which comes last here
    keys = dict(sorted(zip(member.tolist(), marks, strict=True), reverse=True))
    draws = np.array([_draw(keys[group], seed) for group in range(len(keys))])
    aside = _choose(samples, member, share, draws, beyond=groups is not None)
    if groups is not None and not aside.any():
        wanted = "more groups, or smaller ones, none of which has all of a class"
        raise DataError("no group could be put aside", samples.source, wanted, f"{len(keys)} groups")
    return samples.with_splits(np.where(aside, names[1], names[0]))


def _draw(key: str, seed: int) -> float:
    """A number from 0 to 1 that only the key and the seed decide."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {key}".encode(), digest_size=8).digest()) / 2**64


def _choose(
    samples: Samples, member: NDArray[np.int64], share: float, draws: NDArray[np.float64], beyond: bool
) -> NDArray[np.bool_]:
    """Which samples are put aside: groups whose draw is below the share, large ones first, then by draw to fill up.

    beyond: groups that fit no more come in the end where all classes together are nearer to the share with them.
    """
    counts = np.bincount(samples.targets, minlength=len(samples.labels))
    # every class that can has a sample on both sides
    missing = np.clip(np.rint(counts * share), np.minimum(counts // 2, 1), np.maximum(counts - 1, 0)).astype(np.int64)
    order = np.argsort(member, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(member[order])) + 1) if len(order) else []
    below = draws < share
    turn = sorted(range(len(groups)), key=lambda each: (not below[each], -len(groups[each]) * below[each], draws[each]))
    needs = [np.bincount(samples.targets[group], minlength=len(counts)) for group in groups]
    aside = np.zeros(len(samples), bool)
    stay = counts.copy()
    for going_beyond in (False, True) if beyond else (False,):
        for each in turn:
            if going_beyond:
                nearer = np.abs(missing - needs[each]).sum() < np.abs(missing).sum()
                fits = nearer and ((needs[each] < stay) | (needs[each] == 0)).all()
            else:
                fits = (needs[each] <= missing).all()
            if fits and not aside[groups[each][0]]:
                aside[groups[each]] = True
                missing -= needs[each]
                stay -= needs[each]
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
    with growing(at_home(path)) as part:
        part.write_text(json.dumps(content) + "\n", "utf-8")


def apply_split(samples: Samples, path: str | os.PathLike[str]) -> Samples:
    """The samples with the splits that were written down for them; a DataError where these are other samples."""
    try:
        content = json.loads(at_home(path).read_text("utf-8"))
        names, of, fingerprint = content["splits"], content["of"], content["fingerprint"]
        splits = np.array([names[index] for index in of], np.str_)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        got = f"{type(error).__name__}: {error}"
        raise DataError("the split can't be read", str(path), "a file of `write_split`", got) from error
    if fingerprint != samples.fingerprint or len(splits) != len(samples):
        expected = f"the {len(splits)} samples of {content.get('source')}, fingerprint {str(fingerprint)[:12]}"
        got = f"{len(samples)} of {samples.source}, {samples.fingerprint[:12]}"
        raise DataError("a split of other data", str(path), expected, got)
    return samples.with_splits(splits)
