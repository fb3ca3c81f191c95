"""What is to be looked at: a folder, a pattern, a list, a table of paths; here or in an object store."""

from __future__ import annotations

import io
import os
import posixpath
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from facemotion.data.clips import is_clip
from facemotion.errors import DataError
from facemotion.file_names import find_pattern, is_pattern
from facemotion.images import PICTURE_SUFFIXES
from facemotion.scale.arrow import pyarrow
from facemotion.scale.places import Place, is_url, refuse_password, split_options, with_options, without_tilde

_LISTS = {".txt", ".lst", ".list"}
_COLUMNS = ("source", "path", "file", "filename", "image", "image_path", "url", "uri")


def find_inputs(source: str | os.PathLike[str] | Iterable[str], column: str | None) -> Iterator[str]:
    """The pictures and clips that a source names, one by one and each time in the same order.

    They are not opened, and but for a pattern no more of their names than one folder's are in memory.
    """
    return map(refuse_password, _find(source, column))


def _find(source: str | os.PathLike[str] | Iterable[str], column: str | None) -> Iterator[str]:
    if not isinstance(source, str | os.PathLike):
        return (without_tilde(os.fspath(each)) for each in source)
    name = without_tilde(os.fspath(source))
    place = Place.of(name)
    plain, options = split_options(name)
    suffix = PurePosixPath(plain).suffix.lower()
    if place.is_folder():
        folder = plain.rstrip("/") or "/"
        tables = _tables(place)
        if tables:
            named = ((with_options(f"{folder}/{each}", options), place / each) for each in tables)
            return chain.from_iterable(_table(each, table, column) for each, table in named)
        return (with_options(each, options) for each in _walk(folder, place))
    if place.exists():
        if suffix == ".parquet":
            return _table(name, place, column)
        return _list(name, place) if suffix in _LISTS else iter([name])
    if is_pattern(name) and not is_url(name):
        found, refused = find_pattern(Path(name))
        if refused:
            raise DataError("it can't be read", str(refused[0].filename), got=refused[0].strerror)
        return iter(sorted(str(each) for each in found if each.is_file()))
    what = "no such folder or file"
    raise DataError(
        what, name, "a folder, a pattern, a list (.txt), a Parquet file of paths, or one picture", "nothing"
    )


def _walk(name: str, folder: Place) -> Iterator[str]:
    """As `predict` searches folders: all below, in the order of the names, without what is hidden."""
    for each, is_folder in folder.names():
        if each.startswith("."):
            continue
        below = folder / each
        if is_folder and not (below.local and Path(below.path).is_symlink()):
            yield from _walk(f"{name}/{each}", below)
        elif PurePosixPath(each).suffix.lower() in PICTURE_SUFFIXES or is_clip(Path(each)):
            yield f"{name}/{each}"


def _list(name: str, place: Place) -> Iterator[str]:
    with io.TextIOWrapper(place.filesystem.open_input_stream(place.path), encoding="utf-8-sig") as lines:
        for line in lines:
            if line.strip():
                yield _beside(name, line.strip())


def _tables(folder: Place) -> list[str]:
    """The Parquet files of a folder that holds nothing else but what is hidden, or _SUCCESS; none of any other."""
    found = [(each, is_folder) for each, is_folder in folder.names() if not each.startswith((".", "_"))]
    if any(is_folder or PurePosixPath(each).suffix.lower() != ".parquet" for each, is_folder in found):
        return []
    return [each for each, _ in found]


def _table(name: str, place: Place, column: str | None) -> Iterator[str]:
    try:
        yield from _paths(name, pyarrow.parquet.ParquetFile(place.open()), column)
    except (OSError, UnicodeError, pyarrow.ArrowException) as error:
        raise DataError("can't be read", name, "Parquet, and names in UTF-8", str(error).splitlines()[0]) from error


def _paths(name: str, table: Any, column: str | None) -> Iterator[str]:
    names = table.schema_arrow.names
    found = [each for each in ([column] if column else _COLUMNS) if each in names]
    if not found:
        wanted = column or f"one named {', '.join(_COLUMNS)}; or say which: column=..."
        raise DataError("no column of paths", name, wanted, ", ".join(names))
    for batch in table.iter_batches(columns=found[:1]):
        for value in batch.column(0).to_pylist():
            if not isinstance(value, str):
                raise DataError("no path", f"{name}: column {found[0]}", "text", repr(value))
            yield _beside(name, value)


def _beside(name: str, path: str) -> str:
    """Paths in a list or a table start at its folder, as in a data set's table."""
    path = path if is_url(path) else without_tilde(path)
    if is_url(path) or path.startswith("/"):
        return path
    if not is_url(name):
        return str(Path(name).parent / path)
    plain, options = split_options(name)
    scheme, _, rest = plain.partition("://")
    bucket, _, table = rest.partition("/")
    # an object store knows no . and .. in a name
    below = posixpath.normpath("/" + posixpath.join(posixpath.dirname(table), path))
    return with_options(f"{scheme}://{bucket}{below}", options)
