"""Which pictures a command is given, and where what comes of each of them goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facemotion.errors import FacemotionError, ImageError
from facemotion.images import ONLY_CLIPS, PICTURE_SUFFIXES, write_jpeg, write_png

if TYPE_CHECKING:
    from facemotion.results import Pixels

_JPEG = {".jpg", ".jpeg"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the input. name: what its results are called, without a suffix; no two have the same."""

    path: Path
    name: str

    def annotated(self, folder: Path) -> Path:
        """Where its annotated copy goes: a JPEG of a JPEG, else a PNG."""
        suffix = self.path.suffix if self.path.suffix.lower() in _JPEG else ".png"
        return folder / f"{self.name}{suffix}"


def find_pictures(inputs: Sequence[str], outputs: Iterable[Path]) -> tuple[list[Picture], list[ImageError]]:
    """The pictures that files, folders (with all below them) and patterns name, and what is wrong with the rest.

    outputs: folders in which results go: what an earlier run left in them is no input.
    """
    left_out = [folder.resolve() for folder in outputs]
    found: list[tuple[Path, str]] = []
    faults: list[ImageError] = []
    for text in inputs:
        if "://" in text:  # a Path would keep one of the slashes
            faults.append(ImageError(f"no such file{ONLY_CLIPS}", text))
            continue
        starts = _expand(text)
        if not starts:
            faults.append(ImageError("no file has a name like this", text))
        names: dict[Path, str] = {}  # a pattern may name a folder, and what is in it besides
        for start in starts:
            paths = list(_below(start, left_out)) if start.is_dir() else [start]
            if not paths:
                but = " but results" if start.resolve() in left_out else ""
                faults.append(ImageError(f"there is no picture in this folder{but}", str(start)))
            for path in paths:
                name = (path.relative_to(start) if start.is_dir() else Path(path.name)).with_suffix("").as_posix()
                names.setdefault(path, name)
        found += names.items()
    return _with_own_names(found), faults


def _with_own_names(found: Sequence[tuple[Path, str]]) -> list[Picture]:
    """The first picture of a name keeps it, the next ones get a number with which it is nobody else's name."""
    taken = {name for _, name in found}
    counts: Counter[str] = Counter()
    pictures = []
    for path, name in found:
        counts[name] += 1
        own = name
        if counts[name] > 1:
            while (own := f"{name}-{counts[name]}") in taken:
                counts[name] += 1
            taken.add(own)
        pictures.append(Picture(path, own))
    return pictures


def _expand(text: str) -> list[Path]:
    """What a path or a pattern names. A shell expands patterns itself, but not in quotes, and not on Windows."""
    path = Path(text)
    if path.exists() or not any(sign in text for sign in "*?["):
        return [path]
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


def _below(folder: Path, left_out: Sequence[Path]) -> Iterator[Path]:
    # a folder that has this one in it is where results go, too, and holds others
    left_out = [each for each in left_out if each not in folder.resolve().parents]
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix.lower() not in PICTURE_SUFFIXES or not path.is_file():
            continue
        if not any(path.resolve().is_relative_to(each) for each in left_out):
            yield path


def crop_name(name: str, number: int | str, label: str) -> str:
    """The file of a face: of what, which one, and what it was taken for."""
    from facemotion.data.outputs import safe_name

    return f"{name}-{number}-{safe_name(label)}.png"


def save_picture(path: Path, pixels: Pixels) -> None:
    """Write a picture by its suffix, its folder too; grey ones may have a channel or none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write = write_jpeg if path.suffix.lower() in _JPEG else write_png
        write(path, pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)
    except OSError as error:
        raise FacemotionError(f"{path} can't be written: {error.strerror or error}") from error
