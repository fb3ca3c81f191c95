"""Small real networks, and crops for them."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from facemotion.backbones.network import EmotionNet, build_network, plan_network
from facemotion.inputs import InputSpec
from facemotion.weights.spec import WeightsConfig

COLOUR = InputSpec(size=32, colour="rgb", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def network(
    backbone: str = "fast", spec: InputSpec | None = None, **changes: object
) -> tuple[EmotionNet, WeightsConfig]:
    """A real network whose batch normalisation has seen something, so that folding it changes numbers."""
    torch.manual_seed(0)
    config = plan_network(backbone, "basic5", spec or InputSpec(size=32))
    config = dataclasses.replace(config, **changes)
    net = build_network(config).train()
    with torch.no_grad():
        for _ in range(3):
            net(torch.rand(16, config.input.channels, config.input.size, config.input.size) * 2)
    return net.eval(), config


def crops_for(config: WeightsConfig, count: int = 5) -> np.ndarray:
    shape = (count, config.input.size, config.input.size, config.input.channels)
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)
