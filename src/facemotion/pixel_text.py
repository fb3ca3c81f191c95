"""Text as masks, for pictures: in a size that goes with the picture, and in smaller ones where there is little room."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facemotion.lettering import writable

if TYPE_CHECKING:
    from facemotion.results import Pixels

SMALLEST_TEXT = 7
# what is to be read at a glance, unless the picture is smaller than that
SMALLEST_CLEAR_TEXT = 11


def text_size(canvas: Pixels) -> int:
    return max(SMALLEST_CLEAR_TEXT, round(int(min(canvas.shape[:2])) * 0.03))


def text_sizes(canvas: Pixels, smallest: int) -> Iterator[int]:
    """The usual size of text, then smaller ones."""
    size = text_size(canvas)
    while size >= smallest:
        yield size
        size -= max(1, size // 5)


def fitting_text(text: str, width: int, height: int, size: int) -> Pixels | None:
    """The text in the largest size, from `size` down, that fits into the picture; None where none does."""
    for smaller in range(size, SMALLEST_TEXT - 1, -1):
        mask = text_mask(text, smaller)
        if mask.shape[0] <= height and mask.shape[1] <= width:
            return mask
    return None


@lru_cache(maxsize=2048)
def text_mask(text: str, size: int) -> Pixels:
    """How much of each pixel the text covers, 0 to 255. Pillow's font is clearer than OpenCV's when small."""
    text = writable(text)
    font = ImageFont.load_default(size)
    ascent, descent = font.getmetrics() if isinstance(font, ImageFont.FreeTypeFont) else (size, 0)
    rim = max(2, size // 4)
    layer = Image.new("L", (round(font.getlength(text)) + 2 * rim, ascent + descent + rim))
    ImageDraw.Draw(layer).text((rim, rim // 2), text, fill=255, font=font)
    return np.asarray(layer)


def write_text(canvas: Pixels, mask: Pixels, x: int, y: int, colour: tuple[int, int, int]) -> None:
    part = canvas[y : y + mask.shape[0], x : x + mask.shape[1]]
    share = mask[:, :, None].astype(np.float32) / 255
    part[:] = (part * (1 - share) + np.array(colour, np.float32) * share).astype(np.uint8)
