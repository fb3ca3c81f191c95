"""The ONNX file: the same probabilities, any batch, and a description of itself."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from facemotion.backbones.network import build_network, plan_network
from facemotion.classifier import Classifier
from facemotion.errors import WeightsError
from facemotion.export import export_onnx
from facemotion.inputs import InputSpec

COLOUR = InputSpec(size=32, colour="rgb", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), margin=0.1)


@pytest.mark.parametrize(("backbone", "spec"), [("fast", InputSpec(size=32)), ("mobilenet_v3_small", COLOUR)])
def test_the_file_gives_what_torch_gives_for_any_batch(backbone: str, spec: InputSpec, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(plan_network(backbone, "basic5", spec), temperature=1.3, licence="MIT")
    net = build_network(config)
    net.temperature = 1.3
    path = tmp_path / "sub" / "net.onnx"
    assert export_onnx(net, config, path) <= 1e-3
    assert [each.name for each in path.parent.iterdir()] == ["net.onnx"]
    session = onnxruntime.InferenceSession(path.read_bytes())
    classifier = Classifier(net.eval(), config)
    for count in (1, 3, 17):
        crops = np.random.default_rng(7).integers(0, 256, (count, 32, 32, spec.channels), np.uint8)
        (got,) = session.run(None, {session.get_inputs()[0].name: crops})
        np.testing.assert_allclose(got, classifier.probabilities(crops), atol=1e-3)
        np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-5)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["labels"]) == ["angry", "happy", "neutral", "sad", "surprise"]
    assert InputSpec.from_dict(json.loads(metadata["input"])) == spec
    assert "(pixel / 255 - mean) / std" in json.loads(metadata["preprocessing"])


def test_a_wrong_name_and_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    config = plan_network("fast", "basic5", InputSpec(size=32))
    net = build_network(config)
    with pytest.raises(WeightsError, match=r"ends in \.onnx"):
        export_onnx(net, config, tmp_path / "net.pt")
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="can't be written"):
        export_onnx(net, config, tmp_path / "file" / "net.onnx")


def test_a_network_that_gives_no_numbers_is_not_written(tmp_path: Path) -> None:
    config = plan_network("fast", "basic5", InputSpec(size=32))
    net = build_network(config)
    with torch.no_grad():
        net.head[-1].bias.fill_(float("nan"))
    with pytest.raises(WeightsError, match="not written"):
        export_onnx(net, config, tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_network_whose_way_depends_on_its_input_is_not_written(tmp_path: Path) -> None:
    config = plan_network("fast", "basic5", InputSpec(size=32))
    net = build_network(config)
    plain = net.forward
    net.forward = lambda crops: plain(crops) if crops.mean() > 0 else plain(-crops)  # type: ignore[method-assign]
    with pytest.raises(WeightsError, match="not written: torch can't export a network of 'fast': Could not guard on"):
        export_onnx(net, config, tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []
