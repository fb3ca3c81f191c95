from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image
from scale_files import BROKEN, PICTURES

# clips of faces on known ways
sys.path.append(str(Path(__file__).resolve().parent.parent / "video"))

FRAGILE = '''
"""Takes the whole picture for a face, and stumbles over some pictures of one colour."""

import os
import signal
from pathlib import Path

from facemotion import Box, Face

SEEN = Path(__file__).with_name("seen")
STOPPED = Path(__file__).with_name("stopped")


class Fragile:
    pictures_are_faces = True

    def __init__(self, *, min_score=None, device="auto"):
        pass

    def detect(self, image):
        if (image == image[0, 0]).all():
            red, green, blue = (int(value) > 200 for value in image[0, 0])
            once = blue and not red and not SEEN.exists()
            if once:
                SEEN.touch()
            if once or red and not green:
                os.kill(os.getpid(), signal.SIGKILL)
            if green and not red:
                raise RuntimeError("green pictures\\nare too much")
            if red and green and not blue and not STOPPED.exists():
                STOPPED.touch()
                raise KeyboardInterrupt
        height, width = image.shape[:2]
        return [Face(Box(0.0, 0.0, float(width), float(height)), 1.0)]
'''


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory, astronaut_path: Path) -> Path:
    """A folder of folders of faces, each another part of the portrait, with broken files among them."""
    portrait = Image.open(astronaut_path).convert("RGB")
    folder = tmp_path_factory.mktemp("scale") / "faces"
    for number in range(PICTURES):
        path = folder / str(number // 20) / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        left, top = 150 + number % 10 * 3, 30 + number // 10 * 3
        portrait.crop((left, top, left + 140, top + 160)).resize((56, 64)).save(path)
        if number in BROKEN:
            path.write_bytes(path.read_bytes()[: number * 20])
    return folder


@pytest.fixture(scope="session")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the detector `fragile` of somebody else is installed."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "somebodys.py").write_text(FRAGILE)
    info = folder / "somebodys-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[facemotion.detectors]\nfragile = somebodys:Fragile\n")
    return folder
