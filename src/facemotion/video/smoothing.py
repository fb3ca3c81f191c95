"""Scores that settle and labels that do not flicker: an exponential mean in time, and a label that holds on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from facemotion.results import FaceEmotion

# by how much another label's smoothed score must lead before the label changes
_LEAD = 0.03


@dataclass
class _Memory:
    scores: dict[str, float]
    label: str
    time: float


class Smoother:
    """Smooths each track's scores over time.

    half_life: after how many seconds a score counts half; at a true change the label follows after about that time.
    forget: a track that was gone for longer than these seconds starts anew. One of the last frame goes on, however long
    ago that was, as it does for the tracker.
    """

    def __init__(self, half_life: float, forget: float = 2.0) -> None:
        if not half_life > 0:
            raise ValueError(f"half_life: expected seconds above 0, got {half_life!r}")
        self._half_life, self._forget = half_life, forget
        self._tracks: dict[int, _Memory] = {}
        self._last = 0.0

    def update(self, faces: list[FaceEmotion], time: float) -> list[FaceEmotion]:
        """The faces of the next frame with smoothed scores; those without a track are left as they are.

        A face's label is the one that leads clearly, so its score may for a moment not be the largest.
        """
        self._tracks = {
            key: memory
            for key, memory in self._tracks.items()
            if memory.time == self._last or time - memory.time <= self._forget
        }
        self._last = time
        return [self._smooth(face, face.track_id, time) if face.track_id is not None else face for face in faces]

    def _smooth(self, face: FaceEmotion, track_id: int, time: float) -> FaceEmotion:
        memory = self._tracks.get(track_id)
        if memory is None:
            self._tracks[track_id] = _Memory(face.scores, face.label, time)
            return face
        kept = 0.5 ** (max(time - memory.time, 0.0) / self._half_life)
        scores = {label: kept * memory.scores[label] + (1 - kept) * new for label, new in face.scores.items()}
        best = max(scores, key=lambda label: scores[label])
        label = best if scores[best] - scores[memory.label] > _LEAD else memory.label
        self._tracks[track_id] = _Memory(scores, label, time)
        return replace(face, label=label, score=scores[label], scores=scores)
