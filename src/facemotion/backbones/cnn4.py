"""`cnn4`: four convolutions without normalisation and one wide dense layer, for grey faces of 48 x 48."""

from __future__ import annotations

from torch import Tensor, nn

from facemotion.backbones.scratch import refuse_pretrained
from facemotion.weights.spec import Head


class Cnn4(nn.Module):
    """Convolutions of 32, 64, 128 and 128 channels without padding, then 1024 dense features; 2.3 million weights."""

    feature_dim = 1024
    default_head = Head(dropout=0.5)

    def __init__(self, channels: int, size: int, dropout: float) -> None:
        super().__init__()
        side = (((size - 4) // 2 - 2) // 2 - 2) // 2
        if side < 1:
            raise ValueError(f"size: expected at least 22, got {size}")
        self.layers = nn.Sequential(
            *_layer(channels, 32),
            *_layer(32, 64),
            nn.MaxPool2d(2),
            nn.Dropout(dropout),
            *_layer(64, 128),
            nn.MaxPool2d(2),
            *_layer(128, 128),
            nn.MaxPool2d(2),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(128 * side * side, self.feature_dim),
            nn.ReLU(inplace=True),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.layers(pixels)
        return features


def _layer(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3), nn.ReLU(inplace=True)]


def cnn4(*, pretrained: bool, channels: int = 1, size: int = 48, dropout: float = 0.25) -> nn.Module:
    """dropout: between the convolutions."""
    refuse_pretrained("cnn4", pretrained)
    return Cnn4(channels, size, dropout)
