"""What a file is by its bytes: a clip, a picture that is not read, or a JPEG of so many scans."""

from __future__ import annotations

import re

# so many of its bytes tell
BEGINNING = 400

# of Matroska and WebM
EBML = b"\x1a\x45\xdf\xa3"
# with Flash, Ogg and MPEG's program stream; MPEG's transport stream is known by the first byte of each packet
_WITHOUT_COUNT = (EBML, b"FLV", b"OggS", b"\x00\x00\x01\xba")
_SYNC, _PACKETS = 0x47, ((0, 188), (4, 192))
# Windows Media
_ASF = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
# of files in boxes, as MP4 and MOV are, those that are pictures say so
_BOXED_PICTURES = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis", b"crx ")

# what divides a JPEG into segments; the others of its signs stand within pixels and have no segment
_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd8])")
_SCAN, _END = b"\xda", b"\xd9"


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


def known_kind(begin: bytes) -> str | None:
    """What a file is that is none of the pictures that are read, and what to do with it."""
    if begin[4:8] == b"ftyp" and begin[8:12] in _BOXED_PICTURES:
        return f"a {begin[8:12].decode().strip().upper()} picture; save it as JPEG or PNG first"
    if is_container(begin):
        return "a clip; clips are for `facemotion video` and stream()"
    return None


def jpeg_scans(data: bytes) -> int:
    """How many scans a JPEG has, its thumbnails and what lies behind it apart: telephones put whole clips there."""
    scans = place = 0
    while (marker := _MARKER.search(data, place)) and marker[1] != _END:
        scans += marker[1] == _SCAN
        # a segment says how long it is; behind that of a scan come its pixels, in which no marker stands
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])
    return scans
