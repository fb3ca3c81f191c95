"""Results onto a picture: boxes, labels, scores, and bars of all scores on demand. The picture given is not changed."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from facemotion.boxes import Box
from facemotion.images import read_image
from facemotion.lettering import told_apart
from facemotion.opencv import cv2
from facemotion.pixel_text import (
    SMALLEST_CLEAR_TEXT,
    SMALLEST_TEXT,
    fitting_text,
    text_mask,
    text_size,
    text_sizes,
    write_text,
)
from facemotion.results import FaceEmotion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.results import Face, Pixels

Colour = tuple[int, int, int]
# x1, y1, x2, y2 in whole pixels
_Place = tuple[int, int, int, int]

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
# a panel that hides more is left out: a whole face is 2, since its upper half counts twice
_MOST_HIDDEN = 1.5
# one in smaller text than usual is for faces with little room, and may hide no more than a corner of a face
_MOST_HIDDEN_BY_SMALL_TEXT = 0.2
# the share of a panel that another may cover: its rim is empty
_RIM = 0.02


def draw(image: Pixels, faces: Sequence[Face | FaceEmotion], *, bars: bool = False) -> Pixels:
    """A copy of an RGB or grey image, in RGB, with a box, the label and the score of every face.

    bars: also a panel with the scores of all labels beside every face, or where it hides the least of the faces, in
    small text among many; none where it would hide another panel or most of a face, or be nearer to somebody else's.
    """
    canvas = read_image(image).copy()
    # small faces last, so that a large one does not cover them
    ordered = sorted(faces, key=lambda face: -face.box.area)
    for face in ordered:
        _draw_box(canvas, face)
    tags = _draw_tags(canvas, ordered)
    if bars:
        _draw_panels(canvas, ordered, tags)
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
    """A copy of an RGB or grey image, in RGB, with a line of text in the lower left corner."""
    canvas = read_image(image).copy()
    mask = fitting_text(text, canvas.shape[1], canvas.shape[0], text_size(canvas))
    if mask is not None:
        y = canvas.shape[0] - mask.shape[0]
        canvas[y:, : mask.shape[1]] = _DARK
        write_text(canvas, mask, 0, y, _LIGHT)
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


def _draw_tags(canvas: Pixels, faces: Sequence[Face | FaceEmotion]) -> list[_Place]:
    """Label and score on each box, in the largest text in which the fewest of them overlap. Gives where they are."""
    tags: list[tuple[Face | FaceEmotion, Pixels, _Place]] = []
    fewest = len(faces) ** 2
    for size in text_sizes(canvas, SMALLEST_CLEAR_TEXT):
        tried = [(face, *tag) for face in faces if (tag := _tag(canvas, face, size))]
        if (overlaps := _overlaps([place for *_, place in tried])) < fewest:
            tags, fewest = tried, overlaps
        if not fewest:
            break
    for face, mask, (x1, y1, x2, y2) in tags:
        ground = label_colour(_label(face))
        canvas[y1:y2, x1:x2] = ground
        write_text(canvas, mask, x1, y1, _DARK if _is_light(ground) else _LIGHT)
    return [place for *_, place in tags]


def _tag(canvas: Pixels, face: Face | FaceEmotion, size: int) -> tuple[Pixels, _Place] | None:
    """The text of a tag and where it goes; None where it does not fit into the picture."""
    mask = fitting_text(f"{_name(face)} {face.score:.0%}", canvas.shape[1], canvas.shape[0], size)
    if mask is None:
        return None
    x1, y1, _, _ = _inside(canvas, face)
    height, width = mask.shape
    x = min(x1, canvas.shape[1] - width)
    y = y1 - height if y1 >= height else min(y1, canvas.shape[0] - height)
    return mask, (x, y, x + width, y + height)


def _overlaps(places: list[_Place]) -> int:
    """How many pairs of places overlap."""
    at = np.array(places).reshape(-1, 4)
    sides = np.minimum(at[:, None, 2:], at[None, :, 2:]) - np.maximum(at[:, None, :2], at[None, :, :2])
    return int(np.triu((sides > 0).all(axis=2), k=1).sum())


@dataclass(frozen=True)
class _Panel:
    """A line for each label: its name, a bar as long as its score, and the score in numbers."""

    scores: dict[str, float]
    names: list[Pixels]
    numbers: list[Pixels]
    longest_bar: int

    @classmethod
    def of(cls, scores: dict[str, float], size: int) -> _Panel:
        numbers = [text_mask(f"{score:.0%}", size) for score in scores.values()]
        names = [text_mask(name, size) for name in told_apart(tuple(scores)).values()]
        return cls(scores, names, numbers, longest_bar=4 * size)

    @property
    def line(self) -> int:
        return len(self.names[0])

    @property
    def name_width(self) -> int:
        return _widest(self.names)

    @property
    def width(self) -> int:
        return self.name_width + self.longest_bar + _widest(self.numbers)

    @property
    def height(self) -> int:
        return self.line * len(self.names)


def _widest(masks: list[Pixels]) -> int:
    return max(len(mask[0]) for mask in masks)


def _draw_panels(canvas: Pixels, faces: Sequence[Face | FaceEmotion], tags: list[_Place]) -> None:
    """The panels in text of one size: the largest in which every face has one, else that in which the most have."""
    wanted = sum(isinstance(face, FaceEmotion) for face in faces)
    most: list[tuple[_Panel, _Place]] = []
    most_hidden = _MOST_HIDDEN
    for size in text_sizes(canvas, SMALLEST_TEXT):
        placed = _placed_panels(canvas, faces, tags, size, most_hidden)
        most = placed if len(placed) > len(most) else most
        if len(most) == wanted:
            break
        most_hidden = _MOST_HIDDEN_BY_SMALL_TEXT
    for panel, place in most:
        _draw_panel(canvas, panel, place)


def _placed_panels(
    canvas: Pixels, faces: Sequence[Face | FaceEmotion], tags: list[_Place], size: int, most_hidden: float
) -> list[tuple[_Panel, _Place]]:
    """Each face's panel where it hides the least of faces and tags, and nothing of the panels before it."""
    boxes = np.array([_inside(canvas, face) for face in faces]).reshape(-1, 4)
    # an eye tells more than a chin: the upper half of a face counts twice
    upper_halves = [(x1, y1, x2, (y1 + y2) // 2) for x1, y1, x2, y2 in boxes]
    seen, taken = np.array([*boxes, *upper_halves, *tags]), np.empty((0, 4), int)
    placed = []
    for index, face in enumerate(faces):
        panel = _Panel.of(face.scores, size) if isinstance(face, FaceEmotion) else None
        if panel is None or panel.height > canvas.shape[0] or panel.width > canvas.shape[1]:
            continue
        hidden = {
            place: _hidden(seen, place)
            for place in _places(canvas, panel, _inside(canvas, face))
            # a panel that is nearer to another face would pass for that one's
            if _hidden(taken, place) <= _RIM and (gaps := _gaps(boxes, place))[index] == gaps.min()
        }
        place = min(hidden, key=hidden.__getitem__, default=None)
        if place is not None and hidden[place] <= most_hidden:
            placed.append((panel, place))
            taken = np.append(taken, [place], axis=0)
    return placed


def _places(canvas: Pixels, panel: _Panel, box: _Place) -> list[_Place]:
    """Where a panel may go: to the right of its box, to the left, below, above its tag, then the picture's corners."""
    x1, y1, x2, y2 = box
    right, low = canvas.shape[1] - panel.width, canvas.shape[0] - panel.height
    starts = [
        *((x2 + 1, y1), (x1 - panel.width - 1, y1), (x1, y2 + 1), (x1, y1 - panel.line - panel.height)),
        *((right, low), (0, low), (right, 0), (0, 0)),
    ]
    inside = [(min(max(x, 0), right), min(max(y, 0), low)) for x, y in starts]
    return [(x, y, x + panel.width, y + panel.height) for x, y in inside]


def _hidden(places: NDArray[np.int64], panel: _Place) -> float:
    """The sum of the shares of some places (n, 4) that a panel covers."""
    sides = np.minimum(places[:, 2:], panel[2:]) - np.maximum(places[:, :2], panel[:2])
    areas = (places[:, 2:] - places[:, :2]).prod(axis=1)
    return float((sides.clip(0).prod(axis=1) / np.maximum(areas, 1)).sum())


def _gaps(places: NDArray[np.int64], panel: _Place) -> NDArray[np.float64]:
    """How far some places (n, 4) are from a panel."""
    sides = np.maximum(places[:, :2] - panel[2:], np.subtract(panel[:2], places[:, 2:]))
    gaps: NDArray[np.float64] = np.hypot(*sides.clip(0).T)
    return gaps


def _draw_panel(canvas: Pixels, panel: _Panel, place: _Place) -> None:
    x, y, x2, y2 = place
    ground = canvas[y:y2, x:x2]
    ground[:] = (ground * 0.12).astype(np.uint8)
    bars = x + panel.name_width
    for (label, score), name, number in zip(panel.scores.items(), panel.names, panel.numbers, strict=True):
        write_text(canvas, name, x, y, _LIGHT)
        inset, length = panel.line // 4, round(panel.longest_bar * score)
        canvas[y + inset : y + panel.line - inset, bars : bars + length] = label_colour(label)
        write_text(canvas, number, bars + panel.longest_bar, y, _LIGHT)
        y += panel.line


def _label(face: Face | FaceEmotion) -> str | None:
    return face.label if isinstance(face, FaceEmotion) else None


def _name(face: Face | FaceEmotion) -> str:
    """What is written of a face: its label, with its number where the font can't tell it from others."""
    return told_apart(tuple(face.scores)).get(face.label, face.label) if isinstance(face, FaceEmotion) else "face"


def _inside(canvas: Pixels, face: Face | FaceEmotion) -> _Place:
    height, width = canvas.shape[:2]
    x1, y1, x2, y2 = (round(value) for value in face.box.clip(width - 1, height - 1))
    return x1, y1, x2, y2


def _is_light(colour: Colour) -> bool:
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue > 120
