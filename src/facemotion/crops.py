"""Faces out of an image, as a network wants them: square with margin, or turned upright by their landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from facemotion.boxes import Box
from facemotion.opencv import cv2
from facemotion.results import Face

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.inputs import InputSpec
    from facemotion.results import FaceEmotion, Landmarks, Pixels

# Where the landmarks of an upright frontal face lie in the square about its box: the mean over 2,428 portraits, so
# that a face is framed alike with and without alignment.
_UPRIGHT = np.array([(0.326, 0.384), (0.674, 0.384), (0.5, 0.587), (0.349, 0.738), (0.651, 0.738)])

# pixels of a side that OpenCV 4 does not sample from
_TOO_LARGE = 32767


def cut(image: Pixels, faces: Sequence[Face | FaceEmotion], spec: InputSpec) -> Pixels:
    """The crops of all faces of an image: (n, size, size, channels) uint8. Beyond the border its last pixels go on."""
    crops = np.empty((len(faces), spec.size, spec.size, spec.channels), np.uint8)
    for face, crop in zip(faces, crops, strict=True):
        transform = None
        if spec.align and face.landmarks is not None:
            transform = upright_transform(face.landmarks, spec)
        if transform is None:
            pixels = _cut_square(image, face.box.square(spec.margin), spec.size)
        else:
            pixels = _warp(image, transform, spec.size)
        if spec.colour == "grey":
            cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY, dst=crop[:, :, 0])
        else:
            crop[:] = pixels
    return crops


def whole_face(image: Pixels) -> Face:
    """The face of a picture that is one already."""
    height, width = image.shape[:2]
    return Face(Box(0.0, 0.0, float(width), float(height)), 1.0)


def without_margin(spec: InputSpec) -> InputSpec:
    """The same for pictures that are faces already, which only have to be fitted."""
    return replace(spec, margin=0.0, align=False)


def upright_transform(landmarks: Landmarks, spec: InputSpec) -> NDArray[np.float64] | None:
    """The (2, 3) similarity from image to crop that brings the landmarks closest to an upright face; None without one.

    Umeyama's least-squares fit in closed form: with points as complex numbers a turn with a scale is one factor.
    """
    target = (_UPRIGHT - 0.5) / (1 + 2 * spec.margin) * spec.size + spec.size / 2
    source = np.asarray(landmarks, np.float64) @ (1, 1j)
    wanted = target @ (1, 1j)
    centred = source - source.mean()
    spread = np.vdot(centred, centred).real
    if not np.isfinite(spread) or spread < 1e-6:
        return None
    factor = np.vdot(centred, wanted - wanted.mean()) / spread
    if abs(factor) < 1e-6:
        return None
    shift = wanted.mean() - factor * source.mean()
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def _warp(image: Pixels, transform: NDArray[np.float64], size: int) -> Pixels:
    """The image through the transform. A large face is shrunk by area first: bilinear sampling alone would alias."""
    turn, shift = transform[:, :2], transform[:, 2]
    shrink = 1 / np.hypot(*turn[:, 0])
    if shrink > 2:
        x1, y1, x2, y2 = _seen(transform, size, image)
        width, height = max(round((x2 - x1) / shrink), 1), max(round((y2 - y1) / shrink), 1)
        image = cv2.resize(image[y1:y2, x1:x2], (width, height), interpolation=cv2.INTER_AREA)
        shift = turn @ (x1, y1) + shift
        turn = turn * ((x2 - x1) / width, (y2 - y1) / height)
    # OpenCV counts from the centre of the first pixel, boxes and landmarks from its corner
    shift = shift + turn @ (0.5, 0.5) - 0.5
    return sample(image, np.column_stack([turn, shift]), size, cv2.BORDER_REPLICATE)


def sample(image: NDArray[np.uint8], matrix: NDArray[Any], size: int, border: int) -> NDArray[np.uint8]:
    """A square of the image through a (2, 3) transform. Of an image too large for OpenCV 4 only the part about it."""
    if max(image.shape[:2]) >= _TOO_LARGE:
        x1, y1, x2, y2 = _seen(matrix, size, image, rim=2)
        image, matrix = image[y1:y2, x1:x2], matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ (x1, y1)
    seen: NDArray[np.uint8] = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)
    return seen


def _cut_square(image: Pixels, square: Box, size: int) -> Pixels:
    """The square, resized; what lies beyond the border is added after resizing, so that no box costs much memory."""
    x1, y1, x2, y2 = _inner(square, image)
    scale = size / max(square.width, 1.0)
    left, top = (
        min(max(round((low - start) * scale), 0), size - 1) for low, start in ((x1, square.x1), (y1, square.y1))
    )
    right = min(max(round((x2 - square.x1) * scale), left + 1), size)
    bottom = min(max(round((y2 - square.y1) * scale), top + 1), size)
    shrinks = x2 - x1 >= right - left
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    inner: Pixels = cv2.resize(image[y1:y2, x1:x2], (right - left, bottom - top), interpolation=how)
    if inner.shape[:2] == (size, size):
        return inner
    crop: Pixels = cv2.copyMakeBorder(inner, top, size - bottom, left, size - right, cv2.BORDER_REPLICATE)
    return crop


def _seen(matrix: NDArray[Any], size: int, image: Pixels, rim: int = 0) -> tuple[int, int, int, int]:
    """The part of the image that a square through a (2, 3) transform shows, with a rim about it."""
    corners = np.linalg.inv(matrix[:, :2]) @ (np.array([[0, size, 0, size], [0, 0, size, size]]) - matrix[:, 2:])
    return _inner(Box(*corners.min(axis=1) - rim, *corners.max(axis=1) + rim), image)


def _inner(box: Box, image: Pixels) -> tuple[int, int, int, int]:
    """The whole pixels of the image that a box covers, at least one, the nearest where it lies outside."""
    height, width = image.shape[:2]
    x1, y1 = min(max(round(box.x1), 0), width - 1), min(max(round(box.y1), 0), height - 1)
    return x1, y1, min(max(round(box.x2), x1 + 1), width), min(max(round(box.y2), y1 + 1), height)
