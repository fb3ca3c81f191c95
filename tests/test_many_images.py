"""Many pictures at once, from whatever they come in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from facemotion import ImageError
from facemotion.images import read_image, write_jpeg
from facemotion.many_images import in_chunks, read_ahead, read_each, several


def test_pictures_are_read_ahead_in_order_and_a_bad_one_stops_nobody(tmp_path: Path) -> None:
    paths = []
    for index in range(9):
        write_jpeg(tmp_path / f"{index}.jpg", np.full((20, 30, 3), 20 * index, np.uint8))
        paths.append(tmp_path / f"{index}.jpg")
    paths[4].write_text("no picture")
    asked: list[Path] = []
    futures = read_ahead((asked.append(path) or path for path in paths), threads=2)  # type: ignore[func-returns-value]  # for the note
    first = next(futures)
    assert len(asked) == 3
    assert first.result().mean() < 3
    rest = list(futures)
    with pytest.raises(ImageError, match="not a picture"):
        rest[3].result()
    assert [round(rest[index].result().mean() / 20) for index in (0, 1, 2, 4, 5, 6, 7)] == [1, 2, 3, 5, 6, 7, 8]


def test_no_more_is_read_ahead_on_a_large_machine(astronaut_path: Path) -> None:
    asked: list[int] = []
    sources = (asked.append(1) or astronaut_path for _ in range(40))  # type: ignore[func-returns-value]  # for the note
    next(read_ahead(sources, threads=64))
    assert len(asked) == 9


def test_the_frames_of_an_animation_are_each_their_own(astronaut: np.ndarray) -> None:
    """Pillow has one of them at a time, in the picture that all of them are."""
    frames = [Image.fromarray(np.roll(astronaut, 40 * turn, axis=1)) for turn in range(6)]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    animation = Image.open(file)
    found = list(read_each(ImageSequence.Iterator(animation), threads=4))
    assert all(np.array_equal(pixels, np.asarray(frame)) for pixels, frame in zip(found, frames, strict=True))


def test_one_lazy_picture_may_come_many_times(astronaut_path: Path, astronaut: np.ndarray) -> None:
    for _ in range(5):
        found = list(read_each([Image.open(astronaut_path)] * 8, threads=4))
        assert all(np.array_equal(pixels, astronaut) for pixels in found)


def test_a_camera_may_fill_one_array_again() -> None:
    def camera() -> Iterator[np.ndarray]:
        buffer = np.empty((4, 4, 3), np.uint8)
        for value in range(5):
            buffer[:] = value
            yield buffer

    assert [int(pixels.max()) for pixels in list(read_each(camera(), threads=2))] == list(range(5))


def test_a_bad_picture_without_a_name_is_told_by_its_number(astronaut_path: Path) -> None:
    good = astronaut_path.read_bytes()
    with pytest.raises(ImageError, match=r"^images\[2\]: not a picture"):
        list(read_each([good, good, b"no picture"], threads=2))
    with pytest.raises(ImageError, match=r"^absent\.jpg: no such file"):
        list(read_each([good, "absent.jpg"], threads=2))


NUMPY_1 = pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="strings of any length came with 2")


@pytest.mark.parametrize("kind", ["U", "O", pytest.param("T", marks=NUMPY_1)])
def test_an_array_of_names_is_as_good_as_a_list(astronaut_path: Path, astronaut: np.ndarray, kind: str) -> None:
    names = np.array([str(astronaut_path)] * 2, kind)
    found = list(read_each(several(names), threads=2))
    assert len(found) == 2
    assert all(np.array_equal(pixels, astronaut) for pixels in found)


def test_pixels_in_hand_are_not_copied(astronaut: np.ndarray) -> None:
    assert np.shares_memory(next(read_each([astronaut], threads=1)), astronaut)
    assert np.array_equal(read_image(astronaut), astronaut)


def test_large_pictures_make_small_batches() -> None:
    sizes = [90_000_000, 90_000_000, 90_000_000, 1, 1, 250_000_000, 1]
    chunks = list(in_chunks(iter(sizes), 5, lambda size: size))
    assert chunks == [[90_000_000] * 3, [1, 1, 250_000_000], [1]]
    assert list(in_chunks(iter([1] * 7), 3, lambda size: size)) == [[1] * 3, [1] * 3, [1]]
