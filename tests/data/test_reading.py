from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_sets import CLASSES, VOTES, Drawn, Export

from facemotion import DataError, LabelSet, UnknownNameError, read_data
from facemotion.data.samples import Samples

USAGES = np.array(["Training", "PublicTest", "PrivateTest"])


def images_of(samples: Samples) -> np.ndarray:
    return np.stack([samples.read(index) for index in range(len(samples))])


# every layout of the real data, read back


@pytest.mark.parametrize("layout", ["fer2013", "npy", "folders"])
def test_every_layout_of_the_export_is_read_back_to_the_byte(fer_part: Export, layout: str) -> None:
    samples = read_data(fer_part.path(layout), format=layout)
    order = np.arange(len(fer_part.rows))
    splits = USAGES[fer_part.usage]
    if layout == "folders":
        # the export names a picture after its usage and row
        named = [int(Path(samples.place(index)).stem.rpartition("_")[2]) for index in range(len(samples))]
        order = np.searchsorted(fer_part.rows, named)
        splits = np.where(fer_part.usage == 0, "train", "test")
    assert samples.labels == LabelSet.named("fer7")
    assert sorted(order) == list(range(len(fer_part.rows)))
    np.testing.assert_array_equal(images_of(samples), fer_part.images[order])
    np.testing.assert_array_equal(samples.targets, fer_part.labels[order])
    np.testing.assert_array_equal(samples.splits, splits[order])


def test_a_fingerprint_is_that_of_the_data_not_of_its_layout(fer_part: Export) -> None:
    first = read_data(fer_part.path("fer2013"))
    second = read_data(fer_part.folder, format="npy")
    assert first.fingerprint == second.fingerprint
    assert first.subset(np.arange(1, len(first))).fingerprint != first.fingerprint


@pytest.mark.parametrize("source", [np.zeros((2, 48, 48), np.uint8), (["a.png"], ["happy"]), None])
def test_arrays_are_told_the_way_to_samples(source: object) -> None:
    with pytest.raises(DataError, match=r"of arrays: Samples\.from_arrays\(.* got (ndarray|tuple|NoneType)"):
        read_data(source)  # type: ignore[arg-type]  # wrong on purpose


def test_several_data_sets_in_one_folder_have_to_be_told_apart(fer_part: Export) -> None:
    with pytest.raises(DataError, match=r"npy and fer2013 and folders"):
        read_data(fer_part.folder)


# layouts, drawn: nothing here needs the real data


def test_folders_with_and_without_the_level_of_splits(drawn: Drawn, tmp_path: Path) -> None:
    with_splits = read_data(drawn.write_folders(tmp_path / "a"))
    assert with_splits.split_counts() == {"test": 14, "train": 14}
    without = read_data(drawn.write_folders(tmp_path / "b", splits=False))
    assert without.split_counts() == {"": 28}
    assert without.counts() == dict.fromkeys(CLASSES, 4)
    for samples in (with_splits, without):
        places = [samples.place(index) for index in range(28)]
        assert places == sorted(places), "the order of a folder's files must not depend on the disk"
        for index in range(28):
            at = int(Path(samples.place(index)).stem)
            np.testing.assert_array_equal(samples.read(index), drawn.images[at])
            assert samples.label(index) == CLASSES[drawn.targets[at]]


def test_class_folders_answer_to_all_their_spellings(drawn: Drawn, tmp_path: Path) -> None:
    names = {"surprise": "Surprised", "happy": "happiness", "sad": "4_sad", "angry": "ANGRY"}
    samples = read_data(drawn.write_folders(tmp_path, names=names))
    assert samples.labels == LabelSet.named("fer7")
    assert samples.counts() == dict.fromkeys(CLASSES, 4)


def test_a_set_of_emotions_that_has_a_name_gets_its_order(drawn: Drawn, tmp_path: Path) -> None:
    root = drawn.write_folders(tmp_path, splits=False)
    shutil.rmtree(root / "disgust")
    shutil.rmtree(root / "fear")
    assert read_data(root).labels == LabelSet.named("basic5")
    shutil.rmtree(root / "angry")
    assert list(read_data(root).labels) == ["happy", "sad", "surprise", "neutral"]


def test_labels_of_ones_own(drawn: Drawn, tmp_path: Path) -> None:
    for name, image in zip(("calm", "bored"), drawn.images, strict=False):
        (tmp_path / name).mkdir()
        Image.fromarray(image).save(tmp_path / name / "a.png")
    samples = read_data(tmp_path, labels=["calm", "bored"])
    assert list(samples.labels) == ["calm", "bored"]
    assert samples.targets.tolist() == [1, 0]


def test_columns_of_the_challenge_in_another_order_and_with_spaces(drawn: Drawn, tmp_path: Path) -> None:
    samples = read_data(drawn.write_csv(tmp_path / "icml_face_data.csv", "emotion, Usage, pixels"))
    np.testing.assert_array_equal(images_of(samples), drawn.images)
    assert samples.split_counts() == {"Training": 14, "PublicTest": 7, "PrivateTest": 7}
    assert read_data(tmp_path).fingerprint == samples.fingerprint


@pytest.mark.parametrize("labels_alone", [False, True])
def test_train_and_test_in_two_files_with_the_labels_in_a_third(
    drawn: Drawn, tmp_path: Path, labels_alone: bool
) -> None:
    train, test = np.arange(14), np.arange(14, 28)
    part = [Drawn(drawn.images[rows], drawn.targets[rows], [""] * len(rows)) for rows in (train, test)]
    part[0].write_csv(tmp_path / "train.csv", "emotion,pixels")
    part[1].write_csv(tmp_path / "test.csv", "pixels")
    part[1].write_csv(tmp_path / "test_with_emotions.csv", "emotion" if labels_alone else "emotion,pixels")
    samples = read_data(tmp_path)
    np.testing.assert_array_equal(images_of(samples), drawn.images)
    np.testing.assert_array_equal(samples.targets, drawn.targets)
    assert samples.split_counts() == {"train": 14, "test": 14}
    assert (
        samples.place(14) == f"{tmp_path / 'test.csv' if labels_alone else tmp_path / 'test_with_emotions.csv'}: row 2"
    )


@pytest.mark.parametrize(("count", "message"), [(13, "more faces than labels"), (15, "fewer faces than labels")])
def test_test_faces_and_their_labels_are_as_many(drawn: Drawn, tmp_path: Path, count: int, message: str) -> None:
    drawn.write_csv(tmp_path / "train.csv", "emotion,pixels")
    rows = np.arange(14)
    test = Drawn(drawn.images[rows], drawn.targets[rows], [""] * 14)
    test.write_csv(tmp_path / "test.csv", "pixels")
    (tmp_path / "test_with_emotions.csv").write_text("emotion\n" + "3\n" * count, "utf-8")
    with pytest.raises(DataError, match=message):
        read_data(tmp_path)


def test_a_table_as_excel_leaves_it(drawn: Drawn, tmp_path: Path) -> None:
    """Semicolons, a comma within a quoted name, and rows of nothing below the last one."""
    drawn.write_folders(tmp_path / "pictures", splits=False)
    rows = [
        f"pictures/{CLASSES[target]}/{at:03d}.png;{CLASSES[target]};{at}" for at, target in enumerate(drawn.targets)
    ]
    table = tmp_path / "faces.csv"
    table.write_text("\n".join(['"path";"label";"age, years"', *rows[:9], ";;", *rows[9:], ";;", " ; ;"]), "utf-8")
    samples = read_data(table)
    np.testing.assert_array_equal(images_of(samples), drawn.images)
    assert samples.columns["age, years"].tolist() == [str(at) for at in range(28)]


@pytest.mark.parametrize("header", ["path,label,site,Site", "emotion,pixels,site,site"])
def test_two_columns_of_one_name_are_refused(tmp_path: Path, header: str) -> None:
    (tmp_path / "faces.csv").write_text(f"{header}\na,b,c,d\n", "utf-8")
    with pytest.raises(DataError, match=r"faces\.csv: two columns of one name: expected each name once, got 'site'"):
        read_data(tmp_path / "faces.csv")


def test_a_table_of_paths_with_further_columns(drawn: Drawn, tmp_path: Path) -> None:
    drawn.write_folders(tmp_path / "pictures", splits=False)
    lines = ["path,label,split,site"]
    for at, target in enumerate(drawn.targets):
        name = CLASSES[target]
        lines.append(f"pictures/{name}/{at:03d}.png,{name.title()},{'train' if at % 2 else 'val'},site {at % 3}")
    table = tmp_path / "faces.csv"
    table.write_text("\n".join(lines), "utf-8")
    samples = read_data(table, split="val")
    assert len(samples) == 14
    np.testing.assert_array_equal(images_of(samples), drawn.images[::2])
    assert samples.columns["site"].tolist() == [f"site {at % 3}" for at in range(0, 28, 2)]


def test_paths_in_a_table_may_start_at_a_home(drawn: Drawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    drawn.write_folders(tmp_path / "home", splits=False)
    table = tmp_path / "faces.csv"
    rows = [f"~/{CLASSES[target]}/{at:03d}.png,{CLASSES[target]}\n" for at, target in enumerate(drawn.targets)]
    table.write_text("path,label\n" + "".join(rows), "utf-8")
    np.testing.assert_array_equal(images_of(read_data(table)), drawn.images)


def test_tables_that_excel_separates_by_semicolons(drawn: Drawn, tmp_path: Path) -> None:
    drawn.write_folders(tmp_path, splits=False)
    rows = ['angry/000.png;angry;"1,5"', "happy/003.png;Happy;2,5"]
    (tmp_path / "t.csv").write_text("\r\n".join(["Path;Label;Age", *rows, ""]), "utf-8-sig")
    samples = read_data(tmp_path / "t.csv")
    assert samples.counts() == {"angry": 1, "happy": 1}
    assert samples.columns["age"].tolist() == ["1,5", "2,5"]
    path = drawn.write_csv(tmp_path / "fer2013.csv")
    commas = read_data(path)
    path.write_text(path.read_text("utf-8").replace(",", ";"), "utf-8")
    assert read_data(path).fingerprint == commas.fingerprint


@pytest.mark.parametrize(("first", "between"), [("sep=;", ";"), ('"SEP=,"', ","), ("sep=\t", "\t")])
def test_a_first_line_that_names_the_separator_is_no_header(
    drawn: Drawn, tmp_path: Path, first: str, between: str
) -> None:
    drawn.write_folders(tmp_path, splits=False)
    rows = [["path", "label", "a,b;c;d,e"], ["angry/000.png", "angry", "1"], ["happy/003.png", "happy", "2"]]
    if between != "\t":  # the other separators in it are quoted, as whoever writes them must
        rows[0][2] = f'"{rows[0][2]}"'
    table = tmp_path / "t.csv"
    table.write_text("\r\n".join([first, *(between.join(row) for row in rows), ""]), "utf-8-sig", newline="")
    samples = read_data(table)
    assert samples.counts() == {"angry": 1, "happy": 1}
    assert samples.columns["a,b;c;d,e"].tolist() == ["1", "2"]
    table.write_text(table.read_text("utf-8-sig").replace("happy/", "nowhere/"), "utf-8")
    with pytest.raises(DataError, match=r"t\.csv: row 3 "):  # as a spreadsheet counts, which does not show that line
        read_data(table)


def test_pixels_and_votes_below_a_line_that_names_the_separator(fer_part: Export, tmp_path: Path) -> None:
    for name in ("fer2013.csv", "fer2013new.csv"):
        text = (fer_part.folder / name).read_text("utf-8")
        (tmp_path / name).write_text("sep=;\n" + text.replace(",", ";"), "utf-8")
    found = read_data(tmp_path, label_rule="majority")
    wanted = read_data(fer_part.path("fer2013"), label_rule="majority")
    assert found.fingerprint == wanted.fingerprint


def test_pairs_of_arrays_in_all_the_shapes_people_save(drawn: Drawn, tmp_path: Path) -> None:
    one_hot = np.eye(7)[drawn.targets]
    forms = {
        "grey": (drawn.images, drawn.targets),
        "last": (drawn.images[..., None], one_hot),
        "unit": ((drawn.images[..., None] / 255).astype(np.float32), drawn.targets.astype(np.float64)),
        "first": (drawn.images[:, None].astype(np.float32), np.array(CLASSES)[drawn.targets]),
        "rgb": (np.repeat(drawn.images[..., None], 3, axis=3), drawn.targets[:, None]),
    }
    for name, (images, targets) in forms.items():
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "X_train.npy", images[:20])
        np.save(folder / "y_train.npy", targets[:20])
        np.save(folder / "X_test.npy", images[20:])
        np.save(folder / "y_test.npy", targets[20:])
        samples = read_data(folder)
        assert samples.split_counts() == {"test": 8, "train": 20}, name
        np.testing.assert_array_equal(images_of(samples.select("train")), drawn.images[:20], name)
        np.testing.assert_array_equal(samples.select("test").targets, drawn.targets[20:], name)


def test_numbers_that_are_taken_for_fer_s_are_told(
    drawn: Drawn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    np.save(tmp_path / "X_train.npy", drawn.images)
    np.save(tmp_path / "y_train.npy", drawn.targets)
    assert read_data(tmp_path).label(6) == "neutral"
    assert "taken for angry, disgust, fear, happy, sad, surprise, neutral" in caplog.text


@pytest.mark.parametrize(("count", "name"), [(7, "fer7"), (8, "ferplus8")])
@pytest.mark.parametrize("one_hot", [False, True])
def test_numbers_mean_the_same_in_all_splits(
    drawn: Drawn, tmp_path: Path, count: int, name: str, one_hot: bool
) -> None:
    targets = np.arange(28) % count
    few = targets < count - 1
    for split, kept in (("train", ~few | few), ("val", few)):
        np.save(tmp_path / f"X_{split}.npy", drawn.images[kept])
        np.save(tmp_path / f"y_{split}.npy", targets[kept])
    if one_hot:
        np.save(tmp_path / "y_train.npy", np.eye(count)[targets])
    # what is no pair of the data says nothing of it
    np.save(tmp_path / "y_age.npy", np.arange(90))
    samples = read_data(tmp_path)
    assert samples.labels == LabelSet.named(name)
    np.testing.assert_array_equal(samples.select("val").targets, targets[few])
    assert read_data(tmp_path / "X_val.npy").labels == LabelSet.named(name)


def test_one_hot_rows_without_any_in_the_first_column_count_from_1(drawn: Drawn, tmp_path: Path) -> None:
    np.save(tmp_path / "X_train.npy", drawn.images)
    np.save(tmp_path / "y_train.npy", np.eye(8)[drawn.targets + 1])
    with pytest.raises(DataError, match=r"what the numbers mean is not said.* got numbers up to 7 and no 0"):
        read_data(tmp_path)
    # which split has the 0 does not matter
    np.save(tmp_path / "X_test.npy", drawn.images[:1])
    np.save(tmp_path / "y_test.npy", np.array([0]))
    assert read_data(tmp_path).labels == LabelSet.named("ferplus8")


def test_words_of_arrays_as_bytes_and_not_all_in_each_split(drawn: Drawn, tmp_path: Path) -> None:
    words = np.array(CLASSES)[drawn.targets]
    few = drawn.targets < 5
    np.save(tmp_path / "X_train.npy", drawn.images)
    np.save(tmp_path / "y_train.npy", words.astype(np.bytes_))
    np.save(tmp_path / "X_val.npy", drawn.images[few])
    np.save(tmp_path / "y_val.npy", words[few])
    samples = read_data(tmp_path)
    assert samples.labels == LabelSet.named("fer7")
    assert samples.select("train").targets.tolist() == drawn.targets.tolist()
    assert [samples.label(at) for at in np.flatnonzero(samples.splits == "val")] == words[few].tolist()
    np.save(tmp_path / "y_val.npy", np.array([b"\xff"] * few.sum()))
    with pytest.raises(DataError, match=r"y_val\.npy: the array can't be read: expected words in UTF-8"):
        read_data(tmp_path)


def test_numbers_of_arrays_mean_what_labels_json_says(drawn: Drawn, tmp_path: Path) -> None:
    np.save(tmp_path / "X_train.npy", drawn.images)
    np.save(tmp_path / "y_train.npy", drawn.targets % 3)
    with pytest.raises(DataError, match=r"what the numbers mean is not said"):
        read_data(tmp_path)
    (tmp_path / "labels.json").write_text(json.dumps(["happy", "sad", "calm"]), "utf-8")
    assert read_data(tmp_path).label(2) == "calm"


@pytest.mark.parametrize("layout", ["fer2013", "folders"])
def test_the_rule_none_means_the_data_s_own_labels(drawn: Drawn, tmp_path: Path, layout: str) -> None:
    source = drawn.write_csv(tmp_path / "fer2013.csv") if layout == "fer2013" else drawn.write_folders(tmp_path)
    assert read_data(source, label_rule="none").label_rule is None
    assert read_data(source, label_rule="none").fingerprint == read_data(source).fingerprint


# bad input: file, row, expected and got; or counted and listed


def expect_fault(path: Path, place: str, what: str, left: int | None) -> None:
    """Reading raises what is expected; skipping leaves the good samples, and lists the fault."""
    with pytest.raises(DataError) as caught:
        read_data(path)
    assert str(caught.value.place).endswith(place), caught.value
    assert what in str(caught.value)
    assert caught.value.expected, caught.value
    assert caught.value.got, caught.value
    samples = read_data(path, skip_bad=True)
    assert len(samples) == left
    assert [str(fault) for fault in samples.faults] == [str(caught.value)]
    images_of(samples)


def edit_row(path: Path, number: int, change: Callable[[str], str]) -> Path:
    lines = path.read_text("utf-8").splitlines()
    lines[number - 1] = change(lines[number - 1])
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_a_csv_that_is_cut_in_the_middle_of_a_row(drawn: Drawn, tmp_path: Path) -> None:
    path = drawn.write_csv(tmp_path / "fer2013.csv")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 3000])
    expect_fault(path, "fer2013.csv: row 29", "expected 3 fields (emotion, pixels, usage), got 2", 27)


def test_a_face_with_a_pixel_too_few(drawn: Drawn, tmp_path: Path) -> None:
    path = drawn.write_csv(tmp_path / "fer2013.csv")
    for row in (2, 11):
        broken = tmp_path / f"row{row}.csv"
        shutil.copy(path, broken)
        edit_row(broken, row, lambda line: line.replace(" ", "", 1))
        expect_fault(broken, f"row{row}.csv: row {row}", "expected 2304 (48 x 48), got 2303", 27)


@pytest.mark.parametrize("value", ["256", "-1", "12.5", "x"])
def test_a_value_that_no_pixel_has(drawn: Drawn, tmp_path: Path, value: str) -> None:
    path = drawn.write_csv(tmp_path / "fer2013.csv")
    edit_row(path, 5, lambda line: _with_pixel(line, 7, value))
    expect_fault(
        path, "fer2013.csv: row 5", f"wrong value of pixel 8: expected a whole number from 0 to 255, got '{value}'", 27
    )


def _with_pixel(line: str, at: int, value: str) -> str:
    emotion, pixels, usage = line.split(",")
    words = pixels.split()
    words[at] = value
    return f"{emotion},{' '.join(words)},{usage}"


def test_an_emotion_that_there_is_not(drawn: Drawn, tmp_path: Path) -> None:
    path = drawn.write_csv(tmp_path / "fer2013.csv")
    edit_row(path, 3, lambda line: "7" + line[1:])
    expect_fault(path, "fer2013.csv: row 3", "expected 0 to 6 or a name, got '7'", 27)


def test_an_empty_class_folder(drawn: Drawn, tmp_path: Path) -> None:
    root = drawn.write_folders(tmp_path, splits=False)
    shutil.rmtree(root / "fear")
    (root / "fear").mkdir()
    expect_fault(root, "fear", "the class folder is empty: expected pictures, got no file", 24)


@pytest.mark.parametrize("splits", [False, True])
@pytest.mark.parametrize("deep", ["more", "more/still more"])
def test_a_folder_within_a_class(drawn: Drawn, tmp_path: Path, splits: bool, deep: str) -> None:
    root = drawn.write_folders(tmp_path, splits=splits)
    within = (root / "train" if splits else root) / "happy"
    (within / "empty").mkdir()
    assert len(read_data(root)) == 28
    (within / deep).mkdir(parents=True)
    shutil.move(within / "003.png", within / deep)
    wanted = "expected pictures, in the class folder itself, or a table of paths"
    expect_fault(root, "more", f"a folder within a class: {wanted}", 27)


@pytest.mark.parametrize("splits", [False, True])
@pytest.mark.parametrize("person", ["{}", "subject {}"])
def test_folders_of_persons_in_every_class(drawn: Drawn, tmp_path: Path, splits: bool, person: str) -> None:
    """Else the persons would be the classes, and the classes splits; those with numbers without a word."""
    root = drawn.write_folders(tmp_path, splits=splits)
    for folder in list((root / "train" if splits else root).iterdir()):
        for at, file in enumerate(sorted(folder.iterdir())):
            (folder / person.format(at % 2)).mkdir(exist_ok=True)
            file.rename(folder / person.format(at % 2) / file.name)
    for labels in (None, CLASSES):
        with pytest.raises(DataError, match=r"angry/(subject )?0: a folder within a class: expected pictures, in the"):
            read_data(root, labels=labels)


def test_splits_that_are_called_like_classes(drawn: Drawn, tmp_path: Path) -> None:
    numbers = {name: str(at + 1) for at, name in enumerate(CLASSES)}
    for fold in ("1", "2"):
        drawn.write_folders(tmp_path / fold, names=numbers, splits=False)
    samples = read_data(tmp_path, labels=list(numbers.values()))
    assert samples.split_counts() == {"1": 28, "2": 28}


def test_pictures_beside_the_class_folders_are_told(
    drawn: Drawn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = drawn.write_folders(tmp_path, splits=False)
    (root / "README.txt").write_text("no picture")
    assert len(read_data(root)) == 28
    assert not caplog.messages
    for number in range(4):
        shutil.copy(root / "happy" / "003.png", root / f"new {number}.png")
    assert len(read_data(root)) == 28
    told = "not in a class folder, and left out: 4 files (new 0.png, new 1.png, new 2.png ...)"
    assert caplog.messages == [f"{root}: {told}"]


def test_one_class_only(drawn: Drawn, tmp_path: Path) -> None:
    root = drawn.write_folders(tmp_path / "set", splits=False)
    for name in CLASSES[1:]:
        shutil.rmtree(root / name)
    expect_fault(root, "set", "one class only: expected two or more, got 'angry'", 4)
    assert len(read_data(root, labels="fer7")) == 4, "whoever names the labels knows what is missing"


def test_a_picture_that_is_text(drawn: Drawn, tmp_path: Path) -> None:
    root = drawn.write_folders(tmp_path, splits=False)
    (root / "happy" / "003.png").write_text("this is no picture\n", "utf-8")
    expect_fault(root, "003.png", "not a picture", 27)


def test_a_file_that_a_table_names_and_that_is_not_there(drawn: Drawn, tmp_path: Path) -> None:
    drawn.write_folders(tmp_path, splits=False)
    table = tmp_path / "faces.csv"
    table.write_text("path,label\nangry/000.png,angry\nhappy/nowhere.png,happy\nsad/004.png,sad\n", "utf-8")
    with pytest.raises(DataError, match=r"faces\.csv: row 3 \(happy/nowhere\.png\): no such file"):
        read_data(table)
    assert len(read_data(table, skip_bad=True)) == 2


def test_two_spellings_of_one_class(drawn: Drawn, tmp_path: Path) -> None:
    root = drawn.write_folders(tmp_path, splits=False)
    (root / "happiness").mkdir()
    shutil.move(root / "happy" / "003.png", root / "happiness" / "003.png")
    expect_fault(root, "happy", "two spellings of one class: expected 'happiness', got 'happy'", 28)
    assert read_data(root, skip_bad=True).counts()["happy"] == 4


def test_two_spellings_of_one_split(drawn: Drawn, tmp_path: Path) -> None:
    drawn.write_folders(tmp_path, splits=False)
    names = [("train", "Train", "TRAIN", "val")[at % 4] for at in range(28)]
    rows = [f"{CLASSES[at % 7]}/{at:03d}.png,{CLASSES[at % 7]},{name}" for at, name in enumerate(names)]
    table = tmp_path / "faces.csv"
    table.write_text("\n".join(["path,label,split", *rows]), "utf-8")
    with pytest.raises(DataError, match=r"disgust/001\.png: two spellings of one split: expected 'train', got 'Train'"):
        read_data(table)
    samples = read_data(table, skip_bad=True)
    assert samples.split_counts() == {"train": 21, "val": 7}
    assert len(samples.faults) == 2
    # in memory too
    with pytest.raises(DataError, match="two spellings of one split"):
        read_data(samples.with_splits(names), split="train")


def test_an_unknown_class_says_the_nearest_name(drawn: Drawn, tmp_path: Path) -> None:
    root = drawn.write_folders(tmp_path, names={"surprise": "suprise"}, splits=False)
    expect_fault(root, "suprise", "unknown class 'suprise'; did you mean 'surprise'", 24)


def test_damaged_pixels_are_told_with_their_file(drawn: Drawn, tmp_path: Path) -> None:
    root = drawn.write_folders(tmp_path, splits=False)
    picture = root / "sad" / "004.png"
    picture.write_bytes(picture.read_bytes()[:300])
    samples = read_data(root)
    with pytest.raises(DataError, match=r"004\.png"):
        images_of(samples)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a data set"),
        ("a,b\n1,2\n", "not a data set"),
        ("path,mood\na.png,happy\n", "no column of labels"),
        ("pixels,Usage\n1 2 3 4,Training\n", "no column emotion"),
        ("emotion,pixels\n", "no usable face"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(content, "utf-8")
    with pytest.raises(DataError, match=message):
        read_data(tmp_path / "t.csv")


def test_a_place_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        read_data(tmp_path / "nowhere")
    with pytest.raises(DataError, match="an empty folder"):
        read_data(tmp_path)
    with pytest.raises(UnknownNameError, match="did you mean 'folders'"):
        read_data(tmp_path, format="folder")


def test_places_that_hold_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not a data set that is known.*got a file of 0 bytes"):
        read_data(os.devnull)
    # whether such a place is there can't even be asked
    with pytest.raises(DataError, match=r"it can't be read|no such file"):
        read_data(tmp_path / ("x" * 5000))
    (tmp_path / "t.csv").write_text("path\tlabel\na.png\thappy\n", "utf-8")
    with pytest.raises(DataError, match=r"got a table with the columns 'path\\tlabel'"):
        read_data(tmp_path / "t.csv")


def test_arrays_without_numbers_in_them(drawn: Drawn, tmp_path: Path) -> None:
    np.save(tmp_path / "X_train.npy", np.array(3))
    np.save(tmp_path / "y_train.npy", np.where(np.arange(len(drawn.targets)) == 5, np.nan, drawn.targets))
    with pytest.raises(DataError, match=r"X_train\.npy: wrong pictures"):
        read_data(tmp_path)
    np.save(tmp_path / "X_train.npy", drawn.images)
    with pytest.raises(DataError, match=r"y_train\.npy: item 5: wrong label: expected a whole number, got nan"):
        read_data(tmp_path)


def test_a_pixel_that_is_no_number_is_found_behind_a_thousand_pictures(tmp_path: Path) -> None:
    images = np.zeros((1030, 2, 2), np.float32)
    images[-1, 0, 0] = np.nan
    np.save(tmp_path / "X_train.npy", images)
    np.save(tmp_path / "y_train.npy", np.zeros(1030, np.int64))
    with pytest.raises(DataError, match=r"X_train\.npy: wrong pictures.*got nan"):
        read_data(tmp_path, labels=["one", "other"])


def test_the_numbers_of_usage_and_votes_may_be_floats_but_are_whole(fer_part: Export, tmp_path: Path) -> None:
    folder = tmp_path / "npy"
    shutil.copytree(fer_part.folder, folder, ignore=lambda _, names: [each for each in names if "." not in each])
    usage, votes = (np.load(folder / name) for name in ("usage.npy", "votes.npy"))
    wanted = read_data(folder, format="npy", label_rule="soft")
    np.save(folder / "usage.npy", usage.astype(np.float64)[:, None])
    np.save(folder / "votes.npy", votes.astype(np.float32))
    read = read_data(folder, format="npy", label_rule="soft")
    assert (read.fingerprint, read.splits.tolist()) == (wanted.fingerprint, wanted.splits.tolist())
    for name, wrong, message in (
        ("votes.npy", np.where(votes == votes[3, 2], np.nan, votes), r"wrong vote: expected a whole number, got nan"),
        ("votes.npy", votes / 10, r"wrong vote: expected a whole number, got 0\."),
        ("votes.npy", votes.astype(str), "wrong votes: expected whole numbers, got <U"),
        ("usage.npy", usage + 0.5, r"usage\.npy: item 0: wrong usage: expected a whole number, got"),
        ("usage.npy", np.full(len(usage), b"\xff"), "words in UTF-8"),
    ):
        before = np.load(folder / name)
        np.save(folder / name, wrong)
        with pytest.raises(DataError, match=message):
            read_data(folder, format="npy", label_rule="soft")
        np.save(folder / name, before)


def test_halves_are_no_one_hot_rows(drawn: Drawn, tmp_path: Path) -> None:
    np.save(tmp_path / "X_train.npy", drawn.images)
    np.save(tmp_path / "y_train.npy", np.full((len(drawn.targets), 2), 0.5))
    with pytest.raises(DataError, match="expected 28 rows"):
        read_data(tmp_path, labels=["one", "other"])


def test_arrays_that_don_t_belong_together(drawn: Drawn, tmp_path: Path) -> None:
    np.save(tmp_path / "X_train.npy", drawn.images)
    with pytest.raises(DataError, match=r"y_train\.npy: no such file"):
        read_data(tmp_path)
    np.save(tmp_path / "y_train.npy", drawn.targets[:-1])
    with pytest.raises(DataError, match="expected 28 rows"):
        read_data(tmp_path)
    np.save(tmp_path / "y_train.npy", np.ones((28, 3), np.int64))
    with pytest.raises(DataError, match=r"expected 28 rows, got \(84,\)"):
        read_data(tmp_path)
    np.save(tmp_path / "y_train.npy", np.array([{}] * 28, object))
    with pytest.raises(DataError, match="without objects"):
        read_data(tmp_path)


# FER+ votes


@pytest.mark.parametrize(("rule", "count"), [("majority", 3153), ("plurality", 3376), ("all", 3589)])
def test_the_rules_keep_as_many_of_the_private_test_as_is_published(assets: Path, rule: str, count: int) -> None:
    from facemotion.data.votes import apply_rule

    pack = np.load(assets / "fer2013" / "fer2013.npz")
    private = pack["usage"] == 2
    blank = np.zeros((int(private.sum()), 1, 1), np.uint8)
    samples = Samples.from_arrays(blank, pack["label"][private], "fer7")
    assert len(apply_rule(samples, pack["votes"][private].astype(np.int64), rule)) == count


def test_votes_beside_the_csv_are_those_beside_the_arrays(fer_part: Export) -> None:
    for rule in ("majority", "plurality", "all", "soft"):
        first = read_data(fer_part.path("fer2013"), label_rule=rule)
        second = read_data(fer_part.folder, format="npy", label_rule=rule)
        assert first.labels == LabelSet.named("ferplus8")
        assert first.fingerprint == second.fingerprint
        assert first.label_rule == rule


def write_votes(path: Path, rows: list[list[int]], usage: str = "Training") -> None:
    lines = [",".join(["Usage", "Image name", *VOTES])]
    lines += [",".join([usage, f"fer{at:07d}.png", *map(str, row)]) for at, row in enumerate(rows)]
    path.write_text("\n".join(lines), "utf-8")


def test_rules_by_hand(drawn: Drawn, tmp_path: Path) -> None:
    part = Drawn(drawn.images[:6], drawn.targets[:6], ["Training"] * 6)
    path = part.write_csv(tmp_path / "fer2013.csv")
    #        neutral happy surprise sad angry disgust fear contempt unknown NF
    votes = [
        [0, 6, 1, 1, 1, 1, 0, 0, 0, 0],  # 6 of 6 for happy once single votes are dropped
        [5, 5, 0, 0, 0, 0, 0, 0, 0, 0],  # a tie
        [4, 3, 3, 0, 0, 0, 0, 0, 0, 0],  # most, not half
        [0, 0, 0, 0, 0, 0, 0, 0, 2, 8],  # no face
        [2, 0, 0, 2, 2, 0, 0, 0, 4, 0],  # most of all can't say; sad, its own label, is tied first
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1],  # nothing is left without single votes
    ]
    write_votes(tmp_path / "fer2013new.csv", votes)

    def labels_by(rule: str) -> dict[int, str]:
        samples = read_data(path, labels="ferplus8", label_rule=rule)
        return {int(samples.place(at).rpartition(" ")[2]) - 2: samples.label(at) for at in range(len(samples))}

    assert labels_by("majority") == {0: "happy"}
    assert labels_by("plurality") == {0: "happy", 2: "neutral"}
    assert labels_by("all") == {0: "happy", 1: "neutral", 2: "neutral", 3: "happy", 4: "sad", 5: "surprise"}
    soft = read_data(path, label_rule="soft")
    assert soft.soft is not None
    np.testing.assert_allclose(soft.soft[:, :3], [[0, 1, 0], [0.5, 0.5, 0], [0.4, 0.3, 0.3]], rtol=1e-6)
    with pytest.raises(UnknownNameError, match="did you mean 'majority'"):
        read_data(path, label_rule="majorty")


def test_votes_that_a_spreadsheet_or_pandas_wrote(drawn: Drawn, tmp_path: Path) -> None:
    path = drawn.write_csv(tmp_path / "fer2013.csv")
    write_votes(
        tmp_path / "fer2013new.csv", [[10 * (at % 8 == column) for column in range(10)] for at in range(28)], ""
    )
    wanted = read_data(path, label_rule="majority").targets.tolist()
    text = (tmp_path / "fer2013new.csv").read_text("utf-8")
    for changed in (
        text.replace(",", ";"),
        text.replace("NF", "nf").replace("Usage", "usage").replace(",10", ",10.0"),
        text.replace(",", ";").replace(";10", ";10,0").replace(";0", ";0,0"),
        f"{text}\n{',' * 11}\n",  # as Excel leaves an empty row behind
    ):
        assert changed != text
        (tmp_path / "fer2013new.csv").write_text(changed, "utf-8")
        assert read_data(path, label_rule="majority").targets.tolist() == wanted
    (tmp_path / "fer2013new.csv").write_text(text.replace("\n", "\n\n", 1).replace(",10", ",9.5"), "utf-8")
    with pytest.raises(DataError, match="row 3: wrong votes: expected ten whole numbers"):
        read_data(path, label_rule="majority")


def test_votes_of_other_faces_are_refused(drawn: Drawn, tmp_path: Path) -> None:
    path = drawn.write_csv(tmp_path / "fer2013.csv")
    with pytest.raises(DataError, match=r"fer2013new\.csv"):
        read_data(path, label_rule="majority")
    write_votes(tmp_path / "fer2013new.csv", [[10] + [0] * 9] * 27)
    with pytest.raises(DataError, match="expected 28 rows, got 27"):
        read_data(path, label_rule="majority")
    write_votes(tmp_path / "fer2013new.csv", [[10] + [0] * 9] * 28)
    with pytest.raises(DataError, match=r"row 16.*expected PublicTest, got Training"):
        read_data(path, label_rule="majority")


def test_votes_stay_with_their_faces_where_bad_rows_are_skipped(drawn: Drawn, tmp_path: Path) -> None:
    part = Drawn(drawn.images, drawn.targets, ["Training"] * 28)
    path = part.write_csv(tmp_path / "fer2013.csv")
    edit_row(path, 4, lambda line: line.replace(" ", "", 1))
    write_votes(tmp_path / "fer2013new.csv", [[10 * (at % 8 == column) for column in range(10)] for at in range(28)])
    samples = read_data(path, label_rule="majority", skip_bad=True)
    assert samples.targets.tolist() == [at % 8 for at in range(28) if at != 2]


def test_votes_stay_with_their_faces_where_there_are_empty_lines(drawn: Drawn, tmp_path: Path) -> None:
    part = Drawn(drawn.images, drawn.targets, ["Training"] * 28)
    path = part.write_csv(tmp_path / "fer2013.csv")
    edit_row(path, 4, lambda line: line + "\n")
    write_votes(tmp_path / "fer2013new.csv", [[10 * (at % 8 == column) for column in range(10)] for at in range(28)])
    samples = read_data(path, label_rule="majority")
    assert samples.targets.tolist() == [at % 8 for at in range(28)]
    assert [samples.place(at).rpartition(" ")[2] for at in (2, 3)] == ["4", "6"]
