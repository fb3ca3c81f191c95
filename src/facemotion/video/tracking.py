"""Who is who across frames: faces are matched to where each track, moving on as it did, should be now."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from facemotion.boxes import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.results import Face, FaceEmotion

# a face that is further from where it should be than its own side, or twice as large, is somebody else
_FARTHEST = 1.0
# for how many seconds somebody who is not seen is thought to go on as before
_LONGEST_GUESS = 1.2
# how far a track follows what is measured: position at once, speed over some frames
_FOLLOW_PLACE, _FOLLOW_SPEED = 0.8, 0.3


@dataclass
class _Track:
    """A face on the move. place: centre x, y, logarithm of width, height; speed: the same a second."""

    track_id: int
    place: NDArray[np.float64]
    speed: NDArray[np.float64]
    seen: float

    def at(self, time: float) -> NDArray[np.float64]:
        return self.place + self.speed * min(max(time - self.seen, 0.0), _LONGEST_GUESS)

    def follow(self, measured: NDArray[np.float64], time: float) -> None:
        expected, passed = self.at(time), time - self.seen
        surprise = measured - expected
        self.place = expected + _FOLLOW_PLACE * surprise
        if passed >= 1e-3:  # two places at one time tell no speed
            # a face's size changes slowly: only its centre keeps a speed
            self.speed[:2] += _FOLLOW_SPEED * surprise[:2] / passed
        self.seen = time


class Tracker:
    """Gives every face a number that stays with it.

    max_gap: for how many seconds a face may be gone and still be the same. A face of the last frame is always looked
    for, however long ago that was.
    """

    def __init__(self, max_gap: float = 1.2) -> None:
        self._max_gap = max_gap
        self._tracks: list[_Track] = []
        self._last = 0.0
        self._ids = itertools.count(1)

    def update(self, faces: Sequence[Face | FaceEmotion], time: float) -> list[int]:
        """The track of each face of the next frame."""
        kept = [track for track in self._tracks if track.seen == self._last or time - track.seen <= self._max_gap]
        self._tracks, self._last = kept, time
        measured = [_place(face.box) for face in faces]
        found: dict[int, _Track] = {}
        for row, column in self._pairs(measured, time):
            self._tracks[row].follow(measured[column], time)
            found[column] = self._tracks[row]
        for column, place in enumerate(measured):
            if column not in found:
                found[column] = _Track(next(self._ids), place, np.zeros(4), time)
                self._tracks.append(found[column])
        return [found[column].track_id for column in range(len(faces))]

    def boxes(self, time: float) -> dict[int, Box]:
        """Where every track should be at a time: for frames that nobody looked at."""
        return {track.track_id: _box(track.at(time)) for track in self._tracks}

    def _pairs(self, measured: list[NDArray[np.float64]], time: float) -> list[tuple[int, int]]:
        """The tracks and faces that belong together, by the least total distance."""
        if not self._tracks or not measured:
            return []
        expected = np.array([track.at(time) for track in self._tracks])[:, None]
        faces = np.array(measured)[None]
        side = np.exp((expected[..., 2:] + faces[..., 2:]).mean(axis=-1) / 2)
        apart = np.hypot(*np.moveaxis(expected[..., :2] - faces[..., :2], -1, 0)) / side
        larger = np.abs(expected[..., 2:] - faces[..., 2:]).mean(axis=-1) / np.log(2)
        distance = np.minimum(np.hypot(apart, larger), 2 * _FARTHEST)
        rows, columns = linear_sum_assignment(distance)
        near = distance[rows, columns] < _FARTHEST
        return list(zip(rows[near].tolist(), columns[near].tolist(), strict=True))


def _place(box: Box) -> NDArray[np.float64]:
    return np.array([*box.center, np.log(max(box.width, 1.0)), np.log(max(box.height, 1.0))])


def _box(place: NDArray[np.float64]) -> Box:
    x, y = place[:2].tolist()
    width, height = (np.exp(place[2:]) / 2).tolist()
    return Box(x - width, y - height, x + width, y + height)
