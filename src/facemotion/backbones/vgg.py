"""`vgg16` and `vgg16_bn`: torchvision's convolutions and a head of 4096 and 1024."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from facemotion.backbones.torchvision_classifier import adapt_first_layer, imagenet_weights
from facemotion.weights.spec import Head


class Vgg(nn.Module):
    """13 convolutions, pooled to one size whatever that of the crop.

    trainable_convs: how many of the last convolutions are trained; those before keep their weights.
    pool: the side of what they are pooled to, 7 as in the original. Crops below 64 pixels leave one pixel, which a pool
    of 7 repeats 49 times: the head behind it then takes steps 49 times as large as behind a pool of 1.
    """

    default_head = Head(hidden=(4096, 1024), dropout=0.5)

    def __init__(self, name: str, pretrained: bool, channels: int, size: int, trainable_convs: int, pool: int) -> None:
        super().__init__()
        if size < 32:
            raise ValueError(f"size: expected at least 32, got {size}")
        if not 1 <= pool <= 7:
            raise ValueError(f"pool: expected 1 to 7, got {pool}")
        self.feature_dim = 512 * pool * pool
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
        self.pool = nn.AdaptiveAvgPool2d(pool)
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


def vgg16(
    *, pretrained: bool, channels: int = 3, size: int = 224, trainable_convs: int = 8, pool: int = 7
) -> nn.Module:
    """trainable_convs: how many of the 13 convolutions, counted from the end, are trained; pool: see `Vgg`."""
    return Vgg("vgg16", pretrained, channels, size, trainable_convs, pool)


def vgg16_bn(
    *, pretrained: bool, channels: int = 3, size: int = 224, trainable_convs: int = 8, pool: int = 7
) -> nn.Module:
    """`vgg16` with batch normalisation after each convolution."""
    return Vgg("vgg16_bn", pretrained, channels, size, trainable_convs, pool)
