"""Where prepared faces go: folders of PNGs, .npy pairs or a pack."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facemotion.data.arrays import LABELS
from facemotion.data.journal import Entry, Layout
from facemotion.data.pack import PACK, read_pack, write_pack
from facemotion.data.pictures import ArrayPictures
from facemotion.data.samples import SPLIT_ALIASES, Samples
from facemotion.errors import DataError
from facemotion.file_names import safe_name, shared_name, short_name
from facemotion.images import write_png
from facemotion.inputs import InputSpec
from facemotion.labels import LabelSet
from facemotion.whole_files import growing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.results import Pixels

_UNFINISHED = ".unfinished"


class FolderOutput:
    """Faces as PNGs: <split>/<class>/<name>.png, without the level that there is nothing for."""

    def __init__(self, out: Path, labels: LabelSet | None, splits: Iterable[str]) -> None:
        self.out, self.labels = out, labels
        _refuse_shared_names("labels", labels or (), out)
        _refuse_shared_names("splits", splits, out)

    def write(self, item: str, split: str, label: int | None, faces: Pixels) -> None:
        folder = self.out / safe_name(split) if split else self.out
        if label is not None and self.labels is not None:
            folder = folder / safe_name(self.labels[label])
        folder.mkdir(parents=True, exist_ok=True)
        for number, face in enumerate(faces):
            counted = f"-{number + 1}" if len(faces) > 1 else ""
            write_png(folder / f"{_name(item)}{counted}.png", face)

    def finish(self, entries: Sequence[Entry]) -> None:
        """Every picture is in its place already."""


class ArrayOutput:
    """Faces one after the other in a raw file a split, which become .npy pairs or a pack in the end."""

    def __init__(
        self,
        out: Path,
        layout: Layout,
        labels: LabelSet,
        label_rule: str | None,
        spec: InputSpec,
        splits: Iterable[str],
        done: Sequence[Entry],
    ) -> None:
        self.out, self.layout, self.labels, self.label_rule = out, layout, labels, label_rule
        self.shape = (spec.size, spec.size) if spec.channels == 1 else (spec.size, spec.size, 3)
        known = {usual for usual, *others in SPLIT_ALIASES if {each.lower() for each in splits} & {usual, *others}}
        # beside validation or test faces those without a split are the training part, which a name has to tell here
        self._unmarked = "train" if known and "train" not in known else "all"
        if layout == "npy":
            _refuse_shared_names("splits", splits, out)
        self._begun: set[str] = set()
        self._rows: dict[str, int] = {}
        for entry in done:
            key = self._key(entry.split)
            self._rows[key] = self._rows.get(key, 0) + entry.faces

    def write(self, item: str, split: str, label: int | None, faces: Pixels) -> None:
        key = self._key(split)
        raw = self._raw(key)
        if key not in self._begun:
            self._begin(key, raw)
        with raw.open("ab") as file:
            file.write(faces.tobytes())

    def finish(self, entries: Sequence[Entry]) -> None:
        """Make the files that people read. Where there is nothing new they stay as they are."""
        if not (self.out / _UNFINISHED).exists():
            return
        kept = [entry for entry in entries if entry.faces]
        for key in sorted({self._key(entry.split) for entry in kept}):
            if key not in self._begun:
                self._begin(key, self._raw(key))
            images = np.memmap(self._raw(key), np.uint8, "r").reshape(-1, *self.shape)
            rows = [entry for entry in kept if self._key(entry.split) == key for _ in range(entry.faces)]
            if self.layout == "pack":
                self._pack(images, rows)
            else:
                targets = np.array([entry.label for entry in rows], np.int64)
                _save(self.out / f"X_{key}.npy", images)
                _save(self.out / f"y_{key}.npy", targets)
            del images  # an open map would hold the file on Windows
        if self.layout == "npy":
            with growing(self.out / LABELS) as part:
                part.write_text(json.dumps(list(self.labels)) + "\n", "utf-8")
        shutil.rmtree(self.out / _UNFINISHED)

    def _key(self, split: str) -> str:
        return "faces" if self.layout == "pack" else safe_name(split or self._unmarked)

    def _raw(self, key: str) -> Path:
        return self.out / _UNFINISHED / f"{key}.raw"

    def _begin(self, key: str, raw: Path) -> None:
        """The raw file with just the faces that the journal knows: from a stopped run, or out of what was finished."""
        self._begun.add(key)
        raw.parent.mkdir(parents=True, exist_ok=True)
        size = self._rows.get(key, 0) * int(np.prod(self.shape))
        if size and not raw.exists():
            finished = self._finished(key)
            with growing(raw) as part:
                part.write_bytes(b"" if finished is None else finished.tobytes())
        with raw.open("ab") as file:
            if file.tell() < size:
                expected, got = f"{size} bytes of the faces in the journal", f"{file.tell()}"
                raise DataError("faces are missing; delete the folder and start again", str(raw), expected, got)
            file.truncate(size)

    def _finished(self, key: str) -> NDArray[np.uint8] | None:
        path = self.out / (PACK if self.layout == "pack" else f"X_{key}.npy")
        if not path.exists():
            return None
        if self.layout == "pack":
            pictures = read_pack(path).pictures
            assert isinstance(pictures, ArrayPictures)
            return pictures.array
        array: NDArray[np.uint8] = np.load(path, mmap_mode="r")
        return array

    def _pack(self, images: NDArray[np.uint8], rows: Sequence[Entry]) -> None:
        path = self.out / PACK
        names = rows[0].columns if rows else {}
        softs = [row.soft for row in rows if row.soft is not None]
        samples = Samples(
            ArrayPictures(images, str(path)),
            np.arange(len(rows)),
            self.labels,
            np.array([row.label for row in rows], np.int64),
            np.array([row.split for row in rows], np.str_),
            str(path),
            np.array(softs, np.float32) if softs else None,
            {name: np.array([row.columns[name] for row in rows], np.str_) for name in names},
            self.label_rule,
        )
        write_pack(path, images, samples, [row.item for row in rows])


def _refuse_shared_names(kind: str, names: Iterable[str], out: Path) -> None:
    if shared := shared_name(names):
        wanted = f"{kind} that differ in letters or digits"
        raise DataError(f"two {kind} would share a folder or file", str(out), wanted, " and ".join(map(repr, shared)))


def _save(path: Path, array: NDArray[Any]) -> None:
    with growing(path) as part, part.open("wb") as file:
        np.save(file, array)


def _name(item: str) -> str:
    """A file name for an item: its own, with enough of a hash that two of one name don't meet."""
    stem = short_name(Path(item.rpartition(": row ")[0] or item).stem)
    row = item.rpartition(": row ")[2] if ": row " in item else ""
    # a name that is no UTF-8 has surrogates in it
    digest = hashlib.blake2b(item.encode(errors="surrogatepass"), digest_size=4).hexdigest()
    return "-".join(part for part in (stem, row, digest) if part)
