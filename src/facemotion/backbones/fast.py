"""`fast`: our own network for real time, a small residual one for grey faces of 44 or 48 pixels."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from facemotion.backbones.scratch import refuse_pretrained
from facemotion.weights.spec import Head

# measured: at one face a time the large maps of the first blocks cost most; this is what 0.7 ms in batches of 16 allow
_WIDTHS = 32, 48, 64, 128, 256


class Fast(nn.Module):
    """A stem that sees every pixel, then four residual blocks that each halve the side; 1.3 million weights."""

    def __init__(self, channels: int, width: float, dropout: float) -> None:
        super().__init__()
        stem, *widths = (round(each * width) for each in _WIDTHS)
        self.feature_dim = widths[-1]
        self.default_head = Head(dropout=dropout)
        self.stem = nn.Sequential(*_convolution(channels, stem, 1), nn.ReLU(inplace=True))
        self.blocks = nn.Sequential(*(_Residual(*pair) for pair in pairwise((stem, *widths))))

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.blocks(self.stem(pixels))
        return features.mean(dim=(2, 3))


class _Residual(nn.Module):
    """Two 3x3 convolutions beside a 1x1 one, at half the side.

    The shortcut averages before its convolution: it loses no pixel, and a 1x1 convolution that strides over 12 channels
    in bfloat16 ends the process on some AMD processors (a fault of oneDNN 3.13, torch 2.15).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            *_convolution(inputs, outputs, 2), nn.ReLU(inplace=True), *_convolution(outputs, outputs, 1)
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), *_convolution(inputs, outputs, 1, kernel=1))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, pixels: Tensor) -> Tensor:
        total: Tensor = self.activation(self.main(pixels) + self.shortcut(pixels))
        return total


def _convolution(inputs: int, outputs: int, stride: int, kernel: int = 3) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]


def fast(*, pretrained: bool, channels: int = 1, size: int = 44, width: float = 1.0, dropout: float = 0.2) -> nn.Module:
    """width: of every layer, 2 for a teacher. dropout: before the head.

    The size is free: the last step averages over what is left of it.
    """
    refuse_pretrained("fast", pretrained)
    if not 0.25 <= width <= 8:
        raise ValueError(f"width: expected 0.25 to 8, got {width}")
    if size < 16:
        raise ValueError(f"size: expected at least 16, got {size}")
    return Fast(channels, width, dropout)
