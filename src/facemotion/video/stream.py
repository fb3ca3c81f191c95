"""A source of frames through a function that finds and reads faces, with tracks and smooth labels."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from facemotion.results import FaceEmotion, Frame
from facemotion.video.frames import read_frames
from facemotion.video.smoothing import Smoother
from facemotion.video.tracking import Tracker

if TYPE_CHECKING:
    from facemotion.results import Pixels
    from facemotion.video.frames import RawFrame, VideoSource


def stream(
    source: VideoSource,
    predict: Callable[[Pixels], list[FaceEmotion]],
    *,
    track: bool = True,
    smooth: float = 0.15,
    every: int = 1,
    fps: float | None = None,
) -> Iterator[Frame]:
    """Every frame of a source with its faces, one at a time.

    track: give each face a `track_id` that stays its own. smooth: half-life of the scores in seconds, 0 turns
    smoothing off; it needs tracks. every: look at each n-th frame only; in between the faces of the last one are
    carried along where their tracks go. fps: see `read_frames`.
    """
    if every < 1 or every % 1:
        raise ValueError(f"every: expected a whole number from 1, got {every!r}")
    if not smooth >= 0:
        raise ValueError(f"smooth: expected seconds, or 0 for none, got {smooth!r}")
    tracker = Tracker() if track else None
    smoother = Smoother(smooth) if track and smooth else None
    return _look(read_frames(source, fps), predict, tracker, smoother, every)


def _look(
    frames: Generator[RawFrame, None, None],
    predict: Callable[[Pixels], list[FaceEmotion]],
    tracker: Tracker | None,
    smoother: Smoother | None,
    every: int,
) -> Iterator[Frame]:
    faces: list[FaceEmotion] = []
    # what tracks and scores go by: it stands still where the clock of a source jumps back, and then goes on with it
    now = before = 0.0
    # counted as they come: a slow reader of a camera gets indices with gaps
    # closed at once also where an error ends this: a notebook keeps the error, with all that it has passed through
    with closing(frames):
        for number, frame in enumerate(frames):
            now += max(frame.time - before, 0.0) if number else 0.0
            before = frame.time
            if number % every == 0:
                faces = predict(frame.image)
                if tracker:
                    ids = tracker.update(faces, now)
                    faces = [replace(face, track_id=track_id) for face, track_id in zip(faces, ids, strict=True)]
                if smoother:
                    faces = smoother.update(faces, now)
            elif tracker:
                faces = _carried(faces, tracker, frame, now)
            else:
                faces = _without_landmarks(faces)
            # copies: what is done to them must not reach the frames that come of these
            given = [replace(face, scores=dict(face.scores)) for face in faces]
            yield Frame(frame.index, frame.time, frame.image, given)


def _carried(faces: list[FaceEmotion], tracker: Tracker, frame: RawFrame, now: float) -> list[FaceEmotion]:
    height, width = frame.image.shape[:2]
    boxes = tracker.boxes(now)
    moved = [replace(face, box=boxes[face.track_id].clip(width, height)) for face in faces if face.track_id]
    return _without_landmarks(face for face in moved if face.box.area > 0)


def _without_landmarks(faces: Iterable[FaceEmotion]) -> list[FaceEmotion]:
    """They belong to the frame they were found in."""
    return [replace(face, landmarks=None) for face in faces]
