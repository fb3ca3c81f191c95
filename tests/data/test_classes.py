"""Words of a column of labels: names, and numbers that are names or positions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_sets import CLASSES, Drawn

from facemotion import DataError, LabelSet, Recipe, read_data
from facemotion.cli.main import _run
from facemotion.evaluation.label_sets import bring_together
from facemotion.evaluation.reading import read_faces
from facemotion.training.setup import read_samples

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


OTHER_ORDER = ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]


def write_pair(drawn: Drawn, folder: Path) -> Path:
    np.save(folder / "X_train.npy", drawn.images)
    np.save(folder / "y_train.npy", drawn.targets)
    return folder


def write_table(drawn: Drawn, folder: Path) -> Path:
    rows = []
    for at, (image, target) in enumerate(zip(drawn.images, drawn.targets, strict=True)):
        Image.fromarray(image).save(folder / f"{at}.png")
        rows.append(f"{at}.png,{target}")
    (folder / "faces.csv").write_text("\n".join(["path,label", *rows]), "utf-8")
    return folder / "faces.csv"


def write_folders(drawn: Drawn, folder: Path) -> Path:
    for at, (image, target) in enumerate(zip(drawn.images, drawn.targets, strict=True)):
        (folder / f"{target:02}").mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / f"{target:02}" / f"{at:02}.png")
    return folder


def labelled(drawn: Drawn) -> dict[bytes, str]:
    """The label of each picture: the layouts have them in different orders."""
    return {image.tobytes(): OTHER_ORDER[at] for image, at in zip(drawn.images, drawn.targets, strict=True)}


@pytest.mark.parametrize("write_numbers", [write_pair, write_table, write_folders])
def test_numbers_are_positions_in_the_emotions_of_a_recipe_or_of_weights(
    drawn: Drawn, tmp_path: Path, write_numbers: Callable[[Drawn, Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    source = write_numbers(drawn, tmp_path)
    wanted = labelled(drawn)
    trained = read_samples(source, Recipe(labels=tuple(OTHER_ORDER)))
    judged = read_faces(source, LabelSet.of(OTHER_ORDER))
    for samples in (trained, judged):
        assert {samples.read(at).tobytes(): samples.label(at) for at in range(len(samples))} == wanted
    assert trained.labels == LabelSet.of(OTHER_ORDER)
    assert caplog.text.count("the numbers are taken for surprise, fear, disgust, happy, sad, angry, neutral") == 2


def test_numbers_that_are_more_or_fewer_than_the_emotions_are_not_taken_for_them(drawn: Drawn, tmp_path: Path) -> None:
    table = write_table(drawn, tmp_path)
    with pytest.raises(DataError, match=r"row 2: nothing says.* all of 0 to 7 for neutral, .*, or labels=.*, got '0'"):
        read_data(table, numbers="ferplus8")
    pair = read_data(write_pair(drawn, tmp_path), format="npy", numbers="ferplus8")
    assert pair.labels == LabelSet.named("fer7")
    (tmp_path / "labels.json").write_text(
        '["sad", "happy", "fear", "angry", "neutral", "disgust", "surprise"]', "utf-8"
    )
    said = read_data(tmp_path, format="npy", numbers=OTHER_ORDER)
    assert said.labels.labels[:2] == ("sad", "happy")


def test_a_table_of_numbers_without_the_last_one_says_what_to_do_and_that_works(drawn: Drawn, tmp_path: Path) -> None:
    few = drawn.targets < 6
    part = Drawn(drawn.images[few], drawn.targets[few], [])
    table = write_table(part, tmp_path)
    for numbers in (None, "fer7"):
        with pytest.raises(
            DataError, match=r"nothing says what a number means: .*labels=\[...\].*data prepare --labels"
        ):
            read_data(table, numbers=numbers)
    np.testing.assert_array_equal(read_data(table, labels="fer7").targets, part.targets)
    command = ["data", "prepare", str(table), str(tmp_path / "prepared"), "--labels", "fer7"]
    assert _run(command) == 0
    prepared = read_samples(tmp_path / "prepared", Recipe(labels="fer7"))
    assert prepared.counts() == read_data(table, labels="fer7").counts()


@pytest.mark.parametrize("write_numbers", [write_pair, write_table, write_folders])
@pytest.mark.parametrize("numbers", ["ferplus8", "fer7", None])
def test_numbers_from_1_to_7_are_no_positions(
    drawn: Drawn, tmp_path: Path, write_numbers: Callable[[Drawn, Path], Path], numbers: str | None
) -> None:
    from_one = Drawn(drawn.images, drawn.targets + 1, drawn.usage)
    source = write_numbers(from_one, tmp_path)
    with pytest.raises(DataError, match=r"nothing says what a number means|what the numbers mean is not said.* no 0"):
        read_data(source, numbers=numbers)
    # who says the labels says where they begin
    eight = read_data(source, labels=["unused", *OTHER_ORDER])
    assert {eight.read(at).tobytes(): eight.label(at) for at in range(28)} == labelled(drawn)


def test_folders_numbered_from_1_to_7_are_no_positions_among_seven(drawn: Drawn, tmp_path: Path) -> None:
    source = write_folders(Drawn(drawn.images, drawn.targets + 1, drawn.usage), tmp_path)
    with pytest.raises(DataError, match=r"'07' \(numbers are positions in the labels, counted from 0\)"):
        read_data(source, labels=OTHER_ORDER)


def test_pixels_numbered_from_1_to_7_are_no_positions(drawn: Drawn, tmp_path: Path) -> None:
    path = write_pixels(drawn, tmp_path / "raf.csv", drawn.targets + 1)
    with pytest.raises(DataError, match=r"wrong emotion.*labels=\[...\], and for the commands .*, got '7'"):
        read_data(path, numbers="ferplus8")


def test_for_weights_with_a_label_of_their_own_another_emotion_is_an_error_until_the_data_is_read(
    drawn: Drawn, tmp_path: Path
) -> None:
    root, weights = drawn.write_folders(tmp_path), LabelSet(("happy", "angry", "tired"))
    with pytest.raises(DataError, match=r"unknown class 'disgust'.*restrict"):
        read_faces(root, weights)
    judged = bring_together(weights, read_faces(read_data(root), weights), "restrict")
    assert judged.labels.labels == ("happy", "angry")
    assert (len(judged.samples), sum(judged.left_out.values())) == (8, 20)


def write_pixels(drawn: Drawn, path: Path, targets: np.ndarray) -> Path:
    return Drawn(drawn.images, targets, ["Training"] * len(targets)).write_csv(path)


def test_pixels_with_more_numbers_than_the_challenge_has(
    drawn: Drawn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    targets = np.arange(28) % 8
    path = write_pixels(drawn, tmp_path / "eight.csv", targets)
    ferplus = LabelSet.named("ferplus8")
    trained = read_samples(path, Recipe(labels="ferplus8"))
    judged = read_faces(path, ferplus)
    for samples in (trained, judged, read_data(path, labels="ferplus8")):
        assert samples.labels == ferplus
        np.testing.assert_array_equal(samples.targets, targets)
    assert caplog.text.count("eight.csv: the numbers are taken for neutral, happy, surprise") == 2
    with pytest.raises(
        DataError, match=r"row 9: wrong emotion.*0 to 6 or a name.*labels=\[...\].*data prepare --labels"
    ):
        read_data(path)


def test_the_challenge_s_own_numbers_stay_its_own(drawn: Drawn, tmp_path: Path) -> None:
    # as many as the challenge has, in another order: they may be the challenge's all the same
    path = write_pixels(drawn, tmp_path / "seven.csv", drawn.targets)
    for labels in (OTHER_ORDER, "ferplus8"):
        assert read_data(path, numbers=labels).labels == LabelSet.named("fer7")
    # and under the challenge's own name a 7 is a damaged row
    damaged = write_pixels(drawn, tmp_path / "fer2013.csv", np.arange(28) % 8)
    with pytest.raises(DataError, match="row 9: wrong emotion"):
        read_data(damaged, numbers="ferplus8")


@pytest.mark.parametrize("layout", ["fer2013", "npy"])
def test_the_challenge_s_own_numbers_stay_its_own_whatever_labels_are_wanted(
    drawn: Drawn, tmp_path: Path, layout: str
) -> None:
    if layout == "fer2013":
        path = write_pixels(drawn, tmp_path / "fer2013.csv", drawn.targets)
    else:
        path = tmp_path
        for name, values in (("images", drawn.images), ("label", drawn.targets), ("usage", [0] * 28)):
            np.save(tmp_path / f"{name}.npy", values)
    wanted = [CLASSES[target] for target in drawn.targets]
    for labels in ("ferplus8", sorted([*CLASSES, "tired"]), OTHER_ORDER):
        samples = read_data(path, labels=labels)
        assert samples.labels == LabelSet.of(labels)
        assert [samples.label(index) for index in range(28)] == wanted
    with pytest.raises(DataError, match="unknown class 'disgust'"):
        read_data(path, labels=["angry", "happy", "tired"])
    # none of the challenge's labels is among these: the numbers are positions in them
    own = [f"class {letter}" for letter in "abcdefg"]
    assert read_data(path, labels=own).targets.tolist() == drawn.targets.tolist()


def test_two_files_of_pixels_count_in_the_same_labels(drawn: Drawn, tmp_path: Path) -> None:
    write_pixels(drawn, tmp_path / "train.csv", np.arange(28) % 8)
    write_pixels(drawn, tmp_path / "test.csv", drawn.targets)
    with pytest.raises(DataError, match="sets with other labels"):
        read_data(tmp_path, numbers="ferplus8")
