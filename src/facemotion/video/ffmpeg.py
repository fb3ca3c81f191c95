"""Clips as FFmpeg takes their names, in OpenCV and as a program, and what its ffprobe tells of them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from facemotion.errors import VideoError


def as_ffmpeg_takes_it(source: str | os.PathLike[str]) -> str:
    """An address as it is, and a file by its whole path: what stands before a colon would be a protocol."""
    name = os.fspath(source)
    try:
        name.encode()
    except UnicodeEncodeError:  # OpenCV would crash
        raise VideoError(f"{name!a}: a clip's name must be UTF-8 for OpenCV; rename it") from None
    return name if "://" in name else str(Path(name).absolute())


def told_by_ffprobe(source: str, asked: str, *options: str) -> dict[str, Any]:
    """What the program ffprobe tells of a clip and its pictures; nothing where it can't."""
    how = ["-v", "error", "-select_streams", "v:0", *options, "-show_entries", asked, "-of", "json"]
    try:
        done = subprocess.run(["ffprobe", *how, source], capture_output=True, text=True, check=True)
        told: dict[str, Any] = json.loads(done.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return {}
    return told
