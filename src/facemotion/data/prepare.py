"""From any data set, or from photos and clips, to face crops that a training can be fed with."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

from facemotion import crops
from facemotion.data.clips import ReadClip, is_clip, pick_frames
from facemotion.data.faults import Faults
from facemotion.data.folder import files_in, holds_classes, list_files
from facemotion.data.journal import JOURNAL, Entry, Journal, Layout
from facemotion.data.outputs import ArrayOutput, FolderOutput
from facemotion.data.pictures import fit_all
from facemotion.data.samples import Samples
from facemotion.errors import DataError, ImageError, UnknownNameError, VideoError
from facemotion.file_names import at_home
from facemotion.images import read_image
from facemotion.inputs import InputSpec
from facemotion.labels import LabelSet

if TYPE_CHECKING:
    from facemotion.results import Face, Pixels

    Detect = Callable[[Pixels], Sequence[Face]]
    Output = FolderOutput | ArrayOutput

logger = logging.getLogger(__name__)

Several = Literal["largest", "all", "skip"]
_LAYOUTS, _SEVERAL = get_args(Layout), get_args(Several)


@dataclass(frozen=True)
class Preparation:
    """What `prepare` did. The lists hold places within the source; `unreadable` says why too.

    pictures: how many pictures and clips there are; faces: that came of them; done_before: pictures that an
    earlier run could read.
    """

    out: str
    pictures: int
    faces: int
    done_before: int
    no_face: list[str] = field(default_factory=list)
    several: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Photos:
    """Photos and clips, none of them opened, in which faces are to be found; with labels where their folders say so.

    labels is None where there are no class folders; then targets and splits are empty. No votes make labels of photos.
    """

    paths: list[Path]
    labels: LabelSet | None
    targets: list[int]
    splits: list[str]
    source: str
    faults: tuple[DataError, ...] = ()
    label_rule: ClassVar[None] = None

    def __len__(self) -> int:
        return len(self.paths)


def find_photos(
    source: str | os.PathLike[str], *, labels: LabelSet | str | Iterable[str] | None = None, skip_bad: bool = False
) -> Photos:
    """The photos and clips of a tree of class folders, of a folder without classes, or the one file."""
    root = at_home(source)
    if holds_classes(root):
        faults = Faults(skip=skip_bad)
        wanted = None if labels is None else LabelSet.of(labels)
        label_set, paths, targets, splits = list_files(root, wanted, None, faults)
        return Photos(paths, label_set, targets, splits, str(root), tuple(faults.found))
    if not root.exists():
        raise DataError("no such file or folder", str(root))
    paths = files_in(root) if root.is_dir() else [root]
    if not paths:
        raise DataError("no photo and no clip in it", str(root), "pictures or clips", "nothing")
    return Photos(paths, None, [], [], str(root))


def prepare(
    source: Samples | Photos,
    out: str | os.PathLike[str],
    *,
    layout: Layout = "folders",
    spec: InputSpec | None = None,
    detect: Detect | None = None,
    detector: str | None = None,
    read_clip: ReadClip | None = None,
    several: Several = "largest",
    every: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> Preparation:
    """Write the faces of a data set into a folder, in one size and colour. What is there already is not done again.

    source: samples, which are faces already unless `detect` is given; or photos and clips to find faces in.
    layout: "folders" (<split>/<class>/*.png), "npy" (X_<split>.npy, y_<split>.npy) or "pack" (one file).
    spec: size and colour of the faces, and with a detector margin and alignment; 48 pixels in grey unless given.
    detect: finds the faces of an RGB picture. detector: what that is called; nothing goes on with another one.
    several: which of several faces is kept: the largest, all or none.
    read_clip: gives the frames of a clip with their times. every: seconds between those that are looked at.
    progress: is told how many pictures are done, and of how many.
    """
    for kind, word, choices in (("layout", layout, _LAYOUTS), ("way with several faces", several, _SEVERAL)):
        if word not in choices:
            raise UnknownNameError(kind, str(word), choices)
    spec = spec or InputSpec()
    if isinstance(source, Photos) and detect is None:
        raise DataError("photos need a detector to find faces with", source.source, "a detector", "none")
    if layout != "folders" and source.labels is None:
        raise DataError("faces without labels go into folders alone", source.source, "class folders", "none")
    if layout != "pack" and isinstance(source, Samples):
        _tell_what_is_lost(source, layout)
    folder = at_home(out)
    _refuse_to_mix(Path(source.source), folder)
    found_by = None if detect is None else detector or "one without a name"
    with closing(Journal(folder / JOURNAL, _settings(source, layout, spec, found_by, several, every))) as journal:
        done = [entry for entry in journal.entries.values() if entry.status != "unreadable"]
        splits = list(dict.fromkeys(map(str, source.splits)))
        output: Output
        if layout == "folders" or source.labels is None:
            output = FolderOutput(folder, source.labels, splits)
        else:
            output = ArrayOutput(folder, layout, source.labels, source.label_rule, spec, splits, done)
        if journal.entries:
            # all of them before anything is written: going on with other splits would put copies on both sides
            for item in _items(source, read_clip, every):
                journal.check(item.entry)
        for number, item in enumerate(_items(source, read_clip, every), start=1):
            known = journal.entries.get(item.entry.item)
            # what could not be read may have been mended since
            if known is None or known.status == "unreadable":
                entry, faces = _process(item, spec, detect, several)
                if entry.faces:
                    output.write(entry.item, entry.split, entry.label, faces)
                if entry != known:
                    journal.add(entry)
            if progress is not None:
                progress(number, len(source))
        entries = list(journal.entries.values())
        output.finish(entries)
    return Preparation(
        str(folder),
        len(entries),
        sum(entry.faces for entry in entries),
        len(done),
        [entry.item for entry in entries if entry.status == "no face"],
        [entry.item for entry in entries if entry.status == "several"],
        [f"{entry.item}: {entry.reason}" for entry in entries if entry.status == "unreadable"],
    )


def _tell_what_is_lost(samples: Samples, layout: Layout) -> None:
    if samples.soft is not None:
        raise DataError("shares of votes are kept by a pack alone", samples.source, "a pack, or another rule", layout)
    lost = [f"the rule {samples.label_rule}"] if samples.label_rule else []
    lost += [f"the column {name}" for name in samples.columns]
    if lost:
        logger.warning("%s: %s can't be kept in %s; a pack keeps all", samples.source, ", ".join(lost), layout)


def _refuse_to_mix(source: Path, out: Path) -> None:
    """A DataError where the source would grow by what is made of it, or lie among it."""
    source, folder = source.resolve(), out.resolve()
    if source.is_dir() and folder.is_relative_to(source):
        raise DataError("the faces would become part of the source", str(out), "a folder elsewhere", str(source))
    if source.is_file() and source.is_relative_to(folder):
        raise DataError("the source lies in the folder for its faces", str(out), "a folder elsewhere", str(source))


@dataclass(frozen=True)
class _Item:
    """A picture or clip to be done: what is known of it, and a way to its pictures."""

    entry: Entry
    pictures: Callable[[], Iterator[Pixels]]


def _items(source: Samples | Photos, read_clip: ReadClip | None, every: float) -> Iterator[_Item]:
    root = Path(source.source)
    # named from here on, an item is the same from whatever folder the work goes on
    base = f"{root if root.is_dir() else root.parent}{os.sep}"
    if isinstance(source, Samples):
        met: Counter[str] = Counter()
        for index in range(len(source)):
            name = source.place(index).removeprefix(base)
            met[name] += 1
            # arrays that were joined have the same places, and samples may be there more than once
            yield _of_sample(source, index, name if met[name] == 1 else f"{name} ({met[name]})")
        return
    for index, path in enumerate(source.paths):
        label = source.targets[index] if source.labels else None
        split = source.splits[index] if source.labels else ""
        pictures = partial(_pictures_of, path, read_clip, every)
        yield _Item(Entry(str(path).removeprefix(base), "done", label=label, split=split), pictures)


def _of_sample(samples: Samples, index: int, name: str) -> _Item:
    soft = None if samples.soft is None else samples.soft[index].tolist()
    columns = {name: str(values[index]) for name, values in samples.columns.items()}
    split, label = str(samples.splits[index]), int(samples.targets[index])
    entry = Entry(name, "done", label=label, split=split, soft=soft, columns=columns)
    return _Item(entry, lambda: iter([samples.read(index)]))


def _pictures_of(path: Path, read_clip: ReadClip | None, every: float) -> Iterator[Pixels]:
    if not is_clip(path):
        return iter([read_image(path)])
    if read_clip is None:
        raise DataError("clips can't be read here", str(path), "photos alone, or read_clip", "a clip")
    return pick_frames(read_clip(path), every)


def _process(item: _Item, spec: InputSpec, detect: Detect | None, several: Several) -> tuple[Entry, Pixels]:
    """The journal's line for an item, and its faces."""
    found: list[Pixels] = []
    many = False
    try:
        for picture in item.pictures():
            if detect is None:
                found.append(fit_all([picture], spec))
                continue
            image = read_image(picture)
            faces = sorted(detect(image), key=lambda face: face.box.area, reverse=True)
            many = many or len(faces) > 1
            if several == "largest":
                faces = faces[:1]
            elif several == "skip" and len(faces) > 1:
                faces = []
            found.append(crops.cut(image, faces, spec))
    except (DataError, ImageError, VideoError) as error:
        return replace(item.entry, status="unreadable", reason=_reason(error)), _none(spec)
    faces_found = np.concatenate(found) if found else _none(spec)
    status = "several" if many else "done" if len(faces_found) else "no face"
    return replace(item.entry, status=status, faces=len(faces_found)), faces_found


def _settings(
    source: Samples | Photos, layout: Layout, spec: InputSpec, detector: str | None, several: Several, every: float
) -> dict[str, Any]:
    """What has to be the same for a work to go on."""
    settings: dict[str, Any] = {"layout": layout, "size": spec.size, "colour": spec.colour, "detector": detector}
    settings["source"] = str(Path(source.source).resolve())
    settings["labels"] = None if source.labels is None else list(source.labels)
    settings["label_rule"] = source.label_rule
    if detector is not None:
        settings |= {"margin": spec.margin, "align": spec.align, "several": several, "every": every}
    return settings


def _none(spec: InputSpec) -> Pixels:
    return np.empty((0, spec.size, spec.size, spec.channels), np.uint8)


def _reason(error: DataError | ImageError | VideoError) -> str:
    if isinstance(error, VideoError):
        return str(error)
    expected = f", expected {error.expected}" if error.expected else ""
    return f"{error.what}{expected}" + (f", got {error.got}" if error.got else "")
