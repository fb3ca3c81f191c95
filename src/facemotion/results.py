"""What the library gives back: plain values and numpy arrays, which draw, show and save nothing themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from facemotion.boxes import Box

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Landmarks = NDArray[np.float32]
    Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Face:
    """A face that a detector found. Equality looks at box and score alone.

    landmarks: (5, 2): eyes, nose, mouth corners, as seen from left to right; None where the detector has none.
    """

    box: Box
    score: float
    landmarks: Landmarks | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class FaceEmotion:
    """A face and what its expression looks like.

    score: the probability of `label`; scores: of every label, summing to 1. detection_score: how sure the detector
    was of the face. track_id: who is who across the frames of a stream; None for a single image.
    """

    label: str
    score: float
    scores: dict[str, float]
    box: Box
    detection_score: float
    landmarks: Landmarks | None = field(default=None, compare=False)
    track_id: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "label": self.label,
            "score": float(self.score),
            "scores": {label: float(score) for label, score in self.scores.items()},
            "box": [float(value) for value in self.box],
            "detection_score": float(self.detection_score),
            "landmarks": None if self.landmarks is None else self.landmarks.tolist(),
            "track_id": self.track_id,
        }


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a stream: its index and time (seconds) in the source, its pixels (RGB), and the faces in it."""

    index: int
    time: float
    image: Pixels = field(compare=False, repr=False)
    faces: Sequence[FaceEmotion]
