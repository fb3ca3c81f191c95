"""Samples: faces with labels, from wherever they come; what training, evaluation and preparation stand on."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from facemotion.data.pictures import ArrayPictures, JoinedPictures, Pictures
from facemotion.data.values import positions, text
from facemotion.errors import DataError, UnknownNameError
from facemotion.labels import LabelSet

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from facemotion.inputs import InputSpec
    from facemotion.results import Pixels

logger = logging.getLogger(__name__)
_S = TypeVar("_S", bound="Samples")

# the source of pictures in memory where nothing else was said: all of them have this name, and no file should
IN_MEMORY = "arrays in memory"
# how far shares, which may come from a file of few digits, sum to something else than 1
_ROUNDING = 0.01
# what people call the same part of a data set; a name that the data has itself always comes first
SPLIT_ALIASES = (
    ("train", "training"),
    ("val", "valid", "validation", "dev", "publictest"),
    ("test", "testing", "eval", "privatetest"),
)


@dataclass(frozen=True, eq=False, repr=False)
class Samples:
    """Faces with labels. Pictures are read when they are asked for; nothing here is ever changed in place.

    pictures, rows: sample i is picture `rows[i]`; `read(i)` and `crops(...)` are the usual way to them.
    labels, targets: sample i is a `labels[targets[i]]`.
    soft: (n, K) shares that sum to 1 a row, where the data has votes and the rule is "soft"; else None.
    splits: the name of each sample's split as the data has it, "" where it has none.
    columns: further columns of the data's table, as text, by name in lower case: age band, site ...
    source: the file or folder. label_rule: how votes became labels, None where labels are the data's own.
    faults: what was left out or mended on reading, where bad samples were to be skipped.
    """

    pictures: Pictures
    rows: NDArray[np.int64]
    labels: LabelSet
    targets: NDArray[np.int64]
    splits: NDArray[np.str_]
    source: str
    soft: NDArray[np.float32] | None = None
    columns: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    label_rule: str | None = None
    faults: tuple[DataError, ...] = ()

    def __post_init__(self) -> None:
        each = {"targets": self.targets, "splits": self.splits, "soft": self.soft, **self.columns}
        for name, values in each.items():
            if values is not None and len(values) != len(self.rows):
                raise DataError(f"wrong {name}", self.source, f"{len(self.rows)} of them", str(len(values)))
        if len(self.targets) and not 0 <= self.targets.min() <= self.targets.max() < len(self.labels):
            got = f"{self.targets.min()} to {self.targets.max()}"
            raise DataError("wrong targets", self.source, f"0 to {len(self.labels) - 1}", got)
        if self.soft is not None and self.soft.shape[1] != len(self.labels):
            raise DataError("wrong soft", self.source, f"{len(self.labels)} columns", str(self.soft.shape[1]))
        if self.soft is not None:
            # of what is no number nothing is true
            sound = (self.soft >= 0).all(axis=1) & (np.abs(self.soft.sum(axis=1) - 1) < _ROUNDING)
            if not sound.all():
                got = f"{self.soft[int(sound.argmin())].tolist()} in row {sound.argmin()}"
                raise DataError("wrong soft", self.source, "shares that sum to 1 a row, none below 0", got)

    @classmethod
    def from_arrays(
        cls,
        images: Pixels,
        targets: ArrayLike,
        labels: LabelSet | str | Iterable[str],
        *,
        splits: Sequence[str] | None = None,
        columns: Mapping[str, Sequence[Any]] | None = None,
        source: str = IN_MEMORY,
    ) -> Self:
        """Samples from uint8 pictures in memory, (n, H, W) or (n, H, W, 3), and the position of each one's label.

        columns: further columns, whose names become lower case, as those of a table do; None and NaN are no value.
        source: what the data is called. Under a name of its own an evaluation knows faces that were trained on, in
        other company too; without one it knows the very set alone.
        """
        pixels = np.asarray(images)
        if pixels.dtype != np.uint8 or not (pixels.ndim == 3 or (pixels.ndim == 4 and pixels.shape[3] == 3)):
            wanted = "uint8 of shape (n, height, width) or (n, height, width, 3)"
            raise DataError("wrong images", source, wanted, f"{pixels.dtype} of shape {pixels.shape}")
        texts: dict[str, NDArray[np.str_]] = {}
        for name, values in (columns or {}).items():
            if name.lower() in texts:
                raise DataError("two columns of one name", source, "each name once", repr(name))
            texts[name.lower()] = np.array(list(map(text, values)))
        return cls(
            ArrayPictures(pixels, source),
            np.arange(len(pixels)),
            LabelSet.of(labels),
            positions(targets, source),
            np.array([""] * len(pixels) if splits is None else splits, np.str_),
            source,
            columns=texts,
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        splits = ", ".join(f"{name or 'no split'} {count}" for name, count in self.split_counts().items())
        rule = f", rule {self.label_rule}" if self.label_rule else ""
        return f"<Samples {len(self)} of {self.source}: {'/'.join(self.labels)}{rule}; {splits}>"

    def read(self, index: int) -> Pixels:
        """One picture as it is: (H, W) where it is grey, else (H, W, 3)."""
        return self.pictures.read(int(self.rows[index]))

    def crops(self, spec: InputSpec, indices: ArrayLike | None = None) -> Pixels:
        """The faces as a network wants them, (n, size, size, channels) uint8, just as inference makes them."""
        rows = self.rows if indices is None else self.rows[np.asarray(indices, np.int64)]
        return self.pictures.crops(rows, spec)

    def place(self, index: int) -> str:
        """Where a sample comes from: its file, with the row where there are rows."""
        return self.pictures.place(int(self.rows[index]))

    def label(self, index: int) -> str:
        return self.labels[int(self.targets[index])]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(n, 2): height and width of each picture."""
        return self.pictures.sizes[self.rows]

    @property
    def grey(self) -> bool:
        """Whether no picture has colour, as far as their files say."""
        return bool(self.pictures.grey[self.rows].all())

    def counts(self) -> dict[str, int]:
        """How many samples each label has."""
        counts = np.bincount(self.targets, minlength=len(self.labels))
        return {label: int(count) for label, count in zip(self.labels, counts, strict=True)}

    def split_counts(self) -> dict[str, int]:
        """How many samples each split has, in the order in which the splits are met."""
        names, first, counts = np.unique(self.splits, return_index=True, return_counts=True)
        return {str(names[position]): int(counts[position]) for position in np.argsort(first)}

    def find_split(self, name: str) -> str:
        """The data's own name of a split: "train" finds Training, "val" finds PublicTest, "test" finds PrivateTest."""
        names = [split for split in self.split_counts() if split]
        if name in names:
            return name
        by_key = {split.lower(): split for split in names}
        aliases = next((group for group in SPLIT_ALIASES if name.lower() in group), ())
        for key in (name.lower(), *aliases):
            if key in by_key:
                return by_key[key]
        raise UnknownNameError(f"split of {self.source}", name, names)

    def select(self, split: str) -> Self:
        """The samples of a split, which is found as in `find_split`, or of several: "PublicTest/PrivateTest"."""
        try:
            names = [self.find_split(split)]
        except UnknownNameError:
            if "/" not in split:
                raise
            names = [self.find_split(name) for name in split.split("/")]
        return self.subset(np.flatnonzero(np.isin(self.splits, names)))

    def subset(self, indices: ArrayLike) -> Self:
        """The samples at these positions (or where a mask is true), in their order."""
        chosen = np.asarray(indices)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)
        part = replace(
            self,
            rows=self.rows[chosen],
            targets=self.targets[chosen],
            splits=self.splits[chosen],
            soft=None if self.soft is None else self.soft[chosen],
            columns={name: values[chosen] for name, values in self.columns.items()},
        )
        if "digests" in self.__dict__:
            with_digests(part, self.digests[chosen])
        return part

    def restrict(self, labels: LabelSet | str | Iterable[str]) -> Self:
        """The samples whose label is in the set, with its numbering; votes for other labels fall away."""
        wanted = LabelSet.of(labels)
        position = np.array([wanted.index(label) if label in wanted else -1 for label in self.labels])
        kept = self.subset(position[self.targets] >= 0)
        soft = None
        if kept.soft is not None:
            soft = np.zeros((len(kept), len(wanted)), np.float32)
            soft[:, position[position >= 0]] = kept.soft[:, position >= 0]
            empty = soft.sum(axis=1) == 0
            soft[empty, position[kept.targets[empty]]] = 1
            soft /= soft.sum(axis=1, keepdims=True)
        if len(kept) < len(self):
            gone = [label for label, count in self.counts().items() if count and label not in wanted]
            logger.info("%s: %d samples of %s are left out", self.source, len(self) - len(kept), ", ".join(gone))
        return _keep_digests(replace(kept, labels=wanted, targets=position[kept.targets], soft=soft), kept)

    def with_splits(self, names: Sequence[str] | NDArray[np.str_]) -> Self:
        """The same samples with other splits: one name each."""
        return _keep_digests(replace(self, splits=np.asarray(names, np.str_)), self)

    @staticmethod
    def concat(parts: Sequence[Samples]) -> Samples:
        """Several sets as one. Their labels must be the same, in the same order; columns that not all have are lost.

        Beside shares of votes a label of another set is a share of 1.
        """
        if not parts:
            raise DataError("nothing to join", expected="one set or more", got="none")
        first = parts[0]
        for part in parts[1:]:
            if part.labels != first.labels:
                raise DataError("sets with other labels", part.source, "/".join(first.labels), "/".join(part.labels))
        pictures = JoinedPictures([part.pictures for part in parts])
        names = [name for name in first.columns if all(name in part.columns for part in parts)]
        votes = any(part.soft is not None for part in parts)
        return Samples(
            pictures,
            np.concatenate([part.rows + start for part, start in zip(parts, pictures.starts, strict=False)]),
            first.labels,
            np.concatenate([part.targets for part in parts]),
            np.concatenate([part.splits for part in parts]),
            " + ".join(dict.fromkeys(part.source for part in parts)),
            np.concatenate([shares(part) for part in parts]) if votes else None,
            {name: np.concatenate([part.columns[name] for part in parts]) for name in names},
            first.label_rule if all(part.label_rule == first.label_rule for part in parts) else None,
            tuple(fault for part in parts for fault in part.faults),
        )

    @cached_property
    def digests(self) -> NDArray[np.bytes_]:
        """(n,): 16 bytes that are equal for two pictures just when their pixels are. Reads every picture once."""
        digests = np.empty((len(self), 16), np.uint8)
        for index in range(len(self)):
            digests[index] = np.frombuffer(digest(self.read(index)), np.uint8)
        return digests.view("S16")[:, 0]

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """(n,): one number for all exact copies of a picture."""
        return np.unique(self.digests, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """Names this data: pixels, labels and soft targets in their order, whatever the layout they were read from."""
        whole = hashlib.sha256("\n".join(self.labels).encode())
        whole.update(self.digests.tobytes())
        whole.update(self.targets.astype("<i8").tobytes())
        if self.soft is not None:
            whole.update(self.soft.astype("<f4").tobytes())
        return whole.hexdigest()


def shares(samples: Samples) -> NDArray[np.float32]:
    """(n, K): what of every sample each label has: all of it, or its share of the votes."""
    if samples.soft is not None:
        return samples.soft
    return np.eye(len(samples.labels), dtype=np.float32)[samples.targets]


def digest(picture: Pixels) -> bytes:
    """16 bytes that name a picture's pixels."""
    shape = "x".join(map(str, picture.shape)).encode()
    return hashlib.blake2b(np.ascontiguousarray(picture).tobytes(), digest_size=16, key=shape).digest()


def with_digests(samples: _S, digests: NDArray[np.bytes_]) -> _S:
    """The samples, which now know the digests of their pictures: reading all of them once is enough."""
    samples.__dict__["digests"] = digests
    return samples


def _keep_digests(changed: _S, original: Samples) -> _S:
    """The changed samples, which have the original's pictures, with its digests where they are known already."""
    return with_digests(changed, original.digests) if "digests" in original.__dict__ else changed
