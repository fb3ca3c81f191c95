"""`FaceDetector`: any picture in, faces out, by a detector that the user can choose or bring."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from facemotion.devices import cpu_threads
from facemotion.errors import DownloadError, FacemotionError, PluginError
from facemotion.images import read_image
from facemotion.many_images import in_chunks, read_each, several
from facemotion.registry import Registry
from facemotion.results import Face
from facemotion.weights.store import locate, where

if TYPE_CHECKING:
    from facemotion.images import ImageSource
    from facemotion.results import Pixels

logger = logging.getLogger(__name__)

# how many pictures are in memory at most
_TOGETHER = 32

DETECTORS = Registry("facemotion.detectors", "detector")


class Detector(Protocol):
    """What a plug-in's factory gives back.

    The factory is the entry point: `factory(*, min_score: float | None, device: str)`; `min_score=None` means the
    plug-in's own threshold. Boxes are in pixels of the image and may reach past it; the order does not matter.
    A detector that is faster on many images at once also has `detect_batch(images) -> list[list[Face]]`. One for
    pictures that are faces already has `pictures_are_faces = True`: no margin is added to what it gives.
    """

    def detect(self, image: Pixels) -> list[Face]:
        """The faces of an (H, W, 3) uint8 RGB image of any size; an empty list where there are none."""
        ...


def takes_pictures_for_faces(detector: object) -> bool:
    """Whether a detector is for pictures that are faces already; most say nothing of it."""
    return bool(getattr(detector, "pictures_are_faces", False))


def list_detectors() -> list[str]:
    """The names that `FaceDetector` takes beside "auto", ours and those of installed plug-ins."""
    return DETECTORS.names()


class FaceDetector:
    """Finds faces in pictures.

    name: one of `list_detectors()`; "auto" takes the best that works here (see docs/detectors.md).
    min_score: leave out faces below this score, 0 to 1; the detector's own threshold unless given.
    device: for detectors that run on one. The built-in ones run on the CPU.
    """

    def __init__(self, name: str = "auto", *, min_score: float | None = None, device: str = "auto") -> None:
        if min_score is not None and not 0 <= min_score <= 1:
            raise ValueError(f"min_score: expected a number from 0 to 1, got {min_score!r}")
        self.name = automatic() if name == "auto" else name
        self._options: dict[str, Any] = {"min_score": min_score, "device": device}
        factory = DETECTORS.load(self.name)
        try:
            self._detector: Detector = factory(**self._options)
        except FacemotionError:
            raise
        except Exception as error:  # a stranger's factory may raise anything; the cause is kept
            raise self._broken(f"can't be made: {type(error).__name__}: {error}") from error
        self.pictures_are_faces = takes_pictures_for_faces(self._detector)

    def __repr__(self) -> str:
        return f"FaceDetector({self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process goes what it was made of: most detectors can't be sent."""
        return partial(type(self), self.name, **self._options), ()

    def detect(self, image: ImageSource) -> list[Face]:
        """The faces of a picture, the largest first, boxes clipped to it. No faces give an empty list."""
        pixels = read_image(image)
        return self._tidy(self._detector.detect(pixels), pixels)

    def detect_batch(self, images: Iterable[ImageSource]) -> list[list[Face]]:
        """The faces of each picture, in the order of the pictures."""
        found: list[list[Face]] = []
        for pictures in in_chunks(read_each(several(images), cpu_threads()), _TOGETHER, np.size):
            faces = self._detect_together(pictures)
            found += [self._tidy(*pair) for pair in zip(faces, pictures, strict=True)]
        return found

    def _detect_together(self, pictures: list[Pixels]) -> list[list[Face]]:
        together = getattr(self._detector, "detect_batch", None)
        if together is None:
            return [self._detector.detect(pixels) for pixels in pictures]
        found = together(pictures)
        if not isinstance(found, list | tuple) or len(found) != len(pictures):
            raise self._broken(f"must give a list of {len(pictures)}, one for each picture, got {found!r:.200}")
        return list(found)

    def _tidy(self, faces: Iterable[Face], pixels: Pixels) -> list[Face]:
        height, width = pixels.shape[:2]
        try:
            clipped = [replace(face, box=face.box.clip(width, height)) for face in faces]
        except (AttributeError, TypeError) as error:
            raise self._broken(f"must give a list of Face, got {faces!r:.200}") from error
        return sorted((face for face in clipped if face.box.area > 0), key=lambda face: -face.box.area)

    def _broken(self, how: str) -> PluginError:
        owners = DETECTORS.distributions(self.name)
        return PluginError(f"detector {self.name!r} of {owners[0]} {how}", owners)


def automatic(*, fetch: bool = True) -> str:
    """The detector that "auto" stands for here; without `fetch` nothing is downloaded to find out."""
    # first, since without OpenCV none of them works, and its error says what to do
    from facemotion.opencv import cv2

    if where("mini") is not None:
        return "mini"
    try:
        locate("yunet", local_files_only=not fetch)
        return "yunet"
    except DownloadError as error:
        if hasattr(cv2, "CascadeClassifier"):
            logger.warning("the face detector 'yunet' can't be had (%s): using 'haar', which finds fewer faces", error)
            return "haar"
        raise DownloadError(
            "no face detector works here: the package's own, 'mini', was taken out of it. Either connect and run "
            "`facemotion weights fetch yunet`; or bring the file from a machine that has it; or install an OpenCV that "
            f"carries 'haar': pip install 'opencv-python<5'. ({error})"
        ) from error
