"""The emotion weights that travel in the package are what their cards say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from facemotion import EmotionRecognizer, Evaluator, read_data
from facemotion.weights.catalogue import Entry, catalogue

SHIPPED = [entry for entry in catalogue().entries.values() if entry.kind == "emotion" and entry.folder]
FAST = [entry for entry in SHIPPED if entry.backbone == "fast"]
by_name = pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)


@pytest.fixture(scope="module")
def fer2013(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The challenge's files of all of FER-2013, with the votes."""
    folder = tmp_path_factory.mktemp("fer2013")
    export = assets / "fer2013" / "export.py"
    subprocess.run([sys.executable, export, folder, "--csv", "--ferplus"], check=True, timeout=300)
    return folder


@by_name
def test_they_load_offline_and_know_their_labels(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    recognizer = EmotionRecognizer.from_pretrained(entry.name)
    assert recognizer.labels.labels == entry.labels
    config = recognizer.classifier.config
    assert config.licence and config.trained_on and config.chosen_on and config.packing.int8
    assert config.backbone == entry.backbone and config.speed_ms == entry.speed_ms


@by_name
def test_the_card_tells_what_a_reader_asks(entry: Entry) -> None:
    assert entry.folder is not None
    card = (entry.folder / "README.md").read_text("utf-8")
    for heading in ("## Figures", "## Use", "### Confusion", "calibration error", "## What it can't do", "## Licence"):
        assert heading in card
    assert f'from_pretrained("{entry.name}")' in card


@pytest.mark.parametrize("entry", FAST, ids=lambda entry: entry.name)
def test_the_real_time_networks_are_small(entry: Entry) -> None:
    net = EmotionRecognizer.from_pretrained(entry.name).classifier.net
    assert sum(parameter.numel() for parameter in net.parameters()) <= 3e6
    assert entry.size <= 3.5e6


@by_name
def test_the_figures_of_the_card_are_true(entry: Entry, fer2013: Path) -> None:
    metrics = EmotionRecognizer.from_pretrained(entry.name).classifier.config.metrics
    # PublicTest, where it chose the epoch; a share of Training can't be told from the rest
    split = "PublicTest" if any(each["split"] == "PublicTest" for each in metrics) else "PrivateTest"
    rules = (None, "majority")
    [told] = [
        each for each in metrics if each["split"] == split and each.get("label_rule") in rules and "tta" not in each
    ]
    samples = read_data(fer2013, split=split, label_rule=told.get("label_rule"))
    report = Evaluator(entry.name).evaluate(samples, allow_selected_split=True)
    assert report.count == told["count"]
    # processors round differently, which turns a face or two
    assert report.accuracy == pytest.approx(told["accuracy"], abs=0.002)
    assert report.ece == pytest.approx(told["ece"], abs=0.005)
