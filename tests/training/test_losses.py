"""Losses against their definitions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from training_patterns import patterns

from facemotion.recipes.recipe import Recipe
from facemotion.recipes.tables import Distill, Loss
from facemotion.training.losses import Objective

LOGITS = torch.randn((6, 3), generator=torch.Generator().manual_seed(0))
HARD = torch.eye(3)[[0, 1, 2, 0, 1, 1]]
SOFT = torch.softmax(torch.randn((6, 3), generator=torch.Generator().manual_seed(1)), dim=1)
# twice as many of the first label as of the others
UNEVEN = patterns(96, 1).subset([index for index in range(96) if index % 3 == 0 or index % 2])


def loss(settings: Loss, targets: Tensor, distill: Distill | None = None, *teachers: nn.Module) -> float:
    recipe = Recipe(loss=settings, distill=distill or Distill())
    return float(Objective(recipe, UNEVEN, teachers)(LOGITS, targets, LOGITS))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", ["none", "balanced"])
@pytest.mark.parametrize("targets", [HARD, SOFT], ids=["hard", "soft"])
def test_focal_without_gamma_is_cross_entropy(smoothing: float, weighted: str, targets: Tensor) -> None:
    plain = Loss("cross-entropy", smoothing, class_weights=weighted)  # type: ignore[arg-type]  # parametrised as text
    focal = Loss("focal", smoothing, gamma=0.0, class_weights=weighted)  # type: ignore[arg-type]  # parametrised as text
    assert loss(focal, targets) == pytest.approx(loss(plain, targets), rel=1e-5)


def test_focal_is_as_it_was_published() -> None:
    p = torch.softmax(LOGITS, dim=1)[HARD.bool()]
    assert loss(Loss("focal", gamma=2.0), HARD) == pytest.approx(float((-((1 - p) ** 2) * p.log()).sum()), rel=1e-5)


def test_rare_labels_weigh_more() -> None:
    weights = torch.tensor([2 / 3, 4 / 3, 4 / 3])
    wanted = (weights[HARD.argmax(dim=1)] * functional.cross_entropy(LOGITS, HARD, reduction="none")).sum().item()
    assert loss(Loss(class_weights="balanced"), HARD) == pytest.approx(wanted, rel=1e-5)


def test_a_teacher_s_opinion_is_mixed_in() -> None:
    class Opinion(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return pixels * 0 + SOFT.log()

    own = loss(Loss(), HARD)
    assert loss(Loss(), HARD, Distill(("t",), 1.0, 0.0), Opinion()) == pytest.approx(own)
    wanted = functional.cross_entropy(LOGITS, SOFT, reduction="sum").item()
    found = loss(Loss(), HARD, Distill(("t", "t"), 1.0, 1.0), Opinion(), Opinion())
    assert found == pytest.approx(wanted, rel=1e-5)
    half = loss(Loss(), HARD, Distill(("t",), 1.0, 0.5), Opinion())
    assert half == pytest.approx((own + wanted) / 2, rel=1e-5)
