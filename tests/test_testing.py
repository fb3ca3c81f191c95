"""The contract test for detectors finds each way to break the contract."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facemotion import Box, Face
from facemotion.testing import StubDetector, check_detector

FACE = Face(Box(1.0, 2.0, 3.0, 4.0), 0.9)
LANDMARKS = np.ones((5, 2), np.float32)


class Detector:
    def __init__(self, detect: Callable[[np.ndarray], object]) -> None:
        self.detect = detect


def paint(image: np.ndarray) -> list[Face]:
    image[:] = 7
    return []


def fickle() -> Callable[[np.ndarray], list[Face]]:
    counts = iter(range(1000))
    return lambda image: [FACE] * (next(counts) % 2)


@pytest.mark.parametrize(
    ("detect", "says"),
    [
        (lambda image: None, "expected a list, got NoneType"),
        (lambda image: (FACE,), "expected a list, got tuple"),
        (lambda image: [(1, 2, 3, 4)], "expected Face, got tuple"),
        (lambda image: [Face(FACE.box, 1.7)], "expected a score from 0 to 1, got 1.7"),
        (lambda image: [Face(FACE.box, np.float32(0.5))], "expected a float as score"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda image: [Face(Box(1, 2, 3, 4), 0.5)], "expected floats in the box, got int"),
        (lambda image: [Face(FACE.box, 0.5, LANDMARKS[:3])], r"landmarks of shape \(5, 2\) or None, got \(3, 2\)"),
        (lambda image: [Face(FACE.box, 0.5, LANDMARKS * np.nan)], "landmarks that are not finite"),
        (paint, "picture was changed"),
        (fickle(), "gave 0 faces, then 1 others"),
    ],
)
def test_a_broken_detector_is_found_out(detect: Callable[[np.ndarray], object], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_detector(Detector(detect))  # type: ignore[arg-type]  # broken on purpose


def test_a_detector_that_finds_nothing_in_your_picture() -> None:
    with pytest.raises(AssertionError, match="no face was found in your picture"):
        check_detector(StubDetector(), np.zeros((9, 9, 3), np.uint8))


def test_a_batch_that_disagrees() -> None:
    stub = StubDetector([FACE])
    stub.detect_batch = lambda images: [[] for _ in images]  # type: ignore[attr-defined]  # the stub has none
    with pytest.raises(AssertionError, match="detect_batch and detect disagree"):
        check_detector(stub)


def test_a_good_detector_passes(astronaut: np.ndarray) -> None:
    check_detector(StubDetector([FACE, Face(FACE.box, 0.5, LANDMARKS)]), astronaut)
