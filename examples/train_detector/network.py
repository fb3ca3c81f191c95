"""The detector's network: small enough for a wheel, made of what every runtime runs fast.

The input is the grey picture folded four by four (`fold`): 16 channels at a quarter of the size. A
convolution over one channel is the slowest layer of all in OpenCV 5, and the fold is free.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)
FINE, COARSE = 32, 64  # channels at stride 8, and at strides 16 and 32
OUTPUTS = 15  # score, box (centre x, y, log width, height), five landmarks (x, y)


class Conv(nn.Module):
    """Convolution, batch norm and, unless `linear`, ReLU. Export folds the norm into the weights."""

    def __init__(
        self, inputs: int, outputs: int, size: int = 3, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, momentum=0.03)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return x if self.linear else torch.relu(x)


class Dense(nn.Module):
    """A 3x3 convolution with a way around it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = Conv(width, width, linear=True)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


class Separable(nn.Module):
    """Depthwise 3x3, then 1x1; with a way around where the size stays."""

    def __init__(self, width: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = Conv(width, width, stride=stride, groups=width, linear=True)
        self.pointwise = Conv(width, width, size=1, linear=True)
        self.around = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.pointwise(self.depthwise(x))
        return torch.relu(x + y if self.around else y)


class MiniNet(nn.Module):
    """Three scales, joined from coarse to fine, one head each."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(Conv(16, 16), Conv(16, FINE, stride=2), Separable(FINE), Dense(FINE), Separable(FINE))
        self.middle = nn.Sequential(Conv(FINE, COARSE, stride=2), Separable(COARSE), Separable(COARSE))
        self.coarse = nn.Sequential(Separable(COARSE, stride=2), *[Separable(COARSE) for _ in range(3)])
        self.coarse_to_middle = Conv(COARSE, COARSE, size=1, linear=True)
        self.middle_to_fine = Conv(COARSE, FINE, size=1, linear=True)
        self.join_middle = Separable(COARSE)
        self.join_fine = Dense(FINE)
        self.heads = nn.ModuleList(nn.Conv2d(w, OUTPUTS, 1) for w in (FINE, COARSE, COARSE))
        for head in self.heads:
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
            nn.init.constant_(head.bias[:1], -4.6)  # one cell in a hundred holds a face
            nn.init.constant_(head.bias[3:5], 0.9)  # faces are about 2.5 cells wide

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = self.fine(x)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = torch.relu(middle + double(self.coarse_to_middle(coarse)))
        middle = self.join_middle(middle)
        fine = torch.relu(fine + double(self.middle_to_fine(middle)))
        fine = self.join_fine(fine)
        return self.heads[0](fine), self.heads[1](middle), self.heads[2](coarse)


def double(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2, mode="nearest")


def fold(grey: Tensor) -> Tensor:
    """(N, H, W) uint8 -> (N, 16, H/4, W/4) from 0 to 1."""
    n, h, w = grey.shape
    cells = grey.view(n, h // 4, 4, w // 4, 4).permute(0, 2, 4, 1, 3).reshape(n, 16, h // 4, w // 4)
    return cells.float() / 255
