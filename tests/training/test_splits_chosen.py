"""Which part of a data set is trained on, and which one chooses the epoch."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from training_patterns import patterns

from facemotion import DataError, Recipe, TrainingError
from facemotion.data.copies import has_copy_in
from facemotion.data.samples import Samples
from facemotion.training.setup import read_samples, training_data


def divided(samples: Samples, *names: str) -> Samples:
    return samples.with_splits(np.array(names)[np.arange(len(samples)) // 3 % len(names)])


def test_a_validation_split_alone_is_divided_and_not_judged_by_itself(recipe: Recipe) -> None:
    training, validation = training_data(divided(patterns(192, 1), "PublicTest"), None, recipe)
    assert len(training) + len(validation) == 192
    assert not has_copy_in(validation, training).any()


@pytest.mark.parametrize("names", [("learn", "val"), ("learn", "test"), ("val", "PrivateTest")])
def test_where_no_split_is_for_training_nothing_is_guessed(recipe: Recipe, names: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=r"which split to train on\?.*--split"):
        training_data(divided(patterns(96, 1), *names), None, recipe)


@pytest.mark.parametrize("held", ["test", "PrivateTest", "val"])
def test_faces_without_a_split_are_trained_on_where_others_are_marked(recipe: Recipe, held: str) -> None:
    samples = divided(patterns(192, 1), "", held)
    training, validation = training_data(samples, None, recipe)
    marked = samples.select(held)
    assert not has_copy_in(marked, training).any()
    if held == "val":
        assert validation.fingerprint == marked.fingerprint
    else:
        assert not has_copy_in(marked, validation).any()
        assert len(training) + len(validation) == 96


def test_where_no_split_is_for_choosing_nothing_is_guessed(recipe: Recipe) -> None:
    with pytest.raises(DataError, match=r"which split to choose the epoch on\?.*--val-split"):
        training_data(patterns(96, 1), divided(patterns(96, 2), "train", "test"), recipe)


def test_faces_to_choose_on_are_not_those_beside_a_test_split(recipe: Recipe) -> None:
    with pytest.raises(DataError, match=r"which split to choose the epoch on\?.*got test"):
        training_data(patterns(96, 1), divided(patterns(96, 2), "", "test"), recipe)


def test_splits_that_mean_something_else_are_all_trained_on(recipe: Recipe, caplog: pytest.LogCaptureFixture) -> None:
    training, validation = training_data(divided(patterns(96, 1), "site a", "site b"), patterns(48, 2), recipe)
    assert (len(training), len(validation)) == (96, 48)
    assert "all its splits are there to train on (site a, site b); --split names one" in caplog.text


def test_splits_that_are_named_together_are_trained_on_together(recipe: Recipe) -> None:
    samples = divided(patterns(192, 1), "train", "val", "test")
    chosen = read_samples(samples, recipe, "train/val")
    training, _ = training_data(chosen, samples.select("test"), recipe)
    assert (len(training), training.split_counts()) == (129, {"train/val": 129})
    held = divided(patterns(192, 1), "Training", "PublicTest", "PrivateTest")
    with pytest.raises(TrainingError, match="PrivateTest is the test part"):
        training_data(read_samples(held, recipe, "Training/PrivateTest"), patterns(48, 2), recipe)


def test_to_be_judged_by_the_training_faces_is_warned_of(recipe: Recipe, caplog: pytest.LogCaptureFixture) -> None:
    samples = patterns(96, 1)
    with caplog.at_level(logging.WARNING):
        training_data(samples, patterns(96, 2), recipe)
        assert not caplog.messages
        training_data(samples, samples, recipe)
    assert "96 of the 96 faces to choose the epoch on are among those to train on" in caplog.text


def test_a_folder_without_a_split_to_choose_on_gives_a_share(recipe: Recipe) -> None:
    samples = divided(patterns(96, 1), "train", "test")
    training, validation = training_data(samples, None, recipe)
    assert len(training) + len(validation) == 48
    assert set(training.split_counts()) | set(validation.split_counts()) == {"train", "val"}


@pytest.mark.parametrize(
    ("names", "split", "told"),
    [
        (("fold0", "fold1"), "fold0", "fold0"),
        (("fold0", "fold1", "fold2"), "fold0/fold1", "fold0/fold1"),
        (("train", "test"), None, "train"),
        (("", "test"), None, "train"),
        (("",), None, "train"),
    ],
)
def test_what_is_divided_keeps_the_data_s_own_name(
    recipe: Recipe, names: tuple[str, ...], split: str | None, told: str
) -> None:
    samples = read_samples(divided(patterns(192, 1), *names), recipe, split)
    training, validation = training_data(samples, None, recipe)
    assert training.split_counts() == {told: len(training)}
    assert validation.split_counts() == {"val": len(validation)}


def test_faces_that_are_all_copies_leave_none_to_choose_on(recipe: Recipe) -> None:
    with pytest.raises(DataError, match=r"the validation part is empty: .* \(--val\), got 9 faces"):
        training_data(patterns(3, 1).subset([0, 1, 2] * 3), None, recipe)
