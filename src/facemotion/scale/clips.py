"""Clips through the recognizer, in segments that several workers read, joined to what a single run gives.

What a network sees in a frame does not hang on other frames. Who is who and what a label settles at does, and costs
next to nothing: so segments keep what was seen in each frame, and the way through all frames is gone once, at the end.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facemotion.boxes import Box
from facemotion.errors import VideoError
from facemotion.labels import LabelSet
from facemotion.recognizer import EmotionRecognizer
from facemotion.results import FaceEmotion, Frame
from facemotion.scale.arrow import pyarrow
from facemotion.scale.places import Place
from facemotion.video.frames import Clock, RawFrame, clip_info
from facemotion.video.segments import Mark, Segment
from facemotion.video.stream import stream
from facemotion.video.whole import check_whole

if TYPE_CHECKING:
    from facemotion.results import Pixels

logger = logging.getLogger(__name__)

_LIST = pyarrow.list_(pyarrow.float64())
# a row a frame; of its faces one after the other the box and the detector's score, and the probabilities
_SCHEMA = pyarrow.schema([("told", pyarrow.float64()), ("faces", _LIST), ("scores", _LIST)])
_FACE_NUMBERS = 5
_ROWS_AT_ONCE = 1000


def look_at_segment(clip: Path, start: float, stop: float, recognizer: EmotionRecognizer, place: Place) -> None:
    """Keep what is seen in each frame of a span. A clip that can't be read is found out when it is joined."""
    segment = Segment(clip, start, stop)
    rows: list[dict[str, Any]] = []
    try:
        for told, image in segment.frames():
            found = recognizer.predict(image)
            faces = [number for face in found for number in (*face.box, face.detection_score)]
            scores = [float(face.scores[label]) for face in found for label in recognizer.labels]
            rows.append({"told": told, "faces": faces, "scores": scores})
    except VideoError as error:
        logger.debug("%s: %s", clip, error)
    marks = {name: mark and asdict(mark) for name, mark in (("first", segment.first), ("beyond", segment.beyond))}
    table = pyarrow.Table.from_pylist(rows, schema=_SCHEMA.with_metadata({"marks": json.dumps(marks)}))
    with place.growing() as file:
        pyarrow.parquet.write_table(table, file)


def join(clip: Path, segments: list[Place], labels: LabelSet, smooth: float) -> Iterator[Frame] | None:
    """The frames of a clip, without their pixels, as one run over it gives them; None where only that run can tell."""
    info = clip_info(clip)
    marks: list[dict[str, Mark | None]] = []
    count, ends = 0, list[float]()  # of each segment the first frame's time and the last one's
    for segment in segments:
        with _opened(segment) as file:
            marks.append(_marks(file))
            told = file.read(["told"])["told"].to_pylist()
            count += len(told)
            ends += [*told[:1], *told[-1:]]
    if any(one["beyond"] != other["first"] for one, other in pairwise(marks)):
        logger.warning("%s: its parts do not fit where they meet, so it is read in one go", clip)
        return None
    if not ends:  # whoever reads it in one go says why
        return None
    check_whole(str(clip), count, ends[-1] - ends[0], info)
    waiting: deque[list[FaceEmotion]] = deque()

    def frames() -> Iterator[RawFrame]:
        clock = Clock()
        for index, row in enumerate(_rows(segments)):
            waiting.append(_faces(row, labels))
            yield RawFrame(index, clock.time(row["told"], info.fps), _BLANK)

    return stream(frames(), lambda _: waiting.popleft(), smooth=smooth)


# the pixels were looked at before, and a stream takes no picture without any
_BLANK: Pixels = np.zeros((1, 1, 3), np.uint8)


def _rows(segments: list[Place]) -> Iterator[dict[str, Any]]:
    for segment in segments:
        with _opened(segment) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE):
                yield from batch.to_pylist()


@contextmanager
def _opened(segment: Place) -> Iterator[Any]:
    """The table of a segment; one at a time, since a clip may have more of them than a process may have open files."""
    with segment.open() as source:
        yield pyarrow.parquet.ParquetFile(source)


def _marks(file: Any) -> dict[str, Mark | None]:
    kept = json.loads(file.schema_arrow.metadata[b"marks"])
    return {name: mark and Mark(**mark) for name, mark in kept.items()}


def _faces(row: dict[str, Any], labels: LabelSet) -> list[FaceEmotion]:
    faces = np.reshape(row["faces"], (-1, _FACE_NUMBERS)).tolist()
    scores = np.reshape(row["scores"], (-1, len(labels))).tolist()
    found = []
    for (*box, detection), values in zip(faces, scores, strict=True):
        label = labels[int(np.argmax(values))]
        by_label = dict(zip(labels, values, strict=True))
        found.append(FaceEmotion(label, by_label[label], by_label, Box(*box), detection))
    return found
