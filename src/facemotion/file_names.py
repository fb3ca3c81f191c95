"""Names for files that we write, made of what others chose: labels, splits, the names of their pictures."""

from __future__ import annotations

import os
import re

# of the 255 bytes that most file systems give a name: a number, a label and a suffix come behind it
_MOST_BYTES = 180


def safe_name(name: str) -> str:
    """A split or label as the name of a file or folder that can't lie anywhere else."""
    return re.sub(r"[^\w .+-]", "_", name).strip(". ") or "_"


def short_name(name: str) -> str:
    """The name, or as much of it as leaves room for what is written behind it."""
    while len(os.fsencode(name)) > _MOST_BYTES:
        name = name[:-1]
    return name
