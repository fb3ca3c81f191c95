"""What a clip says of itself, and whether it gave the frames that it promised, as far as they can be known."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from facemotion.containers import BEGINNING, EBML, counts_no_pictures
from facemotion.errors import VideoError
from facemotion.file_names import without_secrets
from facemotion.video.mp4 import shown_seconds

logger = logging.getLogger(__name__)

# of a Matroska or WebM file, behind its header: it holds everything
_SEGMENT = b"\x18\x53\x80\x67"


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What a clip says of itself. fps: its mean rate. frames: None where it does not say how many there are."""

    fps: float
    frames: int | None

    @property
    def least_frames(self) -> float:
        """Fewer than these are clearly fewer than it says; -1 where it says nothing."""
        return (self.frames or 0) * 0.95 - 1


def check_whole(name: str, count: int, told: float, info: ClipInfo) -> None:
    """A VideoError where a clip gave no frame, or clearly fewer than it promised.

    told: the seconds from its first frame to its last one, as it tells them.
    """
    called = without_secrets(name)
    if count == 0:
        mend = "where it is AV1, which OpenCV's builds do not decode, `ffmpeg -i IN OUT.mp4` makes a clip that they do"
        if "://" in name:  # python -m http.server, for one, gives files in one piece
            mend = f"where its server gives no parts of a file, which most MP4s need, fetch it first; {mend}"
        raise VideoError(f"{called}: there is no frame in it that can be read; {mend}")
    if count >= info.least_frames:
        return
    # only an MP4 that is not in fragments counts its frames: elsewhere their number is guessed, of a rate that may
    # vary, and their times tell. An editor cuts a clip by saying how much of it is shown.
    if shown := shown_seconds(name):
        is_whole = (count + 1) / info.fps >= shown * 0.95
    else:
        is_whole = told * info.fps + 1 >= info.least_frames
    if is_whole:
        return
    cut = _lacks_its_end(name)
    if cut or (cut is None and not _is_guessed(name)):
        raise VideoError(f"{called}: it breaks off after {count} of {info.frames} frames; those were read")
    if cut is None:
        told_of = f"{count} frames, and a length of {info.frames}"
        logger.warning("%s: %s: either its sound outlasts its picture, or its end is missing", called, told_of)


def _is_guessed(path: str) -> bool:
    """Whether a file is of a kind whose number of pictures is a guess."""
    try:
        with Path(path).open("rb") as file:
            return counts_no_pictures(file.read(BEGINNING))
    except OSError:
        return False


def _lacks_its_end(path: str) -> bool | None:
    """Whether a Matroska or WebM file is shorter than it says; None where it does not say, and of other files."""
    try:
        with Path(path).open("rb") as file:
            if file.read(4) != EBML:
                return None
            file.seek(_size(file) or 0, os.SEEK_CUR)
            if file.read(4) != _SEGMENT:
                return None
            size = _size(file)
            return None if size is None else file.tell() + size > Path(path).stat().st_size
    except (OSError, IndexError):
        return None


def _size(file: BinaryIO) -> int | None:
    """A length of as many bytes as the zeros before its first bit tell; None for one that was not known yet."""
    first = file.read(1)[0]
    more = 8 - first.bit_length()
    bits = 7 * (more + 1)
    value = int.from_bytes([first, *file.read(more)]) & (1 << bits) - 1
    return None if value == (1 << bits) - 1 else value
