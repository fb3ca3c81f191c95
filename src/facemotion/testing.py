"""For authors of plug-ins: what every detector must do, as one call in their own tests, and a stand-in detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from facemotion.results import Face

if TYPE_CHECKING:
    from facemotion.detectors.detector import Detector
    from facemotion.results import Pixels


class StubDetector:
    """A detector that always finds the faces it was given, for tests of what comes after detection."""

    def __init__(self, faces: Sequence[Face] = ()) -> None:
        self.faces = list(faces)

    def detect(self, image: Pixels) -> list[Face]:
        return list(self.faces)


def check_detector(detector: Detector, image: Pixels | None = None) -> None:
    """An AssertionError that says what is wrong, unless the detector keeps the contract of `Detector`.

    Tried on odd pictures (one pixel, very wide, very high, black, white, noise) and on `image`, one with a face in
    it: each must give a list of `Face`, the same one twice, and leave the picture as it was.
    """
    rng = np.random.default_rng(0)
    pictures = {
        "1 x 1": np.zeros((1, 1, 3), np.uint8),
        "3000 x 2": np.full((2, 3000, 3), 128, np.uint8),
        "2 x 3000": np.full((3000, 2, 3), 128, np.uint8),
        "black": np.zeros((240, 320, 3), np.uint8),
        "white": np.full((240, 320, 3), 255, np.uint8),
        "noise": rng.integers(0, 256, (240, 321, 3), np.uint8),
    }
    if image is not None:
        pictures["your"] = image
    for name, pixels in pictures.items():
        before = pixels.copy()
        faces = detector.detect(pixels)
        assert np.array_equal(pixels, before), f"the {name} picture was changed"
        assert isinstance(faces, list), f"on the {name} picture: expected a list, got {type(faces).__name__}"
        for face in faces:
            _check_face(face, name)
        again = detector.detect(pixels)
        assert faces == again, f"the {name} picture gave {len(faces)} faces, then {len(again)} others"
        if image is not None and name == "your":
            assert faces, "no face was found in your picture"
    detect_batch = getattr(detector, "detect_batch", None)
    if detect_batch is not None:
        batch = detect_batch(list(pictures.values()))
        assert batch == [detector.detect(pixels) for pixels in pictures.values()], "detect_batch and detect disagree"


def _check_face(face: object, name: str) -> None:
    where = f"on the {name} picture"
    assert isinstance(face, Face), f"{where}: expected Face, got {type(face).__name__}"
    assert 0 <= face.score <= 1, f"{where}: expected a score from 0 to 1, got {face.score}"
    assert isinstance(face.score, float), f"{where}: expected a float as score, got {type(face.score).__name__}"
    for value in face.box:
        assert isinstance(value, float), f"{where}: expected floats in the box, got {type(value).__name__}"
    if face.landmarks is not None:
        shape = getattr(face.landmarks, "shape", None)
        assert shape == (5, 2), f"{where}: expected landmarks of shape (5, 2) or None, got {shape}"
        assert np.isfinite(face.landmarks).all(), f"{where}: landmarks that are not finite"
