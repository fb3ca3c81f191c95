"""Pictures whose faces are known."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image


def pictures(assets: Path, pack: str, kind: str) -> Iterator[tuple[np.ndarray, list[dict]]]:
    """The pictures of a kind with the labels of their faces."""
    arrays = np.load(assets / "faces" / f"{pack}.npz")
    jpeg, offsets = arrays["jpeg"], arrays["offsets"]
    for row, entry in enumerate(json.loads((assets / "faces" / f"{pack}.json").read_text())):
        if entry["kind"] == kind:
            file = io.BytesIO(jpeg[offsets[row] : offsets[row + 1]].tobytes())
            yield np.array(Image.open(file).convert("RGB")), entry["faces"]
