from __future__ import annotations

import itertools

import numpy as np
import pytest

from facemotion import Box, Face
from facemotion.video.tracking import Tracker

FPS = 30


def face(x: float, y: float, side: float = 60.0) -> Face:
    return Face(Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2), 0.9)


def jitter(rng: np.random.Generator, each: Face, pixels: float = 2.0) -> Face:
    x1, y1, x2, y2 = np.array(tuple(each.box)) + rng.normal(0, pixels, 4)
    return Face(Box(x1, y1, x2, y2), 0.9)


def test_a_face_keeps_its_number_while_it_moves() -> None:
    rng, tracker = np.random.default_rng(0), Tracker()
    ids = [tracker.update([jitter(rng, face(50 + 8 * frame, 100))], frame / FPS) for frame in range(100)]
    assert ids == [[1]] * 100


def test_the_order_of_the_faces_does_not_matter() -> None:
    tracker = Tracker()
    left, right = face(100, 100), face(300, 100)
    assert tracker.update([left, right], 0.0) == [1, 2]
    assert tracker.update([right, left], 1 / FPS) == [2, 1]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("hidden", [0, 8])
def test_two_who_cross_keep_their_numbers(seed: int, hidden: int) -> None:
    """The one behind is not seen for some frames while they pass each other."""
    rng, tracker = np.random.default_rng(seed), Tracker()
    seen: list[dict[str, int]] = []
    for frame in range(80):
        people = {"a": face(60 + 6 * frame, 200), "b": face(540 - 6 * frame, 215)}
        if abs(frame - 40) < hidden / 2:
            del people["b"]
        names = list(people)
        rng.shuffle(names)
        ids = tracker.update([jitter(rng, people[name]) for name in names], frame / FPS)
        seen.append(dict(zip(names, ids, strict=True)))
    switches = 0
    for name in "ab":
        track = [frame[name] for frame in seen if name in frame]
        switches += sum(one != other for one, other in itertools.pairwise(track))
    assert switches == 0


def test_a_short_gap_is_bridged_and_a_long_one_is_not() -> None:
    tracker = Tracker(max_gap=0.7)
    for frame in range(10):
        assert tracker.update([face(100 + 5 * frame, 100)], frame / FPS) == [1]
    for frame in range(10, 25):
        assert tracker.update([], frame / FPS) == []
    assert tracker.update([face(100 + 5 * 25, 100)], 25 / FPS) == [1]
    assert tracker.update([face(100 + 5 * 25, 100)], 25 / FPS + 0.8) == [2]


def test_one_who_appears_elsewhere_or_is_much_larger_is_somebody_else() -> None:
    tracker = Tracker()
    assert tracker.update([face(100, 100)], 0.0) == [1]
    assert tracker.update([face(400, 100)], 1 / FPS) == [2]
    assert tracker.update([face(400, 100, side=180)], 2 / FPS) == [3]


def test_thirty_faces_at_once() -> None:
    rng, tracker = np.random.default_rng(0), Tracker()
    for frame in range(60):
        faces = [jitter(rng, face(40 + 60 * (n % 6) + frame, 40 + 60 * (n // 6), 40)) for n in range(30)]
        assert tracker.update(faces, frame / FPS) == list(range(1, 31))


@pytest.mark.parametrize("times", [[0, 0, 0, 0], [0, 1, 0.5, 0.6], [5, 4, 3, 2]])
def test_a_clock_that_stands_or_jumps_back(times: list[float]) -> None:
    tracker = Tracker()
    for step, time in enumerate(times):
        assert len(tracker.update([face(100 + step, 100)], time)) == 1


def test_boxes_between_measurements_go_on_moving() -> None:
    tracker = Tracker()
    for frame in range(20):
        tracker.update([face(100 + 6 * frame, 100)], frame / FPS)
    assert tracker.boxes(22 / FPS)[1].center[0] == pytest.approx(100 + 6 * 22, abs=3)
