"""`vgg16` and `vgg16_bn`: torchvision's convolutions and a head of 4096 and 1024."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from facemotion.backbones.torchvision_classifier import adapt_first_layer, imagenet_weights
from facemotion.weights.spec import Head


class Vgg(nn.Module):
    """13 convolutions, pooled to 7 x 7 whatever the size of the crop.

    trainable_convs: how many of the last convolutions are trained; those before keep their weights.
    """

    feature_dim = 512 * 7 * 7
    default_head = Head(hidden=(4096, 1024), dropout=0.5)

    def __init__(self, name: str, pretrained: bool, channels: int, trainable_convs: int) -> None:
        super().__init__()
        self.features: nn.Sequential = make_layers(cfgs["D"], batch_norm=name.endswith("_bn"))
        if pretrained:
            state = imagenet_weights(name)
            own = {key: value for key, value in state.items() if key.startswith("features.")}
            self.load_state_dict(own)
        else:
            for module in self.features.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)
        if channels != 3:
            adapt_first_layer(self.features, channels)
        self.pool = nn.AdaptiveAvgPool2d(7)
        self._freeze(trainable_convs)

    def _freeze(self, trainable: int) -> None:
        convolutions = [index for index, layer in enumerate(self.features) if isinstance(layer, nn.Conv2d)]
        if not 0 <= trainable <= len(convolutions):
            raise ValueError(f"trainable_convs: expected 0 to {len(convolutions)}, got {trainable}")
        first = convolutions[-trainable] if trainable else len(self.features)
        self.features[:first].requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.pool(self.features(pixels)).flatten(1)
        return features


def vgg16(*, pretrained: bool, channels: int = 3, size: int = 224, trainable_convs: int = 8) -> nn.Module:
    """trainable_convs: how many of the 13 convolutions, counted from the end, are trained."""
    return _vgg("vgg16", pretrained, channels, size, trainable_convs)


def vgg16_bn(*, pretrained: bool, channels: int = 3, size: int = 224, trainable_convs: int = 8) -> nn.Module:
    """`vgg16` with batch normalisation after each convolution."""
    return _vgg("vgg16_bn", pretrained, channels, size, trainable_convs)


def _vgg(name: str, pretrained: bool, channels: int, size: int, trainable_convs: int) -> nn.Module:
    if size < 32:
        raise ValueError(f"size: expected at least 32, got {size}")
    return Vgg(name, pretrained, channels, trainable_convs)
