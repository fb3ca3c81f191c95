"""Small networks that were really trained, and real faces to judge them on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from training_patterns import LABELS, patterns

from facemotion import Recipe, Samples, Trainer, read_data


def small_recipe(**changes: object) -> Recipe:
    values = {"backbone": "fast", "epochs": 4, "batch_size": 32, "precision": "fp32", "threads": 1}
    return Recipe.from_dict(values | {"optimizer": {"lr": 0.05}} | changes)


@pytest.fixture(scope="session")
def stripes() -> Samples:
    """Things in the shape of faces, with splits."""
    parts = [patterns(count, seed) for seed, count in enumerate((192, 96, 240))]
    whole = Samples.concat(parts)
    return whole.with_splits(
        [name for name, part in zip(("train", "val", "test"), parts, strict=True) for _ in part.rows]
    )


@pytest.fixture(scope="session")
def knows_stripes(stripes: Samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights folder of a network that tells most stripes apart."""
    out = tmp_path_factory.mktemp("stripes") / "run"
    Trainer(small_recipe(labels=list(LABELS), input={"size": 24}), out=out, device="cpu").fit(stripes)
    return out / "best"


@pytest.fixture(scope="session")
def fer_folder(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 600 faces of each part of FER-2013, as a CSV with the FER+ votes beside it."""
    folder = tmp_path_factory.mktemp("fer")
    script = [
        sys.executable,
        str(assets / "fer2013" / "export.py"),
        str(folder),
        "--csv",
        "--ferplus",
        "--limit",
        "600",
    ]
    subprocess.run(script, check=True)
    return folder


@pytest.fixture(scope="session")
def fer(fer_folder: Path) -> Samples:
    return read_data(fer_folder)


@pytest.fixture(scope="session")
def knows_fer(fer: Samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights folder of a network that learnt a little of FER-2013."""
    out = tmp_path_factory.mktemp("knows-fer") / "run"
    recipe = small_recipe(labels="fer7", input={"size": 44}, epochs=4)
    Trainer(recipe, out=out, device="cpu").fit(fer)
    return out / "best"
