"""Small real trainings."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_patterns import LABELS, patterns

from facemotion import Recipe
from facemotion.data.samples import Samples


@pytest.fixture(scope="session")
def train() -> Samples:
    return patterns(192, seed=1)


@pytest.fixture(scope="session")
def val() -> Samples:
    return patterns(96, seed=2)


@pytest.fixture
def recipe() -> Recipe:
    """Everything that a resumed training could get wrong is on: dropout, momentum, an average, mixing, a schedule."""
    return Recipe.from_dict(
        {
            "backbone": "fast",
            "backbone_args": {"dropout": 0.3},
            "labels": list(LABELS),
            "epochs": 3,
            "batch_size": 32,
            "precision": "fp32",
            "threads": 1,
            "ema": 0.9,
            "input": {"size": 24},
            "optimizer": {"lr": 0.05},
            "augment": {"crop": 0.9, "rotation": 10, "erasing": 0.3, "mixup": 0.2, "plain_epochs": 1},
        }
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"
