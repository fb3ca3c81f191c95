"""Small data sets: drawn faces written in every layout by hand, and real ones written by the data's own export."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
VOTES = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF"]


def draw_face(seed: int, side: int = 48) -> np.ndarray:
    """A cartoon face, no two alike: (side, side) uint8."""
    random = np.random.default_rng(seed)
    image = Image.new("L", (96, 96), int(random.integers(0, 90)))
    canvas = ImageDraw.Draw(image)
    x, y = random.integers(-8, 9, 2)
    tone = int(random.integers(130, 250))
    canvas.ellipse((14 + x, 6 + y, 82 + x, 92 + y), fill=tone)
    for eye in (34, 60):
        high = int(random.integers(3, 9))
        canvas.ellipse((eye - 7 + x, 38 - high + y, eye + 7 + x, 38 + high + y), fill=int(random.integers(0, 70)))
    width, bend = int(random.integers(8, 22)), int(random.integers(-12, 13))
    canvas.arc((47 - width + x, 68 - abs(bend) + y, 47 + width + x, 70 + abs(bend) + y), 0 if bend > 0 else 180,
               180 if bend > 0 else 360, fill=int(random.integers(0, 60)), width=3)  # fmt: skip
    noise = random.normal(0, 3, (side, side))
    return np.clip(np.asarray(image.resize((side, side))) + noise, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Drawn:
    """Twenty-eight drawn faces, four a class, with usages; and ways to write them."""

    images: np.ndarray
    targets: np.ndarray
    usage: list[str]

    def write_csv(self, path: Path, header: str = "emotion,pixels,Usage") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [header]
        for image, target, usage in zip(self.images, self.targets, self.usage, strict=True):
            pixels = " ".join(map(str, image.ravel()))
            cells = {"emotion": str(target), "pixels": pixels, "usage": usage}
            lines.append(",".join(cells[name.strip().lower()] for name in header.split(",")))
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    def write_folders(self, root: Path, *, names: dict[str, str] | None = None, splits: bool = True) -> Path:
        for index, (image, target, usage) in enumerate(zip(self.images, self.targets, self.usage, strict=True)):
            name = CLASSES[target]
            folder = root / ("train" if usage == "Training" else "test") if splits else root
            folder = folder / (names or {}).get(name, name)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{index:03d}.png")
        return root


@dataclass(frozen=True)
class Export:
    """FER-2013 as its own export wrote it, and the same rows out of its arrays, read without our code."""

    folder: Path
    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    votes: np.ndarray
    rows: np.ndarray

    def path(self, layout: str) -> Path:
        return self.folder / "fer2013.csv" if layout == "fer2013" else self.folder


def export(assets: Path, folder: Path, *options: str) -> Export:
    script = assets / "fer2013" / "export.py"
    layouts = ["--csv", "--ferplus", "--npy"]
    subprocess.run([sys.executable, str(script), str(folder), *layouts, *options], check=True, timeout=300)
    arrays = [np.load(folder / f"{name}.npy") for name in ("images", "label", "usage", "votes")]
    with (folder / "fer2013new.csv").open(newline="") as file:
        rows = [int(row["Image name"][3:10]) for row in csv.DictReader(file)]
    return Export(folder, *arrays, np.array(rows))
