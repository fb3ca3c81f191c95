"""For authors of plug-ins: what every detector and backbone must do, as one call in their own tests, and stand-ins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from facemotion.results import Face

if TYPE_CHECKING:
    from facemotion.backbones.network import Factory
    from facemotion.backbones.tiny import TinyBackbone
    from facemotion.detectors.detector import Detector
    from facemotion.results import Pixels

__all__ = ["StubDetector", "TinyBackbone", "check_backbone", "check_detector"]


def __getattr__(name: str) -> Any:
    if name == "TinyBackbone":  # a module of torch, which those who test detectors need not have loaded
        from facemotion.backbones.tiny import TinyBackbone

        return TinyBackbone
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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


def check_backbone(backbone: str | Factory, *, size: int = 48, **args: Any) -> None:
    """An AssertionError that says what is wrong, unless a backbone keeps the contract; by name, or the factory itself.

    Built for grey and for colour crops of `size` pixels, without ImageNet weights: it must say how many features it
    gives and give them, alike for a face alone and among others, keep its weights in its state, and be trainable.
    """
    import torch

    from facemotion.backbones.network import EmotionNet, find_backbone
    from facemotion.weights.spec import Head

    factory = find_backbone(backbone) if isinstance(backbone, str) else backbone
    for channels in (1, 3):
        where = f"with {channels} channel(s)"
        network = factory(pretrained=False, channels=channels, size=size, **args)
        assert isinstance(network, torch.nn.Module), f"{where}: expected an nn.Module, got {type(network).__name__}"
        width = getattr(network, "feature_dim", None)
        assert isinstance(width, int), f"{where}: expected feature_dim as a whole number, got {width!r}"
        assert width > 0, f"{where}: expected feature_dim above 0, got {width}"
        pixels = torch.rand((3, channels, size, size), generator=torch.Generator().manual_seed(0)) * 2 - 1
        net = EmotionNet(network, 7, Head()).eval()
        with torch.no_grad():
            features = network(pixels)
            alone = network(pixels[1:2])
        got = tuple(features.shape)
        assert got == (3, width), f"{where}: expected features of shape (3, {width}), got {got}"
        assert torch.isfinite(features).all(), f"{where}: features that are not finite"
        near = torch.allclose(alone[0], features[1], rtol=1e-3, atol=1e-3 * float(features.abs().max()))
        assert near, f"{where}: a face gives other features alone than among others"
        _check_state(factory(pretrained=False, channels=channels, size=size, **args), network, pixels, where)
        net.train()
        net(pixels).sum().backward()
        trained = [name for name, each in network.named_parameters() if each.requires_grad]
        idle = [name for name, each in network.named_parameters() if each.requires_grad and each.grad is None]
        assert trained, f"{where}: no weight can be trained"
        assert not idle, f"{where}: no gradient reaches {', '.join(idle[:5])}"


def _check_state(fresh: Any, network: Any, pixels: Any, where: str) -> None:
    """A second one with the same state must give the same features."""
    import torch

    fresh.load_state_dict(network.state_dict())
    with torch.no_grad():
        same = torch.equal(fresh.eval()(pixels), network(pixels))
    assert same, f"{where}: its state_dict does not hold all that its features depend on"
