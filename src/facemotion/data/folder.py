"""Pictures in folders: train/<class>/*, or <class>/* without splits."""

from __future__ import annotations

import logging
import mimetypes
from pathlib import Path

import numpy as np

from facemotion.data.classes import EVERY_KNOWN, match_words_of
from facemotion.data.faults import Faults
from facemotion.data.pictures import FilePictures
from facemotion.data.samples import Samples
from facemotion.errors import DataError, ImageError
from facemotion.images import image_info
from facemotion.labels import LabelSet

logger = logging.getLogger(__name__)

# what lies beside pictures and is none
_BESIDE = {".txt", ".md", ".csv", ".json", ".jsonl", ".xml", ".html", ".db", ".ini"}


def holds_classes(path: Path) -> bool:
    """Whether a path is a folder with folders of files in it, one or two levels down."""
    if not path.is_dir():
        return False
    folders = _folders(path)
    return any(files_in(folder) or any(files_in(inner) for inner in _folders(folder)) for folder in folders)


def read_folder(root: Path, labels: LabelSet | None, numbers: LabelSet | None, faults: Faults) -> Samples:
    """The samples of a tree of folders. Each picture's header is read, so that what is none is found at once.

    numbers: what numbers in place of names are positions in, where `labels` are not named; see `read_data`.
    """
    label_set, paths, targets, splits = list_files(root, labels, numbers, faults)
    pictures, good = open_files(paths, [str(path) for path in paths], faults)
    return Samples(
        pictures,
        np.arange(len(pictures)),
        label_set,
        np.array(targets, np.int64)[good],
        np.array(splits, np.str_)[good],
        str(root),
    )


def list_files(
    root: Path, labels: LabelSet | None, numbers: LabelSet | None, faults: Faults
) -> tuple[LabelSet, list[Path], list[int], list[str]]:
    """The files of a tree of folders, none of them opened, each with its class and split; and the label set.

    numbers: as in `read_folder`.
    """
    listing = _class_folders(root, labels or EVERY_KNOWN)
    if not listing:
        raise DataError("no class folder in it", str(root), "<class>/* or <split>/<class>/*", "no folder")
    _tell_of_files_beside(root)
    spellings: dict[str, str] = {}
    for _, folder in listing:
        spellings.setdefault(folder.name, str(folder))
    label_set, position = match_words_of(root, spellings, labels, numbers, faults)
    paths: list[Path] = []
    targets: list[int] = []
    splits: list[str] = []
    for split, folder in listing:
        files = files_in(folder)
        within = [inner for inner in _folders(folder) if files_in(inner) or holds_classes(inner)]
        if not files and not within:
            faults.add("the class folder is empty", str(folder), "pictures", "no file")
        for inner in within:
            wanted = "pictures, in the class folder itself, or a table of paths (format csv)"
            faults.add("a folder within a class", str(inner), wanted, "a folder")
        if folder.name in position:
            paths += files
            targets += [position[folder.name]] * len(files)
            splits += [split] * len(files)
    return label_set, paths, targets, splits


def open_files(paths: list[Path], places: list[str], faults: Faults) -> tuple[FilePictures, list[int]]:
    """The files that begin like pictures, and their positions among all. `places` is what faults call each one."""
    good: list[int] = []
    sizes: list[tuple[int, int]] = []
    grey: list[bool] = []
    for index, path in enumerate(paths):
        try:
            width, height, is_grey = image_info(path)
        except ImageError as error:
            faults.add(error.what, places[index], error.expected, error.got)
            continue
        good.append(index)
        sizes.append((height, width))
        grey.append(is_grey)
    pictures = FilePictures([paths[index] for index in good], np.array(sizes, np.int64), np.array(grey, bool))
    return pictures, good


def _class_folders(root: Path, classes: LabelSet) -> list[tuple[str, Path]]:
    """Every class folder with its split. A folder of nothing but folders is a split; one of files is a class.

    classes: where outer folders are called so and none within is, those within are of persons and no classes.
    """
    inner = {folder: _folders(folder) for folder in _folders(root)}
    splits = [folder for folder in inner if inner[folder] and not files_in(folder)]
    if any(folder.name in classes for folder in splits):
        splits = [folder for folder in splits if any(each.name in classes for each in inner[folder])]
    listing: list[tuple[str, Path]] = []
    for folder in inner:
        listing += [(folder.name, each) for each in inner[folder]] if folder in splits else [("", folder)]
    return listing


def _tell_of_files_beside(root: Path) -> None:
    """Warn of pictures and clips that are in no class, so that none is missed without a word."""
    kinds = {file.name: mimetypes.guess_type(file.name, strict=False)[0] or "" for file in files_in(root)}
    if beside := [name for name, kind in kinds.items() if kind.startswith(("image/", "video/"))]:
        shown = f"{', '.join(beside[:3])}{' ...' if len(beside) > 3 else ''}"
        logger.warning("%s: not in a class folder, and left out: %d files (%s)", root, len(beside), shown)


def _folders(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith((".", "__")))


def files_in(path: Path) -> list[Path]:
    """The files of a folder that may be pictures or clips, in order."""
    return sorted(
        each
        for each in path.iterdir()
        if not each.name.startswith(".") and each.suffix.lower() not in _BESIDE and each.is_file()
    )
