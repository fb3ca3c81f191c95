from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hub_server import Hub
from PIL import Image

from facemotion import (
    Box,
    ChecksumError,
    DownloadError,
    Face,
    FaceDetector,
    ImageError,
    PluginError,
    UnknownNameError,
    list_detectors,
)
from facemotion.detectors import detector as module
from facemotion.detectors.detector import automatic
from facemotion.opencv import cv2
from facemotion.testing import StubDetector, check_detector
from facemotion.weights.catalogue import catalogue

HAS_HAAR = hasattr(cv2, "CascadeClassifier")
PLUGIN = Path(__file__).resolve().parent.parent / "plugins" / "brightest"


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> StubDetector:
    """Stands behind the name "whole"."""
    stub = StubDetector()
    monkeypatch.setattr(module.DETECTORS, "load", lambda name: lambda **arguments: stub)
    return stub


def test_the_built_in_detectors_are_listed() -> None:
    assert {"haar", "mini", "whole", "yunet"} <= set(list_detectors())


@pytest.mark.parametrize("name", ["haar", "mini", "whole", "yunet"])
def test_every_built_in_detector_keeps_the_contract(
    name: str, astronaut: np.ndarray, request: pytest.FixtureRequest
) -> None:
    if name == "haar" and not HAS_HAAR:
        pytest.skip("OpenCV 5 has no cascades")
    if name == "yunet":
        request.getfixturevalue("yunet_in_cache")
    check_detector(FaceDetector(name)._detector, astronaut)


def test_any_picture_goes_in(astronaut: np.ndarray, astronaut_path: Path) -> None:
    detector = FaceDetector("whole")
    for source in (astronaut, astronaut_path, str(astronaut_path), astronaut_path.read_bytes(), astronaut[..., 0]):
        assert detector.detect(source) == [Face(Box(0, 0, 512, 512), 1.0)]
    with Image.open(astronaut_path) as image:
        assert len(detector.detect(image)) == 1
    with pytest.raises(ImageError, match="float64"):
        detector.detect(astronaut / 255)


def test_faces_come_largest_first_and_clipped(stub: StubDetector, astronaut: np.ndarray) -> None:
    small, large, over = Box(10, 10, 20, 20), Box(100, 100, 300, 300), Box(-50, 400, 50, 600)
    outside, empty = Box(600, 600, 700, 700), Box(5, 5, 5, 9)
    stub.faces = [Face(box, 0.9) for box in (small, outside, large, over, empty)]
    found = [face.box for face in FaceDetector("whole").detect(astronaut)]
    assert found == [large, Box(0, 400, 50, 512), small]


def test_a_batch_is_every_picture_in_its_order(stub: StubDetector, astronaut: np.ndarray) -> None:
    stub.faces = [Face(Box(0, 0, 1000, 1000), 0.9)]
    expected = [[Face(Box(0, 0, 512, 512), 0.9)], [Face(Box(0, 0, 50, 100), 0.9)]]
    assert FaceDetector("whole").detect_batch([astronaut, astronaut[:100, :50]]) == expected


def test_one_picture_is_no_batch(astronaut: np.ndarray, astronaut_path: Path) -> None:
    for single in (astronaut, str(astronaut_path)):
        with pytest.raises(ImageError, match=r"for one picture: \[picture\]"):
            FaceDetector("whole").detect_batch(single)


def test_a_detector_s_own_batch_is_used(
    stub: StubDetector, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def detect_batch(images: list[np.ndarray]) -> list[list[Face]]:
        calls.append(len(images))
        return [[Face(Box(0, 0, index + 1, 1), 0.5)] for index in range(len(images))]

    monkeypatch.setattr(stub, "detect_batch", detect_batch, raising=False)
    found = FaceDetector("whole").detect_batch([astronaut] * 3)
    assert [faces[0].box.width for faces in found] == [1, 2, 3]
    assert calls == [3]
    given: list[int] = []
    many = (given.append(each) or astronaut for each in range(80))  # type: ignore[func-returns-value]  # for the note
    seen: list[int] = []
    monkeypatch.setattr(stub, "detect_batch", lambda images: seen.append(len(given)) or detect_batch(images))
    assert len(FaceDetector("whole").detect_batch(many)) == 80
    assert seen[0] < 50, "they are not in memory together"
    with pytest.raises(ImageError, match=r"^images\[1\]: wrong array"):
        FaceDetector("whole").detect_batch([astronaut, astronaut.astype(float)])


def test_what_is_no_face_names_the_plugin(stub: StubDetector, astronaut: np.ndarray) -> None:
    stub.faces = [(1, 2, 3, 4)]  # type: ignore[list-item]  # wrong on purpose
    with pytest.raises(PluginError, match=r"detector 'whole' of facemotion .* must give a list of Face, got \[\(1, 2"):
        FaceDetector("whole").detect(astronaut)


@pytest.mark.parametrize("found", [[[]], None])
def test_a_batch_of_another_length_names_the_plugin(
    stub: StubDetector, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch, found: object
) -> None:
    monkeypatch.setattr(stub, "detect_batch", lambda images: found, raising=False)
    with pytest.raises(PluginError, match=r"detector 'whole' of facemotion .* must give a list of 2, one for each"):
        FaceDetector("whole").detect_batch([astronaut] * 2)


def test_a_factory_that_fails_names_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.DETECTORS, "load", lambda name: lambda: StubDetector())
    with pytest.raises(PluginError, match=r"detector 'whole' of facemotion .* can't be made: TypeError: .*min_score"):
        FaceDetector("whole")


@pytest.mark.parametrize("score", [-0.1, 1.5, float("nan")])
def test_a_threshold_that_can_t_be(score: float) -> None:
    with pytest.raises(ValueError, match="min_score: expected a number from 0 to 1"):
        FaceDetector("whole", min_score=score)


def test_an_unknown_detector_brings_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="no detector is named 'yunt'; did you mean 'yunet'"):
        FaceDetector("yunt")


@pytest.fixture
def without_mini(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where somebody took the bundled detector out of the package."""
    monkeypatch.setattr(module, "where", lambda name: None)


def test_auto_is_mini() -> None:
    assert automatic(fetch=False) == "mini"
    assert repr(FaceDetector()) == "FaceDetector('mini')"


@pytest.mark.usefixtures("without_mini")
def test_auto_is_yunet_where_it_is_cached(yunet_in_cache: Path, astronaut: np.ndarray) -> None:
    detector = FaceDetector()
    assert repr(detector) == "FaceDetector('yunet')"
    [face] = detector.detect(astronaut)
    assert face.box.iou(Box(178, 63, 268, 176)) > 0.9


@pytest.mark.usefixtures("without_mini")
def test_auto_fetches_yunet_once_and_verified(assets: Path, hub: Hub, astronaut: np.ndarray) -> None:
    entry = catalogue().find("yunet")
    [name] = entry.files
    hub.add(str(entry.repo), {name: (assets / "models" / name).read_bytes()})
    hub.files[str(entry.repo), str(entry.revision)] = hub.files[str(entry.repo), "main"]
    if HAS_HAAR:
        assert automatic(fetch=False) == "haar"
    else:
        with pytest.raises(DownloadError):
            automatic(fetch=False)
    assert hub.requests == []
    assert len(FaceDetector().detect(astronaut)) == 1
    asked = len(hub.requests)
    assert asked > 0
    assert FaceDetector().name == "yunet"
    assert len(hub.requests) == asked


@pytest.mark.usefixtures("nothing_cached", "without_mini")
def test_auto_without_yunet(caplog: pytest.LogCaptureFixture) -> None:
    if HAS_HAAR:
        with caplog.at_level(logging.WARNING):
            assert FaceDetector().name == "haar"
        assert "using 'haar'" in caplog.text
    else:
        with pytest.raises(DownloadError) as caught:
            FaceDetector()
        for way_out in ("facemotion weights fetch yunet", "bring the file", "pip install 'opencv-python<5'"):
            assert way_out in str(caught.value)


def test_a_file_that_is_not_what_its_hash_says_is_refused_and_named(yunet_in_cache: Path) -> None:
    data = bytearray(yunet_in_cache.read_bytes())
    data[len(data) // 2] ^= 1
    yunet_in_cache.write_bytes(data)
    with pytest.raises(ChecksumError, match=yunet_in_cache.name):
        FaceDetector("yunet")
    assert yunet_in_cache.read_bytes() == data, "it was changed"


def test_detection_never_loads_torch(astronaut_path: Path) -> None:
    code = f"""
import sys
from facemotion import FaceDetector
assert FaceDetector("mini").detect({str(astronaut_path)!r})
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_somebody_s_detector_works_once_installed(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pip += ["--no-build-isolation", "--no-index", "--target", str(tmp_path / "site"), str(PLUGIN)]
    subprocess.run(pip, check=True)
    code = """
import numpy as np
from facemotion import FaceDetector, list_detectors
from facemotion.testing import check_detector

assert "brightest" in list_detectors()
picture = np.zeros((100, 200, 3), np.uint8)
picture[20:60, 30:90] = 240
[face] = FaceDetector("brightest").detect(picture)
print(*face.box)
assert FaceDetector("brightest", min_score=1.0).detect(picture) == []
check_detector(FaceDetector("brightest")._detector, picture)
"""
    path = {"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True)
    assert done.stdout == "30.0 20.0 90.0 60.0\n", done.stderr
    doctor = subprocess.run([sys.executable, "-m", "facemotion", "doctor"], env=path, capture_output=True, text=True)
    assert "facemotion-brightest 2.1" in doctor.stdout
