"""Faces and labels as .npy files: X_train.npy with y_train.npy, or images.npy with label.npy."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facemotion.data.classes import match_classes, renumber
from facemotion.data.faults import Faults
from facemotion.data.fer2013 import FER7
from facemotion.data.pictures import ArrayPictures, PictureSpool
from facemotion.data.samples import Samples
from facemotion.data.votes import COLUMNS, apply_rule
from facemotion.errors import DataError
from facemotion.labels import LabelSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.results import Pixels

logger = logging.getLogger(__name__)

# the labels, in the order of their numbers, beside the arrays
LABELS = "labels.json"
_IMAGES, _LABEL, _USAGE, _VOTES = "images.npy", "label.npy", "usage.npy", "votes.npy"
_USAGES = ("Training", "PublicTest", "PrivateTest")
_AT_ONCE = 1024


def holds_arrays(path: Path) -> bool:
    """Whether a folder has such pairs in it, or a file is one of a pair."""
    if path.is_dir():
        return (path / _IMAGES).is_file() or any(path.glob("X_*.npy"))
    return path.suffix == ".npy" and path.is_file()


def read_arrays(
    source: Path, labels: LabelSet | None, numbers: LabelSet | None, label_rule: str | None, faults: Faults
) -> Samples:
    """The samples of a folder of .npy files, or of the pair that one file belongs to.

    numbers: what the numbers of a pair are positions in, where `labels` are not named; see `read_data`.
    """
    folder = source if source.is_dir() else source.parent
    if (folder / _IMAGES).is_file() and (source.is_dir() or source.name == _IMAGES):
        return _read_images(folder, labels, label_rule, faults)
    if label_rule is not None:
        raise DataError(f"label rule {label_rule!r} needs votes", str(folder / _VOTES), "a file", "none")
    files = sorted(folder.glob("X_*.npy")) if source.is_dir() else [source]
    parts = [_read_pair(file, labels, numbers, faults) for file in files]
    if any(part.labels != parts[0].labels for part in parts) and all(part.labels.emotions for part in parts):
        # words, of which not every file has all
        wanted, _ = match_classes({label: str(source) for part in parts for label in part.labels}, None, faults)
        parts = [renumber(part, wanted, faults) for part in parts]
    return replace(Samples.concat(parts), source=str(source)) if len(parts) > 1 else parts[0]


def _read_pair(file: Path, labels: LabelSet | None, numbers: LabelSet | None, faults: Faults) -> Samples:
    if not file.name.startswith("X_"):
        raise DataError("not one of a pair", str(file), "X_<split>.npy beside y_<split>.npy", file.name)
    split = file.stem.removeprefix("X_")
    targets_file = file.with_name(f"y_{split}.npy")
    return _pair(file, targets_file, labels, numbers, faults, lambda count: np.array([split] * count, np.str_))


def _read_images(folder: Path, labels: LabelSet | None, label_rule: str | None, faults: Faults) -> Samples:
    def splits(count: int) -> NDArray[np.str_]:
        if not (folder / _USAGE).is_file():
            return np.array([""] * count, np.str_)
        file = folder / _USAGE
        usage = _same_length(_load_words_or_numbers(file).reshape(-1), count, file)
        if usage.dtype.kind == "U":
            return usage
        numbers = _whole(usage, file, "usage").tolist()
        return np.array([_USAGES[number] if 0 <= number < 3 else str(number) for number in numbers], np.str_)

    # FER-2013's own arrays, whose numbers are the challenge's
    theirs = label_rule is not None or (labels is not None and _are_the_challenge_s(folder, labels))
    samples = _pair(folder / _IMAGES, folder / _LABEL, None if theirs else labels, None, faults, splits)
    if label_rule is None:
        return renumber(samples, labels, faults) if theirs and labels is not None else samples
    votes_file = folder / _VOTES
    votes = _same_length(_load(votes_file), len(samples.pictures), votes_file)
    if votes.ndim != 2 or votes.shape[1] != len(COLUMNS):
        raise DataError("wrong votes", str(votes_file), f"shape (n, {len(COLUMNS)})", str(votes.shape))
    ruled = apply_rule(samples, _whole(votes, votes_file, "vote")[samples.rows], label_rule)
    return ruled if labels is None else renumber(ruled, labels, faults)


def _are_the_challenge_s(folder: Path, labels: LabelSet) -> bool:
    """Whether arrays that somebody wants with these labels have the challenge's numbers."""
    beside = any((folder / name).is_file() for name in (_USAGE, _VOTES))
    return beside and any(label in FER7 for label in labels) and _count_labels(folder / _LABEL) == (len(FER7), True)


def _pair(
    file: Path, targets_file: Path, labels: LabelSet | None, numbers: LabelSet | None, faults: Faults, splits: Any
) -> Samples:
    images = _as_pictures(_load(file), file)
    values = _load_words_or_numbers(targets_file)
    values = values.argmax(axis=1) if _is_one_hot(values) else values.reshape(-1)
    values = _same_length(values, len(images), targets_file)
    if values.dtype.kind == "U":
        places = {
            str(word): f"{targets_file}: item {at}"
            for word, at in zip(*np.unique(values, return_index=True), strict=True)
        }
        known, position = match_classes(places, labels, faults)
        targets = np.array([position.get(str(word), -1) for word in values], np.int64)
    else:
        targets = _whole(values, targets_file, "label")
        known = labels or _labels_beside(targets_file, numbers)
    wrong = np.flatnonzero((targets < 0) | (targets >= len(known)))
    for index in wrong:
        if values.dtype.kind != "U":  # an unknown name is a fault already
            faults.add("wrong label", f"{targets_file}: item {index}", f"0 to {len(known) - 1}", str(values[index]))
    good = np.setdiff1d(np.arange(len(images)), wrong)
    return Samples(ArrayPictures(images, str(file)), good, known, targets[good], splits(len(images))[good], str(file))


def _is_one_hot(values: NDArray[Any]) -> bool:
    several = values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind in "biuf"
    return several and bool(np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all())


def _whole(values: NDArray[Any], file: Path, what: str) -> NDArray[np.int64]:
    """Numbers as whole ones, which floats may be, too."""
    if values.dtype.kind not in "iuf":
        raise DataError(f"wrong {what}s", str(file), "whole numbers", str(values.dtype))
    wrong = np.argwhere(~np.isfinite(values) | (values != np.round(values)))
    if len(wrong):
        first = tuple(wrong[0].tolist())
        place = ", ".join(map(str, first))
        raise DataError(f"wrong {what}", f"{file}: item {place}", "a whole number", str(values[first]))
    return values.astype(np.int64)


def _load_words_or_numbers(file: Path) -> NDArray[Any]:
    """An array of labels; words as bytes, as HDF5 and R save them, become text."""
    values = _load(file)
    if values.dtype.kind != "S":
        return values
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError as error:
        raise DataError("the array can't be read", str(file), "words in UTF-8", str(error)) from error


def _count_labels(targets_file: Path) -> tuple[int, bool]:
    """How many labels the numbers in a file speak of, and whether 0 is among these, from which they then count.

    No split need have all of them, so the others are asked too.
    """
    splits = [file.stem.removeprefix("X_") for file in targets_file.parent.glob("X_*.npy")]
    pairs = [file for split in splits if (file := targets_file.with_name(f"y_{split}.npy")).is_file()]
    count, from_zero = 1, False
    for file in pairs if targets_file in pairs else [targets_file]:
        values = _load(file)
        if _is_one_hot(values):
            count, from_zero = max(count, values.shape[1]), from_zero or bool(values[:, 0].any())
        elif values.dtype.kind in "iuf":
            count = max(count, int(np.nan_to_num(values, posinf=0, neginf=0).max(initial=0)) + 1)
            from_zero = from_zero or bool((values == 0).any())
    return count, from_zero


def _labels_beside(file: Path, numbers: LabelSet | None) -> LabelSet:
    """The labels of numbers: labels.json beside their file; else `numbers` if as many, else FER's of seven or eight."""
    names = file.with_name(LABELS)
    if names.is_file():
        try:
            return LabelSet(tuple(json.loads(names.read_text("utf-8"))))
        except (ValueError, TypeError) as error:
            raise DataError("wrong labels", str(names), "a JSON list of words", str(error)) from error
    count, from_zero = _count_labels(file)
    usual = {7: "fer7", 8: "ferplus8"}.get(count)
    if numbers is None or len(numbers) != count or not from_zero:
        if usual is None or not from_zero:
            hint = f"labels=[...] or {LABELS} beside it"
            got = f"numbers up to {count - 1}{'' if from_zero else ' and no 0'}"
            raise DataError("what the numbers mean is not said", str(file), hint, got)
        numbers = LabelSet.named(usual)
    taken = ", ".join(numbers)
    logger.warning("%s: the numbers are taken for %s; if they mean others, say so in %s", file, taken, LABELS)
    return numbers


def _as_pictures(array: NDArray[Any], file: Path) -> Pixels:
    """The array as (n, H, W) or (n, H, W, 3) uint8; floats are read in pieces, on a scale of 0 to 1 or 0 to 255."""
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    elif array.ndim == 4 and array.shape[1] in (1, 3) and array.shape[3] not in (1, 3):
        array = array[:, 0] if array.shape[1] == 1 else array.transpose(0, 2, 3, 1)
    if array.size == 0 or not (array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 3)):
        wanted = "shape (n, height, width), with 1 or 3 channels at the end or none"
        raise DataError("wrong pictures", str(file), wanted, str(array.shape))
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "iuf":
        raise DataError("wrong pictures", str(file), "numbers from 0 to 255, or from 0 to 1", str(array.dtype))
    pieces = range(0, len(array), _AT_ONCE)
    # numpy's own, to which a NaN in any piece is the smallest and the largest
    low = np.min([array[at : at + _AT_ONCE].min() for at in pieces])
    high = np.max([array[at : at + _AT_ONCE].max() for at in pieces])
    if not 0 <= low <= high <= 255:
        raise DataError("wrong pictures", str(file), "numbers from 0 to 255, or from 0 to 1", f"{low:g} to {high:g}")
    scale = 255 if array.dtype.kind == "f" and high <= 1 else 1
    spool = PictureSpool()
    for at in pieces:
        spool.append(np.rint(array[at : at + _AT_ONCE] * scale).astype(np.uint8).tobytes())
    return spool.array(*array.shape[1:])


def _load(file: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError("no such file", str(file), "a .npy file beside the others", "none") from None
    except Exception as error:  # numpy's parser raises whatever a damaged header makes it stumble over
        raise DataError(
            "the array can't be read", str(file), "a whole .npy file without objects", str(error)
        ) from error
    if not isinstance(array, np.ndarray):  # a zip, which numpy opens whatever its name
        raise DataError("the array can't be read", str(file), "a whole .npy file without objects", "a zip")
    return array


def _same_length(array: NDArray[Any], count: int, file: Path) -> NDArray[Any]:
    if array.ndim == 0 or len(array) != count:
        raise DataError("pictures and labels don't belong together", str(file), f"{count} rows", str(array.shape))
    return array
