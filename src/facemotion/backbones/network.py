"""The contract of a backbone, and `EmotionNet`: a backbone and a head.

A backbone is `factory(*, pretrained, channels, size, **args) -> nn.Module`: what it gives has `feature_dim` and turns
(N, channels, size, size) into (N, feature_dim). It may have `default_head`, a `Head`.
`facemotion.testing.check_backbone` holds one to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from facemotion.errors import ConfigError, FacemotionError, PluginError
from facemotion.inputs import InputSpec
from facemotion.labels import LabelSet
from facemotion.registry import Registry
from facemotion.weights.pack import make_low_rank
from facemotion.weights.spec import Head, WeightsConfig

Factory = Callable[..., nn.Module]
_Module = TypeVar("_Module", bound=nn.Module)

_REGISTRY = Registry("facemotion.backbones", "backbone")
_TORCHVISION = "torchvision:"


def list_backbones() -> list[str]:
    """The names of all backbones that are installed; `torchvision:<name>` is any classifier of torchvision besides."""
    return _REGISTRY.names()


def find_backbone(name: str) -> Factory:
    """The factory of a backbone by its name."""
    if name.startswith(_TORCHVISION):
        from facemotion.backbones.torchvision_classifier import torchvision_classifier

        return functools.partial(torchvision_classifier, name.removeprefix(_TORCHVISION))
    factory: Factory = _REGISTRY.load(name)
    return factory


def build_backbone(
    name: str, spec: InputSpec, *, pretrained: bool = False, args: Mapping[str, Any] | None = None
) -> nn.Module:
    """A backbone for an input. pretrained: with the ImageNet weights that torchvision has of it."""
    factory = find_backbone(name)
    if taken := sorted({"pretrained", "channels", "size"} & set(args or {})):
        raise ConfigError(f"backbone_args: {', '.join(taken)}: said elsewhere already, by the input or init")
    try:
        backbone = factory(pretrained=pretrained, channels=spec.channels, size=spec.size, **(args or {}))
        _give_widths(backbone, spec)
    except FacemotionError:
        raise
    except (TypeError, ValueError) as error:  # the factory's own check of its arguments
        got = f"{spec.colour} {spec.size} x {spec.size}, {dict(args or {})}"
        raise ConfigError(f"backbone {name!r} can't be built for {got}: {error}") from error
    except Exception as error:  # a stranger's factory may raise anything; the cause is kept
        message = f"backbone {name!r} can't be built: {type(error).__name__}: {error}"
        raise PluginError(message, _owners(name)) from error
    width = getattr(backbone, "feature_dim", None)
    if not isinstance(backbone, nn.Module) or not isinstance(width, int) or width < 1:
        got = f"{type(backbone).__name__} with feature_dim {width!r}"
        raise PluginError(f"backbone {name!r}: expected an nn.Module with feature_dim, got {got}", _owners(name))
    return backbone


def _give_widths(backbone: object, spec: InputSpec) -> None:
    """Let lazy layers see a crop: before that their weights have no shape, and none that were saved would fit them."""
    if isinstance(backbone, nn.Module) and any(map(is_lazy, backbone.parameters())):
        backbone.eval()
        with torch.no_grad():
            backbone(torch.zeros(1, spec.channels, spec.size, spec.size))
        backbone.train()


def _owners(name: str) -> list[str]:
    return ["torchvision"] if name.startswith(_TORCHVISION) else _REGISTRY.distributions(name)


class EmotionNet(nn.Module):
    """A backbone and a head: (N, C, S, S) normalised pixels in, (N, classes) logits out.

    head: None takes the one that the backbone likes best. temperature: what the logits are divided by before they
    become probabilities; it changes no label, only how sure the network is.
    """

    def __init__(self, backbone: nn.Module, classes: int, head: Head | None = None, temperature: float = 1.0) -> None:
        super().__init__()
        if classes < 1:
            raise ConfigError(f"expected at least one class, got {classes}")
        self.backbone = backbone
        width: Any = backbone.feature_dim
        self.head = _build_head(width, classes, head or default_head(backbone))
        self.temperature = temperature

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(pixels))
        return logits

    def probabilities(self, pixels: Tensor) -> Tensor:
        """(N, classes), rows sum to 1."""
        return torch.softmax(self(pixels).float() / self.temperature, dim=1)


def default_head(backbone: nn.Module) -> Head:
    """The head that a backbone likes best: one linear layer, unless it says otherwise."""
    head = getattr(backbone, "default_head", None)
    return head if isinstance(head, Head) else Head()


def _build_head(width: int, classes: int, head: Head) -> nn.Sequential:
    layers: list[nn.Module] = []
    for hidden in head.hidden:
        layers += [nn.Linear(width, hidden), nn.ReLU(inplace=True), nn.Dropout(head.dropout)]
        width = hidden
    if not head.hidden:  # always there, so that another rate changes no name
        layers.append(nn.Dropout(head.dropout))
    return nn.Sequential(*layers, nn.Linear(width, classes))


def plan_network(
    backbone: str,
    labels: LabelSet | str | Iterable[str],
    spec: InputSpec,
    *,
    args: Mapping[str, Any] | None = None,
    head: Head | None = None,
) -> WeightsConfig:
    """The config of a network that is yet to be built, with the head that its backbone likes best unless given."""
    if head is None:
        head = default_head(_without_memory(lambda: build_backbone(backbone, spec, args=args)))
    return WeightsConfig(backbone, LabelSet.of(labels).labels, spec, dict(args or {}), head)


def build_network(config: WeightsConfig, *, pretrained: bool = False) -> EmotionNet:
    """The network that a config describes, with fresh weights (or ImageNet's in the backbone)."""
    backbone = build_backbone(config.backbone, config.input, pretrained=pretrained, args=config.backbone_args)
    net = EmotionNet(backbone, len(config.labels), config.head, config.temperature)
    make_low_rank(net, config.packing.ranks, keep_weights=False)
    return net


def load_network(config: WeightsConfig, tensors: Mapping[str, Tensor], place: str) -> EmotionNet:
    """The network that a config describes, with these tensors; a ConfigError names every tensor that does not fit."""
    net = _without_memory(lambda: build_network(config))
    wanted = net.state_dict()
    missing = [name for name in wanted if name not in tensors]
    extra = sorted(name for name in tensors if name not in wanted)
    wrong = [
        f"{name}: expected {list(wanted[name].shape)}, got {list(tensors[name].shape)}"
        for name in wanted
        if name in tensors and wanted[name].shape != tensors[name].shape
    ]
    broken = sorted(name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all()))
    problems = [f"missing: {_some(missing)}"] if missing else []
    problems += [f"not finite: {_some(broken)}"] if broken else []
    problems += [f"extra: {_some(extra)}"] if extra else []
    problems += [f"wrong shape: {_some(wrong)}"] if wrong else []
    if problems:
        what = f"the tensors are not those of {config.backbone!r} with {len(config.labels)} labels"
        raise ConfigError(f"{place}: {what}: {'; '.join(problems)}")
    # in place: beside their tensors modules wrote something, such as their version, that no copy has
    wanted.update([(name, tensor.to(wanted[name].dtype)) for name, tensor in tensors.items()])
    net.load_state_dict(wanted, assign=True)
    return net


def _without_memory(build: Callable[[], _Module]) -> _Module:
    """A module without values in its tensors, for those who replace or ignore them; vgg16 saves a second and 0.5 GB."""
    try:
        with torch.device("meta"):
            module = build()
    except FacemotionError:
        return build()  # it may be that the factory needs real numbers; if not, this says what is wrong
    kept = set(module.state_dict())
    values = [(name, each) for name, each in module.named_buffers() if name not in kept]
    values += [item for each in module.modules() for item in vars(each).items()]
    if any(isinstance(value, Tensor) and value.is_meta for _, value in values):
        return build()  # these would not be replaced
    return module


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def normalise(crops: Tensor, spec: InputSpec) -> Tensor:
    """uint8 crops (N, S, S, C) as a network is fed them: float (N, C, S, S), (pixel / 255 - mean) / std."""
    pixels = crops.permute(0, 3, 1, 2).to(torch.float32)
    if spec.channels == 1:
        return pixels * spec.factors[0] - spec.shifts[0]
    factors = torch.tensor([spec.factors, spec.shifts], device=pixels.device)[:, None, :, None, None]
    return pixels * factors[0] - factors[1]
