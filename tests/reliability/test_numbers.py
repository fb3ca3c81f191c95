"""The same input gives the same output, whatever the batch, the threads and the way it is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facemotion.backbones.torch_runner import TorchRunner
from facemotion.classifier import Classifier
from facemotion.devices import limited_cpu_threads
from facemotion.export import export_onnx


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """Smooth patches, which is what faces are to a network that looks at edges."""
    coarse = torch.rand((96, 1, 7, 7), generator=torch.Generator().manual_seed(0))
    fine = torch.nn.functional.interpolate(coarse, size=48, mode="bicubic").clamp(0, 1)
    return (fine * 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("name", ["fast-8class"])
def test_batches_threads_and_ways_agree(name: str, crops: np.ndarray, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    classifier = Classifier.load(name, device="cpu")
    size = classifier.config.input.size
    crops = np.ascontiguousarray(crops[:, :size, :size])
    many = classifier.probabilities(crops, 96)
    one = np.concatenate([classifier.probabilities(crops[at : at + 1]) for at in range(len(crops))])
    assert np.abs(one - many).max() < 1e-5
    by_torch = TorchRunner(classifier.net, classifier.config.input, classifier.device, torch.float32)
    # enough work for torch to share it out
    assert by_torch.work * len(crops) > 500_000_000
    with limited_cpu_threads(1):
        single, of_torch = classifier.probabilities(crops, 96), by_torch(crops)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert np.abs(by_torch(crops) - of_torch).max() < 1e-5
    finally:
        torch.set_num_threads(before)
    assert np.abs(single - many).max() < 1e-5
    assert np.abs(of_torch - many).max() < 1e-5
    export_onnx(classifier.net, classifier.config, tmp_path / "a.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "a.onnx"), providers=["CPUExecutionProvider"])
    [exported] = session.run(None, {"crops": crops})
    assert np.abs(exported - many).max() < 1e-4
    assert (exported.argmax(1) == many.argmax(1)).all()
