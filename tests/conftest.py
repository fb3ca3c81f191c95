"""Pictures and folders that many tests look at."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def astronaut_path() -> Path:
    return ROOT / "examples" / "images" / "astronaut.jpg"


@pytest.fixture
def astronaut(astronaut_path: Path) -> np.ndarray:
    """The portrait's pixels, (512, 512, 3) RGB, read without our own code."""
    return np.array(Image.open(astronaut_path).convert("RGB"))


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of data that can't be kept in the repository."""
    folder = os.environ.get("FACEMOTION_TEST_ASSETS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("FACEMOTION_TEST_ASSETS names no folder: what stands on real data sets is not tested here")
    return Path(folder)
