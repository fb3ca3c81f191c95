"""The one public way to data: `read_data` recognises a layout and gives its samples."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facemotion.data.arrays import holds_arrays, read_arrays
from facemotion.data.classes import renumber
from facemotion.data.csv_files import header_of
from facemotion.data.faults import Faults
from facemotion.data.fer2013 import holds_pixels, read_fer2013
from facemotion.data.folder import holds_classes, read_folder
from facemotion.data.pack import holds_pack, read_pack
from facemotion.data.samples import Samples
from facemotion.data.table import holds_paths, read_table
from facemotion.errors import DataError, FacemotionError, UnknownNameError
from facemotion.file_names import at_home
from facemotion.labels import LabelSet

if TYPE_CHECKING:
    from collections.abc import Iterable

_RECOGNISED_BY = {
    "pack": holds_pack,
    "npy": holds_arrays,
    "fer2013": holds_pixels,
    "csv": holds_paths,
    "folders": holds_classes,
}
_WITH_VOTES = ("fer2013", "npy")
_WANTED = (
    "class folders with pictures, a CSV with pixels or with paths and labels, X_*.npy with y_*.npy, or a pack "
    "(see `read_data`)"
)


def read_data(
    source: Samples | str | os.PathLike[str],
    *,
    format: str | None = None,
    split: str | None = None,
    labels: LabelSet | str | Iterable[str] | None = None,
    numbers: LabelSet | str | Iterable[str] | None = None,
    label_rule: str | None = None,
    skip_bad: bool = False,
    one_class: bool = False,
) -> Samples:
    """The samples of a data set of faces, whatever its layout. Pictures are read when they are asked for.

    source: a file or folder; or samples, which are narrowed down by `split` and renumbered by `labels`.
    format: "folders" (`train/<class>/*` or `<class>/*`), "fer2013" (the challenge's CSV, or a folder with it or with
    train.csv, test.csv and test_with_emotions.csv), "csv" (paths and labels), "npy" (X_train.npy, y_train.npy ...) or
    "pack". Recognised by looking where it is not named.
    split: one split alone; "train", "val" and "test" find Training, PublicTest and PrivateTest too.
    labels: a known label set or your own, which must have every class that occurs. `Samples.restrict` drops classes.
    numbers: emotions that numbers in place of class names are positions in, where no `labels` are named, the data does
    not say what they mean and there are as many, counted from 0. FER-2013's own files have the challenge's numbers;
    a CSV of pixels with more numbers than these, and another name, is none of them.
    label_rule: "majority", "plurality", "all" or "soft": labels by the FER+ votes beside the faces; without it, or with
    "none", the data's own. A pack has its own rule.
    skip_bad: leave bad samples out and list them in `faults`, instead of raising a DataError at the first.
    one_class: a single class is enough; without it that is a fault, unless `labels` are given.
    """
    wanted = None if labels is None else LabelSet.of(labels)
    numbering = None if numbers is None else LabelSet.of(numbers)
    label_rule = None if label_rule == "none" else label_rule
    faults = Faults(skip=skip_bad)
    if isinstance(source, Samples):
        samples = _of_samples(source, wanted, label_rule, faults)
    elif not isinstance(source, str | os.PathLike):
        ways = "a path or Samples; of arrays: Samples.from_arrays(images, targets, labels)"
        raise DataError("no data set", expected=ways, got=type(source).__name__)
    else:
        try:
            samples = _read(at_home(source), format, wanted, numbering, label_rule, faults)
        except FacemotionError:
            raise
        except OSError as error:  # a folder in it that one may not look into, a disk that fails
            raise DataError("it can't be read", error.filename or str(source), got=error.strerror) from error
        if len(samples) and wanted is None and not one_class:
            _require_two_classes(samples, faults)
    if not len(samples):
        raise DataError("no usable face in it", samples.source, "at least one", f"none, and {len(faults.found)} faults")
    samples = _with_one_spelling(samples, faults)
    samples = replace(samples, faults=(*samples.faults, *faults.found)) if faults.found else samples
    return samples if split is None else samples.select(split)


def recognise(path: Path) -> str:
    """The format of a data set that is there, by looking at it."""
    formats = [name for name, holds in _RECOGNISED_BY.items() if holds(path)]
    if len(formats) == 1:
        return formats[0]
    if formats:
        wanted = "one: name its file or folder, or the format"
        raise DataError("several data sets in one place", str(path), wanted, " and ".join(formats))
    raise DataError("not a data set that is known", str(path), _WANTED, _describe(path))


def _read(
    path: Path,
    format: str | None,
    labels: LabelSet | None,
    numbers: LabelSet | None,
    label_rule: str | None,
    faults: Faults,
) -> Samples:
    if format is not None and format not in _RECOGNISED_BY:
        raise UnknownNameError("data format", format, _RECOGNISED_BY)
    if not path.exists():
        raise DataError("no such file or folder", str(path))
    chosen = format or recognise(path)
    if chosen == "pack":
        return _of_samples(read_pack(path), labels, label_rule, faults)
    if label_rule is not None and chosen not in _WITH_VOTES:
        raise DataError(f"label rule {label_rule!r} needs votes", str(path), "fer2013.csv or .npy with votes", chosen)
    if chosen == "fer2013":
        return read_fer2013(path, labels, numbers, label_rule, faults)
    if chosen == "npy":
        return read_arrays(path, labels, numbers, label_rule, faults)
    if chosen == "csv":
        return read_table(path, labels, numbers, faults)
    return read_folder(path, labels, numbers, faults)


def _of_samples(samples: Samples, labels: LabelSet | None, label_rule: str | None, faults: Faults) -> Samples:
    if label_rule is not None and label_rule != samples.label_rule:
        got = samples.label_rule or "the data's own labels"
        raise DataError("the samples have their labels already", samples.source, f"rule {label_rule!r}", got)
    return samples if labels is None else renumber(samples, labels, faults)


def _require_two_classes(samples: Samples, faults: Faults) -> None:
    used = np.unique(samples.targets)
    if len(used) < 2:
        faults.add("one class only", samples.source, "two or more", repr(samples.labels[int(used[0])]))


def _with_one_spelling(samples: Samples, faults: Faults) -> Samples:
    """The samples with each split under one name: of train and Train one alone would be trained on."""
    first: dict[str, str] = {}
    for name in samples.split_counts():
        other = first.setdefault(name.lower(), name)
        if other != name:
            place = samples.place(int(np.argmax(samples.splits == name)))
            faults.add("two spellings of one split", place, repr(other), repr(name))
    if len(first) == len(samples.split_counts()):
        return samples
    return samples.with_splits([first[name.lower()] for name in samples.splits.tolist()])


def _describe(path: Path) -> str:
    if path.suffix.lower() == ".csv" and path.is_file():
        names = header_of(path)
        return f"a table with the columns {', '.join(map(repr, names))}" if names else "no table in UTF-8 with a header"
    if not path.is_dir():
        return f"a file of {path.stat().st_size} bytes"
    names = sorted(each.name for each in path.iterdir())
    return f"a folder with {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}" if names else "an empty folder"
