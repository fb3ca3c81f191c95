"""For how long an MP4 or MOV file is shown, by its own word: editors cut a clip by that and leave the frames in."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# the box that describes a film; it holds times and places, and never the pictures
_MOVIE = b"moov"
_LARGEST_MOVIE = 2**26


def shown_seconds(path: str) -> float | None:
    """For how many seconds a clip's picture is shown; None where the file is no MP4 or does not say."""
    try:
        with Path(path).open("rb") as file:
            movie = dict(_boxes(file, wanted=_MOVIE)).get(_MOVIE)
        if movie is None:
            return None
        parts = list(_boxes(io.BytesIO(movie)))
        header = dict(parts)[b"mvhd"]
        scale = _number(header, 0, wide=False)
        tracks = [dict(_boxes(io.BytesIO(body))) for name, body in parts if name == b"trak"]
        # a track's length stands behind its number and four bytes of nothing
        lengths = [_number(track[b"tkhd"], 8, track[b"tkhd"][0] == 1) for track in tracks if b"vmhd" in track[b"mdia"]]
        return max(lengths) / scale if lengths and scale else None
    except (OSError, KeyError, IndexError, struct.error):
        return None


def _boxes(file: BinaryIO, wanted: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
    """The boxes at one level: name and content. wanted: pass over the content of all others, the pictures too."""
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        if size == 1:
            # signed: what would be below 0 is larger than any file
            size = struct.unpack(">q", file.read(8))[0] - 8
        size -= 8
        if size < 0:  # a last box without a length, or damage
            return
        if wanted in (None, name):
            yield name, file.read(min(size, _LARGEST_MOVIE))
        else:
            file.seek(size, io.SEEK_CUR)


def _number(header: bytes, after: int, wide: bool) -> int:
    """The number that stands some bytes behind the two dates with which an `mvhd` or a `tkhd` begins."""
    dates = 16 if header[0] == 1 else 8
    number: int = struct.unpack_from(">Q" if wide else ">I", header, 4 + dates + after)[0]
    return number
