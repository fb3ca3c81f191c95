from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from facemotion import Box, Face, InputSpec
from facemotion.crops import _UPRIGHT, cut, upright_transform
from facemotion.opencv import cv2

RGB48 = InputSpec(size=48, colour="rgb", mean=(0.5,) * 3, std=(0.5,) * 3)
FACE = Face(Box(170, 60, 280, 200), 1.0)
# the astronaut's eyes, nose and mouth corners, as seen from left to right, read off the picture by eye
LANDMARKS = np.array([(204, 109), (247, 109), (227, 134), (206, 153), (247, 152)], np.float32)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


def turned(image: np.ndarray, degrees: float, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """The image turned about the face, and where the landmarks are then."""
    matrix = cv2.getRotationMatrix2D((226.5, 133.5), degrees, scale)
    points = np.hstack([LANDMARKS - 0.5, np.ones((5, 1))]) @ matrix.T + 0.5
    return cv2.warpAffine(image, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE), points.astype(np.float32)


@pytest.mark.parametrize("spec", [InputSpec(), RGB48, InputSpec(size=112, margin=0.3, align=True)])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_all_faces_come_in_one_array(astronaut: np.ndarray, spec: InputSpec, count: int) -> None:
    crops = cut(astronaut, [FACE] * count, spec)
    assert crops.shape == (count, spec.size, spec.size, spec.channels)
    assert crops.dtype == np.uint8
    assert crops.flags["C_CONTIGUOUS"]


def test_a_crop_is_the_square_about_the_box_with_its_margin(astronaut: np.ndarray) -> None:
    face = Face(Box(200, 100, 240, 180), 1.0)
    spec = InputSpec(size=96, colour="rgb", margin=0.1, mean=(0.5,) * 3, std=(0.5,) * 3)
    # the longer side is 80, a tenth of it on every side makes 96: no resizing at all
    assert np.array_equal(cut(astronaut, [face], spec)[0], astronaut[92:188, 172:268])


def test_grey_is_the_usual_weighting(astronaut: np.ndarray) -> None:
    grey = cut(astronaut, [FACE], InputSpec(size=64))[0, :, :, 0]
    colour = cut(astronaut, [FACE], InputSpec(size=64, colour="rgb", mean=(0.5,) * 3, std=(0.5,) * 3))[0]
    assert np.abs(grey - colour @ (0.299, 0.587, 0.114)).max() <= 1


def test_a_large_face_is_averaged_not_sampled() -> None:
    checkered = np.zeros((480, 480, 3), np.uint8)
    checkered[::2, ::2] = checkered[1::2, 1::2] = 255
    for align in (False, True):
        spec = InputSpec(size=48, align=align)
        landmarks = (_UPRIGHT * 480).astype(np.float32)
        crop = cut(checkered, [Face(Box(0, 0, 480, 480), 1.0, landmarks)], spec)[0]
        assert np.abs(crop.astype(int) - 127).max() <= 3


@pytest.mark.parametrize("box", [(-40, 10, 40, 90), (10, -40, 90, 40), (472, 472, 552, 552)])
def test_beyond_the_border_the_last_pixels_go_on(astronaut: np.ndarray, box: tuple[int, int, int, int]) -> None:
    spec = InputSpec(size=80, colour="rgb", mean=(0.5,) * 3, std=(0.5,) * 3)
    crop = cut(astronaut, [Face(Box(*box), 1.0)], spec)[0]
    padded = cv2.copyMakeBorder(astronaut, 100, 100, 100, 100, cv2.BORDER_REPLICATE)
    x1, y1, x2, y2 = (value + 100 for value in box)
    assert np.array_equal(crop, padded[y1:y2, x1:x2])


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize(
    "box",
    [
        (-900, -900, -800, -800),
        (0, 0, 0, 0),
        (511.7, 511.7, 512, 512),
        (0, 0, 1, 512),
        (-1e6, -1e6, 1e6, 1e6),
        (600, 0, 700, 50),
    ],
)
def test_no_box_is_too_odd(astronaut: np.ndarray, box: tuple[float, ...], align: bool) -> None:
    x1, y1, x2, y2 = box
    landmarks = np.array([x1, y1]) + _UPRIGHT * [x2 - x1, y2 - y1]
    tracemalloc.start()
    crops = cut(astronaut, [Face(Box(*box), 1.0, landmarks.astype(np.float32))], InputSpec(align=align))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert crops.shape == (1, 48, 48, 1)
    assert peak < 20e6


@pytest.mark.parametrize("landmarks", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.full((5, 2), 1e30)])
def test_landmarks_that_are_none_fall_back_to_the_box(astronaut: np.ndarray, landmarks: np.ndarray) -> None:
    face = Face(FACE.box, 1.0, landmarks.astype(np.float32))
    assert np.array_equal(cut(astronaut, [face], InputSpec(align=True)), cut(astronaut, [FACE], InputSpec(align=False)))


def test_the_fit_is_exact_where_an_exact_one_exists() -> None:
    spec, angle = InputSpec(size=100), math.radians(30)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    source = (_UPRIGHT * 100 - 50) @ turn.T * 2.5 + (300, 200)
    transform = upright_transform(source.astype(np.float32), spec)
    assert transform is not None
    assert np.allclose(source @ transform[:, :2].T + transform[:, 2], _UPRIGHT * 100, atol=1e-3)


def test_the_fit_is_the_least_squares_one() -> None:
    """Against numpy's general solver over the four free numbers of a similarity."""
    rng = np.random.default_rng(1)
    source = (_UPRIGHT * 90 + rng.normal(0, 4, (5, 2)) + 40).astype(np.float32)
    x, y = source.astype(float).T
    zero, one = np.zeros(5), np.ones(5)
    system = np.vstack([np.column_stack([x, -y, one, zero]), np.column_stack([y, x, zero, one])])
    a, b, dx, dy = np.linalg.lstsq(system, (_UPRIGHT * 48).T.ravel(), rcond=None)[0]
    assert np.allclose(upright_transform(source, InputSpec()), [[a, -b, dx], [b, a, dy]], atol=1e-5)


@pytest.mark.parametrize("degrees", [-40, -15, 20, 90, 180])
@pytest.mark.parametrize("scale", [0.8, 1.6])
def test_a_turned_face_is_cut_upright(astronaut: np.ndarray, degrees: float, scale: float) -> None:
    spec = InputSpec(align=True)
    upright = cut(astronaut, [Face(FACE.box, 1.0, LANDMARKS)], spec)
    image, landmarks = turned(astronaut, degrees, scale)
    crop = cut(image, [Face(FACE.box, 1.0, landmarks)], spec)
    assert difference(crop, upright) < 6
    assert difference(cut(image, [FACE], spec), upright) > 20


def test_the_margin_shows_more_around_an_aligned_face() -> None:
    spec = InputSpec(size=100, margin=0.5, align=True)
    transform = upright_transform((_UPRIGHT * 50).astype(np.float32), spec)
    assert transform is not None
    # with half a side added on either side the face's own square is the middle half of the crop
    assert np.allclose(transform @ (0, 0, 1), (25, 25), atol=1e-3)
    assert np.allclose(transform @ (50, 50, 1), (75, 75), atol=1e-3)
