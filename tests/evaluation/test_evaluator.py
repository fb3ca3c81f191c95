"""From weights and data to a report."""

from __future__ import annotations

import dataclasses
import logging
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import classification_report, f1_score
from training_patterns import LABELS, patterns

from facemotion import EmotionRecognizer, Evaluator, Samples, read_data
from facemotion.backbones.network import build_network, plan_network
from facemotion.classifier import Classifier
from facemotion.errors import DataError, FacemotionError, UnknownNameError, WeightsError
from facemotion.evaluation.figures import figures_of
from facemotion.inputs import InputSpec


def test_real_faces_against_scikit_learn(fer: Samples, knows_fer: Path) -> None:
    recognizer = EmotionRecognizer.from_pretrained(knows_fer, device="cpu")
    report = Evaluator(knows_fer, device="cpu").evaluate(fer)
    test = fer.select("PrivateTest")
    probabilities = recognizer.classify([test.read(index) for index in range(len(test))])
    np.testing.assert_allclose(report.probabilities, probabilities, atol=1e-5)
    said = probabilities.argmax(axis=1)
    assert (report.split, report.count, report.label_rule) == ("PrivateTest", 600, None)
    assert report.accuracy == (said == test.targets).mean()
    assert report.macro_f1 == pytest.approx(f1_score(test.targets, said, average="macro", zero_division=0))
    assert report.accuracy_ci95 is not None
    assert report.accuracy_ci95[0] < report.accuracy < report.accuracy_ci95[1]
    assert report.chosen_on is not None and report.chosen_on.endswith("PublicTest")
    assert report.weights_sha256 == recognizer.classifier.config.files["model.safetensors"]


def test_the_table_is_scikit_learns_to_the_letter(stripes: Samples, knows_stripes: Path) -> None:
    report = Evaluator(knows_stripes, device="cpu").evaluate(stripes)
    # a network that knows too little never says some class, of which scikit-learn says 0 and we a dash
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 3000)
    probabilities = random.dirichlet(np.ones(3), 3000) + 0.3 * np.eye(3)[truth]
    figures, _ = figures_of(truth, probabilities / 1.3, report.label_sets.labels)
    theirs = classification_report(truth, probabilities.argmax(axis=1), target_names=LABELS)
    assert theirs.rstrip() in str(dataclasses.replace(report, **figures))


def test_flip_and_ten_crop_average_what_they_say(fer: Samples, knows_fer: Path) -> None:
    test = fer.select("PrivateTest").subset(range(40))
    evaluator = Evaluator(knows_fer, device="cpu", batch_size=7)
    classifier = evaluator.recognizer.classifier
    crops = test.crops(classifier.config.input)
    flipped = (classifier.probabilities(crops) + classifier.probabilities(crops[:, :, ::-1])) / 2
    np.testing.assert_allclose(evaluator.evaluate(test, tta="flip").probabilities, flipped, atol=1e-5)
    # this network wants 44 pixels: its ten crops are those of the challenge, out of the 48 that there are
    whole = np.stack([test.read(index) for index in range(40)])[..., None]
    shown = []
    for top, left in ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2)):
        crop = whole[:, top : top + 44, left : left + 44]
        shown += [classifier.probabilities(crop), classifier.probabilities(crop[:, :, ::-1])]
    report = evaluator.evaluate(test, tta="ten-crop")
    np.testing.assert_allclose(report.probabilities, np.mean(shown, axis=0), atol=1e-5)
    assert report.tta == "ten-crop"
    with pytest.raises(UnknownNameError, match="flip, ten-crop"):
        evaluator.evaluate(test, tta="five-crop")  # type: ignore[arg-type]  # wrong on purpose


def test_a_label_rule_decides_who_is_judged(fer_folder: Path, knows_fer: Path) -> None:
    report = Evaluator(knows_fer, device="cpu").evaluate(fer_folder, split="test", label_rule="majority")
    expected = read_data(fer_folder, split="test", label_rule="majority")
    assert report.label_rule == "majority"
    # FER+ knows contempt, these weights do not
    contempt = expected.counts()["contempt"]
    assert report.count == len(expected) - contempt
    assert report.label_sets.left_out == ({"contempt": contempt} if contempt else {})


@pytest.mark.parametrize(("split", "found"), [(None, "test"), ("test", "test"), ("TRAIN", "train")])
def test_the_test_split_is_meant_unless_one_is_named(
    stripes: Samples, knows_stripes: Path, split: str | None, found: str
) -> None:
    assert Evaluator(knows_stripes, device="cpu").evaluate(stripes, split=split).split == found


def test_without_splits_all_is_judged_and_with_unclear_ones_nothing(stripes: Samples, knows_stripes: Path) -> None:
    evaluator = Evaluator(knows_stripes, device="cpu")
    report = evaluator.evaluate(patterns(30, 5))
    assert (report.split, report.count) == (None, 30)
    unclear = stripes.with_splits(["left", "right"] * (len(stripes) // 2))
    with pytest.raises(DataError, match=r"which split is meant.*left or right"):
        evaluator.evaluate(unclear)
    with pytest.raises(UnknownNameError, match="no split of patterns"):
        evaluator.evaluate(stripes, split="private")


def test_an_empty_split_is_an_error(stripes: Samples, knows_stripes: Path) -> None:
    evaluator = Evaluator(knows_stripes, device="cpu")
    with pytest.raises(DataError, match="no usable face in it"):
        evaluator.evaluate(stripes.subset([]))


def test_no_label_column_is_an_error_that_names_it(knows_fer: Path, tmp_path: Path) -> None:
    (tmp_path / "faces.csv").write_text("path,age\na.png,30\n")
    with pytest.raises(DataError, match=r"no column of labels.*one named label or emotion.*got path, age"):
        Evaluator(knows_fer, device="cpu").evaluate(tmp_path / "faces.csv")


def test_one_class_in_a_folder(fer: Samples, knows_fer: Path, tmp_path: Path) -> None:
    from facemotion.images import write_png

    happy = fer.subset(np.flatnonzero(fer.targets == fer.labels.index("happy"))[:20])
    (tmp_path / "Happiness").mkdir()
    for index in range(20):
        write_png(tmp_path / "Happiness" / f"{index}.png", happy.read(index))
    report = Evaluator(knows_fer, device="cpu").evaluate(tmp_path)
    assert report.count == 20
    assert report.macro_f1 is None
    assert report.accuracy == report.per_class["happy"]["recall"]
    assert len(report.labels) == 7
    assert any("every face is happy" in note for note in report.notes)


def test_labels_of_ones_own_must_be_the_weights(tmp_path: Path) -> None:
    from facemotion.images import write_png

    torch.manual_seed(0)
    config = plan_network("fast", ("awake", "tired"), InputSpec(size=24))
    own = EmotionRecognizer(Classifier(build_network(config).eval(), config))
    for index, name in enumerate(("tired", "awake", "tired", "awake")):
        (tmp_path / str(index // 2) / name).mkdir(parents=True, exist_ok=True)
        write_png(tmp_path / str(index // 2) / name / "1.png", patterns(4, 1).read(index))
    report = Evaluator(own).evaluate(tmp_path, split="0")
    assert (report.labels, report.count) == (("awake", "tired"), 2)
    assert (report.weights, report.weights_sha256) == ("a fast network in memory", None)
    assert report.label_sets.rule == "same"
    mapped = Evaluator(own).evaluate(patterns(30, 1), label_sets={"tired": "sad", "awake": "happy"})
    assert (mapped.labels, mapped.count, mapped.label_sets.left_out) == (("happy", "sad"), 20, {"angry": 10})
    (tmp_path / "0" / "bored").mkdir()
    write_png(tmp_path / "0" / "bored" / "1.png", patterns(4, 1).read(3))
    with pytest.raises(DataError, match="unknown class 'bored'"):
        Evaluator(own).evaluate(tmp_path, split="0")
    # a label that no face has is not declared either: two of three are judged, and that is said
    config = plan_network("fast", ("awake", "bored", "tired"), InputSpec(size=24))
    more = EmotionRecognizer(Classifier(build_network(config).eval(), config))
    (tmp_path / "0" / "bored" / "1.png").unlink()
    (tmp_path / "0" / "bored").rmdir()
    report = Evaluator(more).evaluate(tmp_path, split="0")
    assert (report.labels, report.label_sets.rule) == (("awake", "tired"), "restrict")


def test_labels_choose_the_faces_and_a_slip_is_told(knows_stripes: Path) -> None:
    report = Evaluator(knows_stripes).evaluate(patterns(30, 1), labels=["happy", "sad"])
    assert (report.labels, report.count) == (("happy", "sad"), 20)
    with pytest.raises(UnknownNameError, match="no label is named 'hapy'; did you mean 'happy'"):
        Evaluator(knows_stripes).evaluate(patterns(30, 1), labels=["hapy", "sad"])


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such folder"):
        Evaluator(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="batch_size: expected at least 1, got 0"):
        Evaluator(tmp_path, batch_size=0)


def test_a_network_that_gives_nan_is_no_network(stripes: Samples) -> None:
    config = plan_network("fast", LABELS, InputSpec(size=24))
    net = build_network(config).eval()
    with torch.no_grad():
        next(iter(net.head.parameters())).fill_(float("nan"))
    broken = EmotionRecognizer(Classifier(net, config, device="cpu"))
    with pytest.raises(WeightsError, match="the network gives no numbers"):
        Evaluator(broken).evaluate(stripes)


def test_ten_crops_for_a_network_of_the_largest_crops_are_refused_with_what_to_do(fer: Samples) -> None:
    config = plan_network("fast", "fer7", InputSpec(size=940))
    evaluator = Evaluator(EmotionRecognizer(Classifier(build_network(config).eval(), config, device="cpu")))
    face = fer.select("PrivateTest").subset([0])
    with pytest.raises(FacemotionError, match=r"makes faces of 1025 pixels for a network of 940.*: take flip"):
        evaluator.evaluate(face, tta="ten-crop")
    assert evaluator.evaluate(face, tta="flip").count == 1


def test_progress_and_speed_go_elsewhere(
    stripes: Samples, knows_stripes: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[int, int]] = []
    with caplog.at_level(logging.INFO):
        report = Evaluator(knows_stripes, device="cpu", batch_size=100).evaluate(
            stripes, progress=lambda done, count: told.append((done, count))
        )
    assert told == [(100, 240), (200, 240), (240, 240)]
    assert re.search(r"240 faces in [\d.]+ s: \d+ a second", caplog.text)
    assert "a second" not in str(report)
    assert "second" not in str(report.to_dict())
    assert capsys.readouterr().out == ""


def test_slices_of_a_column_and_of_a_table(stripes: Samples, knows_stripes: Path, tmp_path: Path) -> None:
    evaluator = Evaluator(knows_stripes, device="cpu")
    test = stripes.select("test")
    # some wrong labels, so that there are mistakes however well the network learnt
    targets = np.where(np.arange(240) % 6, test.targets, (test.targets + 1) % 3)
    test = dataclasses.replace(test, targets=targets)
    plain = evaluator.evaluate(test)
    right = plain.probabilities.argmax(axis=1) == plain.truth
    assert plain.slices is None
    # a site that has all the mistakes among its faces
    site = np.where(right & (np.arange(240) % 2 == 0), "north", "south")
    report = evaluator.evaluate(dataclasses.replace(test, columns={"site": site}), slices="site")
    assert report.slices is not None
    north, south = report.slices[0].slices
    assert north.accuracy == 1.0
    assert south.accuracy == pytest.approx(right[site == "south"].mean())
    assert north.marked and south.marked
    assert "<- a gap" in str(report)
    lines = [f"{test.place(index)},{site[index]}" for index in range(240)]
    (tmp_path / "sites.csv").write_text("path,site\n" + "\n".join(lines) + "\n")
    by_table = evaluator.evaluate(test, slices=tmp_path / "sites.csv")
    assert by_table.slices == report.slices
