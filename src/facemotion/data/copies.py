"""Pictures that occur twice: exactly, or nearly (saved again, resized, made darker)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facemotion.data.faults import Faults
from facemotion.data.pictures import fit_all
from facemotion.data.samples import Samples, digest, with_digests
from facemotion.errors import DataError
from facemotion.inputs import InputSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.results import Pixels

_THUMBNAIL = InputSpec(size=32, colour="grey")
# Two pictures are near copies where their 63-bit perceptual hashes differ in at most this many bits and their
# thumbnails correlate at least so much. Found on FER-2013 by looking at pairs: of 96 pairs at a correlation of 0.93 to
# 0.95 one or two show different photographs, below 0.9 many do.
_MAX_BITS = 10
_MIN_CORRELATION = 0.93
# how many hashes, and how many thumbnails, are compared at once: some 100 MB of memory
_HASHES_AT_ONCE, _THUMBNAILS_AT_ONCE = 1 << 25, 1 << 13
# a picture with less contrast than this (standard deviation of its pixels) shows nothing
_BLANK = 2.0


def scan(
    samples: Samples, faults: Faults, progress: Callable[[int, int], None] | None = None
) -> tuple[Samples, Pixels, NDArray[np.bool_]]:
    """Read every picture once: the samples that can be read, their 32 x 32 thumbnails, and which of them are blank."""
    thumbnails = np.empty((len(samples), 32, 32), np.uint8)
    digests = np.empty(len(samples), "S16")
    blank = np.zeros(len(samples), bool)
    good: list[int] = []
    for index in range(len(samples)):
        if progress is not None:
            progress(index + 1, len(samples))
        try:
            picture = samples.read(index)
        except DataError as error:
            faults.add(error.what, samples.place(index), error.expected, error.got)
            continue
        good.append(index)
        digests[index] = digest(picture)
        blank[index] = picture.std() < _BLANK
        thumbnails[index] = fit_all([picture], _THUMBNAIL)[0, :, :, 0]
    chosen = np.array(good, np.int64)
    return with_digests(samples.subset(chosen), digests[chosen]), thumbnails[chosen], blank[chosen]


def near_pairs(samples: Samples, thumbnails: Pixels | None = None) -> NDArray[np.int64]:
    """(m, 2): the pairs of samples whose pictures are nearly but not exactly the same, one pair for two pictures.

    Every two pictures are compared: 36,000 take seconds, ten times as many a hundred times as long.
    """
    small = samples.crops(_THUMBNAIL)[..., 0] if thumbnails is None else thumbnails
    # of exact copies the first one speaks for all
    first = np.unique(samples.digests, return_index=True)[1]
    first.sort()
    looks = _Looks.of(small[first])
    return first[_alike(looks, looks, once=True)]


@dataclass(frozen=True)
class _Looks:
    """Pictures in the two forms in which they are compared."""

    signs: NDArray[np.float32]
    centred: NDArray[np.float32]

    @classmethod
    def of(cls, thumbnails: Pixels) -> _Looks:
        centred = thumbnails - thumbnails.mean(axis=(1, 2), dtype=np.float32, keepdims=True)
        centred /= np.maximum(np.linalg.norm(centred, axis=(1, 2), keepdims=True), 1e-3)
        return cls(_hash_signs(thumbnails.astype(np.float32)), centred)


def _alike(left: _Looks, right: _Looks, *, once: bool = False) -> NDArray[np.int64]:
    """(m, 2): positions of pictures that are alike; `once`, of a set and itself: each pair once, none with itself."""
    found: list[NDArray[np.int64]] = []
    block = max(_HASHES_AT_ONCE // max(len(right.signs), 1), 1)
    for start in range(0, len(left.signs), block):
        after = start if once else 0
        # of signs +1 and -1 the product counts the bits that agree less those that differ
        agreement = left.signs[start : start + block] @ right.signs[after:].T
        pairs = np.argwhere(agreement >= left.signs.shape[1] - 2 * _MAX_BITS)
        pairs += np.array([start, after])
        if once:
            pairs = pairs[pairs[:, 1] > pairs[:, 0]]
        for at in range(0, len(pairs), _THUMBNAILS_AT_ONCE):
            some = pairs[at : at + _THUMBNAILS_AT_ONCE]
            correlation = np.einsum("nij,nij->n", left.centred[some[:, 0]], right.centred[some[:, 1]])
            found.append(some[correlation >= _MIN_CORRELATION])
    return np.concatenate(found) if found else np.empty((0, 2), np.int64)


def _hash_signs(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 63) of +1 and -1: the low frequencies of a picture (DCT), each above or below their median."""
    frequency, position = np.arange(8)[:, None], (np.arange(32) + 0.5) / 32
    basis = np.cos(np.pi * frequency * position).astype(np.float32)
    low = (basis @ small @ basis.T).reshape(len(small), 64)[:, 1:]
    return np.where(low > np.median(low, axis=1, keepdims=True), np.float32(1), np.float32(-1))


def copy_groups(samples: Samples, near: bool = True) -> NDArray[np.int64]:
    """(n,): one number for all copies of a picture, exact ones and, unless told otherwise, near ones."""
    groups = samples.groups
    if not near:
        return groups
    return join_groups(groups, near_pairs(samples))


def join_groups(groups: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The groups, with those joined that a pair of samples connects."""
    parent = list(range(int(groups.max(initial=-1)) + 1))

    def root(group: int) -> int:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    for left, right in groups[pairs].tolist():
        parent[root(left)] = root(right)
    return np.array([root(group) for group in range(len(parent))], np.int64)[groups]


def has_copy_in(samples: Samples, others: Samples) -> NDArray[np.bool_]:
    """(n,): which samples have an exact copy of their picture among the others, in whatever layout these are."""
    return np.isin(samples.digests, others.digests)


def has_near_copy_in(samples: Samples, others: Samples) -> NDArray[np.bool_]:
    """(n,): which samples have a picture among the others that is exactly or nearly the same."""
    found = has_copy_in(samples, others)
    looks = [_Looks.of(each.crops(_THUMBNAIL)[..., 0]) for each in (samples, others)]
    found[_alike(*looks)[:, 0]] = True
    return found
