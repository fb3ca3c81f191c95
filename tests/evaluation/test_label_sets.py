"""Weights and data whose labels differ: every rule, and what it says of itself."""

from __future__ import annotations

import numpy as np
import pytest

from facemotion import LabelSet, Samples
from facemotion.errors import DataError, UnknownNameError
from facemotion.evaluation.label_sets import bring_together

FER7, BASIC5, FERPLUS8 = (LabelSet.named(name) for name in ("fer7", "basic5", "ferplus8"))


def one_of_each(labels: LabelSet | tuple[str, ...]) -> Samples:
    images = np.random.default_rng(0).integers(0, 255, (len(labels), 8, 8), np.uint8)
    return Samples.from_arrays(images, range(len(labels)), labels)


def test_the_same_labels_in_another_order_are_the_same() -> None:
    # as 7 of FER-2013 in alphabetical order
    judged = bring_together(FER7, one_of_each(tuple(sorted(FER7))), "restrict")
    assert judged.rule == "same"
    assert judged.said == "weights and data have the same labels"
    assert judged.labels == FER7
    assert [judged.samples.label(index) for index in range(7)] == sorted(FER7)
    probabilities = np.random.default_rng(1).dirichlet(np.ones(7), 3)
    np.testing.assert_allclose(judged.probabilities(probabilities), probabilities)


def test_seven_class_weights_on_five_classes_are_restricted_and_scaled() -> None:
    judged = bring_together(FER7, one_of_each(BASIC5), "restrict")
    assert judged.rule == "restrict"
    assert judged.labels.labels == ("angry", "happy", "sad", "surprise", "neutral")
    assert "the weights' disgust, fear can't be said" in judged.said
    assert judged.left_out == {}
    #                      angry disgust fear happy sad surprise neutral
    rows = np.array([[0.1, 0.4, 0.1, 0.2, 0.1, 0.0, 0.1], [0, 0.5, 0.5, 0, 0, 0, 0]])
    np.testing.assert_allclose(judged.probabilities(rows), [[0.2, 0.4, 0.2, 0.0, 0.2], [0.2] * 5])


def test_five_class_weights_on_seven_classes_leave_out_faces_and_say_how_many() -> None:
    judged = bring_together(BASIC5, one_of_each(FER7), "restrict")
    assert judged.rule == "restrict"
    assert judged.labels == BASIC5
    assert judged.left_out == {"disgust": 1, "fear": 1}
    assert judged.said == "faces of labels that the weights don't know are left out: 1 disgust, 1 fear"
    assert len(judged.samples) == 5
    assert {judged.samples.label(index) for index in range(5)} == set(BASIC5)


def test_a_mapping_adds_probabilities_and_renames_on_either_side() -> None:
    mapping = {"Disgusted": "angry", "contempt": "angry", "fear": "surprise"}
    judged = bring_together(FERPLUS8, one_of_each(FER7), mapping)
    assert judged.rule == "map"
    assert judged.labels.labels == ("neutral", "happy", "surprise", "sad", "angry")
    assert "disgust as angry, contempt as angry, fear as surprise" in judged.said
    counts = judged.samples.counts()
    assert (counts["angry"], counts["surprise"], counts["happy"]) == (2, 2, 1)
    #                   neutral happy surprise sad angry disgust fear contempt
    row = np.array([[0.1, 0.2, 0.05, 0.05, 0.1, 0.2, 0.1, 0.2]])
    np.testing.assert_allclose(judged.probabilities(row), [[0.1, 0.2, 0.15, 0.05, 0.5]])


def test_labels_of_ones_own_can_be_mapped() -> None:
    judged = bring_together(LabelSet(("calm", "glad")), one_of_each(("happy", "neutral")), {"glad": "happy"})
    assert judged.labels.labels == ("calm", "happy")
    assert judged.left_out == {"neutral": 1}


def test_keep_lets_the_weights_say_all_of_their_labels() -> None:
    judged = bring_together(FER7, one_of_each(BASIC5), "keep")
    assert (judged.rule, judged.labels) == ("keep", FER7)
    assert judged.said == "the weights may say all of their labels"


def test_one_class_alone_is_not_made_a_certainty() -> None:
    judged = bring_together(FER7, one_of_each(("happy",)), "restrict")
    assert (judged.rule, judged.labels) == ("keep", FER7)
    assert judged.said == "the weights may say all of their labels, since the data has but one"


def test_what_does_not_fit_is_an_error() -> None:
    with pytest.raises(DataError, match="labels that the weights don't know") as caught:
        bring_together(BASIC5, one_of_each(("calm", "bored")), "restrict")
    assert "expected some of angry, happy, neutral, sad, surprise, got calm, bored" in str(caught.value)
    with pytest.raises(UnknownNameError, match="no label is named 'hapy'; did you mean 'happy'"):
        bring_together(FER7, one_of_each(BASIC5), {"hapy": "happy"})
    with pytest.raises(UnknownNameError, match="no rule for labels that differ is named 'drop'"):
        bring_together(FER7, one_of_each(BASIC5), "drop")  # type: ignore[arg-type]  # wrong on purpose
    # happy is declared and so is known, but no face has it
    only_bored = Samples.from_arrays(np.zeros((1, 8, 8), np.uint8), [1], ("happy", "bored"))
    with pytest.raises(DataError, match="no face to judge"):
        bring_together(FER7, only_bored, "restrict")
