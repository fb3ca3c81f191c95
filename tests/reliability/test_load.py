"""One recognizer under load: many threads at once, and very many pictures in one process.

Twenty thousand frames of video are counted in tests/video/test_moving_faces.py.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
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
