"""Weights side by side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

import facemotion.evaluation
from facemotion import EmotionRecognizer, Evaluator, Samples
from facemotion.backbones.network import build_network, plan_network
from facemotion.classifier import Classifier
from facemotion.errors import DataError
from facemotion.evaluation import compare
from facemotion.evaluation.compare import mcnemar
from facemotion.inputs import InputSpec


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        # by hand: 2 (1 + 9) / 2^9; 2 (1 + 6 + 15) / 2^6; even; none; 2 / 2^5
        (1, 8, 20 / 512),
        (2, 4, 44 / 64),
        (3, 3, 1.0),
        (0, 0, 1.0),
        (0, 5, 2 / 32),
    ],
)
def test_mcnemar_by_hand(first: int, second: int, p: float) -> None:
    assert mcnemar(first, second) == pytest.approx(p)
    assert mcnemar(second, first) == pytest.approx(p)


def test_mcnemar_for_large_counts_is_the_binomial_test() -> None:
    assert mcnemar(400, 480) == pytest.approx(binomtest(400, 880).pvalue)


def untrained(labels: tuple[str, ...] | str, seed: int) -> EmotionRecognizer:
    torch.manual_seed(seed)
    config = plan_network("fast", labels, InputSpec(size=24))
    return EmotionRecognizer(Classifier(build_network(config).eval(), config, device="cpu"))


def test_a_trained_network_differs_from_untrained_ones_which_do_not(stripes: Samples, knows_stripes: Path) -> None:
    labels = ("angry", "happy", "sad")
    found = compare([knows_stripes, untrained(labels, 0), untrained(labels, 1)], stripes, device="cpu")
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        (found.names[0], found.names[1]),
        (found.names[0], found.names[2]),
        (found.names[1], found.names[2]),
    ]
    right = [each.probabilities.argmax(axis=1) == each.truth for each in found.reports]
    for pair, (first, second) in zip(found.pairs, [(0, 1), (0, 2), (1, 2)], strict=True):
        assert pair.first_alone == (right[first] & ~right[second]).sum()
        assert pair.second_alone == (right[second] & ~right[first]).sum()
        assert pair.p == mcnemar(pair.first_alone, pair.second_alone)
        assert pair.p_corrected == min(3 * pair.p, 1)
    assert [pair.differs for pair in found.pairs] == [True, True, False]
    assert found.reports[0].to_dict() == Evaluator(knows_stripes, device="cpu").evaluate(stripes).to_dict()
    assert json.loads(json.dumps(found.to_dict()))["pairs"][0]["differs"] is True
    text = str(found)
    assert "McNemar p" in text and "corrected for 3" in text
    # two that have one name are numbered
    assert found.names[1:] == ("2 a fast network in memory", "3 a fast network in memory")


def test_other_labels_are_judged_on_those_that_all_know(stripes: Samples, knows_stripes: Path) -> None:
    found = compare([knows_stripes, untrained("basic5", 0)], stripes, split="test", device="cpu")
    assert [each.labels for each in found.reports] == [("angry", "happy", "sad")] * 2
    assert [each.label_sets.rule for each in found.reports] == ["same", "restrict"]
    np.testing.assert_array_equal(*(each.truth for each in found.reports))
    mood = untrained(("happy", "neutral", "sad"), 1)
    both = compare([mood, knows_stripes], stripes, device="cpu")
    assert [set(each.labels) for each in both.reports] == [{"happy", "sad"}] * 2
    # numbered by each in its own order, and yet the same faces
    assert [each.count for each in both.reports] == [160, 160]


def test_what_a_training_has_seen_is_known_with_fewer_labels_too(stripes: Samples, knows_stripes: Path) -> None:
    both = [knows_stripes, untrained(("happy", "neutral", "sad"), 1)]
    with pytest.raises(DataError, match="chosen on this split"):
        compare(both, stripes, split="val", device="cpu")
    allowed, other = compare(both, stripes, split="val", device="cpu", allow_selected_split=True).reports
    assert (allowed.selected_split, other.selected_split) == (True, False)
    assert (allowed.count, allowed.labels) == (64, ("happy", "sad"))
    trained, other = compare(both, stripes, split="train", device="cpu").reports
    assert any("trained on these very faces" in note for note in trained.notes)
    assert not any("trained on" in note for note in other.notes)


def test_several_splits_are_all_compared_on(stripes: Samples, knows_stripes: Path) -> None:
    found = compare([knows_stripes, untrained("basic5", 0)], stripes, split="train/test", device="cpu")
    assert [(each.split, each.count) for each in found.reports] == [("train/test", 432)] * 2


def test_what_can_not_be_compared(stripes: Samples, knows_stripes: Path) -> None:
    for one in ([knows_stripes], str(knows_stripes), knows_stripes):
        with pytest.raises(ValueError, match="two or more to compare, got 1"):
            compare(one, stripes)
    with pytest.raises(DataError, match="too few labels that all know"):
        compare([knows_stripes, untrained(("sad", "neutral"), 0)], stripes)
    with pytest.raises(DataError, match="chosen on this split"):
        compare([knows_stripes, untrained("basic5", 0)], stripes, split="val", device="cpu")


def test_the_name_is_the_function_whatever_was_imported_before() -> None:
    assert facemotion.evaluation.compare is compare
