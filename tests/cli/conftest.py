from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from facemotion import EmotionRecognizer, InputSpec
from facemotion.backbones.network import build_network, plan_network
from facemotion.classifier import Classifier

# the clips that the tests of video write are good for the commands too
sys.path.append(str(Path(__file__).resolve().parent.parent / "video"))


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small network that has learned nothing: what it says of a face is the same each time."""
    torch.manual_seed(0)
    config = plan_network("fast", "ferplus8", InputSpec(size=32, margin=0.1))
    folder = tmp_path_factory.mktemp("weights") / "small"
    EmotionRecognizer(Classifier(build_network(config).eval(), config)).save_pretrained(folder)
    return folder
