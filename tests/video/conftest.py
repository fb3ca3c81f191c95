from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from faces import fitted_classifier

from facemotion.classifier import Classifier


@pytest.fixture(scope="session")
def reader(assets: Path) -> Classifier:
    """A network that tells three expressions of real faces apart."""
    return fitted_classifier(assets)


@pytest.fixture
def ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("ffmpeg is not installed: what stands on it is not tested here")
    return program
