"""All figures of one set of predictions, and words for those that can't be computed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from facemotion.evaluation.calibration import calibration_error, log_loss, reliability
from facemotion.evaluation.metrics import (
    PerClass,
    accuracy,
    confusion_matrix,
    macro_f1,
    top_k,
    weighted_mean,
    wilson,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facemotion.labels import LabelSet


def figures_of(
    truth: NDArray[np.int64], probabilities: NDArray[np.float64], labels: LabelSet
) -> tuple[dict[str, Any], list[str]]:
    """The figures by their names in a `Report`, and notes on those that are None."""
    confusion = confusion_matrix(truth, probabilities.argmax(axis=1), len(labels))
    classes, bins, count = PerClass.of(confusion), reliability(probabilities, truth), len(truth)
    # one class alone, with nothing that could be taken for it
    comparable = bool((classes.support > 0).sum() > 1)
    figures: dict[str, Any] = {
        "count": count,
        "accuracy": accuracy(confusion),
        "accuracy_ci95": wilson(int(confusion.trace()), count) if count else None,
        "top2": top_k(probabilities, truth, 2),
        "macro_f1": macro_f1(confusion) if comparable else math.nan,
        "weighted_f1": weighted_mean(classes.f1, classes.support),
        "ece": calibration_error(bins),
        "log_loss": log_loss(probabilities, truth) if count else None,
        "labels": labels.labels,
        "confusion": confusion,
        "reliability": bins,
        "per_class": {
            label: {
                "precision": _or_none(classes.precision[index]),
                "recall": _or_none(classes.recall[index]),
                "f1": _or_none(classes.f1[index]),
                "support": int(classes.support[index]),
            }
            for index, label in enumerate(labels)
        },
    }
    figures |= {key: _or_none(value) for key, value in figures.items() if isinstance(value, float)}
    return figures, list(_notes(figures))


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _notes(figures: dict[str, Any]) -> list[str]:
    if not figures["count"]:
        return ["there is no face to judge: no figure can be computed"]
    classes = figures["per_class"]
    absent = [label for label, values in classes.items() if not values["support"]]
    present = [label for label in classes if label not in absent]
    notes = []
    if absent:
        notes.append(f"no face is {' or '.join(absent)}: recall and F1 can't be computed, the means leave them out")
    if len(present) == 1:
        notes.append(f"every face is {present[0]}: precision and F1 can't be computed, and accuracy is but a recall")
        return notes
    unsaid = [label for label in present if classes[label]["precision"] is None]
    if unsaid:
        notes.append(f"no face was taken for {' or '.join(unsaid)}: precision can't be computed")
    return notes
