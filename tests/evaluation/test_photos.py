"""The whole pipeline: photos in, and a face that is not found is a mistake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facemotion import Box, EmotionRecognizer, Evaluator, Face, InputSpec
from facemotion.backbones.network import build_network, plan_network
from facemotion.classifier import Classifier
from facemotion.testing import StubDetector


@pytest.fixture
def recognizer() -> EmotionRecognizer:
    torch.manual_seed(0)
    config = plan_network("fast", "fer7", InputSpec(size=32, margin=0.1))
    return EmotionRecognizer(Classifier(build_network(config).eval(), config, device="cpu"), detector="mini")


@pytest.fixture
def photos(astronaut_path: Path, tmp_path: Path) -> Path:
    """Portraits in several framings, each once as every emotion of two, and pictures without anybody."""
    portrait = Image.open(astronaut_path)
    frames = [portrait, portrait.crop((0, 0, 512, 380)), portrait.resize((300, 300)), portrait.crop((90, 0, 420, 512))]
    frames += [Image.fromarray(np.full((200, 320, 3), shade, np.uint8)) for shade in (20, 200)]
    for label in ("happy", "sad"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for index, frame in enumerate(frames):
            frame.save(tmp_path / "photos" / label / f"{index}.png")
    return tmp_path / "photos"


def test_found_faces_are_judged_and_all_photos_counted(recognizer: EmotionRecognizer, photos: Path) -> None:
    report = Evaluator(recognizer).evaluate(photos, photos=True, label_sets="keep")
    assert report.pipeline is not None
    told = report.pipeline
    assert (told.detector, told.photos, told.with_face) == ("mini", 12, 8)
    assert told.found_share == 8 / 12
    assert sorted(Path(place).name for place in told.without_face) == ["4.png", "4.png", "5.png", "5.png"]
    right = 0
    for label in ("happy", "sad"):
        found = recognizer.predict_batch(sorted((photos / label).glob("*.png")))
        right += sum(faces[0].label == label for faces in found if faces)
    assert report.count == 8
    assert report.accuracy == told.accuracy_found == right / 8
    assert told.accuracy_all == right / 12
    assert told.accuracy_all_ci95[0] <= told.accuracy_all <= told.accuracy_all_ci95[1]
    assert "in 8 of 12 photos: 66.67%" in str(report)
    assert report.to_dict()["pipeline"]["photos"] == 12


def test_what_is_seen_is_what_predict_sees(recognizer: EmotionRecognizer, photos: Path) -> None:
    report = Evaluator(recognizer, batch_size=3).evaluate(photos, photos=True, label_sets="keep", tta="flip")
    plain = Evaluator(recognizer, batch_size=3).evaluate(photos, photos=True, label_sets="keep")
    for place, row in zip(plain.places, plain.probabilities, strict=True):
        scores = recognizer.predict(place)[0].scores
        np.testing.assert_allclose(row, list(scores.values()), atol=1e-5)
    assert np.abs(report.probabilities - plain.probabilities).max() > 1e-6


def test_photos_that_are_faces_are_judged_as_crops_are(recognizer: EmotionRecognizer, photos: Path) -> None:
    judge = Evaluator(EmotionRecognizer(recognizer.classifier, detector="whole"))
    found, crops = (judge.evaluate(photos, photos=each, label_sets="keep") for each in (True, False))
    np.testing.assert_allclose(found.probabilities, crops.probabilities, atol=1e-6)


def test_of_several_faces_the_largest_is_judged(recognizer: EmotionRecognizer, photos: Path) -> None:
    small, large = Face(Box(200, 20, 280, 100), 0.99), Face(Box(160, 60, 300, 220), 0.7)
    several = EmotionRecognizer(recognizer.classifier, detector=StubDetector([small, large]))
    alone = EmotionRecognizer(recognizer.classifier, detector=StubDetector([large]))
    both, one = (Evaluator(each).evaluate(photos, photos=True, label_sets="keep") for each in (several, alone))
    np.testing.assert_array_equal(both.probabilities, one.probabilities)
    assert both.pipeline is not None and both.pipeline.detector == "StubDetector"


def test_groups_in_which_faces_are_not_found_are_seen(recognizer: EmotionRecognizer, photos: Path) -> None:
    lines = [
        f"{label}/{index}.png,{'bare' if index > 3 else 'people'}" for label in ("happy", "sad") for index in range(6)
    ]
    (photos.parent / "kinds.csv").write_text("path,kind\n" + "\n".join(lines) + "\n")
    report = Evaluator(recognizer).evaluate(photos, photos=True, slices=photos.parent / "kinds.csv")
    assert report.slices is not None
    bare, people = report.slices[0].slices
    assert (bare.count, bare.accuracy) == (4, 0.0)
    assert people.count == 8


def test_no_face_anywhere_is_told_and_written(recognizer: EmotionRecognizer, photos: Path, tmp_path: Path) -> None:
    for path in photos.glob("*/[0-3].png"):
        path.unlink()
    report = Evaluator(recognizer).evaluate(photos, photos=True)
    assert report.pipeline is not None
    assert (report.count, report.accuracy, report.pipeline.accuracy_all) == (0, None, 0.0)
    assert "there is no face to judge: no figure can be computed" in report.notes
    assert {path.name for path in report.save(tmp_path / "out")} >= {"report.json", "report.md", "confusion.png"}
    assert "accuracy: - (95%: -, Wilson)" in str(report)


def test_photos_that_are_taken_for_crops_are_noticed(recognizer: EmotionRecognizer, photos: Path) -> None:
    for path in photos.glob("*/[02].png"):
        path.unlink()
    report = Evaluator(recognizer).evaluate(photos)
    assert report.pipeline is None
    assert any("far from square, and were taken for crops" in note for note in report.notes)
