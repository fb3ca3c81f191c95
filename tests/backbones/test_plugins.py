"""Backbones of other packages, installed for the test as a package would be."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from facemotion.backbones.network import build_backbone, build_network, list_backbones, plan_network
from facemotion.classifier import Classifier, save_network
from facemotion.errors import PluginError
from facemotion.inputs import InputSpec
from facemotion.testing import check_backbone

SPEC = InputSpec(size=32)
MODULE = '''
import torch
from torch import nn


class OwnNumbers(nn.Module):
    """Its features depend on tensors that are neither weights nor state."""

    feature_dim = 3

    def __init__(self, channels):
        super().__init__()
        self.layer = nn.Conv2d(channels, 3, 3)
        self.scale = torch.tensor([1.0, 2.0, 4.0])
        self.register_buffer("shift", torch.tensor([1.0, 0.0, 0.0]), persistent=False)

    def forward(self, pixels):
        return self.layer(pixels).mean(dim=(2, 3)) * self.scale + self.shift


def own_numbers(*, pretrained, channels, size):
    return OwnNumbers(channels)


def needs_numbers(*, pretrained, channels, size):
    net = OwnNumbers(channels)
    if net.scale.sum().item() != 7:
        raise RuntimeError("wrong scale")
    return net


class TakesWidths(nn.Module):
    """Its layers take the number of their inputs from what they see first."""

    feature_dim = 3

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(3))

    def forward(self, pixels):
        return self.layers(pixels)


def takes_widths(*, pretrained, channels, size):
    return TakesWidths()


def fails(**args):
    raise RuntimeError("out of order")


def not_a_module(**args):
    return "net"
'''
NAMES = ("own_numbers", "needs_numbers", "takes_widths", "fails", "not_a_module")


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "theirs-1.2.dist-info"
    info.mkdir()
    (tmp_path / "theirs.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.2\n")
    points = [f"{name} = theirs:{name}" for name in (*NAMES, "absent")]
    (info / "entry_points.txt").write_text("\n".join(["[facemotion.backbones]", *points]))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "theirs", raising=False)


def test_they_are_listed_beside_ours() -> None:
    assert {"fast", *NAMES} <= set(list_backbones())


@pytest.mark.parametrize("name", ["own_numbers", "needs_numbers", "takes_widths"])
def test_one_that_holds_more_than_plain_weights_is_saved_and_read_again(name: str, tmp_path: Path) -> None:
    check_backbone(name)
    config = plan_network(name, "basic5", SPEC)
    net = build_network(config)
    save_network(net, config, tmp_path / "mine")
    crops = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 1), np.uint8)
    wanted = Classifier(net, config).probabilities(crops)
    np.testing.assert_allclose(Classifier.load(tmp_path / "mine").probabilities(crops), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fails", "'fails' can't be built: RuntimeError: out of order"),
        ("not_a_module", "expected an nn.Module with feature_dim, got str"),
        ("absent", "'absent' of theirs 1.2 can't be loaded"),
    ],
)
def test_a_broken_one_is_named_with_its_package_and_breaks_nobody_else(name: str, said: str) -> None:
    for build in (lambda: build_backbone(name, SPEC), lambda: plan_network(name, "basic5", SPEC)):
        with pytest.raises(PluginError, match=said) as caught:
            build()
        assert caught.value.distributions == ("theirs 1.2",)
    build_backbone("fast", SPEC)
