"""Clips of real faces on known paths, written with OpenCV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from facemotion import Box
from facemotion.opencv import cv2

FPS = 25.0
# the head of the astronaut's portrait, and her face in it
_HEAD = slice(10, 240), slice(130, 320)
_FACE_CENTRE = 94, 108

# where a head's left upper corner is at a time
Path2D = Callable[[float], tuple[float, float]]


def head(portrait: np.ndarray, mirrored: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The head of the portrait and how much of each pixel belongs to it, with soft edges."""
    pixels = portrait[_HEAD]
    mask = np.zeros(pixels.shape[:2], np.uint8)
    cv2.ellipse(mask, (95, 110), (78, 108), 0, 0, 360, 255, -1)
    share = cv2.GaussianBlur(mask, (0, 0), 4)[..., None] / 255
    return (pixels[:, ::-1], share[:, ::-1]) if mirrored else (pixels, share)


def paint(canvas: np.ndarray, face: tuple[np.ndarray, np.ndarray], corner: tuple[float, float]) -> Box | None:
    """A head onto a picture; gives the square about where its face is now, None where that is outside."""
    pixels, share = face
    height, width = canvas.shape[:2]
    left, top = round(corner[0]), round(corner[1])
    x1, y1 = max(left, 0), max(top, 0)
    x2, y2 = min(left + pixels.shape[1], width), min(top + pixels.shape[0], height)
    if x1 >= x2 or y1 >= y2:
        return None
    part = slice(y1 - top, y2 - top), slice(x1 - left, x2 - left)
    ground = canvas[y1:y2, x1:x2]
    canvas[y1:y2, x1:x2] = (ground * (1 - share[part]) + pixels[part] * share[part]).astype(np.uint8)
    x, y = left + _FACE_CENTRE[0], top + _FACE_CENTRE[1]
    return Box(x - 45, y - 45, x + 45, y + 45) if 45 <= x <= width - 45 and 45 <= y <= height - 45 else None


def write_clip(
    path: Path,
    portrait: np.ndarray,
    paths: Sequence[Path2D],
    seconds: float,
    size: tuple[int, int] = (640, 480),
    code: str = "mp4v",
) -> list[list[Box | None]]:
    """A clip in which heads go their ways, later ones in front; gives where each face is in every frame."""
    heads = [head(portrait, mirrored=number % 2 == 1) for number in range(len(paths))]
    ground = cv2.GaussianBlur(cv2.resize(portrait[:60, 300:440], size), (0, 0), 9)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), FPS, size)
    assert writer.isOpened()
    places: list[list[Box | None]] = []
    for index in range(round(seconds * FPS)):
        frame = ground.copy()
        places.append([paint(frame, face, way(index / FPS)) for face, way in zip(heads, paths, strict=True)])
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return places


def across(start: float, speed: float, top: float) -> Path2D:
    """From left to right (or back) at so many pixels a second."""
    return lambda time: (start + speed * time, top)
