"""Interlaced clips, as camcorders and television make them: OpenCV can't read their pictures, and raises nothing.

What it gives in place of one is the picture before once more, and in place of the first what lay in memory: black, or
somebody else's clip.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from facemotion.errors import VideoError
from facemotion.file_names import without_secrets
from facemotion.opencv import cv2
from facemotion.video.ffmpeg import as_ffmpeg_takes_it, told_by_ffprobe

if TYPE_CHECKING:
    from facemotion.results import Pixels

logger = logging.getLogger(__name__)

# OpenCV before this one reads them
_SINCE = 4, 13
# how many of a clip's pictures are asked about
_ASKED = 50
_MEND = "`ffmpeg -i IN -vf yadif OUT.mp4` makes a clip that can be read"


def refuse_interlaced(pictures: Iterator[tuple[float, Pixels]], name: str) -> Iterator[tuple[float, Pixels]]:
    """The pictures of the clip `name` with their times, each once the next is read; a VideoError where they are wrong.

    Whether the clip is interlaced is asked when a picture is the one before once more: of most clips none is.
    """
    if tuple(map(int, cv2.__version__.split(".")[:2])) < _SINCE:
        yield from pictures
        return
    held: tuple[float, Pixels] | None = None
    asked, interlaced, still = False, None, True
    for picture in pictures:
        if held is not None:
            same = _same(held[1], picture[1])
            still = still and same
            if same and not asked:
                asked, interlaced = True, _is_interlaced(name)
                if interlaced:
                    what = f"it is interlaced, which OpenCV {cv2.__version__} can't read"
                    raise VideoError(f"{without_secrets(name)}: {what}; {_MEND}")
            yield held
            if asked and not (still and interlaced is None):  # there is no more to find out
                yield picture
                yield from pictures
                return
        held = picture
    if asked and still and interlaced is None:
        told = "all its pictures are the same: it stands still, or it is interlaced"
        logger.warning("%s: %s; %s", without_secrets(name), told, _MEND)
    if held is not None:
        yield held


def _same(one: Pixels, other: Pixels) -> bool:
    """Whether two pictures are the same in every pixel; of most pairs a few of these tell that they are not."""
    return np.array_equal(one[::16, ::16], other[::16, ::16]) and np.array_equal(one, other)


def _is_interlaced(name: str) -> bool | None:
    """Whether any of a clip's first pictures is interlaced; None where nobody can tell."""
    asked = "frame=interlaced_frame", "-read_intervals", f"%+#{_ASKED}"
    frames = told_by_ffprobe(as_ffmpeg_takes_it(name), *asked).get("frames", [])
    told = [frame["interlaced_frame"] for frame in frames if "interlaced_frame" in frame]
    return any(told) if told else None
