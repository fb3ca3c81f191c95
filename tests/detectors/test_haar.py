from __future__ import annotations

import numpy as np
import pytest

from facemotion import Box, FaceDetector, MissingExtraError
from facemotion.opencv import cv2

has_cascades = pytest.mark.skipif(not hasattr(cv2, "CascadeClassifier"), reason="OpenCV 5 has no cascades")


@has_cascades
def test_the_astronaut_is_found(astronaut: np.ndarray) -> None:
    face = FaceDetector("haar").detect(astronaut)[0]
    assert face.box.iou(Box(178, 63, 268, 176)) > 0.7
    assert face.landmarks is None
    assert 0.5 <= face.score < 1


@has_cascades
def test_boxes_are_in_pixels_of_the_source_for_large_pictures(astronaut: np.ndarray) -> None:
    # the long side is shrunk to 1,280 in both cases
    small = FaceDetector("haar").detect(cv2.resize(astronaut, (1280, 1280), interpolation=cv2.INTER_AREA))[0]
    large = FaceDetector("haar").detect(cv2.resize(astronaut, (2560, 2560), interpolation=cv2.INTER_LINEAR))[0]
    assert large.box.scale(0.5).iou(small.box) > 0.8


@has_cascades
def test_the_threshold_is_the_user_s(astronaut: np.ndarray) -> None:
    faces = FaceDetector("haar").detect(astronaut)
    best = max(face.score for face in faces)
    assert [face.score for face in FaceDetector("haar", min_score=best).detect(astronaut)] == [best]
    assert FaceDetector("haar", min_score=1.0).detect(astronaut) == []


@has_cascades
def test_a_picture_of_20_000_pixels() -> None:
    assert FaceDetector("haar").detect(np.zeros((600, 20_000, 3), np.uint8)) == []


@pytest.mark.skipif(hasattr(cv2, "CascadeClassifier"), reason="this OpenCV has the cascades")
def test_opencv_5_says_why_and_names_the_ways_out() -> None:
    with pytest.raises(MissingExtraError) as caught:
        FaceDetector("haar")
    for words in ("OpenCV 5 left out", cv2.__version__, "FaceDetector('yunet')", "pip install 'opencv-python<5'"):
        assert words in str(caught.value)
