"""A backbone of separable convolutions: each channel is filtered alone, then the channels are mixed."""

from __future__ import annotations

from torch import Tensor, nn


def separable(*, pretrained: bool = False, channels: int = 1, size: int = 48, width: int = 32) -> nn.Module:
    """What the entry point names. `width` is an argument of our own: `backbone_args = { width = 48 }` in a recipe."""
    if pretrained:
        raise ValueError("there are no ImageNet weights for separable: init = 'none'")
    return Separable(channels, width)


class Separable(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.feature_dim = 4 * width
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            _block(width, width),
            _block(width, 2 * width, stride=2),
            _block(2 * width, 2 * width),
            _block(2 * width, 4 * width, stride=2),
            _block(4 * width, 4 * width),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, channels, size, size) -> (N, feature_dim)"""
        features: Tensor = self.layers(pixels)
        return features


def _block(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, inside, 3, stride, padding=1, groups=inside, bias=False),
        nn.BatchNorm2d(inside),
        nn.Conv2d(inside, outside, 1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(),
    )
