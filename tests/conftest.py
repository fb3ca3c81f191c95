"""Pictures and folders that many tests look at."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
from hub_server import Hub, serve
from PIL import Image

from facemotion.weights.catalogue import catalogue

# small networks on a machine that is busy with other tests: threads that wait for each other only cost time
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def astronaut_path() -> Path:
    return ROOT / "examples" / "images" / "astronaut.jpg"


@pytest.fixture
def astronaut(astronaut_path: Path) -> np.ndarray:
    """The portrait's pixels, (512, 512, 3) RGB, read without our own code."""
    return np.array(Image.open(astronaut_path).convert("RGB"))


@pytest.fixture
def rounds() -> Callable[[int, int], int]:
    """How often a thing is tried: of two numbers the first, or the second where FACEMOTION_FUZZ is `long`."""
    return lambda short, long: long if os.environ.get("FACEMOTION_FUZZ") == "long" else short


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of data that can't be kept in the repository."""
    folder = os.environ.get("FACEMOTION_TEST_ASSETS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("FACEMOTION_TEST_ASSETS names no folder: what stands on real data sets is not tested here")
    return Path(folder)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub on loopback, asked instead of the real one, with an empty cache."""
    with serve() as hub:
        constants = huggingface_hub.constants
        # what HF_ENDPOINT and HF_HUB_CACHE set where they are there before huggingface_hub is imported
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        # uploads in the hub's own chunks need a service beside it; plain ones go to the hub itself
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        yield hub


@pytest.fixture
def yunet_in_cache(assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The detector's file in a hub cache of its own, with the network forbidden; gives the file."""
    entry = catalogue().find("yunet")
    [name] = entry.files
    folder = tmp_path / "cache" / "models--opencv--face_detection_yunet" / "snapshots" / str(entry.revision)
    folder.mkdir(parents=True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return Path(shutil.copy(assets / "models" / name, folder / name))


@pytest.fixture
def nothing_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty hub cache and no network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.fixture
def in_the_foreground() -> Iterator[None]:
    """Ctrl-C is ignored by what a shell runs in the background, and so by its children: not in this test.

    Nor is the closing of a terminal, as it is by what runs under nohup.
    """
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler)}
    if sys.platform != "win32":
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.fixture
def ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("ffmpeg is not installed: what stands on it is not tested here")
    return program


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small network that has learned nothing: what it says of a face is the same each time."""
    # here, since the detectors are tested where there is no torch
    import torch

    from facemotion import EmotionRecognizer, InputSpec
    from facemotion.backbones.network import build_network, plan_network
    from facemotion.classifier import Classifier

    torch.manual_seed(0)
    config = plan_network("fast", "ferplus8", InputSpec(size=32, margin=0.1))
    folder = tmp_path_factory.mktemp("weights") / "small"
    EmotionRecognizer(Classifier(build_network(config).eval(), config)).save_pretrained(folder)
    return folder
