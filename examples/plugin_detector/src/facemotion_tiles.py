"""A detector for large pictures with small faces: it lets `mini` look at overlapping tiles and at the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from facemotion import Box, Face, FaceDetector

# a tile of 336 x 336 is what `mini` looks at without shrinking it
TILE, OVERLAP = 336, 112


class Tiles:
    """What the entry point names: made with min_score and device, it has `detect`."""

    def __init__(self, *, min_score: float | None, device: str) -> None:
        self._mini = FaceDetector("mini", min_score=min_score, device=device)

    def detect(self, image: np.ndarray) -> list[Face]:
        """The faces of an (H, W, 3) uint8 RGB image, in its own pixels."""
        height, width = image.shape[:2]
        faces = self._mini.detect(image)
        if max(height, width) > TILE:
            for y in _starts(height):
                for x in _starts(width):
                    tile = np.ascontiguousarray(image[y : y + TILE, x : x + TILE])
                    whole = Box(x, y, x + tile.shape[1], y + tile.shape[0])
                    found = [_moved(face, x, y) for face in self._mini.detect(tile)]
                    faces += [face for face in found if not _is_cut(face.box, whole, width, height)]
        return _without_doubles(faces)


def _starts(length: int) -> list[int]:
    """Where tiles begin: overlapping, the last one at the border."""
    last = max(length - TILE, 0)
    return sorted({*range(0, last, TILE - OVERLAP), last})


def _moved(face: Face, x: int, y: int) -> Face:
    box = Box(face.box.x1 + x, face.box.y1 + y, face.box.x2 + x, face.box.y2 + y)
    marks = None if face.landmarks is None else face.landmarks + np.array([x, y], np.float32)
    return replace(face, box=box, landmarks=marks)


def _is_cut(box: Box, tile: Box, width: int, height: int) -> bool:
    """Whether a face reaches a border of its tile that is none of the picture's: another tile has it whole."""
    return (
        (box.x1 <= tile.x1 + 1 and tile.x1 > 0)
        or (box.y1 <= tile.y1 + 1 and tile.y1 > 0)
        or (box.x2 >= tile.x2 - 1 and tile.x2 < width)
        or (box.y2 >= tile.y2 - 1 and tile.y2 < height)
    )


def _without_doubles(faces: list[Face]) -> list[Face]:
    """Of boxes about the same face the surest one."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(_shared(face.box, other.box) < 0.5 for other in kept):
            kept.append(face)
    return kept


def _shared(a: Box, b: Box) -> float:
    """What two boxes have in common, as a share of the smaller one."""
    wide = min(a.x2, b.x2) - max(a.x1, b.x1)
    high = min(a.y2, b.y2) - max(a.y1, b.y1)
    return max(wide, 0) * max(high, 0) / max(min(a.area, b.area), 1e-9)
