"""The classifier: what it computes, and what it reads, writes, refuses and packs."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import COLOUR, crops_for, network
from torch import nn

from facemotion.backbones.network import EmotionNet, normalise
from facemotion.classifier import Classifier, save_network
from facemotion.errors import ChecksumError, ConfigError, DeviceError, ImageError, WeightsError
from facemotion.inputs import InputSpec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    net, config = network()
    save_network(net, config, tmp_path / "mine")
    return tmp_path / "mine"


@pytest.mark.parametrize("backbone", ["fast", "cnn", "resnet18", "torchvision:squeezenet1_1"])
@pytest.mark.parametrize("spec", [InputSpec(size=48, mean=(0.4,), std=(0.2,)), dataclasses.replace(COLOUR, size=48)])
def test_probabilities_are_those_of_the_plain_network(backbone: str, spec: InputSpec) -> None:
    net, config = network(backbone, spec, temperature=1.7)
    crops = crops_for(config)
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
    pixels = torch.from_numpy(((crops / 255 - mean) / std).astype(np.float32)).permute(0, 3, 1, 2)
    with torch.no_grad():
        wanted = torch.softmax(net(pixels) / 1.7, dim=1).numpy()
    got = Classifier(net, config).probabilities(crops, batch_size=2)
    assert got.dtype == np.float32
    assert got.shape == (5, 5)
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-5)
    assert len({tuple(row) for row in got.round(6)}) == 5


def test_a_network_whose_way_depends_on_its_input_runs_unfolded() -> None:
    net, config = network()

    class Winding(nn.Module):
        feature_dim = net.backbone.feature_dim

        def __init__(self) -> None:
            super().__init__()
            self.inner = net.backbone

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.inner(pixels) if pixels.sum() > -1e9 else self.inner(-pixels)

    winding = EmotionNet(Winding(), 5)
    winding.head.load_state_dict(net.head.state_dict())
    crops = crops_for(config)
    got = Classifier(winding.eval(), config).probabilities(crops)
    np.testing.assert_allclose(got, Classifier(net, config).probabilities(crops), atol=1e-5)


def test_no_crops_give_no_rows() -> None:
    net, config = network()
    assert Classifier(net, config).probabilities(crops_for(config, 0)).shape == (0, 5)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((2, 32, 32, 3), np.uint8),
        np.zeros((2, 48, 48, 1), np.uint8),
        np.zeros((32, 32, 1), np.uint8),
        np.zeros((2, 32, 32, 1), np.float32),
    ],
)
def test_wrong_crops_are_refused(crops: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"expected uint8 of shape \(n, 32, 32, 1\)"):
        Classifier(*network()).probabilities(crops)


@pytest.mark.parametrize("size", [0, -1])
def test_batches_hold_something(size: int) -> None:
    net, config = network()
    with pytest.raises(ValueError, match="batch_size: expected at least 1"):
        Classifier(net, config).probabilities(crops_for(config), batch_size=size)


def test_half_precision_only_on_request() -> None:
    net, config = network()
    crops = crops_for(config)
    plain, half = Classifier(net, config), Classifier(net, config, dtype="bfloat16")
    assert half.probabilities(crops).tobytes() != plain.probabilities(crops).tobytes()
    np.testing.assert_allclose(half.probabilities(crops), plain.probabilities(crops), atol=0.05)
    with pytest.raises(ConfigError, match="dtype: expected 'float32'"):
        Classifier(net, config, dtype="int4")
    with pytest.raises(DeviceError):
        Classifier(net, config, device="cuda:99")


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    net, config = network(spec=COLOUR, temperature=2.5, licence="MIT")
    crops = crops_for(config)
    written = Classifier(net, config).save(tmp_path / "mine")
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"config.json", "model.safetensors", "README.md"}
    loaded = Classifier.load(tmp_path / "mine")
    assert loaded.config == written
    assert loaded.net.temperature == 2.5
    np.testing.assert_array_equal(loaded.probabilities(crops), Classifier(net, config).probabilities(crops))
    again = Classifier.load(str(tmp_path / "mine"))
    again.save(tmp_path / "copy")
    assert (tmp_path / "copy" / "model.safetensors").read_bytes() == (tmp_path / "mine/model.safetensors").read_bytes()


@pytest.mark.parametrize("backbone", ["fast", "cnn"])
def test_sent_to_another_process_it_is_the_same(tmp_path: Path, backbone: str) -> None:
    net, config = network(backbone, temperature=1.5)
    Classifier(net, config).save(tmp_path)
    loaded = Classifier.load(tmp_path, device="cpu")
    crops = crops_for(config)
    wanted = loaded.probabilities(crops)
    # also after it has run, and with a network that its owner has changed since
    with torch.no_grad():
        loaded.net.head[-1].bias.fill_(3.0)
    for copied in (pickle.loads(pickle.dumps(loaded)), copy.deepcopy(loaded)):
        np.testing.assert_allclose(copied.probabilities(crops), wanted, atol=1e-6)
        assert copied.config == loaded.config
        assert torch.equal(copied.net.head[-1].bias, torch.full((5,), 3.0))


def test_loaded_weights_can_be_trained_on(folder: Path) -> None:
    net = Classifier.load(folder).net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    pixels, losses = torch.rand(8, 1, 32, 32, generator=torch.Generator().manual_seed(0)), []
    for _ in range(8):
        loss = nn.functional.cross_entropy(net(pixels), torch.arange(8) % 5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] * 0.8


@pytest.mark.parametrize("file", ["model.safetensors"])
def test_a_flipped_byte_is_found_and_nothing_deleted(folder: Path, file: str) -> None:
    data = bytearray((folder / file).read_bytes())
    data[-5] ^= 1
    (folder / file).write_bytes(data)
    with pytest.raises(ChecksumError, match=f"{file}: expected sha256 .* nothing was deleted"):
        Classifier.load(folder)
    assert (folder / file).read_bytes() == data


def edit(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": ["a", "b"]}, r"with 2 labels: wrong shape: head.1.weight: expected \[2, 256\], got \[5, 256\]"),
        ({"head": {"hidden": [16]}}, r"missing: head.0.weight.*head.3.bias; extra: head.1.bias, head.1.weight"),
        ({"backbone": "cnn"}, r"missing: backbone.blocks.0.weight.*and \d+ more; extra: backbone.blocks.0.main"),
        ({"backbone": "nonesuch"}, "no backbone is named 'nonesuch'"),
        ({"packing": {"ranks": {"nose": 3}}}, "'nose' is no linear layer"),
    ],
)
def test_a_config_that_lies_about_the_tensors_is_named(folder: Path, changes: dict[str, object], said: str) -> None:
    edit(folder, **changes)
    with pytest.raises((WeightsError, LookupError), match=said):
        Classifier.load(folder)


def test_weights_that_are_no_numbers_are_refused(folder: Path) -> None:
    classifier = Classifier.load(folder)
    with torch.no_grad():
        classifier.net.head[-1].bias[0] = float("nan")
    classifier.save(folder)
    with pytest.raises(ConfigError, match=r"not finite: head\.1\.bias"):
        Classifier.load(folder)


@pytest.mark.parametrize("backbone", ["fast", "cnn4"])
def test_finite_weights_that_give_no_numbers_are_said(backbone: str) -> None:
    net, config = network(backbone, InputSpec(size=48))
    with torch.no_grad():
        net.head[-1].weight.fill_(3e38)
    with pytest.raises(WeightsError, match="the network gives no numbers"):
        Classifier(net, config).probabilities(crops_for(config, 3))


def test_the_folder_of_a_training_leads_to_its_weights(folder: Path) -> None:
    folder.rename(folder.with_name("best"))
    with pytest.raises(ConfigError, match=r"the folder of a training, whose weights are .*best"):
        Classifier.load(folder.parent)


def test_a_folder_without_weights_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="got an empty folder"):
        Classifier.load(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    with pytest.raises(ConfigError, match=r"got pytorch_model.bin; pickles can run code.*weights convert"):
        Classifier.load(tmp_path)
    with pytest.raises(WeightsError, match=r"this is a file; pickles can run code"):
        Classifier.load(tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="no such folder"):
        Classifier.load(tmp_path / "nothing")


def test_tensors_that_are_gone(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="the tensors can't be read"):
        Classifier.load(folder)
    edit(folder, files={})
    with pytest.raises(ConfigError, match=r"expected the sha256 of model\.safetensors"):
        Classifier.load(folder)


@pytest.mark.parametrize("spec", [InputSpec(size=48), dataclasses.replace(COLOUR, size=48)])
def test_preprocessing_is_pixel_over_255_minus_mean_over_std(spec: InputSpec) -> None:
    crops = torch.randint(0, 256, (2, 48, 48, spec.channels), dtype=torch.uint8)
    mean, std = torch.tensor(spec.mean), torch.tensor(spec.std)
    wanted = ((crops / 255 - mean) / std).permute(0, 3, 1, 2)
    assert torch.allclose(normalise(crops, spec), wanted, atol=1e-5)


def test_packed_weights_say_what_it_cost_and_keep_to_it(tmp_path: Path) -> None:
    net, config = network("cnn", InputSpec(size=48))
    whole, crops = Classifier(net, config), crops_for(config, 40)
    truth = whole.probabilities(crops).argmax(axis=1)
    whole.save(tmp_path / "whole")
    packed = whole.packed(rank=32, judge=crops, truth=truth, judged_on="40 crops of noise")
    packed.save(tmp_path / "packed")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "packed")]
    assert sizes[1] < sizes[0] / 10
    loaded = Classifier.load(tmp_path / "packed")
    said = loaded.config.packing
    assert said.int8 and said.ranks == {"backbone.dense.1": 32} and said.judged_on == "40 crops of noise"
    before, after = whole.probabilities(crops), loaded.probabilities(crops)
    assert np.abs(before - after).max() <= said.largest_difference + 1e-6
    assert said.agreement == (before.argmax(axis=1) == after.argmax(axis=1)).mean()
    assert said.accuracy_before == 1.0
    assert said.accuracy_after == said.agreement
    tuned = loaded.net.train()
    tuned(torch.rand(4, 1, 48, 48)).sum().backward()
    assert all(parameter.grad is not None for parameter in tuned.parameters())


def test_figures_are_those_of_the_form_that_was_measured() -> None:
    net, config = network("cnn", InputSpec(size=48))
    told = {"data": "mine", "accuracy": 0.7}
    config = dataclasses.replace(config, metrics=(told,), speed_ms=1.0, speed_on="one thread")
    packed = Classifier(net, config).packed()
    assert packed.config.metrics == ({**told, "measured": "before packing"},)
    assert packed.config.speed_ms is None
    packed.config = dataclasses.replace(packed.config, metrics=(told,))
    assert packed.packed().config.metrics == (told,), "the same form again"
    assert packed.packed(rank=32).config.metrics[0]["measured"] == "before packing"


def test_what_is_packed_already_keeps_what_its_packing_cost(caplog: pytest.LogCaptureFixture) -> None:
    net, config = network("cnn", InputSpec(size=48))
    packed = Classifier(net, config).packed(rank=32, judge=crops_for(config, 20), judged_on="20 crops")
    again = packed.packed(rank=16)
    assert again.config == packed.config
    assert "no layer gets smaller with rank 16" in caplog.text


def test_packed_in_half_precision_it_stays_so_and_the_cost_is_that_of_the_tensors() -> None:
    net, config = network("cnn", InputSpec(size=48))
    crops = crops_for(config, 20)
    packed, half = (Classifier(net, config, dtype=dtype).packed(judge=crops) for dtype in ("float32", "bfloat16"))
    assert half.config == packed.config
    again = half.packed()  # there is nothing to do
    for each in (half, again):
        assert each.probabilities(crops).tobytes() != packed.probabilities(crops).tobytes()
        wanted = Classifier(packed.net, packed.config, dtype="bfloat16").probabilities(crops)
        assert each.probabilities(crops).tobytes() == wanted.tobytes()


def test_vgg16_packed_is_a_seventh_and_agrees(tmp_path: Path) -> None:
    net, config = network("vgg16", COLOUR)
    with torch.no_grad():  # a trained layer is nearly of low rank, a random one is not at all
        for layer in (net.head[0], net.head[3]):
            outputs, inputs = layer.weight.shape
            layer.weight.mul_(0.01).add_(torch.randn(outputs, 24) @ torch.randn(24, inputs) / inputs**0.5 / 5)
    whole = Classifier(net, config)
    linear = [each for each in net.head if isinstance(each, nn.Linear)]
    assert sum(each.weight.numel() for each in linear) > 106_000_000
    packed = whole.packed(rank=128)
    packed.save(tmp_path / "packed")
    thin = sum(each.weight.numel() for each in packed.net.head.modules() if isinstance(each, nn.Linear))
    assert 4_000_000 < thin < 4_600_000
    assert (tmp_path / "packed" / "model.safetensors").stat().st_size < 20e6
    loaded = Classifier.load(tmp_path / "packed")
    convolutions = [each for each in loaded.net.backbone.features if isinstance(each, nn.Conv2d)]
    assert [each.weight.requires_grad for each in convolutions] == [False] * 5 + [True] * 8
    crops = crops_for(config, 8)
    stated = loaded.config.packing.largest_difference
    assert stated is not None and stated < 0.05
    assert np.abs(loaded.probabilities(crops) - packed.probabilities(crops)).max() < 1e-5
    assert np.abs(loaded.probabilities(crops) - whole.probabilities(crops)).max() < max(2 * stated, 0.02)
