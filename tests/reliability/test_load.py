"""One recognizer under load: many threads and processes at once, and very many pictures in one process.

Twenty thousand frames of video are counted in tests/video/test_moving_faces.py.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from facemotion import EmotionRecognizer
from facemotion.opencv import cv2


@pytest.fixture(scope="module")
def recognizer() -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained("fast-7class", device="cpu")


def scaled(astronaut: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA)


def test_eight_threads_share_one_recognizer(recognizer: EmotionRecognizer, astronaut: np.ndarray) -> None:
    pictures = [scaled(astronaut, side) for side in range(160, 400, 30)]
    alone = [recognizer.predict(picture) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(recognizer.predict, pictures * 2))
    assert sum(map(len, alone)) >= len(pictures)
    for one, other in zip(alone * 2, together, strict=True):
        assert [face.box for face in one] == [face.box for face in other]
        for left, right in zip(one, other, strict=True):
            assert max(abs(left.scores[label] - right.scores[label]) for label in left.scores) < 1e-5


@pytest.mark.skipif(sys.platform != "linux", reason="`fork` is safe on Linux alone")
@pytest.mark.parametrize(("method", "dtype"), [("fork", "float32"), ("fork", "bfloat16"), ("spawn", "float32")])
def test_four_processes_share_one_recognizer(method: str, dtype: str) -> None:
    script = Path(__file__).with_name("sharing.py")
    subprocess.run([sys.executable, script, method, dtype], check=True, timeout=120)


def held() -> float:
    """Megabytes that this process holds now."""
    gc.collect()
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="how much memory a process holds now is read from /proc")
def test_memory_stays_flat_over_very_many_pictures(
    recognizer: EmotionRecognizer, astronaut: np.ndarray, rounds: Callable[[int, int], int]
) -> None:
    encoded = [cv2.imencode(".png", scaled(astronaut, side))[1].tobytes() for side in (64, 120, 200)]
    for at in range(60):
        recognizer.predict(encoded[at % 3])
    before = held()
    for at in range(rounds(200, 50_000)):
        recognizer.predict(encoded[at % 3])
    assert held() < 1.05 * before + 5


def moments(astronaut: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """A camera at 25 frames a second: somebody sways before it, and goes away for two of every sixty seconds."""
    portrait = scaled(astronaut[:280, 80:360], 200)
    for index in range(count):
        room = np.full((240, 320, 3), 90, np.uint8)
        if index % 1500 < 1450:
            left = round(60 + 50 * np.sin(index / 40))
            room[20:220, left : left + 200] = portrait
        yield room


@pytest.mark.skipif(sys.platform != "linux", reason="how much memory a process holds now is read from /proc")
def test_a_stream_goes_on_for_an_hour(
    recognizer: EmotionRecognizer, astronaut: np.ndarray, rounds: Callable[[int, int], int]
) -> None:
    count = rounds(1600, 3600 * 25)
    before = 0.0
    tracks = [set[int | None]() for _ in range(0, count, 1500)]
    for frame in recognizer.stream(moments(astronaut, count), fps=25):
        assert abs(frame.time - frame.index / 25) < 1e-6
        minute, second = divmod(frame.index, 1500)
        if 25 < second < 1450:
            [face] = frame.faces
            tracks[minute].add(face.track_id)
        if frame.index == 100:
            before = held()
    assert frame.index == count - 1
    # one person a minute, and each minute another: after two seconds nobody is waited for
    assert [len(each) for each in tracks] == [1] * len(tracks)
    assert len(set[int | None]().union(*tracks)) == len(tracks)
    assert held() < 1.05 * before + 5
