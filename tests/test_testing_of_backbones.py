"""`check_backbone` lets good backbones pass and names what is wrong with others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from facemotion.testing import TinyBackbone, check_backbone


def test_the_tiny_one_passes() -> None:
    check_backbone(TinyBackbone)
    check_backbone(TinyBackbone, size=20, width=3)


class _NoWidth(TinyBackbone):
    def __init__(self, **args: Any) -> None:
        super().__init__(**args)
        del self.feature_dim


class _WrongWidth(TinyBackbone):
    def __init__(self, **args: Any) -> None:
        super().__init__(**args)
        self.feature_dim = 5


class _LooksAtOthers(TinyBackbone):
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        features = super().forward(pixels)
        return features - features.mean(dim=0)


class _Forgetful(TinyBackbone):
    def __init__(self, **args: Any) -> None:
        super().__init__(**args)
        self.shift = torch.rand(1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return super().forward(pixels) + self.shift


class _Idle(TinyBackbone):
    def __init__(self, **args: Any) -> None:
        super().__init__(**args)
        self.unused = nn.Parameter(torch.zeros(1))


class _Frozen(TinyBackbone):
    def __init__(self, **args: Any) -> None:
        super().__init__(**args)
        self.requires_grad_(False)


class _Infinite(TinyBackbone):
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return super().forward(pixels) / 0


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        (_NoWidth, "feature_dim as a whole number"),
        (_WrongWidth, r"shape \(3, 5\), got \(3, 8\)"),
        (_LooksAtOthers, "other features alone"),
        (_Forgetful, "state_dict does not hold"),
        (_Idle, "no gradient reaches unused"),
        (_Frozen, "no weight can be trained"),
        (_Infinite, "not finite"),
        (lambda **args: "net", "expected an nn.Module"),
    ],
)
def test_a_broken_one_is_told_what_is_wrong(factory: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check_backbone(factory)
