"""Groups: gaps that are there are marked, those that chance makes are not."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facemotion import Samples, read_data
from facemotion.errors import DataError, UnknownNameError
from facemotion.evaluation.slices import permutation_p, slice_accuracy, slice_columns


def test_p_is_that_of_every_shuffle_counted() -> None:
    right = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], bool)
    size = 4
    gaps = []
    for chosen in combinations(range(len(right)), size):
        mine = np.isin(np.arange(len(right)), chosen)
        gaps.append(right[mine].mean() - right[~mine].mean())
    for hits in range(size + 1):
        gap = hits / size - (6 - hits) / 7
        as_far = np.mean(np.abs(gaps) >= abs(gap) - 1e-9)
        [p] = permutation_p(np.array([hits]), np.array([size]), 6, len(right))
        assert p == pytest.approx(as_far)


def test_a_planted_gap_is_marked_and_the_other_groups_are_not() -> None:
    random = np.random.default_rng(3)
    site = random.choice(["north", "south", "east", "west"], 2000)
    right = random.random(2000) < np.where(site == "west", 0.55, 0.68)
    [slicing] = slice_accuracy(right, {"site": site})
    assert [each.value for each in slicing.slices] == ["east", "north", "south", "west"]
    by_name = {each.value: each for each in slicing.slices}
    west = by_name["west"]
    assert west.marked
    assert west.gap == pytest.approx(right[site == "west"].mean() - right[site != "west"].mean())
    assert west.ci95[0] < west.accuracy < west.ci95[1]
    assert west.p_corrected == pytest.approx(4 * west.p)
    assert not any(by_name[name].marked for name in ("north", "south", "east"))


def test_of_200_random_slicings_chance_marks_18_at_most() -> None:
    random = np.random.default_rng(2026)
    marked = 0
    for _ in range(200):
        right = random.random(600) < 0.66
        values = random.choice(["a", "b", "c", "d", "e", "f"][: random.integers(2, 7)], 600)
        [slicing] = slice_accuracy(right, {"column": values})
        marked += any(each.marked for each in slicing.slices)
    # a test that never marks would be no test: it errs in at most 5 of 100, but not in none
    assert 1 <= marked <= 18


def test_many_columns_are_corrected_together() -> None:
    random = np.random.default_rng(0)
    right = random.random(500) < 0.6
    columns = {f"column {index}": random.choice(["a", "b"], 500) for index in range(12)}
    alone = [slice_accuracy(right, {name: values})[0] for name, values in columns.items()]
    together = slice_accuracy(right, columns)
    for one, of_all in zip(alone, together, strict=True):
        assert one.tests == 1  # two slices have one gap between them
        assert one.slices[0].p == pytest.approx(one.slices[1].p)
        assert of_all.slices[0].p_corrected == pytest.approx(min(12 * one.slices[0].p_corrected, 1))


def test_empty_values_are_left_out_and_one_value_has_no_gap() -> None:
    right = np.array([True, False, True, True])
    [slicing] = slice_accuracy(right, {"sex": np.array(["f", "", " f ", ""])})
    [only] = slicing.slices
    assert (only.count, only.accuracy, only.gap, only.p, only.marked) == (2, 1.0, None, None, False)
    assert slicing.without_value == 2


def test_what_is_no_slicing_is_an_error() -> None:
    right = np.ones(60, bool)
    with pytest.raises(DataError, match="at most 50 values"):
        slice_accuracy(right, {"person": np.arange(60).astype(np.str_)}, "faces.csv")
    with pytest.raises(DataError, match="column 'sex' is empty"):
        slice_accuracy(right, {"sex": np.array([""] * 60)})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Six faces in files, with a table that names them."""
    random = np.random.default_rng(0)
    (tmp_path / "faces").mkdir()
    lines = ["path,label,Sex"]
    for index in range(6):
        Image.fromarray(random.integers(0, 255, (32, 32), np.uint8)).save(tmp_path / "faces" / f"{index}.png")
        lines.append(f"faces/{index}.png,{('happy', 'sad')[index % 2]},{'fm'[index // 3]}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "table.csv"


def test_columns_of_the_data_and_of_a_table_beside_it(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = read_data(table).subset([5, 0, 2])
    assert slice_columns(samples, "sex")["sex"].tolist() == ["m", "f", "f"]
    assert list(slice_columns(samples, ["Sex"])) == ["sex"]
    other = tmp_path / "elsewhere"
    other.mkdir()
    # from the table's own folder, from the data's, and as the data names the file; the second face is not named
    path = other / "groups.csv"
    path.write_text(f"path,age,tone\n../faces/5.png,old,dark\n{tmp_path}/faces/2.png,young,light\n")
    assert {name: values.tolist() for name, values in slice_columns(samples, path).items()} == {
        "age": ["old", "", "young"],
        "tone": ["dark", "", "light"],
    }
    path.write_text("path,age\nfaces/0.png,young\n")
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(other))
    for given in (str(path), "~/groups.csv"):
        assert slice_columns(samples, given)["age"].tolist() == ["", "young", ""]


@pytest.mark.parametrize("name", ["file", "image", "img_path", "File_Name"])
def test_joined_by_a_path_of_any_usual_name(table: Path, name: str) -> None:
    path = table.with_name("groups.csv")
    path.write_text(f"{name};age\nfaces/0.png;young\nfaces/5.png;over 30,5\n")
    assert slice_columns(read_data(table), path)["age"].tolist() == ["young", "", "", "", "", "over 30,5"]


def test_columns_of_arrays_in_any_spelling() -> None:
    images = np.zeros((2, 8, 8), np.uint8)
    samples = Samples.from_arrays(images, [0, 1], ("happy", "sad"), columns={"Age": [30, 60]})
    for name in ("Age", "age"):
        assert slice_columns(samples, [name])["age"].tolist() == ["30", "60"]


def test_joined_by_row(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (5, 8, 8), np.uint8)
    samples = Samples.from_arrays(images, [0, 1, 0, 1, 0], ("happy", "sad")).subset([4, 1])
    path = tmp_path / "groups.csv"
    path.write_text("row,site\n1,north\n4,south\n0,west\n")
    assert samples.place(0) == "arrays in memory: row 4"
    assert slice_columns(samples, path)["site"].tolist() == ["south", "north"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,sex\n0,f\n", "nothing to join by: expected a column path or row"),
        ("row\n0\n", "no column to slice by"),
        ("row,sex\n", "no row in it"),
        ("row,sex\n0,f,x\n", "row 2: the row is cut or too long: expected 2 fields (row, sex), got 3"),
        ("row,sex\n1,f\n1,m\n", "row 3: a face twice: expected each face once, got '1', as row 2"),
        ("row,sex\n77,f\n", "no row belongs to a judged face: expected row as in arrays in memory: row 0, got '77'"),
    ],
)
def test_a_table_that_does_not_fit_is_explained(tmp_path: Path, text: str, says: str) -> None:
    samples = Samples.from_arrays(np.zeros((3, 8, 8), np.uint8), [0, 1, 0], ("happy", "sad"))
    (tmp_path / "groups.csv").write_text(text)
    with pytest.raises(DataError, match=r"groups\.csv") as caught:
        slice_columns(samples, tmp_path / "groups.csv")
    assert says in str(caught.value)


def test_unknown_columns_and_tables_that_are_not_there(table: Path) -> None:
    samples = read_data(table)
    with pytest.raises(UnknownNameError, match="no column is named 'sx'; did you mean 'sex'"):
        slice_columns(samples, "sx")
    with pytest.raises(DataError, match="the table can't be read"):
        slice_columns(samples, "nowhere.csv")


def test_rows_of_two_files_can_not_be_told_apart(tmp_path: Path) -> None:
    parts = [Samples.from_arrays(np.zeros((2, 8, 8), np.uint8), [0, 1], ("happy", "sad"), source=name) for name in "ab"]
    (tmp_path / "groups.csv").write_text("row,sex\n0,f\n")
    with pytest.raises(DataError, match="can't be joined by row") as caught:
        slice_columns(Samples.concat(parts), tmp_path / "groups.csv")
    assert "got b: row 0 and a: row 0" in str(caught.value)
