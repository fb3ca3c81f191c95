"""How far a probability can be believed: reliability, its error, and the temperature that makes it smallest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from facemotion.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 15
# where a fitted temperature is looked for, as a factor of the one there is
_FARTHEST = 100.0


@dataclass(frozen=True)
class Bin:
    """Faces whose highest probability is above `low` and at most `high`.

    confidence: the mean of that probability; accuracy: how many were right. Both None where there is no face.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability(probabilities: NDArray[np.float64], truth: NDArray[np.int64], bins: int = BINS) -> tuple[Bin, ...]:
    """Faces in bins of equal width by their highest probability."""
    confidence = probabilities.max(axis=1) if len(probabilities) else np.empty(0)
    right = probabilities.argmax(axis=1) == truth if len(probabilities) else np.empty(0, bool)
    edges = np.arange(bins + 1) / bins
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    found = []
    for index in range(bins):
        mine = place == index
        count = int(mine.sum())
        means = (float(confidence[mine].mean()), float(right[mine].mean())) if count else (None, None)
        found.append(Bin(float(edges[index]), float(edges[index + 1]), count, *means))
    return tuple(found)


def calibration_error(bins: tuple[Bin, ...]) -> float:
    """Expected calibration error: the mean distance of confidence and accuracy over the faces; nan without any."""
    count = sum(each.count for each in bins)
    far = sum(each.count * abs((each.accuracy or 0.0) - (each.confidence or 0.0)) for each in bins)
    return far / count if count else float("nan")


def log_loss(probabilities: NDArray[np.float64], truth: NDArray[np.int64], factor: float = 1.0) -> float:
    """The mean negative log-likelihood, were the temperature `factor` times what it is."""
    return float(-log_probabilities(probabilities, factor)[np.arange(len(truth)), truth].mean())


def fit_temperature(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The factor on the temperature that makes the truth most likely; it changes no label, only how sure each is.

    A DataError where there is no such factor: each face is right, or the network knows no more of them than a guess.
    """
    found = minimize_scalar(
        lambda exponent: log_loss(probabilities, truth, float(np.exp(exponent))),
        bounds=(-np.log(_FARTHEST), np.log(_FARTHEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    factor = float(np.exp(found.x))
    right = (probabilities.argmax(axis=1) == truth).mean()
    if right == 1 or factor < 1.01 / _FARTHEST:
        raise DataError("no temperature fits: surer is always better", None, "some mistakes", f"{right:.0%} right")
    if factor > _FARTHEST / 1.01:
        wanted = "to be surer of what is right than of what is wrong"
        raise DataError("no temperature fits: a guess is as good", None, wanted, f"{right:.0%} right")
    return factor


def log_probabilities(probabilities: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Logarithms of the probabilities, were the temperature `factor` times what it is."""
    # a probability that is zero was too small for a float32
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)) / factor
    result: NDArray[np.float64] = log_softmax(logits, axis=1)
    return result
