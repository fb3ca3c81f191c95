from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import pictures

from facemotion import Box, ChecksumError, Face, FaceDetector
from facemotion.detectors import mini
from facemotion.opencv import cv2
from facemotion.weights.catalogue import catalogue
from facemotion.weights.store import locate

ASTRONAUT = Box(178, 63, 268, 176)


@pytest.fixture(params=["onnxruntime", "OpenCV"])
def detector(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FaceDetector:
    """The detector by either engine."""
    if request.param == "onnxruntime":
        pytest.importorskip("onnxruntime")
    else:
        monkeypatch.setattr(mini, "onnxruntime_engine", lambda model: None)
    return FaceDetector("mini")


def test_it_is_small() -> None:
    assert locate("mini").stat().st_size <= 500_000
    onnx = pytest.importorskip("onnx")
    numbers = [np.prod(each.dims) for each in onnx.load(str(locate("mini"))).graph.initializer]
    assert sum(numbers) <= 200_000


def test_the_astronaut_is_found(detector: FaceDetector, astronaut: np.ndarray) -> None:
    [face] = detector.detect(astronaut)
    assert face.box.iou(ASTRONAUT) > 0.75
    assert face.landmarks is not None
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


@pytest.mark.parametrize("size", [(1280, 720), (1080, 1920), (4000, 3000), (641, 479), (333, 251)])
def test_boxes_and_landmarks_are_in_pixels_of_the_source(
    detector: FaceDetector, astronaut: np.ndarray, size: tuple[int, int]
) -> None:
    stretched = cv2.resize(astronaut, (size[1], size[1]), interpolation=cv2.INTER_AREA)[:, : size[0]]
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[:, : stretched.shape[1]] = stretched
    face = detector.detect(picture)[0]
    factor = size[1] / 512
    assert face.box.iou(ASTRONAUT.scale(factor)) > 0.7
    assert face.landmarks is not None
    for x, y in face.landmarks:
        assert face.box.x1 < x < face.box.x2
        assert face.box.y1 < y < face.box.y2


def test_small_faces_are_looked_at_closer(
    detector: FaceDetector, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = cv2.resize(astronaut[20:220, 130:330], (52, 52), interpolation=cv2.INTER_AREA)
    picture = np.full((480, 640, 3), 120, np.uint8)
    corners = [(20 + 100 * (number % 6), 20 + 90 * (number // 6)) for number in range(30)]
    for left, top in corners:
        picture[top : top + 52, left : left + 52] = head
    # her face in the head, and 90 of its pixels are 23 here
    x1, y1, x2, y2 = Box(48, 43, 138, 156).scale(0.26)
    wanted = [Box(left + x1, top + y1, left + x2, top + y2) for left, top in corners]
    found = [face.box for face in detector.detect(picture)]
    assert all(max(box.iou(each) for box in found) > 0.5 for each in wanted)
    assert len(found) == len(wanted)
    monkeypatch.setattr(mini, "_MOST_LOOKS", 0)
    assert len(detector.detect(picture)) < len(wanted)


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [(0.6, 0.9, 0.75), (0.6, 0.4, 0.5), (0.6, None, 0.3), (0.9, 0.4, 0.9), (0.9, None, 0.9)],
)
def test_both_looks_count_alike_where_the_first_was_unsure(first: float, second: float | None, wanted: float) -> None:
    """A face of 32 pixels in the middle of 96: the looks are told from each other by which engine is asked."""

    def answer(score: float | None, side: float) -> list[np.ndarray]:
        outputs = [np.full((1, 15, 96 // stride, 96 // stride), -20, np.float32) for stride in (8, 16, 32)]
        if score is not None:
            outputs[2][0, :, 1, 1] = 0
            outputs[2][0, 0, 1, 1] = np.log(score / (1 - score))
            outputs[2][0, 3:5, 1, 1] = np.log(side / 32)
        return outputs

    # closer the face has 56 of 96 pixels
    engines = [lambda pixels: answer(first, 32), lambda pixels: answer(second, 56)]
    [row] = mini.TwoLooks(lambda: engines.pop(0))(np.zeros((96, 96), np.uint8), 0.2)
    assert row[0] == pytest.approx(wanted, abs=1e-5)
    assert row[1:5].tolist() == pytest.approx([32, 32, 64, 64], abs=1e-3)


def test_both_engines_give_the_same(assets: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = locate("mini").read_bytes()
    ours, theirs = mini.onnxruntime_engine(model), mini.opencv_engine(model)
    assert ours is not None
    total = 0
    for image, _ in list(pictures(assets, "crowds", "crowd"))[:40]:
        folded = mini.fold(mini.shrink(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[0])
        one, other = mini.decode(ours(folded), 0.3), mini.decode(theirs(folded), 0.3)
        total += len(one)
        assert np.allclose(one, other, atol=0.01)
    assert total > 40


def test_one_detector_in_turn_for_pictures_of_many_sizes(detector: FaceDetector, astronaut: np.ndarray) -> None:
    first = detector.detect(astronaut)
    for size in ((100, 300), (300, 100), (700, 700)):
        detector.detect(cv2.resize(astronaut, size))
    assert detector.detect(astronaut) == first


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 3), (20_000, 600), (31, 33)])
def test_pictures_of_any_size(detector: FaceDetector, size: tuple[int, int]) -> None:
    assert detector.detect(np.zeros(size, np.uint8)) == []


def test_the_threshold_is_the_user_s(assets: Path) -> None:
    image, _ = next(pictures(assets, "crowds", "crowd"))
    scores = {low: [face.score for face in FaceDetector("mini", min_score=low).detect(image)] for low in (0, 0.3, 0.6)}
    assert len(scores[0]) >= len(scores[0.3]) >= len(scores[0.6])
    assert all(score >= low for low, found in scores.items() for score in found)
    assert FaceDetector("mini", min_score=1.0).detect(image) == []


def test_faces_that_overlap_are_one() -> None:
    outputs = [np.full((1, 15, 32 // stride, 32 // stride), -20, np.float32) for stride in (8, 16, 32)]
    for cell, score in ((1, 3.0), (2, 2.0)):
        outputs[0][0, :, 1, cell] = 0
        outputs[0][0, 0, 1, cell] = score
        outputs[0][0, 3:5, 1, cell] = np.log(2)
        outputs[0][0, 1, 1, cell] = 1 - cell
    [row] = mini.decode(outputs, 0.5)
    assert row[0] == pytest.approx(1 / (1 + np.exp(-3.0)))
    assert row[1:5].tolist() == pytest.approx([4, 4, 20, 20])


def test_shrinking_keeps_the_scale() -> None:
    for height, width in ((480, 640), (720, 1280), (1079, 1917), (3000, 4000), (50, 9000)):
        grey, scale_x, scale_y = mini.shrink(np.zeros((height, width), np.uint8))
        assert grey.shape[0] % 32 == grey.shape[1] % 32 == 0
        assert scale_x == pytest.approx(scale_y, rel=0.03)
    assert mini.shrink(np.zeros((480, 640), np.uint8))[0].shape == (256, 320)


def test_a_line_is_no_more_work_than_a_picture() -> None:
    grey, scale_x, scale_y = mini.shrink(np.zeros((1, 3_000_000), np.uint8))
    assert grey.shape == (64, 4096)
    assert (scale_x, scale_y) == (3_000_000 / 4096, 1)


def test_faces_in_a_very_wide_picture(detector: FaceDetector, astronaut: np.ndarray) -> None:
    """OpenCV 4 samples from no picture with a longer side, and a small face is looked at closer."""
    wide = np.zeros((280, 33_000, 3), np.uint8)
    places = (100, 32_700)
    for left in places:
        wide[:, left : left + 280] = cv2.resize(astronaut[30:210, 130:310], (280, 280))
    found = sorted(face.box.x1 for face in detector.detect(wide))
    assert found == pytest.approx([left + (ASTRONAUT.x1 - 130) * 280 / 180 for left in places], abs=15)


def test_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    entry = catalogue().find("mini")
    [name] = entry.files
    (tmp_path / name).write_bytes(b"x" + locate("mini").read_bytes())
    monkeypatch.setattr(mini, "locate", lambda name: locate(replace(entry, folder=tmp_path)))
    with pytest.raises(ChecksumError, match=name):
        FaceDetector("mini")


def test_it_finds_the_person_on_most_scenes(assets: Path, detector: FaceDetector) -> None:
    """The way through the library; how good it is on pictures kept apart, examples/train_detector/evaluate.py says."""
    found = []
    for image, labels in list(pictures(assets, "faces", "scene"))[:100]:
        boxes = (Box(*label["box"]).clip(image.shape[1], image.shape[0]) for label in labels)
        person = max(boxes, key=lambda box: box.area)
        faces: list[Face] = detector.detect(image)
        found.append(any(face.box.iou(person) > 0.5 for face in faces))
    assert np.mean(found) >= 0.98


def test_it_finds_little_where_no_face_is(assets: Path, detector: FaceDetector) -> None:
    alarms = [len(detector.detect(image)) for image, _ in list(pictures(assets, "faces", "negative"))[:200]]
    assert np.mean(alarms) <= 0.02
