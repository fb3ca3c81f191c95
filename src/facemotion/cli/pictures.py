"""Which pictures a command is given, and where what comes of each of them goes."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from facemotion.errors import FacemotionError, ImageError
from facemotion.file_names import (
    find_pattern,
    input_path,
    is_pattern,
    pattern_top,
    safe_name,
    short_name,
    without_secrets,
)
from facemotion.images import JPEG_SUFFIXES, ONLY_CLIPS, PICTURE_SUFFIXES, picture_comment, write_jpeg, write_png

if TYPE_CHECKING:
    from facemotion.results import Pixels

logger = logging.getLogger(__name__)

# what a picture that we write says of itself, so that it is told from the user's own
_RESULT = "a result of facemotion"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the input. name: what its results are called, without a suffix; no two share it, on no disk."""

    path: Path
    name: str

    def annotated(self, folder: Path) -> Path:
        """Where its annotated copy goes: a JPEG of a JPEG, else a PNG."""
        suffix = self.path.suffix if self.path.suffix.lower() in JPEG_SUFFIXES else ".png"
        return folder / f"{self.name}{suffix}"


def find_pictures(inputs: Sequence[str], outputs: Iterable[Path]) -> tuple[list[Picture], list[ImageError]]:
    """The pictures that files, folders (with all below them) and patterns name, and what is wrong with the rest.

    outputs: folders in which results go: the results that an earlier run left in them are no input. Those that it left
    elsewhere below a folder are none either, where there is something else, and a line says so.
    """
    left_out = [folder.resolve() for folder in outputs]
    found: list[tuple[Path, str]] = []
    faults: list[ImageError] = []
    only_results: list[ImageError] = []
    older = 0
    for text in inputs:
        if "://" in text:  # a Path would keep one of the slashes
            faults.append(ImageError(f"no such file{ONLY_CLIPS}", without_secrets(text)))
            continue
        try:
            starts, unsearched, searched = _expand(text, left_out)
            faults += _unopened(unsearched)
            if not starts and not unsearched:
                faults.append(ImageError("no file has a name like this", text))
            names: dict[Path, str] = {}  # a pattern may name a folder, and what is in it besides
            for start in starts:
                named, unread = _named(start, left_out)
                faults += unread
                for path, name in named:
                    names.setdefault(path, name)
                if named or unread:
                    continue
                if start.resolve() in left_out:
                    only_results.append(ImageError("there is no picture in this folder but results", str(start)))
                else:
                    faults.append(ImageError("there is no picture in this folder", str(start)))
            kept = _without_older_results(names, searched)
            older += len(names) - len(kept)
            found += kept.items()
        except PermissionError as error:
            faults += _unopened([error])
        except (OSError, ValueError) as error:  # a name that no file can have, a pattern that is none
            faults.append(ImageError("no file can have this name", text, got=str(error)))
    if older:
        count = "1 picture" if older == 1 else f"{older:,} pictures"
        logger.warning("left out as results of facemotion: %s; name their folder to read them", count)
    # a shell's photos/* names the folder of results too, and a pattern what is in its folders once more
    told = {str(fault): fault for fault in (faults if found else faults + only_results)}
    return _with_own_names(found), list(told.values())


def _named(start: Path, left_out: Sequence[Path]) -> tuple[list[tuple[Path, str]], list[ImageError]]:
    """A file, or the pictures below a folder, each with what its results are called; and what can't be looked at."""
    if not start.is_dir():
        return [(start, short_name(start.stem))], []
    below, faults = _below(start)
    kept = _without_results(below, left_out, start)
    return [(path, path.relative_to(start).with_name(short_name(path.stem)).as_posix()) for path in kept], faults


def _with_own_names(found: Sequence[tuple[Path, str]]) -> list[Picture]:
    """The first picture of a name keeps it, the next ones get a number with which it is nobody else's name."""
    taken = {_as_disks_know_it(name) for _, name in found}
    counts: Counter[str] = Counter()
    pictures = []
    for path, name in found:
        known = _as_disks_know_it(name)
        counts[known] += 1
        own = name
        if counts[known] > 1:
            while _as_disks_know_it(own := f"{name}-{counts[known]}") in taken:
                counts[known] += 1
            taken.add(_as_disks_know_it(own))
        pictures.append(Picture(path, own))
    return pictures


def _as_disks_know_it(name: str) -> str:
    """The same for all names that are one file on the disks of macOS and Windows."""
    return unicodedata.normalize("NFC", name).casefold()


def _expand(text: str, left_out: Sequence[Path]) -> tuple[list[Path], list[OSError], Path]:
    """What a path or a pattern names, and where that is searched for.

    A shell expands patterns itself, but not in quotes, and not on Windows.
    """
    path = input_path(text)
    top = path if path.exists() else pattern_top(path)
    if not is_pattern(path.relative_to(top)):
        return [path], [], path
    found, unsearched = find_pattern(path)
    return _without_results(found, left_out, top / "what a sign stands for"), unsearched, top


def _below(folder: Path) -> tuple[list[Path], list[ImageError]]:
    """The pictures of a folder and the folders in it, but for what is hidden and for links to other folders."""
    found: list[Path] = []
    refused: list[OSError] = []
    for place, folders, files in os.walk(folder, onerror=refused.append):
        folders[:] = (each for each in folders if not each.startswith("."))
        for path in (Path(place, name) for name in files if not name.startswith(".")):
            try:
                # what can't be asked is told of; a pipe would be waited for
                if path.suffix.lower() in PICTURE_SUFFIXES and stat.S_ISREG(path.stat().st_mode):
                    found.append(path)
            except OSError as error:
                refused.append(error)
    return sorted(found), _unopened(refused)


def _unopened(refused: Iterable[OSError]) -> list[ImageError]:
    faults = [ImageError("it can't be opened", str(Path(error.filename)), got=error.strerror) for error in refused]
    return sorted(faults, key=str)


def _without_results(paths: Sequence[Path], left_out: Sequence[Path], asked: Path) -> list[Path]:
    """What is no result where results go. A folder that what was asked for lies in holds what is asked for, too."""
    parents = asked.resolve().parents
    only = [each for each in left_out if each not in parents]
    return [path for path in paths if not (_lies_in(path, only) and _is_result(path))]


def _without_older_results(names: dict[Path, str], searched: Path) -> dict[Path, str]:
    """The pictures without the results in folders below the one that is searched, unless there is nothing else."""
    if len(names) == 1:  # thousands of files that a shell names need not be opened for it
        return names
    results = {path for path in names if path.parent != searched and _is_result(path)}
    if all(_is_result(path) for path in names if path not in results):
        return names
    return {path: name for path, name in names.items() if path not in results}


def _is_result(path: Path) -> bool:
    return picture_comment(path).startswith(_RESULT)


def _lies_in(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.resolve().is_relative_to(folder) for folder in folders)


def refuse_to_replace(option: str, path: Path) -> None:
    """An error where a file would be written over that is somebody's: no result, or a crop that was renamed."""
    if not path.is_file():
        return
    said = picture_comment(path)
    if said != _RESULT and not said.startswith(crop_comment(path.name, "")):
        what = "which is no result of an earlier run"
        raise FacemotionError(f"{option} would write over {path}, {what}; name another place")


def older_crops(
    folder: Path, pictures: Iterable[Picture], labels: Iterable[str]
) -> tuple[dict[str, list[Path]], list[Path]]:
    """What earlier runs cut out, where the crops of some pictures go, by the digest of whose it is.

    What somebody has given another name since is somebody's. And what else has a name that a crop may get: which ones
    they get is known when their faces are.
    """
    names: defaultdict[Path, set[str]] = defaultdict(set)
    for picture in pictures:
        own = folder / picture.name
        names[own.parent].add(own.name)
    ends = tuple(crop_name("", "", label).removeprefix("-") for label in labels)
    found: defaultdict[str, list[Path]] = defaultdict(list)
    others: list[Path] = []
    for place, begins in names.items():
        for path in place.glob("*-*-*.png"):
            # only those are opened that may be theirs, with another number too: the others may be very many
            if begins.isdisjoint(accumulate(path.name.split("-"), "{}-{}".format)):
                continue
            said, own_comment = picture_comment(path), crop_comment(path.name, "")
            if said.startswith(own_comment):
                found[said.removeprefix(own_comment)].append(path)
            elif any(_is_crop_name(path.name, begins, end) for end in ends):
                others.append(path)
    return found, others


def _is_crop_name(name: str, begins: Container[str], end: str) -> bool:
    before, _, number = name.removesuffix(end).rpartition("-")
    return name.endswith(end) and before in begins and number.isdecimal()


def crop_comment(name: str, digest: str) -> str:
    """What a crop says of itself: how it was called, and of which picture it is."""
    return f"{_RESULT}: {name!a} of {digest}"


def picture_digest(path: Path) -> str:
    """What a picture's place is known by without being told to whoever gets its crops."""
    return hashlib.blake2b(os.fsencode(path.absolute()), digest_size=16).hexdigest()


def crop_name(name: str, number: int | str, label: str) -> str:
    """The file of a face: of what, which one, and what it was taken for."""
    return f"{name}-{number}-{safe_name(label)}.png"


def save_picture(path: Path, pixels: Pixels, comment: str = _RESULT) -> None:
    """Write a picture by its suffix, its folder too. It says what it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write = write_jpeg if path.suffix.lower() in JPEG_SUFFIXES else write_png
        # absolute: below the folder that one stands in a name may begin with a ~ that is no home
        write(path.absolute(), pixels, comment=comment)
    except OSError as error:
        raise FacemotionError(f"{path} can't be written: {error.strerror or error}") from error
