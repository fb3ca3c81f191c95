"""Figures of a classifier from its confusion matrix or its probabilities. nan stands for what can't be computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Confusion = NDArray[np.int64]
    Floats = NDArray[np.float64]

# the normal quantile of a two-sided interval of 95%
_Z95 = 1.959963984540054


def confusion_matrix(truth: NDArray[np.int64], said: NDArray[np.int64], classes: int) -> Confusion:
    """Counts, (classes, classes); rows are the truth."""
    return np.bincount(truth * classes + said, minlength=classes * classes).reshape(classes, classes)


def row_shares(confusion: Confusion) -> Floats:
    """Each row as shares of its sum; a row of zeros stays one."""
    shares: Floats = confusion / confusion.sum(axis=1, keepdims=True).clip(1)
    return shares


def accuracy(confusion: Confusion) -> float:
    """The share that was classified right."""
    count = int(confusion.sum())
    return int(confusion.trace()) / count if count else float("nan")


def f1_scores(confusion: Confusion) -> Floats:
    """Of each class 2 TP / (2 TP + FP + FN), nan for a class that does not occur."""
    truth, said = confusion.sum(axis=1), confusion.sum(axis=0)
    return np.where(truth > 0, 2 * confusion.diagonal() / np.maximum(truth + said, 1), np.nan)


def macro_f1(confusion: Confusion) -> float:
    """The mean of F1 over the classes that occur."""
    return weighted_mean(f1_scores(confusion), np.ones(len(confusion)))


def weighted_mean(values: Floats, weights: NDArray[np.float64] | Confusion) -> float:
    """The mean of the values that are not nan."""
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=weights[known])) if weights[known].any() else float("nan")


@dataclass(frozen=True)
class PerClass:
    """precision, recall, f1, (classes,) each, and support: how often each class occurs.

    Recall and F1 are nan for a class that does not occur, precision for one that is never said. Where a single class
    occurs nothing else could have been taken for it: its precision and F1 are nan too.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    support: Confusion

    @classmethod
    def of(cls, confusion: Confusion) -> PerClass:
        hits, truth, said = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
        comparable = truth.sum() > truth
        with np.errstate(invalid="ignore"):
            precision = np.where((said > 0) & comparable, hits / said, np.nan)
            recall = hits / truth
        return cls(precision, recall, np.where(comparable, f1_scores(confusion), np.nan), truth)


def top_k(probabilities: NDArray[np.float64], truth: NDArray[np.int64], k: int) -> float:
    """The share whose true label is among the k most probable ones; a tie is decided by the labels' order."""
    if not len(truth):
        return float("nan")
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((best == truth[:, None]).any(axis=1).mean())


def wilson(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share: within 0 to 1 and sound for small counts and shares near the ends."""
    if not count:
        return float("nan"), float("nan")
    share, square = right / count, _Z95**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = _Z95 / (1 + square / count) * (share * (1 - share) / count + square / (4 * count**2)) ** 0.5
    # at the ends the formula gives them but for rounding
    return (0.0 if right == 0 else centre - half), (1.0 if right == count else centre + half)


def accuracy_of(right: NDArray[np.bool_]) -> dict[str, Any]:
    """An accuracy with its count and 95% interval, as plain values; None where there is nothing to count."""
    count = len(right)
    value = float(right.mean()) if count else None
    return {"count": count, "accuracy": value, "ci95": wilson(int(right.sum()), count) if count else None}
