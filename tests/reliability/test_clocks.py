"""A clock that jumps, in either direction, while a stream goes on; and a stream that is left alone for hours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facemotion import Box, FaceEmotion
from facemotion.video.frames import RawFrame
from facemotion.video.stream import stream
from facemotion.video.writing import ClipWriter

PIXELS = np.zeros((480, 640, 3), np.uint8)


def seen_at(times: list[float], every: int = 1) -> tuple[list[int | None], list[float], list[float]]:
    """Somebody walks by at 60 pixels a second: the track in each frame, the smoothed score, and the box's left edge."""
    raw = [RawFrame(index, time, PIXELS) for index, time in enumerate(times)]
    steps = iter(range(0, len(times), every))

    def predict(image: np.ndarray) -> list[FaceEmotion]:
        step = next(steps)
        left, happy = 20 + step * 60 / 25, float(step % 50 < 25)
        scores = {"happy": happy, "sad": 1 - happy}
        label = max(scores, key=lambda key: scores[key])
        return [FaceEmotion(label, scores[label], scores, Box(left, 100, left + 60, 160), 1.0)]

    frames = list(stream(raw, predict, every=every))
    assert [frame.time for frame in frames] == times, "the caller is told what the source said"
    faces = [frame.faces[0] for frame in frames]
    return (
        [face.track_id for face in faces],
        [face.scores["happy"] for face in faces],
        [face.box.x1 for face in faces],
    )


STEADY = [index / 25 for index in range(200)]


@pytest.mark.parametrize("jump", [-1e-3, -0.04, -1.0, -3600.0, -1e9])
@pytest.mark.parametrize("every", [1, 4])
def test_a_clock_that_jumps_back_loses_nobody(jump: float, every: int) -> None:
    ids, scores, lefts = seen_at([time + (jump if time >= 3 else 0) for time in STEADY], every)
    steady_ids, steady_scores, steady_lefts = seen_at(STEADY, every)
    assert set(ids) == set(steady_ids) == {1}
    # the frame of the jump takes no time: one step of the smoothing is late by a frame
    assert np.abs(np.subtract(scores, steady_scores)).max() < 0.2
    assert np.abs(np.subtract(lefts, steady_lefts)).max() < 15


def test_a_clock_that_stands_still_loses_nobody() -> None:
    ids, _, _ = seen_at([min(time, 2.0) for time in STEADY])
    assert set(ids) == {1}


def test_somebody_who_left_before_the_jump_is_not_taken_for_who_comes_after() -> None:
    raw = [RawFrame(index, index / 25 - (1000 if index > 50 else 0), PIXELS) for index in range(200)]
    steps = iter(range(200))

    def predict(image: np.ndarray) -> list[FaceEmotion]:
        face = FaceEmotion("happy", 1.0, {"happy": 1.0}, Box(100, 100, 160, 160), 1.0)
        return [face] if not 40 < next(steps) < 150 else []

    frames = list(stream(raw, predict))
    assert [frame.faces[0].track_id for frame in (frames[0], frames[40], frames[150], frames[199])] == [1, 1, 2, 2]


def test_years_between_two_frames_are_not_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ClipWriter(tmp_path / "a.mp4", 25) as writer:
        for time in (0.0, 0.04, 1e9, 1e9 + 0.04):
            writer.write(PIXELS, time)
    assert writer._written == 4
    assert "1000000000 seconds without a frame before 1000000000 s are left out" in caplog.text


def test_no_clip_of_the_user_s_is_written_over(tmp_path: Path) -> None:
    for name in ("a.part.mp4", "a.sound.mp4"):
        (tmp_path / name).write_bytes(b"mine")
    with ClipWriter(tmp_path / "a.mp4", 25, sound_of=tmp_path / "a.part.mp4") as writer:
        writer.write(PIXELS, 0.0)
    assert {path.name: path.read_bytes() == b"mine" for path in tmp_path.iterdir()} == {
        "a.mp4": False, "a.part.mp4": True, "a.sound.mp4": True
    }  # fmt: skip
