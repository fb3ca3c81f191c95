"""What commands write of their results: CSV files that grow, and lines of JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO

from facemotion.errors import FacemotionError
from facemotion.tables import BEGINNINGS

if TYPE_CHECKING:
    from facemotion.results import FaceEmotion, Pixels


class Table:
    """A CSV file that grows row by row, each on the disk at once; a context manager.

    It is opened for the first row: where none comes, no camera or no picture that can be read, an older table stays.
    A file that is none of these tables is somebody's, and an error.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path, self._columns = path, columns
        self._file: TextIO | None = None
        if path.is_file() and not _may_be_ours(path):
            what = "which is no table of an earlier run"
            raise FacemotionError(f"--csv would write over {path}, {what}; name another place")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            with self._told():  # what could not be written is tried once more
                self._file.close()

    def add(self, rows: Iterable[Sequence[str]]) -> None:
        with self._told():
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("w", encoding="utf-8", errors="backslashreplace", newline="", buffering=1)
                rows = [self._columns, *rows]
            csv.writer(self._file).writerows(rows)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # a folder that can't be had, a full disk
            raise FacemotionError(f"{self._path} can't be written: {error.strerror or error}") from error


def _may_be_ours(path: Path) -> bool:
    """Whether a file begins as one of these tables, of any labels, or is empty."""
    with path.open("rb") as file:
        begin = file.read(max(map(len, BEGINNINGS)))
    return not begin or begin.startswith(BEGINNINGS)


def picture_json(source: str, image: Pixels, faces: Sequence[FaceEmotion]) -> str:
    """The line of `predict --json`."""
    height, width = image.shape[:2]
    values = {"source": source, "width": width, "height": height, "faces": [face.to_dict() for face in faces]}
    # in ASCII it is the same JSON for every locale, and for names that are not UTF-8
    return json.dumps(values)
