"""Pictures out of a clip, a few a second, to find faces for a data set in. Whoever calls brings the way to read one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from facemotion.results import Pixels

# a clip's frames with their times in seconds
ReadClip: TypeAlias = "Callable[[Path], Iterable[tuple[float, Pixels]]]"

_SUFFIXES = {
    *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".avi", ".mkv", ".webm", ".ogv", ".flv"),
    *(".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts", ".wmv", ".asf"),
}

# seconds that a container's clock may be off by
_CLOCK = 0.0005


def is_clip(path: Path) -> bool:
    """Whether a file's name says that it is a clip."""
    return path.suffix.lower() in _SUFFIXES


def pick_frames(frames: Iterable[tuple[float, Pixels]], every: float) -> Iterator[Pixels]:
    """The first frame, and then one each `every` seconds."""
    due = 0.0
    for seconds, picture in frames:
        if seconds >= due - _CLOCK:
            # what a gap in the clip left out is not made up for behind it
            due = due + every if seconds < due + every - _CLOCK else seconds + every
            yield picture
