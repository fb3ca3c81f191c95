"""The smallest backbone that keeps the contract: a pattern for one's own, and quick in tests."""

from __future__ import annotations

from torch import Tensor, nn

from facemotion.backbones.scratch import refuse_pretrained


class TinyBackbone(nn.Module):
    """One convolution and an average: (N, channels, size, size) to (N, width)."""

    def __init__(self, *, pretrained: bool = False, channels: int = 1, size: int = 48, width: int = 8) -> None:
        super().__init__()
        refuse_pretrained("TinyBackbone", pretrained)
        self.feature_dim = width
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride=2), nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.layers(pixels).flatten(1)
        return features
