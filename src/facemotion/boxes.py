"""Boxes around faces, in float pixels of the source image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle from its top left corner (x1, y1) to its bottom right corner (x2, y2); may reach past the image.

    Its four numbers unpack, and `np.array([face.box for face in faces])` has a row of them for each.
    """

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        # written so that a NaN fails as well
        if not (
            -float("inf") < self.x1 <= self.x2 < float("inf") and -float("inf") < self.y1 <= self.y2 < float("inf")
        ):
            raise ValueError(f"a box needs finite x1 <= x2 and y1 <= y2, got {astuple(self)}")

    def __iter__(self) -> Iterator[float]:
        return iter((self.x1, self.y1, self.x2, self.y2))

    # numpy takes what has no length and no items for a single thing, and makes an array of objects
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> float:
        return (self.x1, self.y1, self.x2, self.y2)[index]

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    def clip(self, width: float, height: float) -> Box:
        """The part of the box that lies within an image of this size; one that lies outside becomes empty."""
        x1, x2 = (min(max(x, 0.0), width) for x in (self.x1, self.x2))
        y1, y2 = (min(max(y, 0.0), height) for y in (self.y1, self.y2))
        return Box(x1, y1, x2, y2)

    def scale(self, x: float, y: float | None = None) -> Box:
        """The same box on an image resized by x across and y down (by x both ways without y)."""
        y = x if y is None else y
        return Box(self.x1 * x, self.y1 * y, self.x2 * x, self.y2 * y)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0 to 1; two empty boxes share nothing."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        shared = max(width, 0.0) * max(height, 0.0)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0

    def square(self, margin: float = 0.0) -> Box:
        """The square about the same centre with a side of the longer side times 1 + 2 * margin."""
        half = max(self.width, self.height) * (0.5 + margin)
        x, y = self.center
        return Box(x - half, y - half, x + half, y + half)
