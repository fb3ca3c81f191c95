"""On real pictures. Their labels come from YuNet itself: this tests the plumbing around it, not its accuracy."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import pictures

from facemotion import Box, Face, FaceDetector
from facemotion.detectors import yunet
from facemotion.devices import limited_cpu_threads
from facemotion.opencv import cv2

pytestmark = pytest.mark.usefixtures("yunet_in_cache")


@pytest.fixture(params=["onnxruntime", "OpenCV"])
def detector(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FaceDetector:
    """The detector by either engine."""
    return by_onnxruntime() if request.param == "onnxruntime" else by_opencv(monkeypatch)


def by_onnxruntime() -> FaceDetector:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    return FaceDetector("yunet")


def by_opencv(monkeypatch: pytest.MonkeyPatch) -> FaceDetector:
    with monkeypatch.context() as patch:
        patch.setattr(yunet, "_onnxruntime_engine", lambda model, min_score: None)
        return FaceDetector("yunet")


def test_the_person_is_found_on_99_of_100_scenes(assets: Path, detector: FaceDetector) -> None:
    """The person is the largest label; some scenes have faces of 4 to 10 px on walls and in the distance."""
    found = []
    for image, labels in pictures(assets, "faces", "scene"):
        boxes = (Box(*label["box"]).clip(image.shape[1], image.shape[0]) for label in labels)
        person = max(boxes, key=lambda box: box.area)
        found.append(any(face.box.iou(person) > 0.5 for face in detector.detect(image)))
    assert len(found) == 435
    assert np.mean(found) >= 0.99


def test_at_most_1_of_100_pictures_without_a_face_has_one(assets: Path, detector: FaceDetector) -> None:
    alarms = [bool(detector.detect(image)) for image, _ in pictures(assets, "faces", "negative")]
    assert len(alarms) == 1200
    assert np.mean(alarms) <= 0.01


@pytest.mark.parametrize("size", [(512, 512), (640, 480), (333, 251), (1280, 720), (61, 47), (1, 1), (20, 900)])
def test_both_engines_give_the_same(
    astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    image = cv2.resize(astronaut, size, interpolation=cv2.INTER_AREA)
    ours, theirs = by_onnxruntime().detect(image), by_opencv(monkeypatch).detect(image)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert np.allclose(tuple(one.box), tuple(other.box), atol=0.01)
        assert np.allclose(one.landmarks, other.landmarks, atol=0.01)
        assert one.score == pytest.approx(other.score, abs=1e-4)


def test_both_engines_give_the_same_on_crowds(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = by_onnxruntime(), by_opencv(monkeypatch)
    total = 0
    for image, _ in list(pictures(assets, "crowds", "crowd"))[:40]:
        one, other = ([tuple(face.box) for face in each.detect(image)] for each in (ours, theirs))
        total += len(one)
        assert np.allclose(one, other, atol=0.01)
    assert total > 100


@pytest.mark.parametrize("side", [300, 550, 1400, 4000])
def test_a_large_face_is_found_whole(astronaut: np.ndarray, detector: FaceDetector, side: int) -> None:
    scale = side / 113
    image = cv2.resize(astronaut[20:220, 120:330], None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    [face] = detector.detect(image)
    assert face.box.height == pytest.approx(side, rel=0.15)
    assert face.landmarks is not None
    left, right, nose, *_ = face.landmarks
    assert left[0] < nose[0] < right[0]
    assert left[1] < nose[1]


def test_the_threshold_is_the_user_s(astronaut: np.ndarray) -> None:
    [face] = FaceDetector("yunet").detect(astronaut)
    assert 0.6 <= face.score < 0.99
    assert FaceDetector("yunet", min_score=0.99).detect(astronaut) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells how many threads there are")
def test_a_worker_with_one_processor_gets_no_thread_besides(astronaut: np.ndarray) -> None:
    by_onnxruntime()  # what comes with the first one in a process
    threads = Path("/proc/self/task")
    with limited_cpu_threads(1):
        before = len(list(threads.iterdir()))
        detector = by_onnxruntime()
        assert len(detector.detect(astronaut)) == 1
        assert len(list(threads.iterdir())) <= before


def test_a_picture_of_20_000_pixels(detector: FaceDetector) -> None:
    assert detector.detect(np.zeros((600, 20_000, 3), np.uint8)) == []
    assert detector.detect(np.zeros((20_000, 1), np.uint8)) == []


def test_eight_threads_share_one_detector(astronaut: np.ndarray, detector: FaceDetector) -> None:
    images = [cv2.resize(astronaut, (320 + 32 * index, 320)) for index in range(8)]
    expected = [detector.detect(image) for image in images]
    found: dict[int, list[list[Face]]] = {}

    def work(index: int) -> None:
        found[index] = [detector.detect(images[index]) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {index: [faces] * 5 for index, faces in enumerate(expected)}
