"""A user's own state dict becomes one of our networks, or the reason why not is told."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
import torchvision

from facemotion.backbones.network import build_network, plan_network
from facemotion.backbones.state_dict import network_from_file
from facemotion.errors import ConfigError, WeightsError
from facemotion.inputs import InputSpec

SPEC = InputSpec(size=48, colour="rgb", mean=(0.5,) * 3, std=(0.5,) * 3)


def test_a_network_of_torchvision_trained_elsewhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.resnet18(num_classes=5).eval()
    theirs.bn1.running_mean.fill_(0.3)
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in theirs.state_dict().items()}}, tmp_path / "a.pth"
    )
    net = network_from_file(tmp_path / "a.pth", plan_network("resnet18", "basic5", SPEC)).eval()
    pixels = torch.rand(2, 3, 48, 48)
    with torch.no_grad():
        assert torch.allclose(net(pixels), theirs(pixels), atol=1e-5)
    assert "matched by order and shape" in caplog.text


def test_our_own_names_are_matched_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = plan_network("cnn4", "fer7", InputSpec(size=48))
    ours = build_network(config)
    torch.save(dict(reversed(ours.state_dict().items())), tmp_path / "a.pth")
    config = plan_network("cnn4", "fer7", InputSpec(size=48))
    net = network_from_file(tmp_path / "a.pth", config)
    assert all(torch.equal(tensor, ours.state_dict()[name]) for name, tensor in net.state_dict().items())
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("labels", "backbone", "said"),
    [
        ("fer7", "resnet18", "expected an output for each of 7 labels .*, got 5"),
        ("basic5", "resnet50", "expected 267 tensors .* got 102 .*another backbone"),
        ("basic5", "torchvision:resnet34", "expected 182 tensors"),
    ],
)
def test_another_network_is_named(labels: str, backbone: str, said: str, tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18(num_classes=5).state_dict(), tmp_path / "a.pth")
    with pytest.raises(ConfigError, match=said):
        network_from_file(tmp_path / "a.pth", plan_network(backbone, labels, SPEC))


def test_another_shape_is_named(tmp_path: Path) -> None:
    state = torchvision.models.resnet18(num_classes=5).state_dict()
    state["layer1.0.conv1.weight"] = torch.zeros(64, 64, 1, 1)
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(
        ConfigError, match=r"layer1\.0\.conv1\.weight: expected .*\[64, 64, 3, 3\], got \[64, 64, 1, 1\]"
    ):
        network_from_file(tmp_path / "a.pth", plan_network("resnet18", "basic5", SPEC))


class _Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("harm",)


def test_no_code_of_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = plan_network("resnet18", "basic5", SPEC)
    for write in (torch.save, lambda value, path: Path(path).write_bytes(pickle.dumps(value, protocol=2))):
        write({"state_dict": _Harmful()}, tmp_path / "a.pth")
        with pytest.raises(WeightsError, match=r"save the state dict alone|not a file that torch\.save wrote"):
            network_from_file(tmp_path / "a.pth", config)
    assert not (tmp_path / "harm").exists()


def test_what_is_no_state_dict(tmp_path: Path) -> None:
    config = plan_network("resnet18", "basic5", SPEC)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="expected a state dict, got list"):
        network_from_file(tmp_path / "list.pth", config)
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="a dict with 'epoch'"):
        network_from_file(tmp_path / "other.pth", config)
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(WeightsError, match=r"text\.pth: not a file"):
        network_from_file(tmp_path / "text.pth", config)
    with pytest.raises(WeightsError, match="no such file"):
        network_from_file(tmp_path / "none.pth", config)


def test_a_file_that_holds_itself(tmp_path: Path) -> None:
    content: dict[str, object] = {}
    content["model"] = content
    torch.save(content, tmp_path / "round.pth")
    with pytest.raises(WeightsError, match="expected a state dict, got a dict with 'model'"):
        network_from_file(tmp_path / "round.pth", plan_network("resnet18", "basic5", SPEC))
