"""What holds a clip, by its first bytes."""

from __future__ import annotations

# so many of its bytes tell
BEGINNING = 400

# of Matroska and WebM
EBML = b"\x1a\x45\xdf\xa3"
# with Flash, Ogg and MPEG's program stream; MPEG's transport stream is known by the first byte of each packet
_WITHOUT_COUNT = (EBML, b"FLV", b"OggS", b"\x00\x00\x01\xba")
_SYNC, _PACKETS = 0x47, ((0, 188), (4, 192))
# Windows Media
_ASF = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"


def is_container(begin: bytes) -> bool:
    """Whether a file that begins so is a clip. HEIC and AVIF, which have MP4's boxes, are pictures all the same."""
    return begin[4:8] == b"ftyp" or begin[8:12] == b"AVI " or begin.startswith(_ASF) or counts_no_pictures(begin)


def counts_no_pictures(begin: bytes) -> bool:
    """Whether a file that begins so doesn't say how many pictures it has.

    OpenCV makes their number of the length of the longest stream, which may be sound.
    """
    for first, size in _PACKETS:
        if len(begin) > first + size and begin[first] == begin[first + size] == _SYNC:
            return True
    return begin.startswith(_WITHOUT_COUNT)
