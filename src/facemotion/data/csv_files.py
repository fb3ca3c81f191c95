"""CSV files as people save them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TextIO

# what people call the column with the path of a picture
PATH_NAMES = (
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image",
    "image_path",
    "img",
    "img_path",
)


def csv_rows(file: TextIO) -> Iterator[list[str]]:
    """The rows of a CSV, the header first. Where Excel separates by semicolons the header has no comma."""
    header = next(file, "")
    delimiter = ";" if ";" in header and "," not in header else ","
    return csv.reader(chain([header], file), delimiter=delimiter)


def header_of(path: Path) -> list[str]:
    """The names of a CSV's columns, lower case; [] where it has none."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [name.strip().lower() for name in next(csv_rows(file), [])]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
