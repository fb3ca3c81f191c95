"""What a training has seen: planted copies are found to the last, and the split that chose the epoch is known."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from training_patterns import LABELS, patterns

from facemotion import Evaluator, InputSpec, Recipe, Samples, Trainer
from facemotion.data.copies import has_copy_in, has_near_copy_in, near_pairs
from facemotion.errors import DataError
from facemotion.evaluation.calibrate import calibrate
from facemotion.evaluation.leak import find_leak, may_be_trained_on, read_training, selected_split
from facemotion.weights.folder import read_config


def test_fifty_planted_faces_are_found_to_the_last(fer: Samples, knows_fer: Path) -> None:
    train, test = fer.select("train"), fer.select("test")
    clean = test.subset(~has_near_copy_in(test, train))
    leaked = np.sort(np.random.default_rng(0).permutation(len(clean))[:50])
    report = Evaluator(knows_fer, device="cpu").evaluate(
        clean, training_data=Samples.concat([train, clean.subset(leaked).with_splits(["Training"] * 50)])
    )
    assert report.leak is not None
    assert report.leak.exact == 50
    assert set(report.leak.places) >= {clean.place(int(index)) for index in leaked}
    right = report.probabilities.argmax(axis=1) == report.truth
    rest = np.delete(right, leaked)
    assert report.leak.without_exact["count"] == len(rest)
    assert report.leak.without_exact["accuracy"] == pytest.approx(rest.mean())
    assert report.leak.accuracy["accuracy"] == report.accuracy
    # the planted ones may have near copies among the clean
    assert 50 <= report.leak.near < 60
    assert "exact copies: 50; accuracy without them" in str(report)


def test_copies_that_were_saved_again_and_made_darker_are_near_ones(fer: Samples, knows_fer: Path) -> None:
    train, test = fer.select("train"), fer.select("test")
    clean = test.subset(~has_near_copy_in(test, train)).subset(range(40))
    changed = []
    for index in range(40):
        darker = (clean.read(index) * 0.8).astype(np.uint8)
        changed.append(cv2.imdecode(cv2.imencode(".jpg", darker, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], 0))
    planted = Samples.from_arrays(np.stack(changed), clean.targets, clean.labels)
    config = read_config(knows_fer)
    leak = find_leak(config, clean, np.ones(40, bool), Samples.concat([train.with_splits([""] * len(train)), planted]))
    assert leak.exact == 0
    assert leak.near == 40
    assert leak.without_near == {"count": 0, "accuracy": None, "ci95": None}


def test_across_two_sets_near_copies_are_those_that_a_joint_audit_finds(fer: Samples) -> None:
    train, test = fer.select("train"), fer.select("test")
    together = Samples.concat([train, test])
    pairs = near_pairs(together)
    across = pairs[(pairs[:, 0] < len(train)) & (pairs[:, 1] >= len(train))]
    found = has_near_copy_in(test, train)
    assert set(np.unique(across[:, 1]) - len(train)) <= set(np.flatnonzero(found))
    assert (found >= has_copy_in(test, train)).all()


def test_whether_it_is_what_was_trained_on(
    stripes: Samples, knows_stripes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = read_config(knows_stripes)
    test = stripes.select("test")
    right = np.ones(len(test), bool)
    assert find_leak(config, test, right, read_training(config, stripes)).is_what_was_trained_on is True
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        assert find_leak(config, test, right, patterns(60, 9)).is_what_was_trained_on is False
    assert "is not just what the weights say they were trained on: other data, or a share of it" in caplog.text
    silent = dataclasses.replace(config, trained_on=())
    leak = find_leak(silent, test, right, read_training(silent, stripes))
    assert leak.is_what_was_trained_on is None
    assert (leak.training_split, leak.training_count) == ("train", 192)


def test_the_training_data_is_read_by_the_rule_of_the_weights_or_without_votes(
    fer_folder: Path, knows_fer: Path, tmp_path: Path
) -> None:
    by_votes = dataclasses.replace(read_config(knows_fer), trained_on=({"label_rule": "majority"},))
    assert 0 < len(read_training(by_votes, fer_folder)) < 600
    (tmp_path / "fer2013.csv").write_bytes((fer_folder / "fer2013.csv").read_bytes())
    assert len(read_training(by_votes, tmp_path)) == 600
    # trained on from others that had learnt the votes: its own labels are those of its last training
    again = dataclasses.replace(by_votes, trained_on=({"label_rule": "majority"}, {"label_rule": None}))
    assert len(read_training(again, fer_folder)) == 600


def test_the_split_that_chose_the_epoch_is_known_by_its_faces_or_its_name(
    stripes: Samples, knows_stripes: Path
) -> None:
    config = read_config(knows_stripes)
    assert selected_split(config, stripes.select("val"))
    # by its pixels and labels, whatever it is called
    renamed = dataclasses.replace(stripes.select("val"), source="elsewhere").with_splits([""] * 96)
    assert selected_split(config, renamed)
    assert selected_split(config, stripes.select("test")) is None
    assert selected_split(config, stripes.select("val").subset(range(90))) is None
    assert selected_split(config, stripes.select("test/val"))
    assert selected_split(config, stripes.select("train/test")) is None
    # weights that tell no fingerprint: by the names of split and data
    [told] = config.metrics
    older = dataclasses.replace(config, metrics=({key: told[key] for key in told if key != "fingerprint"},))
    assert selected_split(older, stripes.select("val").subset(range(90)))
    assert selected_split(older, renamed) is None
    assert selected_split(dataclasses.replace(config, chosen_on=None), stripes.select("val")) is None


def test_splits_that_chose_or_were_learnt_together_are_known_one_by_one(stripes: Samples, knows_stripes: Path) -> None:
    config = read_config(knows_stripes)
    [told], source = config.metrics, stripes.source
    joint = {**told, "split": "val/test", "fingerprint": stripes.select("val/test").fingerprint}
    learnt = {**config.trained_on[0], "split": "train/val"}
    config = dataclasses.replace(config, metrics=(joint,), chosen_on=f"{source} val/test", trained_on=(learnt,))
    for split in ("val", "test", "val/test"):
        assert selected_split(config, stripes.select(split)), split
    assert selected_split(config, stripes.select("train")) is None
    seen = [split for split in ("train", "val", "test") if may_be_trained_on(config, stripes.select(split))]
    assert seen == ["train", "val"]


def test_public_test_is_known_wherever_it_lies(fer: Samples, knows_fer: Path) -> None:
    config = read_config(knows_fer)
    part = dataclasses.replace(fer.select("PublicTest").subset(range(50)), source="/elsewhere/copy.csv")
    assert selected_split(config, part)
    assert selected_split(dataclasses.replace(config, metrics=()), part)
    assert selected_split(config, fer.select("PrivateTest")) is None


def test_the_training_part_of_fer_is_known_whatever_the_label_rule(fer: Samples, knows_fer: Path) -> None:
    config = read_config(knows_fer)
    config = dataclasses.replace(
        config, trained_on=({**config.trained_on[0], "data": "FER-2013", "split": "Training"},)
    )
    other = dataclasses.replace(fer, source="/elsewhere/votes.csv", label_rule="majority")
    assert may_be_trained_on(config, other.select("Training").subset(range(20)))
    assert not may_be_trained_on(config, other.select("PublicTest"))


@pytest.mark.parametrize("chosen_on", [" ", "x"])
def test_odd_words_of_strange_weights_break_nothing(fer: Samples, knows_fer: Path, chosen_on: str) -> None:
    told: tuple[dict[str, object], ...] = ({"data": "x", "fingerprint": ["no", "text"]},)
    config = dataclasses.replace(read_config(knows_fer), metrics=told, chosen_on=chosen_on)
    assert selected_split(config, fer.select("PrivateTest")) is None
    [origin] = config.trained_on
    config = dataclasses.replace(config, trained_on=({**origin, "label_rule": "no rule"},))
    assert len(read_training(config, fer)) == len(fer.select("Training"))


def test_the_selected_split_is_refused_unless_allowed_and_then_said(stripes: Samples, knows_stripes: Path) -> None:
    evaluator = Evaluator(knows_stripes, device="cpu")
    with pytest.raises(DataError, match="the epoch of these weights was chosen on this split"):
        evaluator.evaluate(stripes, split="val")
    report = evaluator.evaluate(stripes, split="val", allow_selected_split=True)
    assert report.selected_split
    assert "the epoch of these weights was chosen on this very split: the figures flatter them" in report.notes
    assert "the very split that is judged here" in str(report)


def test_the_split_that_chose_the_weights_which_a_training_began_from_is_refused_too(
    stripes: Samples, knows_stripes: Path, tmp_path: Path
) -> None:
    recipe = {"backbone": "fast", "init": str(knows_stripes), "epochs": 1, "precision": "fp32", "threads": 1}
    recipe |= {"batch_size": 32, "optimizer": {"lr": 0.01}, "input": {"size": 24}}
    # other labels, so that the same faces have another fingerprint; and once more from there
    fewer, faces = Recipe.from_dict(recipe | {"labels": ["sad", "angry"]}), patterns(60, 7)
    Trainer(fewer, out=tmp_path / "a", device="cpu").fit(faces, val=patterns(30, 8))
    again = fewer.override({"init": str(tmp_path / "a" / "best")})
    Trainer(again, out=tmp_path / "b", device="cpu").fit(faces, val=patterns(30, 8))
    for run in ("a", "b"):
        config = read_config(tmp_path / run / "best")
        assert config.chosen_on == "patterns 8"
        # the split that chose both times is told of once
        assert [told["split"] for told in config.chosen_before] == ["val"]
        evaluator = Evaluator(tmp_path / run / "best", device="cpu")
        with pytest.raises(DataError, match="of the weights that these began from was chosen on this split"):
            evaluator.evaluate(stripes, split="val")
        report = evaluator.evaluate(stripes, split="val", allow_selected_split=True)
        assert any("of the weights that these began from was chosen on this very" in each for each in report.notes)
        assert "on patterns 8, that of the weights it began from on " in str(report)
        assert "- one of them is judged here" in str(report)
        assert not evaluator.evaluate(stripes, split="test").selected_split
        assert "Began from weights whose epoch was chosen on: " in (tmp_path / run / "best" / "README.md").read_text()


def test_judging_on_the_training_faces_is_said(stripes: Samples, knows_stripes: Path) -> None:
    report = Evaluator(knows_stripes, device="cpu").evaluate(stripes, split="train")
    assert "the weights were trained on these very faces: the figures say nothing of others" in report.notes
    report = Evaluator(knows_stripes, device="cpu").evaluate(stripes, split="train/test")
    assert report.split == "train/test"
    assert any("the weights were trained on data of this name" in note for note in report.notes)


def test_a_split_that_the_trainer_divided_itself_is_known_by_the_data_s_name(
    stripes: Samples, knows_stripes: Path
) -> None:
    evaluator = Evaluator(knows_stripes, device="cpu")
    renamed = stripes.with_splits(np.where(stripes.splits == "test", "PrivateTest", "Training"))
    for split, said in (("Training", True), ("PrivateTest", False)):
        notes = evaluator.evaluate(renamed, split=split).notes
        assert any("trained on data of this name" in note for note in notes) == said


def test_a_split_with_a_name_of_its_own_that_the_trainer_divided_is_known(stripes: Samples, tmp_path: Path) -> None:
    folds = stripes.with_splits([f"fold{at // 3 % 3}" for at in range(len(stripes))])
    recipe = Recipe(labels=LABELS, input=InputSpec(24), epochs=1, batch_size=32, precision="fp32", threads=1)
    trainer = Trainer(recipe, out=tmp_path, device="cpu")
    trainer.fit(trainer.read(folds, "fold0"))
    config = read_config(tmp_path / "best")
    assert [may_be_trained_on(config, folds.select(f"fold{at}")) for at in range(3)] == [True, False, False]
    with pytest.raises(DataError, match="the weights were trained on faces of this data"):
        calibrate(tmp_path / "best", folds, tmp_path / "copy", split="fold0", device="cpu")


def test_the_training_data_is_what_has_no_split_where_others_are_marked(stripes: Samples, knows_stripes: Path) -> None:
    marked = stripes.with_splits(np.where(stripes.splits == "test", "test", ""))
    assert len(read_training(read_config(knows_stripes), marked)) == 192 + 96


def test_data_of_the_name_that_was_trained_on_is_said(stripes: Samples, knows_stripes: Path) -> None:
    evaluator = Evaluator(knows_stripes, device="cpu")
    some = stripes.subset(range(20, 200))
    # all of it, without splits; a part of the very split; another split
    for samples, said in ((some.with_splits([""] * 180), True), (some.select("train"), True), (stripes, False)):
        notes = evaluator.evaluate(samples).notes
        assert any("trained on data of this name" in note for note in notes) == said


def test_of_splits_with_other_names_the_training_data_is_neither_validation_nor_test(
    stripes: Samples, knows_stripes: Path
) -> None:
    renamed = stripes.with_splits(np.where(stripes.splits == "train", "learn", stripes.splits))
    assert read_training(read_config(knows_stripes), renamed).split_counts() == {"learn": 192}
