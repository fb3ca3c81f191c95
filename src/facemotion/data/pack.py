"""One packed file for a whole data set: an .npz without compression, mapped from disk, so that it opens at once."""

from __future__ import annotations

import json
import struct
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facemotion.data.pictures import ArrayPictures
from facemotion.data.samples import Samples
from facemotion.errors import DataError
from facemotion.labels import LabelSet
from facemotion.whole_files import growing

if TYPE_CHECKING:
    from numpy.typing import NDArray

PACK = "faces.npz"
_META, _COLUMN = "facemotion.json", "column."
_VERSION = 1


class PackedPictures(ArrayPictures):
    """The pictures of a pack, which remembers where each one came from."""

    def __init__(self, array: Any, source: str, origins: NDArray[np.str_]) -> None:
        super().__init__(array, source)
        self.origins = origins

    def place(self, row: int) -> str:
        return f"{self.source}: {self.origins[row]}"


def holds_pack(path: Path) -> bool:
    """Whether a path is a pack, or a folder with one."""
    return (path / PACK).is_file() if path.is_dir() else path.suffix == ".npz"


def write_pack(path: Path, images: NDArray[np.uint8], samples: Samples, origins: list[str]) -> None:
    """Write the samples with these pictures, row by row. The same samples give the same bytes."""
    arrays: dict[str, NDArray[Any]] = {"images": images, "targets": samples.targets, "splits": samples.splits}
    arrays["origins"] = np.array(origins, np.str_)
    if samples.soft is not None:
        arrays["soft"] = samples.soft
    arrays |= {f"{_COLUMN}{name}": values for name, values in samples.columns.items()}
    meta = {"version": _VERSION, "labels": list(samples.labels), "label_rule": samples.label_rule}
    with growing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as file:
        file.writestr(zipfile.ZipInfo(_META), json.dumps(meta))
        for name, array in arrays.items():
            with file.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)


def read_pack(source: Path) -> Samples:
    """The samples of a pack; nothing of it is read before it is asked for."""
    path = source / PACK if source.is_dir() else source
    wanted = "a pack of `facemotion data prepare --as pack`"
    try:
        with zipfile.ZipFile(path) as file:
            meta = json.loads(file.read(_META))
            names = [name.removesuffix(".npy") for name in file.namelist() if name.endswith(".npy")]
            arrays = {name: _map(path, file.getinfo(f"{name}.npy")) for name in names}
        if meta["version"] != _VERSION:
            raise DataError("a pack of another version", str(path), f"version {_VERSION}", str(meta["version"]))
        labels = LabelSet(tuple(meta["labels"]))
        images, splits = arrays.pop("images"), arrays.pop("splits")
        # damaged names are no text that Python can work on
        if splits.dtype.kind != "U" or np.ascontiguousarray(splits).view(np.uint32).max(initial=0) > sys.maxunicode:
            raise ValueError("splits without a name")
        return Samples(
            PackedPictures(images, str(path), arrays.pop("origins")),
            np.arange(len(images)),
            labels,
            arrays.pop("targets"),
            splits,
            str(path),
            arrays.pop("soft", None),
            {name.removeprefix(_COLUMN): array for name, array in arrays.items()},
            meta["label_rule"],
        )
    except DataError:
        raise
    except Exception as error:  # a damaged zip, header or JSON makes its parser raise nearly anything
        raise DataError("the pack can't be read", str(path), wanted, f"{type(error).__name__}: {error}") from error


def _map(path: Path, info: zipfile.ZipInfo) -> NDArray[Any]:
    """A stored member of a zip, mapped: its bytes lie in the file just as a .npy file's do."""
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename} is compressed")
    with path.open("rb") as file:
        file.seek(info.header_offset + 26)
        name_length, extra_length = struct.unpack("<HH", file.read(4))
        file.seek(name_length + extra_length, 1)
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[
            version
        ]
        shape, fortran, dtype = read_header(file)
        if dtype.hasobject or fortran:
            raise ValueError(f"{info.filename} has {dtype} in it")
        if 0 in shape:
            return np.empty(shape, dtype)
        return np.memmap(path, dtype, "r", offset=file.tell(), shape=shape)
