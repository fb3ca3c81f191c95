"""A picture of Pillow's, of whatever mode and lying however it does, as upright RGB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from facemotion.errors import ImageError

if TYPE_CHECKING:
    from facemotion.results import Pixels

# how many pixels are converted at a time
_BAND_PIXELS = 8_000_000

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright_rgb(image: Image.Image) -> Pixels:
    """A loaded picture's pixels, alpha laid over white; an ImageError where its numbers are no shades.

    Done in bands, so that a picture at the limit, in whatever mode, costs little more than itself and its result.
    """
    orientation = orientation_of(image)
    turn = _TURNS.get(orientation or 0)
    shift = _shift(image) if image.mode in ("I", "F") or image.mode.startswith("I;") else 0
    width, height = image.size
    sideways, from_the_end = orientation in (5, 6, 7, 8), orientation in (3, 4, 6, 7)
    pixels = np.empty((width, height, 3) if sideways else (height, width, 3), np.uint8)
    for top, bottom, part in _bands(image):
        band = _rgb(part, shift)
        place = slice(height - bottom, height - top) if from_the_end else slice(top, bottom)
        pixels[(slice(None), place) if sideways else place] = np.asarray(band if turn is None else band.transpose(turn))
    return pixels


def _bands(image: Image.Image) -> Iterator[tuple[int, int, Image.Image]]:
    width, height = image.size
    rows = max(_BAND_PIXELS // width, 1)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        yield top, bottom, image if rows >= height else image.crop((0, top, width, bottom))


def _rgb(image: Image.Image, shift: int) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;"):
        image = Image.fromarray((np.asarray(image) >> shift).astype(np.uint8))
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        layer = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        image = Image.new("RGB", layer.size, "white")
        image.paste(layer, mask=layer.getchannel("A"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _shift(image: Image.Image) -> int:
    """By how many bits the whole numbers of a picture are more than 8 bits."""
    extremes = [(band.min(), band.max()) for band in (np.asarray(part) for _, _, part in _bands(image))]
    lowest, highest = min(low for low, _ in extremes), max(high for _, high in extremes)
    fractions = image.mode == "F"
    if fractions or int(lowest) < 0 or int(highest) > 65535:
        expected = "whole numbers, such as those of uint8" if fractions else "0 to 65535"
        got = f"{'fractions' if fractions else 'values'} from {lowest:g} to {highest:g}"
        raise ImageError("the pixels are neither 8 nor 16 bits", expected=expected, got=got)
    # of 32 bits nothing says how many are used: an array of numbers up to 255 is a picture of 8
    return 0 if image.mode == "I" and int(highest) <= 255 else 8


def orientation_of(image: Image.Image) -> int | None:
    """How a picture lies, from 1 to 8 as EXIF counts; other numbers mean nothing, and None is that it does not say."""
    try:
        value = image.getexif().get(_ORIENTATION)
    except Exception:  # damaged metadata around whole pixels: the picture is shown as it lies, like viewers do
        return None
    return value if isinstance(value, int) else None
