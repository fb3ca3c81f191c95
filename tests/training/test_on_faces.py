"""On FER-2013, where it is at hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from facemotion import Recipe, Trainer, read_data


@pytest.fixture
def fer(assets: Path, tmp_path: Path) -> Path:
    export = [sys.executable, str(assets / "fer2013" / "export.py"), str(tmp_path), "--csv", "--limit", "2000"]
    subprocess.run(export, check=True)
    return tmp_path / "fer2013.csv"


def test_two_thousand_faces_teach_fast_something_in_four_epochs(fer: Path, tmp_path: Path) -> None:
    faces = read_data(fer)
    # what learns something in four epochs is not what ends well after sixty
    recipe = Recipe.from_dict(
        {
            "backbone": "fast",
            "epochs": 4,
            "batch_size": 32,
            "ema": 0.95,
            "precision": "fp32",
            "input": {"size": 44},
            "optimizer": {"name": "adamw", "lr": 0.003},
            "schedule": {"name": "one-cycle"},
            "loss": {"label_smoothing": 0.1},
            "augment": {"crop": 0.85, "rotation": 12, "shift": 0.05, "brightness": 0.25, "contrast": 0.25},
        }
    )
    history = Trainer(recipe, out=tmp_path / "run", device="cpu").fit(
        faces.select("Training"), faces.select("PublicTest").subset(range(1000))
    )
    # the largest class has 24%
    assert history.best_score > 0.30
