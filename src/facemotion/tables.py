"""The columns and rows of the tables that people read, as values and as the text of a CSV file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from facemotion.labels import LabelSet
    from facemotion.results import FaceEmotion, Frame

# None is an empty field
Value: TypeAlias = "str | int | float | None"

_FACE = ("label", "score", "x1", "y1", "x2", "y2")
_PICTURE = ("source", "face", *_FACE, "detection_score")
_VIDEO = ("frame", "time", "track_id", *_FACE)
# what a file of each begins with, whatever its labels
BEGINNINGS = tuple(",".join(columns[:3]).encode() for columns in (_PICTURE, _VIDEO))
_TAKEN = frozenset((*_PICTURE, *_VIDEO))
# a hundredth of a pixel is more than a detector knows; all else has six decimals
_DECIMALS = dict.fromkeys(("x1", "y1", "x2", "y2"), 2)


def picture_columns(labels: LabelSet) -> list[str]:
    """The columns of `predict --csv`."""
    return [*_PICTURE, *_label_columns(labels)]


def picture_values(source: str, faces: Sequence[FaceEmotion], labels: LabelSet) -> Iterator[list[Value]]:
    """A row a face; a picture without faces keeps one."""
    for number, face in enumerate(faces, start=1):
        yield [source, number, *_face(face), face.detection_score, *_scores(face, labels)]
    if not faces:
        yield [source, *[None] * (len(_PICTURE) - 1 + len(labels))]


def picture_rows(source: str, faces: Sequence[FaceEmotion], labels: LabelSet) -> Iterator[list[str]]:
    """The rows of `predict --csv`."""
    return as_text(picture_columns(labels), picture_values(source, faces, labels))


def _label_columns(labels: LabelSet) -> list[str]:
    """A column a label, in their order; before one that is called like another column stands p_."""
    columns: list[str] = []
    for label in labels:
        column = label
        while column in _TAKEN or column in columns:
            column = f"p_{column}"
        columns.append(column)
    return columns


def video_columns(labels: LabelSet) -> list[str]:
    """The columns of `video --csv` and `webcam --csv`."""
    return [*_VIDEO, *_label_columns(labels)]


def video_values(frame: Frame, labels: LabelSet) -> Iterator[list[Value]]:
    """A row a face; a frame without faces keeps one."""
    for face in frame.faces:
        yield [frame.index, frame.time, face.track_id, *_face(face), *_scores(face, labels)]
    if not frame.faces:
        yield [frame.index, frame.time, *[None] * (len(_VIDEO) - 2 + len(labels))]


def video_rows(frame: Frame, labels: LabelSet) -> Iterator[list[str]]:
    """The rows of `video --csv` and `webcam --csv`."""
    return as_text(video_columns(labels), video_values(frame, labels))


def as_text(columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> Iterator[list[str]]:
    """Rows of values as a CSV file has them."""
    decimals = [_DECIMALS.get(column, 6) for column in columns]
    for row in rows:
        yield [_text(value, places) for value, places in zip(row, decimals, strict=True)]


def _text(value: Value, decimals: int) -> str:
    if value is None:
        return ""
    return f"{value:.{decimals}f}" if isinstance(value, float) else str(value)


def _face(face: FaceEmotion) -> list[Value]:
    return [face.label, float(face.score), *map(float, face.box)]


def _scores(face: FaceEmotion, labels: LabelSet) -> list[Value]:
    return [float(face.scores[label]) for label in labels]
