"""Figures against scikit-learn's and scipy's own on the same predictions, and against what a hand computes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)
from sklearn.metrics import confusion_matrix as sklearn_confusion

from facemotion import LabelSet
from facemotion.errors import DataError
from facemotion.evaluation.calibration import calibration_error, fit_temperature, reliability
from facemotion.evaluation.figures import figures_of
from facemotion.evaluation.metrics import accuracy_of, wilson

FER7 = LabelSet.named("fer7")


def predictions(seed: int, count: int = 400, classes: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Truth and probabilities of somebody who is right more often than not, of classes of unequal size."""
    random = np.random.default_rng(seed)
    truth = np.sort(random.choice(classes, count, p=random.dirichlet(np.ones(classes))))
    logits = random.normal(0, 1.5, (count, classes)) + 2 * np.eye(classes)[truth]
    odds = np.exp(logits)
    return truth, odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_every_figure_is_scikit_learns(seed: int) -> None:
    truth, probabilities = predictions(seed)
    said = probabilities.argmax(axis=1)
    figures, _ = figures_of(truth, probabilities, FER7)
    present = np.unique(truth)
    assert figures["accuracy"] == accuracy_score(truth, said)
    np.testing.assert_array_equal(figures["confusion"], sklearn_confusion(truth, said, labels=range(7)))
    assert figures["macro_f1"] == pytest.approx(f1_score(truth, said, labels=present, average="macro"))
    assert figures["weighted_f1"] == pytest.approx(f1_score(truth, said, labels=present, average="weighted"))
    assert figures["top2"] == pytest.approx(top_k_accuracy_score(truth, probabilities, k=2, labels=range(7)))
    assert figures["log_loss"] == pytest.approx(log_loss(truth, probabilities, labels=range(7)))
    theirs = precision_recall_fscore_support(truth, said, labels=range(7), zero_division=np.nan)
    for index, label in enumerate(FER7):
        ours = figures["per_class"][label]
        assert ours["support"] == theirs[3][index]
        for name, values in zip(("precision", "recall"), theirs, strict=False):
            assert (np.nan if ours[name] is None else ours[name]) == pytest.approx(values[index], nan_ok=True)
        if ours["support"]:
            assert ours["f1"] == pytest.approx(theirs[2][index])


def test_what_can_not_be_computed_is_none_and_said() -> None:
    # nobody is sad, and nothing was taken for fear
    truth = np.array([0, 0, 1, 1, 2, 2])
    said = np.array([0, 3, 1, 1, 0, 0])
    labels = LabelSet(("angry", "happy", "fear", "sad"))
    figures, notes = figures_of(truth, np.eye(4)[said], labels)
    classes = figures["per_class"]
    assert classes["sad"] == {"precision": 0.0, "recall": None, "f1": None, "support": 0}
    assert classes["fear"] == {"precision": None, "recall": 0.0, "f1": 0.0, "support": 2}
    # angry: one of two found, one of three right; happy: all right; fear: none
    assert classes["angry"]["f1"] == pytest.approx(2 * 1 / (2 * 1 + 2 + 1))
    assert figures["macro_f1"] == pytest.approx((0.4 + 1 + 0) / 3)
    assert notes == [
        "no face is sad: recall and F1 can't be computed, the means leave them out",
        "no face was taken for fear: precision can't be computed",
    ]


def test_one_class_only_leaves_a_recall() -> None:
    said = np.array([1, 1, 0, 1])
    figures, notes = figures_of(np.ones(4, np.int64), np.eye(3)[said], LabelSet(("angry", "happy", "sad")))
    assert figures["accuracy"] == 0.75
    assert figures["macro_f1"] is figures["weighted_f1"] is None
    assert figures["per_class"]["happy"] == {"precision": None, "recall": 0.75, "f1": None, "support": 4}
    assert figures["per_class"]["angry"] == {"precision": 0.0, "recall": None, "f1": None, "support": 0}
    assert "every face is happy" in notes[-1]


def test_no_face_at_all_gives_none_everywhere() -> None:
    figures, notes = figures_of(np.empty(0, np.int64), np.empty((0, 7)), FER7)
    alone = ("accuracy", "accuracy_ci95", "top2", "macro_f1", "weighted_f1", "ece", "log_loss")
    assert {figures[name] for name in alone} == {None}
    assert notes == ["there is no face to judge: no figure can be computed"]


@pytest.mark.parametrize(("right", "count"), [(0, 1), (1, 1), (0, 40), (40, 40), (3, 7), (2600, 3589), (1, 3589)])
def test_the_interval_is_wilsons(right: int, count: int) -> None:
    theirs = binomtest(right, count).proportion_ci(0.95, "wilson")
    assert wilson(right, count) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= wilson(right, count)[0] <= right / count <= wilson(right, count)[1] <= 1


def test_nothing_has_no_accuracy() -> None:
    assert accuracy_of(np.empty(0, bool)) == {"count": 0, "accuracy": None, "ci95": None}


def test_calibration_error_by_hand() -> None:
    # of ten bins: (0.5, 0.6] two faces, sure to 0.55 and 0.60, one right: |0.5 - 0.575| = 0.075;
    # (0.8, 0.9] three, all 0.9, two right: |2/3 - 0.9| = 0.2333; (0.9, 1.0] one, 1.0, right: 0
    first = np.array([0.55, 0.60, 0.9, 0.9, 0.9, 1.0])
    truth = np.array([0, 1, 0, 0, 1, 0])
    bins = reliability(np.column_stack([first, 1 - first]), truth, bins=10)
    assert [each.count for each in bins] == [0, 0, 0, 0, 0, 2, 0, 0, 3, 1]
    assert bins[5].confidence == pytest.approx(0.575)
    assert bins[8].accuracy == pytest.approx(2 / 3)
    assert bins[0].accuracy is None
    assert calibration_error(bins) == pytest.approx((2 * 0.075 + 3 * (0.9 - 2 / 3) + 0) / 6)


def test_the_temperature_of_a_network_that_is_three_times_too_sure_is_three() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (20000, 5))
    odds = np.exp(logits)
    honest = odds / odds.sum(axis=1, keepdims=True)
    truth = (random.random((20000, 1)) < honest.cumsum(axis=1)).argmax(axis=1)
    too_sure = np.exp(3 * logits) / np.exp(3 * logits).sum(axis=1, keepdims=True)
    assert fit_temperature(too_sure, truth) == pytest.approx(3, rel=0.03)
    assert fit_temperature(honest, truth) == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize(
    ("truth", "says"),
    [([0, 1, 1], "surer is always better: expected some mistakes, got 100% right"), ([1, 0, 0], "a guess is as good")],
)
def test_no_temperature_fits_where_all_are_right_or_all_are_wrong(truth: list[int], says: str) -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    with pytest.raises(DataError, match=says):
        fit_temperature(probabilities, np.array(truth))
