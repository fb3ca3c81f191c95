"""Learning rates against torch's own schedules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from facemotion import Recipe
from facemotion.recipes.tables import Optimizer
from facemotion.training.optim import LearningRate, build_optimizer


def recipe(epochs: int = 30, **schedule: object) -> Recipe:
    return Recipe.from_dict({"epochs": epochs, "optimizer": {"lr": 0.5}, "schedule": schedule})


def sgd() -> torch.optim.Optimizer:
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.5, momentum=0.9)


@pytest.mark.parametrize(("patience", "cooldown"), [(0, 0), (2, 0), (2, 3), (4, 2)])
def test_plateau_is_torch_s(patience: int, cooldown: int) -> None:
    ours = recipe(name="plateau", factor=0.5, patience=patience, cooldown=cooldown, min_lr=0.01)
    rate, optimizer = LearningRate(), sgd()
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=patience, cooldown=cooldown, min_lr=0.01)
    cuts = 0
    for loss in 1 + np.random.default_rng(0).random(60).round(1):
        before = rate.cut
        rate.after_epoch(ours, float(loss))
        theirs.step(float(loss))
        cuts += rate.cut < before
        assert rate.at(ours, 1.0) == pytest.approx(optimizer.param_groups[0]["lr"])
    assert cuts > 2


def test_steps_are_torch_s() -> None:
    ours, optimizer = recipe(name="steps", factor=0.2, milestones=[3, 7]), sgd()
    theirs = lr_scheduler.MultiStepLR(optimizer, [3, 7], 0.2)
    for epoch in range(10):
        assert LearningRate().at(ours, epoch) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()


def test_one_cycle_is_torch_s() -> None:
    steps, ours, optimizer = 20, recipe(10, name="one-cycle"), sgd()
    theirs = lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=10 * steps, cycle_momentum=False)
    for step in range(10 * steps):
        # torch ends a step earlier: its last step is at the end of the way
        assert LearningRate().at(ours, step / steps) == pytest.approx(optimizer.param_groups[0]["lr"], abs=0.03)
        optimizer.step()
        if step < 10 * steps - 1:
            theirs.step()


def test_cosine_rises_to_the_top_and_falls_to_the_least() -> None:
    ours, rate = recipe(12, name="cosine", warmup_epochs=2, min_lr=0.1), LearningRate()
    assert [rate.at(ours, epoch) for epoch in (0.5, 1, 2, 7, 12)] == pytest.approx([0.125, 0.25, 0.5, 0.3, 0.1])
    assert 0 < rate.at(ours, 0) < 0.01


def test_biases_and_norms_are_not_pulled_towards_zero() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    net[0].weight.requires_grad_(False)
    decayed, free = build_optimizer(Optimizer(weight_decay=0.3), net.parameters()).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.3, 0.0)
    assert not decayed["params"], "what is frozen is not trained"
    assert len(free["params"]) == 3
