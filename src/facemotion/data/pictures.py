"""Where a data set's pictures come from: an array, or files that are read when they are asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np

from facemotion import crops
from facemotion.errors import DataError, ImageError
from facemotion.images import read_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.inputs import InputSpec
    from facemotion.results import Pixels

    Rows = NDArray[np.int64]

# parsed pictures stay in memory up to here; what goes beyond lies in a temporary file, mapped
_IN_MEMORY = 1 << 30


class Pictures(Protocol):
    """Pictures by row. `sizes` has a (height, width) each, and `grey` says which have no colour."""

    sizes: NDArray[np.int64]
    grey: NDArray[np.bool_]

    def __len__(self) -> int: ...

    def read(self, row: int) -> Pixels:
        """One picture: (H, W) where it is grey, else (H, W, 3)."""

    def crops(self, rows: Rows, spec: InputSpec) -> Pixels:
        """Pictures of faces as a network wants them: (n, size, size, channels)."""

    def place(self, row: int) -> str:
        """Where a picture lies: its file, with the row where there are rows."""


class ArrayPictures:
    """Pictures of one size in an array, (n, H, W) or (n, H, W, 3), which may be mapped from a file."""

    def __init__(self, array: Pixels, source: str, numbers: Sequence[int] | Rows | None = None) -> None:
        self.array, self.source = array, source
        self.numbers = np.arange(len(array)) if numbers is None else np.asarray(numbers, np.int64)
        self.sizes = np.broadcast_to(np.array(array.shape[1:3], np.int64), (len(array), 2))
        self.grey = np.broadcast_to(np.array(array.ndim == 3), (len(array),))

    def __len__(self) -> int:
        return len(self.array)

    def read(self, row: int) -> Pixels:
        return without_colour(np.asarray(self.array[row]))

    def crops(self, rows: Rows, spec: InputSpec) -> Pixels:
        whole = self.array.shape[1:3] == (spec.size, spec.size)
        if whole and self.array.ndim == 3:
            chosen: Pixels = np.asarray(self.array[rows])[..., None]
            return chosen if spec.colour == "grey" else np.repeat(chosen, 3, axis=3)
        if whole and spec.colour == "rgb":
            return np.asarray(self.array[rows])
        return fit_all([np.asarray(self.array[row]) for row in rows], spec)

    def place(self, row: int) -> str:
        return f"{self.source}: row {self.numbers[row]}"


class FilePictures:
    """Pictures in files of their own, read each time they are asked for."""

    def __init__(self, paths: Sequence[Path], sizes: NDArray[np.int64], grey: NDArray[np.bool_]) -> None:
        self.paths, self.sizes, self.grey = list(paths), sizes.reshape(-1, 2), grey

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, row: int) -> Pixels:
        try:
            return without_colour(read_image(self.paths[row]))
        except ImageError as error:
            raise DataError(error.what, error.place, error.expected, error.got) from error

    def crops(self, rows: Rows, spec: InputSpec) -> Pixels:
        return fit_all([self.read(int(row)) for row in rows], spec)

    def place(self, row: int) -> str:
        return str(self.paths[row])


class JoinedPictures:
    """The pictures of several sources, one after the other."""

    def __init__(self, parts: Sequence[Pictures]) -> None:
        self.parts = list(parts)
        self.starts = np.cumsum([0, *map(len, parts)])
        self.sizes = np.concatenate([part.sizes for part in parts])
        self.grey = np.concatenate([part.grey for part in parts])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def read(self, row: int) -> Pixels:
        part, row = self._find(row)
        return part.read(row)

    def crops(self, rows: Rows, spec: InputSpec) -> Pixels:
        result = np.empty((len(rows), spec.size, spec.size, spec.channels), np.uint8)
        owners = np.searchsorted(self.starts, rows, side="right") - 1
        for owner in np.unique(owners):
            mine = owners == owner
            result[mine] = self.parts[owner].crops(rows[mine] - self.starts[owner], spec)
        return result

    def place(self, row: int) -> str:
        part, row = self._find(row)
        return part.place(row)

    def _find(self, row: int) -> tuple[Pictures, int]:
        owner = int(np.searchsorted(self.starts, row, side="right")) - 1
        return self.parts[owner], row - int(self.starts[owner])


def without_colour(picture: Pixels) -> Pixels:
    """The picture as (H, W) where its three channels are equal: a grey face is the same face in every layout."""
    if picture.ndim == 3:
        first = picture[:, :, 0]
        if np.array_equal(first, picture[:, :, 1]) and np.array_equal(first, picture[:, :, 2]):
            return np.ascontiguousarray(first)
    return picture


def fit_all(pictures: Sequence[Pixels], spec: InputSpec) -> Pixels:
    """Pictures that are faces already, as a network wants them; one that is not square goes on at its border."""
    whole = crops.without_margin(spec)
    result = np.empty((len(pictures), spec.size, spec.size, spec.channels), np.uint8)
    for picture, crop in zip(pictures, result, strict=True):
        if picture.shape[:2] == crop.shape[:2] and (picture.ndim == 2 or spec.colour == "rgb"):
            crop[:] = picture[:, :, None] if picture.ndim == 2 else picture
        else:
            crop[:] = crops.cut(read_image(picture), [crops.whole_face(picture)], whole)[0]
    return result


class PictureSpool:
    """Takes pictures of one size one by one; in memory while they fit, then in a temporary file."""

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._limit, self._memory = in_memory, bytearray()
        self._file: BinaryIO | None = None

    def append(self, pixels: bytes) -> None:
        if self._file is None and len(self._memory) + len(pixels) > self._limit:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  it is open until `array`
            self._file.write(self._memory)
            self._memory = bytearray()
        if self._file is None:
            self._memory += pixels
        else:
            self._file.write(pixels)

    def array(self, *shape: int) -> Pixels:
        """Everything that was appended, as pictures of this shape; nothing can be appended any more."""
        if self._file is None:
            return np.frombuffer(self._memory, np.uint8).reshape(-1, *shape)
        with self._file as file:
            file.flush()
            # the map lives on without the file
            return np.memmap(file, np.uint8, "r").reshape(-1, *shape)
