"""Things with a left like their right that are no faces: badges, wheels, flowers, print."""

from __future__ import annotations

import cv2
import numpy as np
from compose import near, paste, place, uncovered
from pictures import Label

SIDE = 96
MOST = 4
LETTERS = np.array(list("ABCDEFGHIJKLMNOPRSTUVWXYZ0123456789&"))


def sprinkle(rng: np.random.Generator, frame: np.ndarray, faces: list[Label]) -> list[Label]:
    """Paste a few of them beside the faces of a frame; gives the faces that are left."""
    height, width = frame.shape[:2]
    for _ in range(int(rng.integers(1, MOST + 1))):
        size = float(np.exp(rng.uniform(np.log(10), np.log(min(height, width) / 3))))
        at = rng.uniform(0, 1, 2) * [width, height]
        if any(near(face, at, size * 0.6) for face in faces):
            continue
        placed = place(rng, emblem(rng), None, size, float(rng.normal(0, 15)), at, (width, height))
        paste(frame, placed)
        faces = uncovered(faces, placed)
    return faces


def emblem(rng: np.random.Generator) -> np.ndarray:
    ground = rng.integers(0, 256, 3)
    image = np.full((SIDE, SIDE, 3), ground, np.uint8)
    shape = int(rng.integers(4))
    if shape < 3:
        field(rng, image)
    if shape == 0:
        wheel(rng, image)
    else:
        strokes(rng, image)
    if rng.random() < 0.6:
        print_letters(rng, image)
    return cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 2.5)))


def colour(rng: np.random.Generator) -> tuple[int, ...]:
    grey = rng.random() < 0.5
    return tuple(int(c) for c in (np.full(3, rng.integers(256)) if grey else rng.integers(0, 256, 3)))


def field(rng: np.random.Generator, image: np.ndarray) -> None:
    """The ground of a badge, with a border."""
    middle, half = (SIDE // 2, SIDE // 2), rng.integers(26, 46, 2)
    for shrink in (0, int(rng.integers(2, 6))):
        w, h = (int(v) - shrink for v in half)
        if half.sum() % 2:
            cv2.ellipse(image, middle, (w, h), 0, 0, 360, colour(rng), -1)
        else:
            cv2.rectangle(image, (SIDE // 2 - w, SIDE // 2 - h), (SIDE // 2 + w, SIDE // 2 + h), colour(rng), -1)


def strokes(rng: np.random.Generator, image: np.ndarray) -> None:
    """Discs, bars and patches, each with its mirror image."""
    for _ in range(int(rng.integers(2, 8))):
        ink, kind = colour(rng), int(rng.integers(3))
        points = rng.integers([0, 14], [SIDE // 2, SIDE - 14], (int(rng.integers(3, 6)), 2))
        for side in (points, [SIDE - 1, 0] + points * [-1, 1]):
            side = side.astype(np.int32)
            if kind == 0:
                cv2.circle(image, side[0].tolist(), int(points[0, 0]) % 9 + 2, ink, -1)
            elif kind == 1:
                cv2.polylines(image, [side], False, ink, int(points[0, 1]) % 5 + 1)
            else:
                cv2.fillPoly(image, [side], ink)


def wheel(rng: np.random.Generator, image: np.ndarray) -> None:
    """Rings with spokes: wheels, clocks, flowers."""
    middle = np.array([SIDE // 2, SIDE // 2])
    for radius in sorted(rng.integers(6, 44, int(rng.integers(1, 4))), reverse=True):
        cv2.circle(image, middle.tolist(), int(radius), colour(rng), -1 if rng.random() < 0.5 else 3)
    count, ink, thick = int(rng.integers(2, 13)), colour(rng), int(rng.integers(1, 7))
    for angle in np.arange(count) * 2 * np.pi / count + rng.uniform(0, np.pi):
        end = middle + np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(24, 40)
        cv2.line(image, middle.tolist(), end.astype(int).tolist(), ink, thick)


def print_letters(rng: np.random.Generator, image: np.ndarray) -> None:
    """A line or two of letters."""
    for _ in range(int(rng.integers(1, 3))):
        text = "".join(rng.choice(LETTERS, int(rng.integers(1, 9))))
        at = (int(rng.integers(4, 30)), int(rng.integers(20, SIDE - 6)))
        cv2.putText(image, text, at, int(rng.integers(8)), float(rng.uniform(0.4, 1.2)), colour(rng), 2)
