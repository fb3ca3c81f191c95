"""The tables and lines that people read: CSV and JSON of pictures, CSV of videos."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from facemotion.errors import FacemotionError

if TYPE_CHECKING:
    from facemotion.labels import LabelSet
    from facemotion.results import FaceEmotion, Frame, Pixels

_FACE = ("label", "score", "x1", "y1", "x2", "y2")
_PICTURE = ("source", "face", *_FACE, "detection_score")
_VIDEO = ("frame", "time", "track_id", *_FACE)


class Table:
    """A CSV file that grows row by row, each on the disk at once; a context manager."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="", buffering=1)
        except OSError as error:
            raise FacemotionError(f"{path} can't be written: {error.strerror or error}") from error
        self._path, self._rows = path, csv.writer(self._file)
        self.add([columns])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, rows: Iterable[Sequence[str]]) -> None:
        try:
            self._rows.writerows(rows)
        except OSError as error:  # a full disk
            raise FacemotionError(f"{self._path} can't be written: {error.strerror or error}") from error


def picture_columns(labels: LabelSet) -> list[str]:
    """The columns of `predict --csv`."""
    return [*_PICTURE, *labels]


def picture_rows(source: str, faces: Sequence[FaceEmotion], labels: LabelSet) -> Iterator[list[str]]:
    """A row a face; a picture without faces keeps one."""
    for number, face in enumerate(faces, start=1):
        yield [source, str(number), *_face(face), f"{face.detection_score:.6f}", *_scores(face, labels)]
    if not faces:
        yield [source, *[""] * (len(_PICTURE) - 1 + len(labels))]


def picture_json(source: str, image: Pixels, faces: Sequence[FaceEmotion]) -> str:
    """The line of `predict --json`."""
    height, width = image.shape[:2]
    values = {"source": source, "width": width, "height": height, "faces": [face.to_dict() for face in faces]}
    # in ASCII it is the same JSON for every locale, and for names that are not UTF-8
    return json.dumps(values)


def video_columns(labels: LabelSet) -> list[str]:
    """The columns of `video --csv` and `webcam --csv`."""
    return [*_VIDEO, *labels]


def video_rows(frame: Frame, labels: LabelSet) -> Iterator[list[str]]:
    """A row a face; a frame without faces keeps one."""
    when = [str(frame.index), f"{frame.time:.6f}"]
    for face in frame.faces:
        yield [*when, str(face.track_id), *_face(face), *_scores(face, labels)]
    if not frame.faces:
        yield [*when, *[""] * (len(_VIDEO) - len(when) + len(labels))]


def _face(face: FaceEmotion) -> list[str]:
    return [face.label, f"{face.score:.6f}", *(f"{value:.2f}" for value in face.box)]


def _scores(face: FaceEmotion, labels: LabelSet) -> list[str]:
    return [f"{face.scores[label]:.6f}" for label in labels]
