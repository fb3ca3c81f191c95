"""config.json is believed only after it was checked: every lie is named."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from facemotion.errors import ConfigError
from facemotion.inputs import InputSpec
from facemotion.weights.card import card
from facemotion.weights.spec import FORMAT, Head, Packing, WeightsConfig

SHA = "0" * 64
GOOD = WeightsConfig(
    backbone="fast",
    labels=("angry", "happy", "sad"),
    input=InputSpec(size=44, margin=0.1),
    backbone_args={"dropout": 0.1},
    head=Head(hidden=(64, 32), dropout=0.5),
    temperature=1.5,
    licence="MIT",
    trained_on=({"data": "faces", "sha256": "beef"},),
    chosen_on="PublicTest",
    chosen_before=({"data": "older faces", "split": "val", "labels": ["angry", "glad"]},),
    metrics=({"data": "faces", "split": "test", "accuracy": 0.71234},),
    packing=Packing(int8=True, ranks={"head.0": 16}, judged_on="100 faces", agreement=0.99, largest_difference=0.01),
    files={"model.safetensors": SHA, "README.md": SHA},
)


def test_what_is_written_is_read_again() -> None:
    assert WeightsConfig.from_json(GOOD.to_json(), "here") == GOOD
    assert json.loads(GOOD.to_json())["format"] == FORMAT


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("backbone", 3, "backbone.*expected.*got 3"),
        ("labels", ["happy", "Happiness"], "each label once"),
        ("labels", [], "one or more"),
        ("labels", "happy", "labels"),
        ("input", {"size": 4}, "size: expected a whole number from 8"),
        ("input", {"size": 48, "wings": 2}, "wings"),
        ("head", {"hidden": [0]}, "hidden: expected at most 8 widths"),
        ("head", {"dropout": 1.0}, "dropout: expected 0 or more"),
        ("temperature", 0, "temperature: expected a number from 0.001"),
        ("temperature", "warm", "temperature"),
        ("format", 99, "format: expected 1, got 99.*pip install -U"),
        ("files", {"../../etc/passwd": SHA}, "not the plain name of a file"),
        ("files", {"/etc/passwd": SHA}, "not the plain name of a file"),
        ("files", {"pytorch_model.bin": SHA}, "pickles can run code.*weights convert"),
        ("files", {"model.pth": SHA}, "pickles can run code"),
        ("files", {"setup.py": SHA}, "expected model.safetensors and README.md, got 'setup.py'"),
        ("files", {"model.safetensors": "beef"}, "expected a sha256"),
        ("packing", {"ranks": {"head.0": -1}}, "ranks: head.0: expected a whole number"),
        ("chosen_before", [{"data": "faces", "split": "val"}], "chosen_before: expected each with a list of labels"),
        ("chosen_before", [{"labels": [["a"], 1]}], "wrong labels"),
        ("colour", "red", "no key is named 'colour'"),
    ],
)
def test_a_wrong_value_is_named(key: str, value: Any, said: str) -> None:
    text = json.dumps(json.loads(GOOD.to_json()) | {key: value})
    with pytest.raises(ConfigError, match=f"(?s)^here.*{said}"):
        WeightsConfig.from_json(text, "here")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not the config of facemotion weights"),
        ('{"architectures": ["ViT"], "hidden_size": 768}', "not the config of facemotion weights"),
    ],
)
def test_what_is_no_config_at_all(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        WeightsConfig.from_json(text, "here")


def test_not_a_number_is_not_a_temperature() -> None:
    with pytest.raises(ConfigError, match="temperature"):
        WeightsConfig.from_json(GOOD.to_json().replace("1.5", "NaN"), "here")


def test_the_card_tells_what_the_config_says() -> None:
    text = card(GOOD, "somebody/faces")
    front, _, body = text.removeprefix("---\n").partition("\n---\n")
    assert "license: mit\n" in front and "library_name: facemotion" in front
    told = ("angry, happy, sad", "PublicTest", "accuracy 0.7123", "head.0 through 16", "99.00%", "100 faces")
    for said in (*told, "Began from weights whose epoch was chosen on: older faces val"):
        assert said in body
    assert 'from_pretrained("somebody/faces")' in body
    assert 'license: other\nlicense_name: "mine alone"' in card(dataclasses.replace(GOOD, licence="mine alone"))
    assert "None were measured." in card(dataclasses.replace(GOOD, metrics=()))
