"""A calibrated copy: better calibrated on other faces, the same labels, its input untouched."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from training_patterns import LABELS, patterns

from facemotion import EmotionRecognizer, Evaluator, InputSpec, Recipe, Samples, Trainer
from facemotion.classifier import Classifier
from facemotion.errors import DataError, UnknownNameError, WeightsError
from facemotion.evaluation.calibrate import calibrate
from facemotion.weights.folder import read_config


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture
def too_sure(knows_stripes: Path, tmp_path: Path) -> Path:
    """The same network, much too sure of itself, and packed."""
    packed = Classifier.load(knows_stripes, device="cpu").packed()
    packed.net.temperature = 0.1
    packed.save(tmp_path / "too-sure")
    return tmp_path / "too-sure"


def test_a_copy_is_calibrated_and_nothing_else_changes(
    stripes: Samples, knows_stripes: Path, too_sure: Path, tmp_path: Path
) -> None:
    before = contents(too_sure)
    done = calibrate(too_sure, stripes, tmp_path / "copy", device="cpu")
    assert contents(too_sure) == before
    assert contents(tmp_path / "copy")["model.safetensors"] == before["model.safetensors"]
    old, new = read_config(too_sure), read_config(tmp_path / "copy")
    assert new.packing == old.packing and new.packing.int8
    assert new.temperature == done.temperature > 2 * old.temperature
    assert (done.split, done.count, done.temperature_before) == ("val", 96, 0.1)
    # what is found is the network's own, wherever its temperature stood before
    plain = calibrate(knows_stripes, stripes, tmp_path / "plain", device="cpu")
    assert done.temperature == pytest.approx(plain.temperature, rel=0.02)
    assert done.ece_after < done.ece_before
    assert done.log_loss_after < done.log_loss_before
    # what it says of the copy is what an evaluation of the copy finds, on the same faces
    judged = Evaluator(tmp_path / "copy", device="cpu").evaluate(stripes, split="val", allow_selected_split=True)
    assert judged.ece == pytest.approx(done.ece_after, abs=1e-5)
    assert judged.log_loss == pytest.approx(done.log_loss_after, abs=1e-5)
    # on faces that it was not fitted on it is better calibrated too, and says the same labels
    first, second = (Evaluator(each, device="cpu").evaluate(stripes) for each in (too_sure, tmp_path / "copy"))
    assert second.ece is not None and first.ece is not None and second.ece < first.ece
    np.testing.assert_array_equal(first.probabilities.argmax(axis=1), second.probabilities.argmax(axis=1))
    assert second.temperature == new.temperature
    told = new.metrics[-1]
    assert (told["ece_before"], told["ece_after"]) == (done.ece_before, done.ece_after)
    assert "ece_after" in (tmp_path / "copy" / "README.md").read_text()


def test_a_network_that_is_sure_beyond_the_smallest_float_gets_its_own_temperature(
    stripes: Samples, knows_stripes: Path, tmp_path: Path
) -> None:
    sure = Classifier.load(knows_stripes, device="cpu")
    sure.net.temperature = 0.005
    sure.save(tmp_path / "sure")
    told = Classifier.load(tmp_path / "sure", device="cpu").probabilities(stripes.crops(sure.config.input))
    assert (told == 0).any()
    done = calibrate(tmp_path / "sure", stripes, tmp_path / "copy", device="cpu")
    plain = calibrate(knows_stripes, stripes, tmp_path / "plain", device="cpu")
    assert done.temperature == pytest.approx(plain.temperature, rel=1e-3)
    assert (done.ece_after, done.log_loss_after) == pytest.approx((plain.ece_after, plain.log_loss_after), abs=1e-4)
    assert done.temperature_before == 0.005
    judged = Evaluator(tmp_path / "sure", device="cpu").evaluate(stripes, split="val", allow_selected_split=True)
    assert judged.ece == pytest.approx(done.ece_before, abs=1e-5)
    assert done.log_loss_before > done.log_loss_after


def test_a_temperature_that_no_weights_may_have_is_said(stripes: Samples, knows_stripes: Path, tmp_path: Path) -> None:
    loud = Classifier.load(knows_stripes, device="cpu")
    with torch.no_grad():
        for parameter in loud.net.head.parameters():
            parameter *= 1e5
    loud.save(tmp_path / "loud")
    with pytest.raises(DataError, match=r"no temperature fits.*expected 0\.001 to 1000, got \d{4}"):
        calibrate(tmp_path / "loud", stripes, tmp_path / "copy", device="cpu")
    assert not (tmp_path / "copy").exists()


def test_figures_of_another_temperature_do_not_stay(stripes: Samples, too_sure: Path, tmp_path: Path) -> None:
    told = json.loads((too_sure / "config.json").read_text())
    told["metrics"].append({"data": "faces", "split": "test", "accuracy": 0.9, "ece": 0.01, "log_loss": 0.3})
    (too_sure / "config.json").write_text(json.dumps(told))
    calibrate(too_sure, stripes, tmp_path / "copy", device="cpu")
    assert read_config(tmp_path / "copy").metrics[-2] == {"data": "faces", "split": "test", "accuracy": 0.9}


def test_again_gives_the_same_bytes_and_no_second_line(stripes: Samples, too_sure: Path, tmp_path: Path) -> None:
    calibrate(too_sure, stripes, tmp_path / "copy", device="cpu")
    first = contents(tmp_path / "copy")
    calibrate(too_sure, stripes, tmp_path / "copy", device="cpu")
    assert contents(tmp_path / "copy") == first
    # calibrated weights are calibrated already
    again = calibrate(tmp_path / "copy", stripes, tmp_path / "copy of copy", device="cpu")
    assert again.temperature == pytest.approx(again.temperature_before, rel=1e-3)
    assert len(read_config(tmp_path / "copy of copy").metrics) == len(read_config(tmp_path / "copy").metrics)
    EmotionRecognizer.from_pretrained(tmp_path / "copy of copy", device="cpu")


def test_weights_are_never_overwritten(stripes: Samples, knows_stripes: Path, too_sure: Path) -> None:
    before = contents(knows_stripes)
    with pytest.raises(WeightsError, match="which are never changed: name another folder"):
        calibrate(knows_stripes, stripes, knows_stripes.parent / "checkpoints" / ".." / "best")
    with pytest.raises(WeightsError, match="holds other weights already"):
        calibrate(too_sure, stripes, knows_stripes)
    assert contents(knows_stripes) == before


def test_faces_that_a_temperature_must_not_be_fitted_on(stripes: Samples, knows_stripes: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    with pytest.raises(DataError, match="this is the test part"):
        calibrate(knows_stripes, stripes, out, split="test")
    with pytest.raises(DataError, match="this is the test part"):
        calibrate(knows_stripes, stripes.select("test"), out)
    with pytest.raises(DataError, match="the weights were trained on these faces"):
        calibrate(knows_stripes, stripes, out, split="train")
    with pytest.raises(UnknownNameError, match=r"no split of .* is named 'val'"):
        calibrate(knows_stripes, stripes.subset(stripes.splits != "val"), out)
    others = dataclasses.replace(patterns(30, 3), labels=type(stripes.labels)(("angry", "happy", "fear")))
    with pytest.raises(DataError, match=r"labels that the weights don't know.*got fear"):
        calibrate(knows_stripes, others, out)
    assert not out.exists()


def test_where_validation_alone_is_marked_it_is_fitted_on(
    stripes: Samples, knows_stripes: Path, tmp_path: Path
) -> None:
    known = stripes.subset(stripes.splits != "test")
    done = calibrate(
        knows_stripes, known.with_splits(np.where(known.splits == "val", "val", "")), tmp_path / "copy", device="cpu"
    )
    assert (done.split, done.count) == ("val", 96)


def test_data_without_splits_is_all_validation(knows_stripes: Path, tmp_path: Path) -> None:
    done = calibrate(knows_stripes, patterns(60, 8), tmp_path / "copy", device="cpu")
    assert (done.split, done.count) == (None, 60)


def test_where_the_trainer_put_a_share_aside_only_that_share_is_fitted_on(
    stripes: Samples, knows_stripes: Path, tmp_path: Path
) -> None:
    """Without names nothing tells the faces that were trained on from others."""
    nameless = stripes.subset(range(20, 200)).with_splits([""] * 180)
    with pytest.raises(DataError, match="the weights were trained on faces of this data"):
        calibrate(knows_stripes, nameless, tmp_path / "copy")
    chosen = stripes.select("val").with_splits([""] * 96)
    assert calibrate(knows_stripes, chosen, tmp_path / "copy", device="cpu").count == 96


def test_a_copy_knows_its_faces_as_the_weights_do(stripes: Samples, knows_stripes: Path, tmp_path: Path) -> None:
    calibrate(knows_stripes, stripes, tmp_path / "copy", device="cpu")
    assert read_config(tmp_path / "copy").metrics[-1]["fingerprint"] == stripes.select("val").fingerprint
    others = dataclasses.replace(patterns(60, 8), source=stripes.source).with_splits(["val"] * 60)
    for weights in (knows_stripes, tmp_path / "copy"):
        evaluator = Evaluator(weights, device="cpu")
        assert evaluator.evaluate(others, split="val").count == 60
        with pytest.raises(DataError, match="the epoch of these weights was chosen on this split"):
            evaluator.evaluate(stripes, split="val")
    # what a temperature was fitted on is no validation data for that
    nameless = stripes.subset(range(20, 200)).with_splits([""] * 180)
    calibrate(knows_stripes, dataclasses.replace(nameless, source="elsewhere"), tmp_path / "second", device="cpu")
    with pytest.raises(DataError, match="the weights were trained on faces of this data"):
        calibrate(tmp_path / "second", nameless, tmp_path / "third", device="cpu")


def test_of_arrays_in_memory_the_faces_decide_and_not_the_name_that_all_have(tmp_path: Path) -> None:
    drawn = [patterns(count, seed) for seed, count in enumerate((96, 48, 48))]
    train, val, other = (
        Samples.from_arrays(np.stack([each.read(at) for at in range(len(each))]), each.targets, LABELS)
        for each in drawn
    )
    recipe = Recipe(labels=LABELS, input=InputSpec(24), epochs=1, batch_size=32, precision="fp32", threads=1)
    Trainer(recipe, out=tmp_path, device="cpu").fit(train, val)
    best = tmp_path / "best"
    assert calibrate(best, other, tmp_path / "copy", device="cpu").count == 48
    assert not any("trained on" in note for note in Evaluator(best, device="cpu").evaluate(other).notes)
    with pytest.raises(DataError, match="the weights were trained on these faces"):
        calibrate(best, train, tmp_path / "again", device="cpu")
    with pytest.raises(DataError, match="the epoch of these weights was chosen on this split"):
        Evaluator(best, device="cpu").evaluate(val)
