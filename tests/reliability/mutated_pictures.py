"""Pictures as a hostile hand would make them: of every format, with damage that knows where the headers are."""

from __future__ import annotations

import io
import random
import struct
import time
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from facemotion import ImageError
from facemotion.images import image_info, read_image

# sides that headers claim: nothing, the largest that is let through, the formats' own limits, numbers that wrap around
SIDES = (0, 1, 9400, 9433, 16383, 65535, 65536, 89_000_000, 2**31 - 1, 2**31, 2**32 - 1)


def originals() -> list[bytes]:
    """Whole pictures of every format that is read, and of some that are not."""
    drawn = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    exif.get_ifd(0x8769)[0x9286] = "a comment"
    later = [Image.new("P", (31, 23), 7)]
    files = []
    for mode, kind, options in [
        ("RGB", "JPEG", {"exif": exif}), ("L", "JPEG", {"progressive": True}), ("CMYK", "JPEG", {}),
        ("RGB", "JPEG", {"progressive": True, "icc_profile": bytes(700), "comment": b"words"}),
        ("RGB", "PNG", {"exif": exif}), ("RGBA", "PNG", {}), ("P", "PNG", {"transparency": 3}), ("1", "PNG", {}),
        ("I;16", "PNG", {}), ("LA", "PNG", {}), ("RGB", "PNG", {"save_all": True, "append_images": later}),
        ("RGB", "WEBP", {"exif": exif}), ("RGBA", "WEBP", {"lossless": True}),
        ("RGB", "WEBP", {"save_all": True, "append_images": later}),
        ("RGB", "BMP", {}), ("P", "BMP", {}), ("RGBA", "BMP", {}),
        ("RGB", "TIFF", {"exif": exif}), ("RGB", "TIFF", {"compression": "tiff_lzw"}),
        ("L", "TIFF", {"compression": "jpeg"}), ("RGBA", "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("1", "TIFF", {"compression": "group4"}), ("F", "TIFF", {}), ("I", "TIFF", {}),
        ("P", "GIF", {}), ("P", "GIF", {"save_all": True, "append_images": later}),
        ("RGB", "PPM", {}), ("RGB", "TGA", {}), ("RGB", "ICO", {}), ("RGB", "PCX", {}), ("RGB", "EPS", {}),
    ]:  # fmt: skip
        pixels = Image.fromarray(drawn.integers(0, 256, (23, 31, 4), np.uint8), "RGBA").convert("RGB")
        # a mode of 16 bits is reached by way of grey alone
        pixels = pixels.convert("L").convert("I").convert(mode) if mode == "I;16" else pixels.convert(mode)
        file = io.BytesIO()
        pixels.save(file, kind, **options)
        files.append(file.getvalue())
    return files


ORIGINALS = originals()


def mutated(draw: random.Random) -> bytes:
    """A picture with one to four things done to it."""
    data = draw.choice(ORIGINALS)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        data = draw.choice(MUTATIONS)(data, draw)
    return data


def flip_bits(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 2, 8, 64)) if changed else 0):
        # the beginning more often, for there are the headers
        changed[draw.randrange(draw.choice((len(changed), min(len(changed), 100))))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def overwrite(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    put = draw.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80"))
    return data[:at] + put + data[at + len(put) :]


def cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def leave_out(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + data[at + draw.randrange(1, 60) :]


def repeat(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + data[at : at + draw.randrange(1, 80)] * draw.choice((2, 3, 500)) + data[at:]


def splice(data: bytes, draw: random.Random) -> bytes:
    other = draw.choice(ORIGINALS)
    return data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other)) :]


def other_header(data: bytes, draw: random.Random) -> bytes:
    """The first bytes of another format before this one's."""
    length = draw.choice((2, 4, 8, 12, 26, 40))
    return draw.choice(ORIGINALS)[:length] + data[length:]


def absurd_size(data: bytes, draw: random.Random) -> bytes:
    """A size that the header claims and the data behind it can't have; at times the largest that is let through."""
    if draw.random() < 0.3:
        return claiming(data, 9400, 9400)
    return claiming(data, draw.choice(SIDES), draw.choice(SIDES))


def claiming(data: bytes, width: int, height: int) -> bytes:
    """The file with another size in its header, with checksums that agree."""
    changed = bytearray(data)
    if data.startswith(b"\x89PNG") and len(data) > 33:
        struct.pack_into(">II", changed, 16, width, height)
        struct.pack_into(">I", changed, 29, zlib.crc32(changed[12:29]))
    elif data.startswith(b"\xff\xd8"):
        at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        if 0 <= at < len(data) - 9:
            struct.pack_into(">HH", changed, at + 5, height & 0xFFFF, width & 0xFFFF)
    elif data.startswith(b"GIF8") and len(data) > 10:
        struct.pack_into("<HH", changed, 6, width & 0xFFFF, height & 0xFFFF)
        at = data.find(b",", 10)
        if 0 <= at < len(data) - 9:
            struct.pack_into("<HH", changed, at + 5, width & 0xFFFF, height & 0xFFFF)
    elif data.startswith(b"BM") and len(data) > 30:
        struct.pack_into("<II", changed, 18, width, height)
    elif data.startswith(b"RIFF") and len(data) > 30:
        wide, high = ((side - 1) & 0xFFFFFF for side in (width, height))
        if data[12:16] == b"VP8X":
            changed[24:30] = wide.to_bytes(3, "little") + high.to_bytes(3, "little")
        elif data[12:16] == b"VP8L":
            struct.pack_into("<I", changed, 21, (wide & 0x3FFF) | (high & 0x3FFF) << 14)
        else:
            struct.pack_into("<HH", changed, 26, width & 0x3FFF, height & 0x3FFF)
    elif data[:4] in (b"II*\0", b"MM\0*"):
        # width, height, rows of a strip, and of a tile's size: whatever of it there is
        for tag, value in ((256, width), (257, height), (278, height), (322, width), (323, height)):
            _set_tag(changed, tag, value)
    return bytes(changed)


def other_tags(data: bytes, draw: random.Random) -> bytes:
    """Entries of a TIFF's directory, whose types, counts and values say nonsense."""
    changed = bytearray(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        for _ in range(draw.randrange(1, 4)):
            tag = draw.choice((254, 256, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 320, 325, 338, 339, 34665))
            _set_tag(changed, tag, draw.choice((0, 1, 2, 6, 7, 8, 32, 64, 65535, 2**31, 2**32 - 1, 8)), draw)
    return bytes(changed)


def _set_tag(data: bytearray, tag: int, value: int, draw: random.Random | None = None) -> None:
    order = "<" if data[:2] == b"II" else ">"
    try:
        [start] = struct.unpack_from(f"{order}I", data, 4)
        [count] = struct.unpack_from(f"{order}H", data, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            if struct.unpack_from(f"{order}H", data, at)[0] == tag:
                struct.pack_into(f"{order}HI", data, at + 2, 4, draw.choice((1, 1, 3, 2**32 - 1)) if draw else 1)
                struct.pack_into(f"{order}I", data, at + 8, value)
    except struct.error:
        return


def hostile_metadata(data: bytes, draw: random.Random) -> bytes:
    """Directories that hold themselves, texts that unpack to far more, segments without end."""
    exif = b"Exif\0\0" + draw.choice((_looping_exif, _nested_exif, _endless_exif))(draw)
    if data.startswith(b"\xff\xd8"):
        pieces = [exif, b"http://ns.adobe.com/xap/1.0/\0" + b"<x:xmpmeta>" * 3000, b"ICC_PROFILE\0\1\xff" + bytes(60)]
        pieces += [b"MPF\0" + exif[6:], b"Photoshop 3.0\x008BIM" + b"\x04\x04\0\0\xff\xff\xff\xff", bytes(60000)]
        put = b"".join(
            _segment(draw.randrange(0xE0, 0xF0), draw.choice(pieces)) for _ in range(draw.choice((1, 2, 90)))
        )
        return data[:2] + _segment(0xE1, exif) + put + data[2:]
    if data.startswith(b"\x89PNG"):
        bomb = zlib.compress(bytes(draw.choice((10_000, 2_000_000, 70_000_000))), 9)
        chunks = [_chunk(b"zTXt", b"a\0\0" + bomb), _chunk(b"iCCP", b"a\0\0" + bomb), _chunk(b"eXIf", exif[6:])]
        chunks += [_chunk(b"iTXt", b"a\0\1\0\0\0" + bomb), _chunk(b"fcTL", bytes(26)), _chunk(b"acTL", b"\xff" * 8)]
        return data[:33] + b"".join(draw.choices(chunks, k=draw.choice((1, 3, 40)))) + data[33:]
    if data.startswith(b"RIFF"):
        chunk = b"EXIF" + struct.pack("<I", len(exif)) + exif
        return data[:4] + struct.pack("<I", len(data) + len(chunk) - 8) + data[8:] + chunk
    if data.startswith(b"GIF8"):
        comment = b"!\xfe" + (b"\xff" + bytes(255)) * draw.choice((1, 4000)) + b"\0"
        return data[:13] + comment * draw.choice((1, 50)) + data[13:]
    if data[:4] == b"II*\0":
        return data[:4] + struct.pack("<I", 8) + _looping_exif(draw)[8:] + data
    return data


def _looping_exif(draw: random.Random) -> bytes:
    """Its next directory and its inner ones are itself."""
    entries = [(0x0112, 3, 1, 6), (0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0xA005, 4, 1, 8), (0x014A, 4, 1, 8)]
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + _entries(entries) + struct.pack("<I", 8)


def _nested_exif(draw: random.Random) -> bytes:
    """Directories in directories, two thousand deep."""
    each = 2 + 12 + 4
    levels = (_entries([(0x8769, 4, 1, 8 + each * (level + 1))]) for level in range(2000))
    return b"II*\0" + struct.pack("<I", 8) + b"".join(b"\1\0" + level + bytes(4) for level in levels)


def _endless_exif(draw: random.Random) -> bytes:
    """Counts and places far beyond the file."""
    entries = [(draw.randrange(65536), draw.randrange(14), 2**32 - 1, draw.choice((0, 8, 2**31, 2**32 - 1)))] * 40
    return b"II*\0" + struct.pack("<IH", 8, draw.choice((40, 65535))) + _entries(entries) + struct.pack("<I", 2**32 - 1)


def _entries(entries: list[tuple[int, int, int, int]]) -> bytes:
    return b"".join(struct.pack("<HHII", *entry) for entry in entries)


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", min(len(content) + 2, 65535)) + content[:65533]


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def many_scans(data: bytes, draw: random.Random) -> bytes:
    """The last scan of a JPEG over and over."""
    at = data.rfind(b"\xff\xda")
    return data[:at] + data[at:-2] * draw.choice((2, 30, 3000)) + data[-2:] if data.startswith(b"\xff\xd8") else data


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flip_bits, flip_bits, overwrite, cut, leave_out, repeat, splice, other_header, absurd_size, absurd_size,
    other_tags, hostile_metadata, many_scans,
)  # fmt: skip


@dataclass
class Toll:
    """What reading many mutated pictures came to. wrong: the number of each that broke the promise, and how."""

    read: int = 0
    refused: int = 0
    slowest: float = 0.0
    slowest_number: int = 0
    most_megabytes: float = 0.0
    wrong: list[str] = field(default_factory=list)


def read_mutated(first: int, count: int) -> Toll:
    """Read so many pictures, each made of its number. For a process of its own, since its memory is counted."""
    toll = Toll()
    # Pillow warns of damaged metadata and of large sizes; what counts here is what comes out
    warnings.simplefilter("ignore")
    for number in range(first, first + count):
        data = mutated(random.Random(number))
        began = time.process_time()
        try:
            picture = read_image(data)
            toll.read += 1
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
                toll.wrong.append(f"{number}: {picture.dtype} {picture.shape}")
        except ImageError as error:
            toll.refused += 1
            if not str(error):
                toll.wrong.append(f"{number}: an error without words")
        except BaseException as error:  # the very thing that is looked for
            toll.wrong.append(f"{number}: {type(error).__name__}: {error}")
        took = time.process_time() - began
        if took > toll.slowest:
            toll.slowest, toll.slowest_number = took, number
    toll.most_megabytes = most_megabytes()
    return toll


def read_headers(folder: Path, first: int, count: int) -> list[str]:
    """The same pictures as files, of which the header alone is asked."""
    warnings.simplefilter("ignore")
    wrong = []
    for number in range(first, first + count):
        path = folder / "picture"
        path.write_bytes(mutated(random.Random(number)))
        try:
            width, height, _ = image_info(path)
            if width < 0 or height < 0:
                wrong.append(f"{number}: {width} x {height}")
        except ImageError:
            continue
        except BaseException as error:  # as above
            wrong.append(f"{number}: {type(error).__name__}: {error}")
    return wrong


def most_megabytes() -> float:
    """The most memory that this process ever held; unlike getrusage's it leaves out what its parent held."""
    status = Path("/proc/self/status")
    return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024 if status.exists() else 0.0
