"""A part of a clip, read without what lies before it, with what shows whether two parts fit together.

A part is a span of time, since frames can't be found by number in clips of a variable rate. Whether looking there
brought the right frame is not believed: at each joint both parts must have seen the very same frame.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facemotion.opencv import cv2
from facemotion.video.frames import as_shown, open_clip, told_seconds
from facemotion.video.interlaced import refuse_interlaced

if TYPE_CHECKING:
    from facemotion.results import Pixels

# decoding begins this much earlier: frames may stand on others that came before the nearest whole one
_RUN_UP_SECONDS = 2.0


@dataclass(frozen=True)
class Mark:
    """A frame that two segments share: its time as the file tells it, and a hash of its pixels."""

    told: float
    pixels: str


class Segment:
    """The frames of a clip whose times, as the file tells them, are from `start` up to and without `stop`.

    Once `frames` has been read to its end, `first` is the first frame from `start` on and `beyond` the first one that
    belongs to a later segment; None where the clip ended before. The next segment fits if its `first` is our `beyond`.
    """

    def __init__(self, clip: str | os.PathLike[str], start: float = -math.inf, stop: float = math.inf) -> None:
        self._clip, self._start, self._stop = os.fspath(clip), start, stop
        self.first: Mark | None = None
        self.beyond: Mark | None = None

    def frames(self) -> Iterator[tuple[float, Pixels]]:
        """Each frame's time as the file tells it, and its pixels."""
        capture = open_clip(self._clip)
        try:
            for told, image in refuse_interlaced(self._pictures(capture), self._clip):
                if self.first is None:
                    self.first = _mark(told, image)
                if told >= self._stop:
                    self.beyond = _mark(told, image)
                    break
                yield told, image
        finally:
            capture.release()

    def _pictures(self, capture: Any) -> Iterator[tuple[float, Pixels]]:
        """From the first frame of the segment on; those before it are not converted."""
        if self._start > _RUN_UP_SECONDS:
            capture.set(cv2.CAP_PROP_POS_MSEC, (self._start - _RUN_UP_SECONDS) * 1000)
        begun = False
        while capture.grab():
            told = told_seconds(capture)
            begun = begun or told >= self._start
            if not begun:
                continue
            whole, frame = capture.retrieve()
            if not whole:
                break
            yield told, as_shown(capture, frame)


def _mark(told: float, image: Pixels) -> Mark:
    return Mark(told, hashlib.blake2b(image.data, digest_size=16).hexdigest())
