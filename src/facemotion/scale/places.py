"""Files and folders here or in an object store, by the names that Ray takes: a path, s3://, gs://, hdfs:// ..."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from facemotion.errors import DataError, FacemotionError, ImageError
from facemotion.file_names import at_home, has_password, without_secrets
from facemotion.scale.arrow import pyarrow
from facemotion.whole_files import growing

# before what an object store refused is asked for again
_PAUSE_SECONDS = 0.5
_BLOCK = 1 << 20
# behind the last ? of an address: settings of its file system, or none at all
_OPTIONS = re.compile(r"(\w+=[^?]*)?")


def is_url(name: str) -> bool:
    """Whether a name is an address of a file system, and no path on this machine."""
    return "://" in name


def split_options(name: str) -> tuple[str, str]:
    """A name and, of an address, the options of its file system: s3://bucket/photos?region=eu-west-1.

    What is before them is a name to the letter, whatever signs are in it. A folder of this machine has no options.
    """
    before, mark, options = name.rpartition("?")
    if mark and is_url(name) and not name.startswith("file:") and _OPTIONS.fullmatch(options):
        return before, options
    return name, ""


def with_options(name: str, options: str) -> str:
    """What `split_options` takes apart. Behind a name that seems to have options itself a lone ? says: none."""
    return f"{name}?{options}" if options or split_options(name)[0] != name else name


def without_tilde(name: str) -> str:
    """A path with the ~ of a home spelt out; any other name, and an address, to the letter as it is."""
    return str(at_home(name)) if name.startswith("~") else name


def spelt(name: str) -> str:
    """A name as a table can hold it: what is not UTF-8 in it with backslashes, as `predict --csv` writes it."""
    return name.encode("utf-8", "backslashreplace").decode()


def refuse_password(name: str) -> str:
    """The name; a DataError where it is an address with a password in it, which tables and the manifest would keep."""
    if has_password(name):
        what = "the key or password in this address would stand in every table"
        wanted = "an address without it; keys from the environment, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise DataError(what, without_secrets(name), wanted)
    return name


@dataclass(frozen=True)
class Place:
    """A file or a folder. filesystem: pyarrow's; path: the name there."""

    filesystem: Any
    path: str

    @classmethod
    def of(cls, name: str) -> Place:
        """The place that a path or an address names."""
        refuse_password(name)
        if not is_url(name):
            return cls(pyarrow.fs.LocalFileSystem(), str(Path(name).absolute()))
        try:
            return cls.at(name)
        except (OSError, ValueError) as error:
            raise FacemotionError(f"{name}: no file system answers to this address: {error}") from error

    @classmethod
    def at(cls, address: str) -> Place:
        """The place of one file among many, whose fault is no reason to end a run: an OSError, or a ValueError."""
        name, options = split_options(address)
        scheme, _, rest = name.partition("://")
        authority, slash, path = rest.partition("/")
        # the path is kept from it: it would want it in another spelling, with %20 for a space
        filesystem, root = pyarrow.fs.FileSystem.from_uri(with_options(f"{scheme}://{authority}{slash}", options))
        if root and not root.endswith("/"):
            root += "/"
        # refuses what it can't take for a name, as the address would have been
        return cls(filesystem, filesystem.normalize_path(f"{root}{path}".rstrip("/") or root))

    @property
    def local(self) -> bool:
        return isinstance(self.filesystem, pyarrow.fs.LocalFileSystem)

    def __truediv__(self, name: str) -> Place:
        return Place(self.filesystem, f"{self.path.rstrip('/')}/{name}")

    def is_folder(self) -> bool:
        return bool(self._type() == pyarrow.fs.FileType.Directory)

    def exists(self) -> bool:
        return bool(self._type() != pyarrow.fs.FileType.NotFound)

    def is_same(self, other: Place) -> bool:
        """Whether both are one file or folder, whatever way leads there."""
        if self.local and other.local:
            return os.path.realpath(self.path) == os.path.realpath(other.path)
        return bool(self.filesystem == other.filesystem) and self.path.rstrip("/") == other.path.rstrip("/")

    def names(self) -> list[tuple[str, bool]]:
        """What is in this folder, in order, each with whether it is a folder; nothing where there is none."""
        if self.local:
            return _local_names(self.path)
        selector = pyarrow.fs.FileSelector(self.path, allow_not_found=True)
        infos = self.filesystem.get_file_info(selector)
        return sorted((info.base_name, info.type == pyarrow.fs.FileType.Directory) for info in infos)

    def open(self) -> Any:
        """The file, for reading anywhere in it."""
        return self.filesystem.open_input_file(self.path)

    def read(self) -> bytes:
        with self.filesystem.open_input_stream(self.path) as stream:
            data: bytes = stream.read()
        return data

    def write(self, data: bytes) -> None:
        """Write a file, which is there whole or not at all."""
        with self.growing() as file:
            file.write(data)

    @contextmanager
    def growing(self) -> Iterator[BinaryIO]:
        """A file to write into; it is there whole once the block has ended well, or not at all."""
        try:
            if self.local:
                path = Path(self.path)
                path.parent.mkdir(parents=True, exist_ok=True)
                with growing(path) as part, part.open("wb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
            else:
                with tempfile.TemporaryFile() as scratch:
                    yield scratch
                    scratch.seek(0)
                    self._send(scratch)
        except FacemotionError:  # of whoever writes: a clip that breaks off is an OSError too
            raise
        except OSError as error:
            raise FacemotionError(f"{self.path} can't be written: {error.strerror or error}") from error

    def delete(self) -> None:
        """Remove a file or a folder with all in it, if it is there."""
        with suppress(FileNotFoundError):
            if self.is_folder():
                self.filesystem.delete_dir(self.path)
            else:
                self.filesystem.delete_file(self.path)

    def _type(self) -> Any:
        return self.filesystem.get_file_info(self.path).type

    def _send(self, source: BinaryIO) -> None:
        """To an object store, which shows a file when it is closed; so it is closed only after all of it went well."""
        target = self.filesystem.open_output_stream(self.path)
        while block := source.read(_BLOCK):
            target.write(block)
        target.close()


def _local_names(folder: str) -> list[tuple[str, bool]]:
    """As pyarrow lists it, which stumbles over a name that is not UTF-8; without pipes and links to nothing."""
    try:
        kinds = [(each.name, each.is_dir(), each.is_file()) for each in Path(folder).iterdir()]
    except FileNotFoundError:
        return []
    return sorted((name, is_folder) for name, is_folder, is_file in kinds if is_folder or is_file)


class StoredFile:
    """A picture in an object store that is fetched when it is read, and again where that fails."""

    def __init__(self, name: str, retries: int) -> None:
        self._name, self._retries = name, retries

    def read(self) -> bytes:
        try:
            return self._fetched()
        except FileNotFoundError as error:
            raise ImageError("no such file", self._name) from error
        except (OSError, ValueError) as error:  # ValueError: an address that is none
            raise ImageError("the file can't be fetched", self._name, got=str(error)) from error

    def _fetched(self) -> bytes:
        for _ in range(self._retries):
            try:
                return Place.at(self._name).read()
            except FileNotFoundError:
                raise
            except OSError:
                time.sleep(_PAUSE_SECONDS)
        return Place.at(self._name).read()


@contextmanager
def on_this_machine(name: str) -> Iterator[Path]:
    """A path of a file that OpenCV can open: its own, or that of a copy that is gone afterwards."""
    if not is_url(name):
        yield Path(name)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Place.at(name)
        copy = Path(folder) / PurePosixPath(place.path).name
        with place.filesystem.open_input_stream(place.path) as stream, copy.open("wb") as file:
            shutil.copyfileobj(stream, file, _BLOCK)
        yield copy
