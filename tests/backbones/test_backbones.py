"""Every backbone keeps the contract, and is the network that its name promises."""

from __future__ import annotations

import hashlib
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
import torchvision

from facemotion.backbones.network import (
    EmotionNet,
    build_backbone,
    build_network,
    find_backbone,
    list_backbones,
    load_network,
    plan_network,
)
from facemotion.errors import ConfigError, DownloadError, UnknownNameError, WeightsError
from facemotion.inputs import InputSpec
from facemotion.testing import check_backbone
from facemotion.weights.spec import Head

GREY = InputSpec(size=48)
COLOUR = InputSpec(size=48, colour="rgb", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
OURS = {
    "cnn",
    "cnn4",
    "convnext_tiny",
    "efficientnet_b0",
    "fast",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "resnet18",
    "resnet50",
    "vgg16",
    "vgg16_bn",
    "vit_b_16",
}


def weights_in(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_all_of_ours_are_listed() -> None:
    assert set(list_backbones()) >= OURS


@pytest.mark.parametrize("name", list_backbones())
def test_a_backbone_keeps_the_contract(name: str) -> None:
    check_backbone(name)


@pytest.mark.parametrize("name", ["torchvision:squeezenet1_1", "torchvision:shufflenet_v2_x0_5", "torchvision:swin_t"])
def test_a_classifier_of_torchvision_keeps_it_too(name: str) -> None:
    check_backbone(name, size=64)


def test_what_a_module_wrote_beside_its_tensors_is_kept() -> None:
    """mnasnet can't be loaded without its version."""
    spec = InputSpec(size=48, colour="rgb", mean=(0.5,) * 3, std=(0.5,) * 3)
    config = plan_network("torchvision:mnasnet0_5", "basic5", spec)
    tensors = build_network(config).state_dict()
    again = load_network(config, dict(tensors), "a test")
    assert all(torch.equal(value, tensors[name]) for name, value in again.state_dict().items())


def test_side_outputs_are_left_out() -> None:
    spec = InputSpec(size=96, colour="rgb", mean=(0.5,) * 3, std=(0.5,) * 3)
    backbone = build_backbone("torchvision:googlenet", spec).train()
    assert backbone(torch.zeros(2, 3, 96, 96)).shape == (2, 1024)


def test_fast_takes_44_pixels_too() -> None:
    check_backbone("fast", size=44)
    assert 1_200_000 < weights_in(build_backbone("fast", GREY)) < 1_300_000


def test_a_wider_fast_is_a_teacher() -> None:
    plain, wide = (build_backbone("fast", GREY, args={"width": width}) for width in (1, 2))
    assert 3.9 < weights_in(wide) / weights_in(plain) < 4
    assert wide(torch.zeros(2, 1, 48, 48)).shape == (2, 512)
    with pytest.raises(ConfigError, match=r"width: expected 0.25 to 8, got 0"):
        build_backbone("fast", GREY, args={"width": 0})


def test_cnn_is_the_network_that_was_asked_for() -> None:
    net = EmotionNet(build_backbone("cnn", GREY), 7)
    assert 1_400_000 <= weights_in(net) < 1_500_000
    widths = [each.out_channels for each in net.modules() if isinstance(each, torch.nn.Conv2d)]
    assert widths == [32, 32, 64, 64, 128, 128]
    assert {each.negative_slope for each in net.modules() if isinstance(each, torch.nn.LeakyReLU)} == {0.1}


def test_cnn4_has_four_convolutions() -> None:
    layers = [each for each in build_backbone("cnn4", GREY).modules() if isinstance(each, torch.nn.Conv2d)]
    assert [each.out_channels for each in layers] == [32, 64, 128, 128]


def test_vgg16_has_its_head_and_trains_its_last_convolutions() -> None:
    net = EmotionNet(build_backbone("vgg16", COLOUR), 5)
    head = [each for each in net.head if not isinstance(each, torch.nn.ReLU)]
    assert [type(each).__name__ for each in head] == ["Linear", "Dropout", "Linear", "Dropout", "Linear"]
    assert [head[0].in_features, head[0].out_features, head[2].out_features, head[4].out_features] == [
        25088,
        4096,
        1024,
        5,
    ]
    assert head[1].p == 0.5
    for trainable, args in ((8, {}), (3, {"trainable_convs": 3}), (0, {"trainable_convs": 0})):
        backbone = build_backbone("vgg16", COLOUR, args=args)
        trained = [name for name, each in backbone.named_parameters() if each.requires_grad and name.endswith("weight")]
        assert len(trained) == trainable


def test_a_smaller_pool_of_vgg16_is_the_same_where_one_pixel_is_left() -> None:
    torch.manual_seed(0)
    whole = build_backbone("vgg16", GREY).eval()
    one = build_backbone("vgg16", GREY, args={"pool": 1}).eval()
    one.load_state_dict(whole.state_dict())
    with torch.no_grad():
        repeated, features = (
            net(torch.rand(2, 1, 48, 48, generator=torch.Generator().manual_seed(1))) for net in (whole, one)
        )
    assert torch.equal(repeated, features.repeat_interleave(49, dim=1))


def test_grey_is_colour_shown_three_times() -> None:
    torch.manual_seed(0)
    colour = build_backbone("resnet18", COLOUR).eval()
    torch.manual_seed(0)
    grey = build_backbone("resnet18", GREY).eval()
    pixels = torch.rand(2, 1, 48, 48)
    with torch.no_grad():
        assert torch.allclose(grey(pixels), colour(pixels.expand(-1, 3, -1, -1)), atol=1e-4)


@pytest.mark.parametrize("name", ["cnn", "cnn4", "fast"])
def test_our_own_have_no_imagenet_weights(name: str) -> None:
    with pytest.raises(WeightsError, match=f"'{name}' has no ImageNet weights"):
        build_backbone(name, GREY, pretrained=True)


@pytest.fixture
def torchvision_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(("name", "first"), [("resnet18", "model.conv1.weight"), ("vgg16", "features.0.weight")])
def test_pretrained_means_the_weights_in_torchvisions_cache(name: str, first: str, torchvision_cache: Path) -> None:
    url = torchvision.models.get_model_weights(name).DEFAULT.url
    if name == "vgg16":  # the convolutions alone: a whole file would be half a gigabyte
        reference = torch.nn.Module()
        reference.features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    else:
        reference = torchvision.models.get_model(name)
    torch.save(reference.state_dict(), torchvision_cache / url.rpartition("/")[2])
    state = build_backbone(name, COLOUR, pretrained=True).state_dict()
    key = first.removeprefix("model.")
    assert torch.equal(state[first], reference.state_dict()[key])


def test_a_pickle_that_is_more_than_tensors_is_refused(torchvision_cache: Path) -> None:
    url = torchvision.models.get_model_weights("resnet18").DEFAULT.url
    torch.save({"conv1.weight": Path("x"), "code": hashlib.sha256}, torchvision_cache / url.rpartition("/")[2])
    with pytest.raises(DownloadError, match="ImageNet weights of resnet18"):
        build_backbone("resnet18", COLOUR, pretrained=True)


def test_imagenet_weights_are_not_downloaded_offline(torchvision_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE forbids"):
        build_backbone("mobilenet_v3_small", COLOUR, pretrained=True)


def test_wrong_names_and_arguments_are_explained() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'resnet18'"):
        find_backbone("resnet81")
    with pytest.raises(UnknownNameError, match="did you mean 'resnet34'"):
        build_backbone("torchvision:resnet43", COLOUR)
    with pytest.raises(ConfigError, match=r"'cnn' can't be built.*wings"):
        build_backbone("cnn", GREY, args={"wings": 2})
    with pytest.raises(ConfigError, match="backbone_args: channels, size: said elsewhere already"):
        build_backbone("cnn", GREY, args={"size": 9, "channels": 3})
    with pytest.raises(ConfigError, match="multiple of 16"):
        build_backbone("vit_b_16", InputSpec(size=44))
    with pytest.raises(ConfigError, match="at least 32"):
        build_backbone("vgg16", InputSpec(size=24))
    with pytest.raises(ConfigError, match="trainable_convs"):
        build_backbone("vgg16", COLOUR, args={"trainable_convs": 14})
    with pytest.raises(ConfigError, match="pool: expected 1 to 7, got 8"):
        build_backbone("vgg16", COLOUR, args={"pool": 8})


def test_a_head_of_ones_own() -> None:
    net = EmotionNet(build_backbone("fast", GREY), 3, Head(hidden=(16,), dropout=0.1), temperature=2.0).eval()
    pixels = torch.rand(2, 1, 48, 48)
    with torch.no_grad():
        logits, probabilities = net(pixels), net.probabilities(pixels)
    assert logits.shape == (2, 3)
    assert torch.allclose(probabilities, torch.softmax(logits / 2, dim=1))
