"""Words of a column of labels: names, and numbers that are names or positions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from small_sets import Drawn

from facemotion import DataError, read_data

Write = Callable[[list[str]], Path]


@pytest.fixture(params=["paths", "pixels"])
def write(request: pytest.FixtureRequest, drawn: Drawn, tmp_path: Path) -> Write:
    """Writes a CSV with these words as its labels, a face each."""

    def write_paths(words: list[str]) -> Path:
        for at, image in enumerate(drawn.images):
            Image.fromarray(image).save(tmp_path / f"{at}.png")
        rows = [f"{at}.png,{word}" for at, word in enumerate(words)]
        (tmp_path / "faces.csv").write_text("\n".join(["path,label", *rows]), "utf-8")
        return tmp_path / "faces.csv"

    def write_pixels(words: list[str]) -> Path:
        rows = [f"{word},{' '.join(map(str, image.ravel()))}" for word, image in zip(words, drawn.images, strict=False)]
        (tmp_path / "faces.csv").write_text("\n".join(["emotion,pixels", *rows]), "utf-8")
        return tmp_path / "faces.csv"

    return write_paths if request.param == "paths" else write_pixels


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["1", "0"], ["0", "1", "0"]),
        (["1", "2", "3"], ["1", "2", "3", "3"]),
        (["01", "02", "03"], ["01", "02", "03", "02"]),
    ],
)
def test_a_number_that_is_a_label_means_that_label(write: Write, labels: list[str], words: list[str]) -> None:
    samples = read_data(write(words), labels=labels)
    assert [samples.label(at) for at in range(len(samples))] == words


@pytest.mark.parametrize("words", [["0", "1", "2", "calm"], ["00", "01", "02", "00"]])
def test_any_other_number_is_a_position(write: Write, words: list[str]) -> None:
    samples = read_data(write(words), labels=["calm", "bored", "tired"])
    assert [samples.label(at) for at in range(len(samples))] == ["calm", "bored", "tired", "calm"]


def test_a_number_that_is_neither_is_a_fault(write: Write) -> None:
    path = write(["1", "2", "3", "9" * 5000])
    with pytest.raises(DataError, match="row 5"):
        read_data(path, labels=["1", "2", "3"])
    samples = read_data(path, labels=["1", "2", "3"], skip_bad=True)
    assert (len(samples), len(samples.faults)) == (3, 1)


def test_numbers_that_begin_one_too_early_are_a_fault(write: Write) -> None:
    path = write(["0", "1", "2"])
    with pytest.raises(DataError, match="two spellings of one class: expected '1', got '0'"):
        read_data(path, labels=["1", "2", "3"])
