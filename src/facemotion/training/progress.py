"""Where a training stands: what it has added up in this epoch, and what it tells whoever watches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where a training stands, after each step, and once more when an epoch has been judged.

    faces: how many this epoch has seen, of `total`. validation: the accuracy of this epoch where it has been `judged`,
    else of the epoch before, if there was one.
    """

    epoch: int
    epochs: int
    faces: int
    total: int
    loss: float
    accuracy: float
    faces_per_second: float
    validation: float | None = None
    judged: bool = False


@dataclass
class Sums:
    """What an epoch has added up so far, over all processes."""

    step: int = 0
    faces: int = 0
    loss: float = 0.0
    right: int = 0
    seconds: float = 0.0

    def standing(self, epoch: int, epochs: int, total: int, validation: float | None) -> Progress:
        """This as it is told: means instead of sums."""
        return Progress(
            epoch,
            epochs,
            self.faces,
            total,
            self.loss / self.faces,
            self.right / self.faces,
            self.rate,
            validation,
        )

    @property
    def rate(self) -> float:
        """Faces a second."""
        return self.faces / max(self.seconds, 1e-9)
