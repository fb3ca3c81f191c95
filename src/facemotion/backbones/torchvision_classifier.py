"""torchvision's classifiers without their last layer, with its ImageNet weights where they are asked for."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from facemotion.errors import ConfigError, DownloadError, UnknownNameError, WeightsError
from facemotion.weights.hub import is_offline


class TorchvisionClassifier(nn.Module):
    """The features that torchvision's own last layer would see."""

    def __init__(self, model: nn.Module, channels: int) -> None:
        super().__init__()
        self.feature_dim = _drop_last_layer(model)
        if channels != 3:
            adapt_first_layer(model, channels)
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.model(pixels)
        return features


def torchvision_classifier(
    name: str, *, pretrained: bool = False, channels: int = 3, size: int = 224, **args: Any
) -> nn.Module:
    """Any classifier of torchvision by its name; args go to torchvision's own function."""
    names = torchvision.models.list_models(module=torchvision.models)
    if name not in names:
        raise UnknownNameError("classifier of torchvision", name, names)
    if name.startswith("vit_"):
        args = {"image_size": size} | args
        patch = int(name.rpartition("_")[2])
        if size % patch:
            raise ConfigError(f"{name}: expected crops of a multiple of {patch} pixels, got {size}")
        if pretrained and size != 224:
            raise ConfigError(f"{name} with ImageNet weights: expected crops of 224 pixels, got {size}")
    if name in ("googlenet", "inception_v3"):  # their side outputs are for a training of their own
        args = {"aux_logits": pretrained, "init_weights": True} | args
    model: nn.Module = torchvision.models.get_model(name, weights=None, **args)
    if pretrained:
        model.load_state_dict(imagenet_weights(name))
    if isinstance(model, torchvision.models.GoogLeNet | torchvision.models.Inception3):
        model.aux_logits = False
        for side in ("aux1", "aux2", "AuxLogits"):
            if hasattr(model, side):
                setattr(model, side, None)
    return TorchvisionClassifier(model, channels)


def imagenet_weights(name: str) -> dict[str, Tensor]:
    """torchvision's own weights of a model, from its cache or its server: as plain tensors, with its hash check."""
    weights = torchvision.models.get_model_weights(name).DEFAULT
    try:
        # looks into the cache first; without a network nothing else may be asked
        if is_offline() and not _in_torchvision_cache(weights.url):
            raise DownloadError(
                f"the ImageNet weights of {name} are not in torchvision's cache, and HF_HUB_OFFLINE forbids the "
                f"network: put {weights.url.rpartition('/')[2]} into {torch.hub.get_dir()}/checkpoints"
            )
        shown = sys.stderr.isatty()
        state: dict[str, Tensor] = weights.get_state_dict(progress=shown, check_hash=True, weights_only=True)
    except WeightsError:
        raise
    except Exception as error:  # urllib's errors, a wrong hash, a pickle that is more than tensors
        raise DownloadError(f"the ImageNet weights of {name} can't be had: {type(error).__name__}: {error}") from error
    return _with_todays_names(state)


def adapt_first_layer(model: nn.Module, channels: int) -> None:
    """Let a network for three channels take one: its weights summed, which is the grey picture shown three times."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == 3 and channels == 1:
            module.in_channels = 1
            module.weight = nn.Parameter(module.weight.detach().sum(dim=1, keepdim=True))
            return
    raise ConfigError(f"{type(model).__name__} can't be given {channels} channel(s) instead of 3")


def _drop_last_layer(model: nn.Module) -> int:
    """Take the last layer out; gives the number of features that went into it."""
    linear = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if linear:
        name, last = linear[-1]
        width = last.in_features
    else:  # SqueezeNet ends in a 1x1 convolution
        name, convolution = [pair for pair in model.named_modules() if isinstance(pair[1], nn.Conv2d)][-1]
        width = convolution.in_channels
    model.set_submodule(name, nn.Identity())
    return width


def _in_torchvision_cache(url: str) -> bool:
    return (Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]).is_file()


def _with_todays_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """DenseNet's file is older than the rule that a module's name has no dot in it."""
    old = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)")
    return {old.sub(r"\1\2", name): tensor for name, tensor in state.items()}


resnet18 = partial(torchvision_classifier, "resnet18")
resnet50 = partial(torchvision_classifier, "resnet50")
mobilenet_v3_small = partial(torchvision_classifier, "mobilenet_v3_small")
mobilenet_v3_large = partial(torchvision_classifier, "mobilenet_v3_large")
efficientnet_b0 = partial(torchvision_classifier, "efficientnet_b0")
convnext_tiny = partial(torchvision_classifier, "convnext_tiny")
vit_b_16 = partial(torchvision_classifier, "vit_b_16")
