"""Small data sets that many tests read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_sets import Drawn, Export, draw_face, export


@pytest.fixture
def drawn() -> Drawn:
    images = np.stack([draw_face(seed) for seed in range(28)])
    usage = ["Training"] * 14 + ["PublicTest"] * 7 + ["PrivateTest"] * 7
    return Drawn(images, np.arange(28) % 7, usage)


@pytest.fixture(scope="session")
def fer_part(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """The first 150 faces of each part of FER-2013 in all layouts, in one folder."""
    return export(assets, tmp_path_factory.mktemp("fer-part"), "--folders", "--limit", "150")
