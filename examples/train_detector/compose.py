"""Frames made of parts: faces pasted with soft edges over scenes and negatives, mosaics, close-ups."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from degrade import TONES, colour_skin, contrast, is_grey, occlude, spoil
from pictures import Label, Picture

CUTOUTS = {"portrait": 0.36, "fer": 0.28, "scene": 0.3, "crowd": 0.06}
FAINT = 8.0  # grey levels of contrast below which a face can't be seen
BACKGROUNDS = {"negative": 0.75, "scene": 0.25}


@dataclass(slots=True)
class Placed:
    """A picture after moving: its pixels, how much of each counts, and where its face went."""

    pixels: np.ndarray
    alpha: np.ndarray
    face: Label | None


class Parts:
    """The pictures of one side, sorted by what they are used for."""

    def __init__(self, pictures: list[Picture], fer: list[Picture]) -> None:
        self.by_kind = {k: [p for p in pictures if p.kind == k] for k in ("portrait", "scene", "negative", "crowd")}
        self.by_kind["fer"] = fer
        # Upside-down crowds would teach that faces hang from the ceiling.
        self.by_kind["crowd"] = [p for p in self.by_kind["crowd"] if not hangs(p)]
        self.cutouts = {k: [p for p in self.by_kind[k] if has_clear_face(p)] for k in CUTOUTS}
        self.cutouts["crowd"] = [p for p in self.cutouts["crowd"] if lit(p)]
        self.chances = {k: np.full(len(v), 1 / max(1, len(v))) for k, v in self.by_kind.items()}
        self.pixels = functools.lru_cache(maxsize=8000)(lambda kind, row: self.by_kind[kind][row].pixels())

    def any_of(self, rng: np.random.Generator, kind: str) -> tuple[np.ndarray, Picture]:
        row = int(rng.choice(len(self.by_kind[kind]), p=self.chances[kind]))
        return self.pixels(kind, row), self.by_kind[kind][row]


def hangs(picture: Picture) -> bool:
    down = [f.landmarks[3:, 1].mean() > f.landmarks[:2, 1].mean() for f in picture.faces if f.certain]
    return bool(down) and np.mean(down) < 0.5


def has_clear_face(picture: Picture) -> bool:
    if picture.kind in ("portrait", "fer"):
        return len(picture.faces) == 1 and picture.faces[0].certain
    return bool(clear_faces(picture))


def clear_faces(picture: Picture) -> list[Label]:
    """The faces of a photograph that are worth cutting out."""
    return [f for f in picture.faces if f.certain and f.box[2] - f.box[0] >= 28]


def lit(picture: Picture) -> bool:
    """Whether the faces are more than silhouettes, of which the crowds have many."""
    image = picture.pixels()
    boxes = [f.box.astype(int).clip(0) for f in clear_faces(picture)]
    return all(image[y1:y2, x1:x2].mean() > 50 for x1, y1, x2, y2 in boxes)


def cut(
    rng: np.random.Generator, parts: Parts, kinds: dict[str, float] = CUTOUTS, harm: bool = True
) -> tuple[np.ndarray, Label]:
    """One face with what surrounds it, and its label within the cut. `harm`: cover some, light some badly."""
    kind = str(rng.choice(list(kinds), p=list(kinds.values())))
    picture = parts.cutouts[kind][rng.integers(len(parts.cutouts[kind]))]
    image = picture.pixels()
    height, width = image.shape[:2]
    if kind in ("portrait", "fer"):
        face = picture.faces[0]
        x1, y1, x2, y2 = 0, 0, width, height
    else:
        clear = clear_faces(picture)
        face = clear[rng.integers(len(clear))]
        w, h = face.box[2:] - face.box[:2]
        left, top, right, bottom = rng.uniform(0.15, 0.9, 4)
        x1, y1 = max(0, int(face.box[0] - left * w)), max(0, int(face.box[1] - top * h))
        x2, y2 = min(width, int(face.box[2] + right * w) + 1), min(height, int(face.box[3] + bottom * h) + 1)
    corner = np.array([x1, y1], np.float32)
    size = np.array([x2 - x1, y2 - y1], np.float32)
    box = (face.box.reshape(2, 2) - corner).clip(0, size).ravel()
    points = face.landmarks - corner
    image = image[y1:y2, x1:x2]
    if rng.random() < 0.5:
        image = image[:, ::-1]
        box = np.array([size[0] - box[2], box[1], size[0] - box[0], box[3]])
        points = np.stack([size[0] - points[:, 0], points[:, 1]], axis=1)[[1, 0, 2, 4, 3]]
    image = np.ascontiguousarray(image)
    tone = ""
    if is_grey(image) and rng.random() < 0.75:
        tone = str(rng.choice(list(TONES)))
        image = colour_skin(rng, image, tone)
    if harm and rng.random() < 0.25:
        occlude(rng, image, box, points)
    if harm and rng.random() < 0.3:
        gain = rng.uniform(0.5, 1.4)
        image = cv2.convertScaleAbs(image, alpha=gain, beta=rng.uniform(-30, 30))
    return image, Label(box.astype(np.float32), points.astype(np.float32), True, tone)


def soft_mask(rng: np.random.Generator, height: int, width: int, box: np.ndarray | None) -> np.ndarray:
    """How much of a cut-out shows: all but its edges, or an ellipse about its face."""
    mask = np.zeros((height, width), np.float32)
    if box is not None and rng.random() < 0.4:
        centre = (box[:2] + box[2:]) / 2
        half = (box[2:] - box[:2]) / 2 * rng.uniform(1.0, 1.25)
        cv2.ellipse(mask, (tuple(centre.tolist()), tuple((half * 2).tolist()), 0.0), 1.0, -1)
        feather = float(half.min()) * rng.uniform(0.05, 0.25)
    else:
        edge = max(1, int(min(height, width) * rng.uniform(0.01, 0.06)))
        mask[edge:-edge, edge:-edge] = 1
        feather = edge * 0.7
    # The border is black before the blur, so nothing of the cut's straight edge remains.
    mask[0] = mask[-1] = mask[:, 0] = mask[:, -1] = 0
    return cv2.GaussianBlur(mask, (0, 0), max(0.5, feather))


def place(
    rng: np.random.Generator, image: np.ndarray, face: Label | None, size: float, turn: float, at: np.ndarray,
    frame: tuple[int, int],
) -> Placed:  # fmt: skip
    """Move a cut-out so that its face (or itself) is `size` wide, turned by `turn` degrees, its middle at `at`."""
    height, width = image.shape[:2]
    box = face.box if face is not None else np.array([0, 0, width, height], np.float32)
    zoom = size / max(1.0, float(box[2] - box[0]))
    alpha = soft_mask(rng, height, width, face.box if face is not None else None)
    if zoom < 0.6:
        # Warping alone would skip pixels: shrink by area first.
        small = (max(2, round(width * zoom * 1.3)), max(2, round(height * zoom * 1.3)))
        image, alpha = (cv2.resize(a, small, interpolation=cv2.INTER_AREA) for a in (image, alpha))
    there = np.array([image.shape[1] / width, image.shape[0] / height], np.float32)
    centre = (box[:2] + box[2:]) / 2
    c, s = np.cos(np.radians(turn)) * zoom, np.sin(np.radians(turn)) * zoom
    stretch = rng.uniform(0.92, 1.08)
    matrix = np.array([[c * stretch, -s], [s * stretch, c]], np.float32)
    move = np.column_stack([matrix / there[None, :], at - matrix @ centre]).astype(np.float32)
    pixels = cv2.warpAffine(image, move, frame, flags=cv2.INTER_LINEAR)
    alpha = cv2.warpAffine(alpha, move, frame, flags=cv2.INTER_LINEAR)
    if face is None:
        return Placed(pixels, alpha, None)
    # A face is nearer to an ellipse than to its box: the turned ellipse's box fits, the turned box's is too large.
    half = (box[2:] - box[:2]) / 2
    reach = np.sqrt((matrix[:, 0] * half[0]) ** 2 + (matrix[:, 1] * half[1]) ** 2)
    moved = np.concatenate([at - reach, at + reach]).astype(np.float32)
    points = face.landmarks @ matrix.T + (at - matrix @ centre)
    return Placed(pixels, alpha, Label(moved, points.astype(np.float32), True, face.tone))


def paste(frame: np.ndarray, placed: Placed) -> None:
    ys, xs = np.flatnonzero(placed.alpha.max(axis=1) > 0), np.flatnonzero(placed.alpha.max(axis=0) > 0)
    if not len(ys) or not len(xs):
        return
    where = np.s_[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
    weight = placed.alpha[where][..., None]
    frame[where] = (frame[where] * (1 - weight) + placed.pixels[where] * weight).astype(np.uint8)


def background(
    rng: np.random.Generator, parts: Parts, width: int, height: int, kinds: dict[str, float] = BACKGROUNDS
) -> tuple[np.ndarray, list[Label]]:
    """A frame filled with one picture, or with a mosaic; with the faces that are in it."""
    across, down = ((1, 1), (1, 1), (2, 1), (2, 2), (3, 2))[rng.integers(5)]
    frame = np.zeros((height, width, 3), np.uint8)
    faces: list[Label] = []
    for row in range(down):
        for column in range(across):
            x1, x2 = width * column // across, width * (column + 1) // across
            y1, y2 = height * row // down, height * (row + 1) // down
            kind = str(rng.choice(list(kinds), p=list(kinds.values())))
            image, picture = parts.any_of(rng, kind)
            tile, inside = window(rng, image, picture.faces, x2 - x1, y2 - y1)
            frame[y1:y2, x1:x2] = tile
            corner = np.array([x1, y1], np.float32)
            faces += [Label(f.box + np.tile(corner, 2), f.landmarks + corner, f.certain) for f in inside]
    return frame, faces


def window(
    rng: np.random.Generator, image: np.ndarray, faces: list[Label], width: int, height: int, most: float = 2.5
) -> tuple[np.ndarray, list[Label]]:
    """A part of a picture, enlarged or shrunk to width x height, perhaps mirrored; and the faces within."""
    h, w = image.shape[:2]
    fit = max(width / w, height / h)
    zoom = fit * float(np.exp(rng.uniform(0, np.log(max(1.05, min(most, most / fit))))))
    span = np.array([width / zoom, height / zoom])
    corner = rng.uniform(0, 1, 2) * (np.array([w, h]) - span).clip(0)
    mirror = rng.random() < 0.5
    if zoom < 0.7:
        image = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        scale = zoom
    else:
        scale = 1.0
    rest = zoom / scale
    shift = -corner * zoom
    move = np.array([[rest, 0, shift[0]], [0, rest, shift[1]]], np.float32)
    if mirror:
        move[0] = [-rest, 0, width - 1 - shift[0]]
    tile = cv2.warpAffine(image, move, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = []
    for face in faces:
        box = face.box * zoom + np.tile(shift, 2)
        points = face.landmarks * zoom + shift
        if mirror:
            box = np.array([width - box[2], box[1], width - box[0], box[3]])
            points = np.stack([width - points[:, 0], points[:, 1]], axis=1)[[1, 0, 2, 4, 3]]
        inside += visible(Label(box, points, face.certain, face.tone), width, height)
    return tile, inside


def visible(face: Label, width: int, height: int) -> list[Label]:
    """The face clipped to the frame; "don't care" where little of it is left, nothing where none is."""
    box = face.box.reshape(2, 2)
    clipped = np.clip(box, 0, [width, height]).ravel().astype(np.float32)
    area = float(np.prod((clipped[2:] - clipped[:2]).clip(0)))
    whole = float(np.prod((box[1] - box[0]).clip(0))) + 1e-6
    if area < 4:
        return []
    eyes_inside = (face.landmarks[:3] >= 0).all() and (face.landmarks[:3] <= [width, height]).all()
    # Portraits' boxes reach past their picture: half a box with eyes and nose in view is a face.
    certain = face.certain and (area / whole > 0.65 or (eyes_inside and area / whole > 0.4))
    return [Label(clipped, face.landmarks.astype(np.float32), bool(certain), face.tone)]


def composed(
    rng: np.random.Generator, parts: Parts, width: int = 640, height: int = 480, sizes: tuple[float, float] = (16, 400),
    most: int = 8, harm: bool = True,
) -> tuple[np.ndarray, list[Label]]:  # fmt: skip
    """A frame with up to `most` pasted faces, `sizes` pixels wide, and distractors cut just as softly."""
    frame, faces = background(rng, parts, width, height)
    for _ in range(int(rng.integers(0, most + 1))):
        size = float(np.exp(rng.uniform(*np.log(sizes))))
        distractor = rng.random() < 0.3
        at = rng.uniform(0, 1, 2) * [width, height]
        if not distractor:
            # Within the frame, but for a tenth of the faces.
            margin = size * (rng.uniform(0.1, 0.5) if rng.random() < 0.15 else rng.uniform(0.5, 0.7))
            low = np.minimum([margin, margin * 1.3], [width / 2, height / 2])
            at = rng.uniform(low, [width - low[0], height - low[1]])
        radius = size * 0.75
        if any(near(f, at, radius) for f in faces):
            continue
        turn = float(rng.uniform(-40, 40)) if rng.random() < 0.5 else float(rng.normal(0, 6))
        if distractor:
            image, _ = window(rng, *without_faces(rng, parts), 96, 96)
            placed = place(rng, image, None, size * 1.3, turn, at, (width, height))
            paste(frame, placed)
            faces = uncovered(faces, placed)
            continue
        image, face = cut(rng, parts, harm=harm)
        placed = place(rng, image, face, size, turn, at, (width, height))
        if placed.face is not None:
            paste(frame, placed)
            faces = uncovered(faces, placed) + visible(placed.face, width, height)
    return finish(rng, frame, faces) if harm else (frame, faces)


def finish(rng: np.random.Generator, frame: np.ndarray, faces: list[Label]) -> tuple[np.ndarray, list[Label]]:
    """The frame as a camera gives it; "don't care" about faces of which that leaves next to nothing."""
    frame = spoil(rng, frame)
    for face in faces:
        face.certain = face.certain and contrast(frame, face.box) >= FAINT
    return frame, faces


def uncovered(faces: list[Label], placed: Placed) -> list[Label]:
    """The faces still to be seen under what was just pasted; "don't care" where they are half hidden."""
    left = []
    for face in faces:
        x1, y1, x2, y2 = face.box.astype(int)
        hidden = float(placed.alpha[y1 : y2 + 1, x1 : x2 + 1].mean())
        if hidden < 0.6:
            left.append(Label(face.box, face.landmarks, face.certain and hidden < 0.2, face.tone))
    return left


def without_faces(rng: np.random.Generator, parts: Parts) -> tuple[np.ndarray, list[Label]]:
    image, picture = parts.any_of(rng, "negative")
    return image, picture.faces


def near(face: Label, at: np.ndarray, radius: float) -> bool:
    low, high = face.box[:2] - radius, face.box[2:] + radius
    return bool((at > low).all() and (at < high).all())
