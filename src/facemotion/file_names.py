"""Names of files: those that we write, made of what others chose, and the ~ that people write for a home."""

from __future__ import annotations

import os
import re
from pathlib import Path

# of the 255 bytes that most file systems give a name: a number, a label and a suffix come behind it
_MOST_BYTES = 180


def safe_name(name: str) -> str:
    """A split or label as the name of a file or folder that can't lie anywhere else."""
    return re.sub(r"[^\w .+-]", "_", name).strip(". ") or "_"


def at_home(path: str | os.PathLike[str]) -> Path:
    """The path with the ~ of a home spelt out, as a shell does it; where nobody knows that home, as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def short_name(name: str) -> str:
    """The name, or as much of it as leaves room for what is written behind it."""
    while len(os.fsencode(name)) > _MOST_BYTES:
        name = name[:-1]
    return name
