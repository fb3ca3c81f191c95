"""Two thousand broken pictures: each gives a picture or an ImageError, nothing else."""

from __future__ import annotations

import io
import warnings

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from facemotion import ImageError
from facemotion.images import read_image


def _originals() -> list[bytes]:
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    files = []
    for mode, kind, options in [
        ("RGB", "JPEG", {"exif": exif}), ("L", "JPEG", {"progressive": True}), ("CMYK", "JPEG", {}),
        ("RGB", "PNG", {"exif": exif}), ("RGBA", "PNG", {}), ("P", "PNG", {"transparency": 3}), ("1", "PNG", {}),
        ("RGB", "WEBP", {"exif": exif}), ("RGBA", "WEBP", {"lossless": True}),
        ("RGB", "BMP", {}), ("P", "BMP", {}),
        ("RGB", "TIFF", {"exif": exif}), ("RGB", "TIFF", {"compression": "tiff_lzw"}),
        ("P", "GIF", {}), ("P", "GIF", {"save_all": True, "append_images": [Image.new("P", (31, 23), 7)]}),
    ]:  # fmt: skip
        pixels = Image.fromarray(rng.integers(0, 256, (23, 31, 4), np.uint8), "RGBA").convert("RGB")
        file = io.BytesIO()
        pixels.convert(mode).save(file, kind, **options)
        files.append(file.getvalue())
    return files


ORIGINALS = _originals()


@st.composite
def broken_pictures(draw: st.DrawFn) -> bytes:
    """A real file with bytes changed, cut out, doubled or put in; early bytes more often, for there are the headers."""
    data = bytearray(draw(st.sampled_from(ORIGINALS)))
    for _ in range(draw(st.integers(1, 6))):
        if not data:
            break
        limit = len(data) - 1 if draw(st.booleans()) else min(len(data) - 1, 120)
        place = draw(st.integers(0, limit))
        match draw(st.sampled_from(["flip", "byte", "word", "cut", "drop", "double", "insert"])):
            case "flip":
                data[place] ^= 1 << draw(st.integers(0, 7))
            case "byte":
                data[place] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
            case "word":
                data[place : place + 4] = draw(st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"]))
            case "cut":
                del data[place:]
            case "drop":
                del data[place : place + draw(st.integers(1, 40))]
            case "double":
                data[place:place] = data[place : place + draw(st.integers(1, 40))]
            case "insert":
                data[place:place] = draw(st.binary(min_size=1, max_size=20))
    return bytes(data)


@settings(max_examples=2000, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(broken_pictures())
def test_a_broken_picture_is_a_picture_or_an_image_error(data: bytes) -> None:
    try:
        with warnings.catch_warnings():
            # Pillow warns of damaged metadata and of large sizes; what counts here is what comes out
            warnings.simplefilter("ignore")
            image = read_image(data)
    except ImageError as error:
        assert str(error)
    else:
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert image.size > 0


def test_the_originals_are_whole() -> None:
    for data in ORIGINALS:
        assert read_image(data).size == 23 * 31 * 3
