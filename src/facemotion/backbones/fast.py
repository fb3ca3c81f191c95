"""`fast`: our own network for real time, a small residual one for grey faces of 44 or 48 pixels."""

from __future__ import annotations

from torch import Tensor, nn

from facemotion.backbones.scratch import refuse_pretrained
from facemotion.weights.spec import Head

# measured: at one face a time the large maps of the first blocks cost most, so they are narrower than usual there
_STEM, _WIDTHS = 12, (24, 48, 96, 256)


class Fast(nn.Module):
    """A stem that sees every pixel, then four residual blocks that each halve the side; 1.0 million weights."""

    feature_dim = _WIDTHS[-1]

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.default_head = Head(dropout=dropout)
        self.stem = nn.Sequential(*_convolution(channels, _STEM, 1), nn.ReLU(inplace=True))
        inputs = (_STEM, *_WIDTHS)
        self.blocks = nn.Sequential(*(_Residual(*pair) for pair in zip(inputs, _WIDTHS, strict=False)))

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


def fast(*, pretrained: bool, channels: int = 1, size: int = 44, dropout: float = 0.2) -> nn.Module:
    """dropout: before the head. The size is free: the last step averages over what is left of it."""
    refuse_pretrained("fast", pretrained)
    if size < 16:
        raise ValueError(f"size: expected at least 16, got {size}")
    return Fast(channels, dropout)
