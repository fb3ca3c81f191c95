"""`cnn`: three blocks of two convolutions and a dense layer, the classic network for grey faces of 48 x 48."""

from __future__ import annotations

from torch import Tensor, nn

from facemotion.backbones.scratch import refuse_pretrained


class Cnn(nn.Module):
    """Blocks of 32, 64 and 128 channels, then 256 dense features; about 1.4 million weights at 48 x 48."""

    feature_dim = 256

    def __init__(self, channels: int, size: int, dropout: float, spatial_dropout: float) -> None:
        super().__init__()
        if size < 8:
            raise ValueError(f"size: expected at least 8, got {size}")
        blocks: list[nn.Module] = []
        for width in (32, 64, 128):
            blocks += [*_layer(channels, width), *_layer(width, width), nn.MaxPool2d(2), nn.Dropout2d(spatial_dropout)]
            channels = width
        self.blocks = nn.Sequential(*blocks)
        side = size // 8
        self.dense = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * side * side, self.feature_dim, bias=False),
            nn.BatchNorm1d(self.feature_dim),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Dropout(dropout),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.dense(self.blocks(pixels))
        return features


def _layer(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.1, inplace=True),
    ]


def cnn(
    *, pretrained: bool, channels: int = 1, size: int = 48, dropout: float = 0.3, spatial_dropout: float = 0.25
) -> nn.Module:
    """dropout: before the head; spatial_dropout: of whole channels, after each block."""
    refuse_pretrained("cnn", pretrained)
    return Cnn(channels, size, dropout, spatial_dropout)
