"""Results onto a picture: boxes, labels, scores, and bars of all scores on demand. The picture given is not changed."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facemotion.boxes import Box
from facemotion.images import read_image
from facemotion.opencv import cv2
from facemotion.results import FaceEmotion

if TYPE_CHECKING:
    from facemotion.results import Face, Pixels

Colour = tuple[int, int, int]

# Okabe and Ito's palette, which people with any kind of colour vision can tell apart
_COLOURS: dict[str, Colour] = {
    "angry": (213, 94, 0),
    "disgust": (0, 158, 115),
    "fear": (204, 121, 167),
    "happy": (240, 228, 66),
    "sad": (0, 114, 178),
    "surprise": (86, 180, 233),
    "neutral": (200, 200, 200),
    "contempt": (230, 159, 0),
}
_NO_LABEL: Colour = (255, 255, 255)
_DARK: Colour = (20, 20, 20)
_LIGHT: Colour = (245, 245, 245)
_SMALLEST_TEXT = 7


def draw(image: Pixels, faces: Sequence[Face | FaceEmotion], *, bars: bool = False) -> Pixels:
    """A copy of an RGB or grey image, in RGB, with a box, the label and the score of every face.

    bars: also a panel with the scores of all labels beside every face.
    """
    canvas = read_image(image).copy()
    # small faces last, so that a large one does not cover them
    ordered = sorted(faces, key=lambda face: -face.box.area)
    for face in ordered:
        _draw_box(canvas, face)
    for face in ordered:
        _draw_tag(canvas, face)
    if bars:
        for face in ordered:
            if isinstance(face, FaceEmotion):
                _draw_bars(canvas, face)
    return canvas


def mirror(image: Pixels, faces: Sequence[FaceEmotion]) -> tuple[Pixels, list[FaceEmotion]]:
    """The image as in a mirror, with the faces where they are then, and without their landmarks."""
    width = image.shape[1]
    turned = [
        replace(face, box=Box(width - face.box.x2, face.box.y1, width - face.box.x1, face.box.y2), landmarks=None)
        for face in faces
    ]
    return np.ascontiguousarray(image[:, ::-1]), turned


def caption(image: Pixels, text: str) -> Pixels:
    """A copy of the image with a line of text in the lower left corner."""
    canvas = image.copy()
    mask = _fitting(text, canvas.shape[1], canvas.shape[0], _text_size(canvas))
    if mask is not None:
        y = canvas.shape[0] - mask.shape[0]
        canvas[y:, : mask.shape[1]] = _DARK
        _write(canvas, mask, 0, y, _LIGHT)
    return canvas


def label_colour(label: str | None) -> Colour:
    """The colour that a label has in every picture and plot; labels of one's own get one that stays theirs."""
    if label is None:
        return _NO_LABEL
    palette = list(_COLOURS.values())
    return _COLOURS.get(label) or palette[zlib.crc32(label.encode()) % len(palette)]


def _draw_box(canvas: Pixels, face: Face | FaceEmotion) -> None:
    thickness = max(1, round(min(canvas.shape[:2]) / 300))
    x1, y1, x2, y2 = _inside(canvas, face)
    # a dark rim makes the line seen on light ground, the colour on dark
    cv2.rectangle(canvas, (x1, y1), (x2, y2), _DARK, thickness + 2)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), label_colour(_label(face)), thickness)


def _draw_tag(canvas: Pixels, face: Face | FaceEmotion) -> None:
    text = f"{_label(face) or 'face'} {face.score:.0%}"
    mask = _fitting(text, canvas.shape[1], canvas.shape[0], _text_size(canvas))
    if mask is None:
        return
    x1, y1, _, _ = _inside(canvas, face)
    height, width = mask.shape
    x = min(x1, canvas.shape[1] - width)
    y = y1 - height if y1 >= height else min(y1, canvas.shape[0] - height)
    ground = label_colour(_label(face))
    canvas[y : y + height, x : x + width] = ground
    _write(canvas, mask, x, y, _DARK if _is_light(ground) else _LIGHT)


def _draw_bars(canvas: Pixels, face: FaceEmotion) -> None:
    """A dark panel beside the box, where there is more room: a line for each label."""
    size = _text_size(canvas)
    rows = [(label, f"{score:.0%}", score) for label, score in face.scores.items()]
    while True:
        masks = [(_text(label, size), _text(percent, size)) for label, percent, _ in rows]
        names, numbers = (max(pair[column].shape[1] for pair in masks) for column in (0, 1))
        line, bar = masks[0][0].shape[0], 4 * size
        width, height = names + bar + numbers, line * len(rows)
        if width <= canvas.shape[1] and height <= canvas.shape[0]:
            break
        size -= 1
        if size < _SMALLEST_TEXT:
            return
    x1, y1, x2, _ = _inside(canvas, face)
    x = x2 + 1 if canvas.shape[1] - x2 > width else x1 - width - 1
    x, y = min(max(x, 0), canvas.shape[1] - width), min(y1, canvas.shape[0] - height)
    panel = canvas[y : y + height, x : x + width]
    panel[:] = (panel * 0.12).astype(np.uint8)
    for (label, _, score), (name, number) in zip(rows, masks, strict=True):
        _write(canvas, name, x, y, _LIGHT)
        length = round(bar * score)
        canvas[y + line // 4 : y + line - line // 4, x + names : x + names + length] = label_colour(label)
        _write(canvas, number, x + names + bar, y, _LIGHT)
        y += line


def _label(face: Face | FaceEmotion) -> str | None:
    return face.label if isinstance(face, FaceEmotion) else None


def _inside(canvas: Pixels, face: Face | FaceEmotion) -> tuple[int, int, int, int]:
    height, width = canvas.shape[:2]
    x1, y1, x2, y2 = (round(value) for value in face.box.clip(width - 1, height - 1))
    return x1, y1, x2, y2


def _text_size(canvas: Pixels) -> int:
    return max(11, round(int(min(canvas.shape[:2])) * 0.03))


def _fitting(text: str, width: int, height: int, size: int) -> Pixels | None:
    """The text in the largest size, from `size` down, that fits into the picture; None where none does."""
    for smaller in range(size, _SMALLEST_TEXT - 1, -1):
        mask = _text(text, smaller)
        if mask.shape[0] <= height and mask.shape[1] <= width:
            return mask
    return None


@lru_cache(maxsize=512)
def _text(text: str, size: int) -> Pixels:
    """How much of each pixel the text covers, 0 to 255. Pillow's font is clearer than OpenCV's when small."""
    # the font knows ASCII alone: letters lose their accents, what has no letter becomes a question mark
    text = "".join(_to_ascii(letter) for letter in text)
    font = ImageFont.load_default(size)
    ascent, descent = font.getmetrics() if isinstance(font, ImageFont.FreeTypeFont) else (size, 0)
    rim = max(2, size // 4)
    layer = Image.new("L", (round(font.getlength(text)) + 2 * rim, ascent + descent + rim))
    ImageDraw.Draw(layer).text((rim, rim // 2), text, fill=255, font=font)
    return np.asarray(layer)


def _to_ascii(letter: str) -> str:
    plain = unicodedata.normalize("NFKD", letter)
    return "".join(part for part in plain if part.isascii()) or ("" if unicodedata.combining(letter) else "?")


def _write(canvas: Pixels, mask: Pixels, x: int, y: int, colour: Colour) -> None:
    part = canvas[y : y + mask.shape[0], x : x + mask.shape[1]]
    share = mask[:, :, None].astype(np.float32) / 255
    part[:] = (part * (1 - share) + np.array(colour, np.float32) * share).astype(np.uint8)


def _is_light(colour: Colour) -> bool:
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue > 120
