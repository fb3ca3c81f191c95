"""Large pictures are searched at a smaller size, and what is found is brought back to theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facemotion.opencv import cv2

if TYPE_CHECKING:
    from facemotion.results import Pixels


def shrink(image: Pixels, long_side: int) -> tuple[Pixels, float, float]:
    """The image with its long side at most `long_side`, and the factors that bring x and y back to the original."""
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return image, 1.0, 1.0
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), width / size[0], height / size[1]
