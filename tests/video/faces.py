"""Real faces with their expressions, as the challenge labels them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

_CHALLENGE = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
_PUBLIC_TEST = 1


def read_faces(assets: Path, labels: tuple[str, ...], count: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 48, 48) faces of FER-2013's PublicTest with these expressions, and which of `labels` each has."""
    numbers = [_CHALLENGE.index(label) for label in labels]
    with np.load(assets / "fer2013" / "fer2013.npz") as data:
        rows = np.flatnonzero(np.isin(data["label"], numbers) & (data["usage"] == _PUBLIC_TEST))[:count]
        targets = np.array([numbers.index(label) for label in data["label"][rows]])
        webp, offsets = data["webp"], data["offsets"]
    images = [Image.open(io.BytesIO(webp[offsets[row] : offsets[row + 1]].tobytes())) for row in rows]
    return np.stack([np.asarray(image.convert("L")) for image in images]), targets
