"""What goes into a run of a test, and what it left in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from facemotion.scale import Outcome, predict_dataset

# how many files of faces there are, and which of them are broken
PICTURES = 60
BROKEN = (7, 23, 24, 59)


def colour(path: Path, *rgb: int) -> None:
    """A picture of one colour."""
    Image.fromarray(np.full((20, 20, 3), rgb, np.uint8)).save(path)


def local(source: Path | str | list[str], out: Path, weights: Path, **options: object) -> Outcome:
    settings = {"weights": weights, "detector": "whole", "engine": "local", "part_size": 8, **options}
    return predict_dataset(source, out, **settings)


def rows(out: Path, table: str) -> list[dict[str, Any]]:
    """The rows of a table, none where there is no such table."""
    return pq.read_table(out / table).to_pylist() if (out / table).exists() else []


def sources(out: Path, table: str) -> list[str]:
    """The inputs in a table, each once, in their order."""
    return list(dict.fromkeys(row["source"] for row in rows(out, table)))


def files(out: Path) -> dict[str, int]:
    """Each file with the moment it was written at."""
    return {str(path.relative_to(out)): path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
