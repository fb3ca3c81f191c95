"""Mutated pictures: a picture or an ImageError, within a gigabyte and five seconds. Twenty thousand in `make fuzz`."""

from __future__ import annotations

import io
import multiprocessing
import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from mutated_pictures import ORIGINALS, claiming, most_megabytes, mutated, read_headers, read_mutated
from PIL import Image

from facemotion import ImageError, upright
from facemotion.containers import jpeg_scans
from facemotion.images import read_image

GIGABYTE = 1024


def apart(work: Callable[..., object], *arguments: object) -> object:
    """A call in a fresh process: what it costs is its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def test_a_mutated_picture_is_a_picture_or_an_image_error(rounds: Callable[[int, int], int]) -> None:
    count = rounds(150, 20_000)
    toll = apart(read_mutated, 0, count)
    assert toll.wrong == []
    assert toll.read + toll.refused == count
    assert toll.read > count / 10, "the damage is so coarse that no decoder is reached"
    assert toll.most_megabytes < GIGABYTE
    assert toll.slowest < 5, f"processor time of picture {toll.slowest_number}"


def test_a_mutated_header_is_a_size_or_an_image_error(rounds: Callable[[int, int], int], tmp_path: Path) -> None:
    assert read_headers(tmp_path, 0, rounds(150, 20_000)) == []


def test_the_originals_of_our_formats_are_whole_and_no_other_format_is_opened() -> None:
    ours = [data for data in ORIGINALS if data[:2] in (b"\xff\xd8", b"\x89P", b"RI", b"BM", b"II", b"GI")]
    assert len(ORIGINALS) - len(ours) == 5
    for data in ORIGINALS:
        if data in ours and data[:4] != b"II*\0":
            assert read_image(data).size == 23 * 31 * 3
        elif data not in ours:
            with pytest.raises(ImageError, match="not a picture"):
                read_image(data)


def test_one_number_is_one_picture() -> None:
    assert [mutated(random.Random(number)) for number in range(5)] == [
        mutated(random.Random(number)) for number in range(5)
    ]


# the largest that is let through, of the modes that cost most


def saved(mode: str, kind: str, side: int, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (side, side)).save(file, kind, **options)
    return file.getvalue()


def held_while_reading(path: Path) -> tuple[tuple[int, ...], float]:
    return read_image(path).shape, most_megabytes()


TURNED = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"


def test_the_largest_pictures_take_less_than_a_gigabyte(rounds: Callable[[int, int], int], tmp_path: Path) -> None:
    kinds = [
        ("RGBA", "PNG", 9400, {"compress_level": 1}),
        ("RGB", "JPEG", 9400, {"progressive": True, "subsampling": 0, "exif": TURNED}),
        ("RGB", "WEBP", 7600, {"lossless": True, "method": 0}),
        ("I", "TIFF", 9400, {"compression": "tiff_lzw"}),
        ("P", "GIF", 9400, {}),
    ]
    for mode, kind, side, options in kinds[: rounds(1, len(kinds))]:
        (tmp_path / kind).write_bytes(saved(mode, kind, side, **options))
        shape, most = apart(held_while_reading, tmp_path / kind)
        assert shape == (side, side, 3)
        assert 0 < most < GIGABYTE


def test_a_picture_that_is_converted_in_bands_is_the_one_that_is_converted_whole(
    astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mode, kind in [("RGB", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("I;16", "PNG"), ("CMYK", "TIFF"), ("L", "JPEG")]:
        picture = Image.fromarray(astronaut[:97, :61])
        picture = picture.convert("L").convert("I").convert(mode) if mode == "I;16" else picture.convert(mode)
        for orientation in range(1, 9):
            file, exif = io.BytesIO(), Image.Exif()
            exif[0x0112] = orientation
            picture.save(file, kind, exif=exif)
            whole = read_image(file.getvalue())
            with monkeypatch.context() as changed:
                changed.setattr(upright, "_BAND_PIXELS", 61 * 7)
                assert np.array_equal(read_image(file.getvalue()), whole)


@pytest.mark.parametrize(("mode", "kind"), [("RGB", "WEBP"), ("CMYK", "JPEG")])
def test_kinds_that_are_decoded_with_more_memory_have_a_lower_limit(mode: str, kind: str) -> None:
    small = saved(mode, kind, 32, **({"lossless": True} if kind == "WEBP" else {}))
    with pytest.raises(ImageError, match="at most 59 megapixels, got 7800 x 7800"):
        read_image(claiming(small, 7800, 7800))


def test_a_jpeg_of_a_thousand_scans_is_refused_before_the_work() -> None:
    small = saved("L", "JPEG", 512, progressive=True)
    at = small.rfind(b"\xff\xda")
    many = small[:at] + small[at:-2] * 1000 + small[-2:]
    with pytest.raises(ImageError, match="too much work: expected a JPEG with fewer scans, got 1005 scans"):
        read_image(claiming(many, 9400, 9400))
    assert read_image(many).shape == (512, 512, 3)


def test_what_lies_behind_a_jpeg_or_in_its_thumbnail_is_no_scan_of_it() -> None:
    """Telephones put a clip there, and a clip has these two bytes here and there."""
    thumbnail = saved("L", "JPEG", 64, progressive=True)
    photo = saved("L", "JPEG", 512, progressive=True, comment=thumbnail + b"\xff\xda" * 10_000)
    moving = photo + b"\xff\xda\x00\x02" * 10_000
    assert jpeg_scans(moving) == jpeg_scans(saved("L", "JPEG", 512, progressive=True)) == 6
    assert read_image(moving).shape == (512, 512, 3)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a file without end is a Unix thing")
def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(ImageError, match="/dev/zero: the file is too large: expected at most 356 MB, got more"):
        read_image("/dev/zero")
