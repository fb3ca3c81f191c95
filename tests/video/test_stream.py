from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facemotion import Box, FaceEmotion
from facemotion.video.stream import stream

SCORES = ({"happy": 0.9, "sad": 0.1}, {"happy": 0.2, "sad": 0.8})
IMAGES = [np.full((100, 200, 3), index, np.uint8) for index in range(12)]


def predict(image: np.ndarray) -> list[FaceEmotion]:
    """A face that moves two pixels a frame and frowns in every fourth one."""
    index = int(image[0, 0, 0])
    scores = SCORES[index % 4 == 3]
    label = max(scores, key=lambda each: scores[each])
    box = Box(20 + 2 * index, 30, 60 + 2 * index, 70)
    return [FaceEmotion(label, scores[label], dict(scores), box, 0.9, np.ones((5, 2), np.float32))]


def test_frames_come_with_index_time_image_and_tracked_smooth_faces() -> None:
    frames = list(stream(iter(IMAGES), predict, fps=20))
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == pytest.approx([index / 20 for index in range(12)])
    assert all(frame.image is image for frame, image in zip(frames, IMAGES, strict=True))
    assert [face.track_id for frame in frames for face in frame.faces] == [1] * 12
    assert {face.label for frame in frames for face in frame.faces} == {"happy"}
    assert all(sum(face.scores.values()) == pytest.approx(1) for frame in frames for face in frame.faces)


def test_without_smoothing_the_scores_are_the_network_s() -> None:
    frames = list(stream(IMAGES, predict, smooth=0))
    assert [frame.faces[0].label for frame in frames] == [predict(image)[0].label for image in IMAGES]
    assert [frame.faces[0].track_id for frame in frames] == [1] * 12


def test_without_tracks_nothing_is_changed() -> None:
    assert [frame.faces for frame in stream(IMAGES, predict, track=False)] == [predict(image) for image in IMAGES]


def test_every_third_frame_is_looked_at_and_boxes_move_on_in_between() -> None:
    looked = []

    def look(image: np.ndarray) -> list[FaceEmotion]:
        looked.append(int(image[0, 0, 0]))
        return predict(image)

    frames = list(stream(IMAGES, look, every=3, fps=30))
    assert looked == [0, 3, 6, 9]
    assert len(frames) == 12
    assert [frame.faces[0].track_id for frame in frames] == [1] * 12
    assert frames[11].faces[0].box.x1 == pytest.approx(20 + 2 * 11, abs=2)
    assert frames[11].faces[0].landmarks is None
    kept = [frame.faces for frame in stream(IMAGES, look, every=3, track=False)]
    assert kept[0] == kept[1] == kept[2] != kept[3]


def test_landmarks_are_of_the_frame_they_were_found_in() -> None:
    points = np.zeros((5, 2), np.float32)

    def look(image: np.ndarray) -> list[FaceEmotion]:
        return [replace(face, landmarks=points) for face in predict(image)]

    for track in (True, False):
        found = [frame.faces[0].landmarks is None for frame in stream(IMAGES, look, every=3, track=track)]
        assert found == [False, True, True] * 4


@pytest.mark.parametrize("options", [{}, {"every": 3}, {"every": 3, "track": False}])
def test_what_is_done_to_a_frame_s_faces_reaches_no_other_frame(options: dict[str, Any]) -> None:
    wanted = [frame.faces for frame in stream(IMAGES, predict, **options)]
    for frame, faces in zip(stream(IMAGES, predict, **options), wanted, strict=True):
        assert frame.faces == faces
        for label in frame.faces[0].scores:  # as per cent, in place
            frame.faces[0].scores[label] *= 100
        frame.faces.clear()  # type: ignore[attr-defined]  # a Sequence that may be changed all the same


def test_frames_are_asked_for_one_at_a_time() -> None:
    taken = []

    def images() -> object:
        for image in IMAGES:
            taken.append(1)
            yield image

    frames = stream(images(), predict)  # type: ignore[arg-type]  # a generator of arrays
    assert taken == []
    next(frames)
    next(frames)
    assert len(taken) == 2


def test_a_source_is_closed_where_an_error_ends_the_stream_and_is_kept() -> None:
    closed = []

    def images() -> object:
        try:
            yield from IMAGES
        finally:
            closed.append(1)

    def broken(image: np.ndarray) -> list[FaceEmotion]:
        raise KeyboardInterrupt

    # as a notebook keeps it, with every frame that it has passed through
    with pytest.raises(KeyboardInterrupt) as kept:
        next(stream(images(), broken))  # type: ignore[arg-type]  # a generator of arrays
    assert kept.value and closed


def test_a_step_that_can_t_be() -> None:
    with pytest.raises(ValueError, match="every: expected a whole number from 1, got 0"):
        list(stream(IMAGES, predict, every=0))
    with pytest.raises(ValueError, match=r"every: expected a whole number from 1, got 1\.5"):
        list(stream(IMAGES, predict, every=1.5))  # type: ignore[arg-type]  # wrong on purpose
