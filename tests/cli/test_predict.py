"""`facemotion predict` as a shell sees it, on real pictures."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from locked_folders import locked
from PIL import Image

from facemotion import EmotionRecognizer, InputSpec, LabelSet
from facemotion.backbones.network import build_network, plan_network
from facemotion.classifier import Classifier
from facemotion.cli import pictures
from facemotion.cli.main import _run
from facemotion.cli.pictures import crop_comment, find_pictures, older_crops, save_picture
from facemotion.crops import cut
from facemotion.data.pictures import fit_all
from facemotion.errors import ImageError
from facemotion.images import read_image

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def photos(tmp_path: Path, astronaut_path: Path, astronaut: np.ndarray) -> Path:
    """A folder with a portrait, the same in a folder below, a picture of nothing and a file that is no picture."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    shutil.copy(astronaut_path, folder / "a.jpg")
    Image.fromarray(astronaut[:, ::-1]).save(folder / "below" / "a.png")
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(folder / "empty.png")
    (folder / "notes.txt").write_text("not looked at")
    (folder / ".hidden.jpg").write_text("nor this")
    return folder


def run(*arguments: object) -> int:
    return _run(["predict", *map(str, arguments)])


def test_a_table_of_every_face(photos: Path, weights: Path, capsys: Captured) -> None:
    assert run(photos, "--weights", weights) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["SOURCE", "FACE", "LABEL", "SCORE", "BOX"]
    assert [line.split()[0] for line in lines[1:]] == [
        str(photos / name) for name in ("a.jpg", "below/a.png", "empty.png")
    ]
    [face] = EmotionRecognizer.from_pretrained(weights).predict(photos / "a.jpg")
    box = [f"{value:.0f}" for value in face.box]
    assert lines[1].split()[1:] == ["1", face.label, f"{face.score:.0%}", *box]
    assert lines[3].endswith("no face")
    assert err == ""


def test_csv_and_json_say_what_python_says(photos: Path, weights: Path, tmp_path: Path, capsys: Captured) -> None:
    table = tmp_path / "new" / "faces.csv"
    assert run(photos, "--weights", weights, "--json", "--csv", table) == 0
    recognizer = EmotionRecognizer.from_pretrained(weights)
    paths = [photos / name for name in ("a.jpg", "below/a.png", "empty.png")]
    found = [recognizer.predict(path) for path in paths]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["source"] for line in lines] == list(map(str, paths))
    assert [(line["width"], line["height"]) for line in lines] == [(512, 512), (512, 512), (80, 60)]
    for line, faces in zip(lines, found, strict=True):
        assert list(line) == ["source", "width", "height", "faces"]
        assert len(line["faces"]) == len(faces)
        for got, face in zip(line["faces"], faces, strict=True):
            assert list(got) == ["label", "score", "scores", "box", "detection_score", "landmarks", "track_id"]
            assert (got["label"], got["box"], got["track_id"]) == (face.label, list(face.box), None)
            assert got["scores"] == pytest.approx(face.scores, abs=1e-5)
            assert np.shape(got["landmarks"]) == (5, 2)
    rows = list(csv.reader(table.read_text("utf-8").splitlines()))
    wanted = ["source", "face", "label", "score", "x1", "y1", "x2", "y2", "detection_score", *recognizer.labels]
    assert rows[0] == wanted
    assert [row[:2] for row in rows[1:]] == [[str(paths[0]), "1"], [str(paths[1]), "1"], [str(paths[2]), ""]]
    face = found[0][0]
    assert rows[1][2] == face.label
    numbers = [face.score, *face.box, face.detection_score, *face.scores.values()]
    assert [float(value) for value in rows[1][3:]] == pytest.approx(numbers, abs=0.006)
    assert rows[3][2:] == [""] * (len(wanted) - 2)


def test_annotated_pictures_and_the_faces_as_the_network_saw_them(
    photos: Path, weights: Path, tmp_path: Path, astronaut: np.ndarray
) -> None:
    drawn, crops = photos / "drawn", tmp_path / "crops"
    for _ in range(2):  # what the first run left in the folder is no input of the second
        assert run(photos, "--weights", weights, "--annotate", drawn, "--crops", crops) == 0
    found = sorted(path.relative_to(drawn).as_posix() for path in drawn.rglob("*.*"))
    assert found == ["a.jpg", "below/a.png", "empty.png"]
    picture = np.array(Image.open(drawn / "below" / "a.png")).astype(int)
    changed = (picture != astronaut[:, ::-1]).any(axis=2)
    assert 0.005 < changed.mean() < 0.1
    recognizer = EmotionRecognizer.from_pretrained(weights)
    [face] = recognizer.predict(photos / "a.jpg")
    assert sorted(path.relative_to(crops).as_posix() for path in crops.rglob("*.*")) == [
        f"a-1-{face.label}.png",
        *(path.relative_to(crops).as_posix() for path in (crops / "below").iterdir()),
    ]
    seen = np.array(Image.open(crops / f"a-1-{face.label}.png"))
    wanted = cut(np.array(Image.open(photos / "a.jpg")), [face], recognizer.classifier.config.input)
    assert np.array_equal(seen, wanted[0, :, :, 0])


def test_the_crop_of_a_picture_that_is_a_face_has_no_margin(photos: Path, weights: Path, tmp_path: Path) -> None:
    assert run(photos / "a.jpg", "--weights", weights, "--detector", "whole", "--crops", tmp_path / "crops") == 0
    [crop] = (tmp_path / "crops").iterdir()
    spec = EmotionRecognizer.from_pretrained(weights).classifier.config.input
    wanted = fit_all([np.array(Image.open(photos / "a.jpg"))], spec)
    assert spec.margin and np.array_equal(np.array(Image.open(crop)), wanted[0, :, :, 0])


def test_two_pictures_of_one_name_get_two(photos: Path, weights: Path, tmp_path: Path) -> None:
    assert run(photos / "a.jpg", photos / "below" / "a.png", "--weights", weights, "--annotate", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-2.png", "a.jpg"]


def test_a_number_never_makes_the_name_of_another_picture(photos: Path) -> None:
    shutil.copy(photos / "a.jpg", photos / "a-2.jpg")
    given = [photos / "a.jpg", photos / "below" / "a.png", photos / "a-2.jpg", photos / "a-2.jpg", photos / "a.jpg"]
    pictures, _ = find_pictures([str(path) for path in given], [])
    assert [picture.path for picture in pictures] == given
    assert [picture.name for picture in pictures] == ["a", "a-3", "a-2", "a-2-2", "a-4"]


def test_names_that_are_one_file_on_some_disks_get_two(photos: Path, tmp_path: Path) -> None:
    names = ["A.jpg", "a-2.jpg", "\N{LATIN SMALL LETTER E WITH ACUTE}.jpg", "E\N{COMBINING ACUTE ACCENT}.jpg"]
    for at, name in enumerate(names):
        (tmp_path / str(at)).mkdir()
        shutil.copy(photos / "a.jpg", tmp_path / str(at) / name)
    given = [photos / "a.jpg", *(tmp_path / str(at) / name for at, name in enumerate(names))]
    pictures, _ = find_pictures([str(path) for path in given], [])
    assert [picture.name for picture in pictures] == ["a", "A-3", "a-2", names[2][:-4], f"{names[3][:-4]}-2"]


def test_pictures_with_the_longest_names_are_annotated(photos: Path, weights: Path, tmp_path: Path) -> None:
    # letters of one byte and of three: a file system counts bytes, and allows 255
    for name in ("a" * 251, "a" * 250 + "b", "\N{CJK UNIFIED IDEOGRAPH-5F20}" * 83):
        shutil.copy(photos / "a.jpg", photos / "below" / f"{name}.jpg")
    out, crops = tmp_path / "out", tmp_path / "crops"
    assert run(photos, "--weights", weights, "--annotate", out, "--crops", crops) == 0
    annotated = sorted(path.stem for path in (out / "below").iterdir())
    assert annotated == ["a", "a" * 180, "a" * 180 + "-2", "\N{CJK UNIFIED IDEOGRAPH-5F20}" * 60]
    assert len(list((crops / "below").iterdir())) == 4


def test_a_folder_of_results_that_holds_the_pictures_leaves_them_in(photos: Path) -> None:
    pictures, faults = find_pictures([str(photos / "below")], [photos])
    assert [picture.path for picture in pictures] == [photos / "below" / "a.png"]
    assert not faults
    pictures, faults = find_pictures([str(photos)], [photos])
    assert len(pictures) == 3, "its own pictures are no results"
    shutil.rmtree(photos / "below")
    for name in ("a.jpg", "empty.png"):
        save_picture(photos / name, np.array(Image.open(photos / name)))
    pictures, faults = find_pictures([str(photos)], [photos])
    assert not pictures
    assert "there is no picture in this folder but results" in str(faults[0])


def test_own_pictures_where_results_go_are_not_written_over(
    photos: Path, weights: Path, astronaut: np.ndarray, capsys: Captured
) -> None:
    own = np.ascontiguousarray(astronaut[:, ::-1])
    Image.fromarray(own).save(photos / "below" / "empty.png")
    arguments = (photos, "--weights", weights, "--annotate", photos / "below")
    assert run(*arguments) == 1
    assert "--annotate would write over" in capsys.readouterr().err
    assert np.array_equal(np.array(Image.open(photos / "below" / "empty.png")), own)
    (photos / "below" / "empty.png").unlink()
    for _ in range(2):  # the second finds the results of the first
        assert run(*arguments) == 0
        names = sorted(path.relative_to(photos / "below").as_posix() for path in (photos / "below").rglob("*.*"))
        assert names == ["a.jpg", "a.png", "below/a.png", "empty.png"]


@pytest.mark.parametrize("form", ["--json", "--detector=whole"])
def test_files_are_whole_where_nobody_reads_on(photos: Path, weights: Path, tmp_path: Path, form: str) -> None:
    for index in range(5):
        shutil.copy(photos / "empty.png", photos / f"{index}.png")
    table = tmp_path / "faces.csv"
    command = [sys.executable, "-m", "facemotion", "predict", photos, form, "--weights", weights, "--csv", table]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*map(str, command)], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    with table.open() as file:
        assert len({row["source"] for row in csv.DictReader(file)}) == 8


def test_a_pattern_names_each_picture_once(photos: Path) -> None:
    (photos / "below" / "deeper").mkdir()
    shutil.copy(photos / "a.jpg", photos / "below" / "deeper")
    pictures, _ = find_pictures([str(photos / "**")], [])
    found = [picture.path for picture in pictures]
    assert photos / "below" / "deeper" / "a.jpg" in found
    assert len(set(found)) == len(found)


def test_bad_ones_are_reported_and_the_rest_is_done(photos: Path, weights: Path, capsys: Captured) -> None:
    (photos / "torn.jpg").write_bytes((photos / "a.jpg").read_bytes()[:300])
    address = "https://faces.example/a.jpg"
    inputs = [address, *(photos / name for name in ("absent.jpg", "torn.jpg", "*.none", "[ab]*.jpg"))]
    code = run(*inputs, "--weights", weights)
    out, err = capsys.readouterr()
    assert code == 1
    assert [line.split()[0] for line in out.splitlines()[1:]] == [str(photos / "a.jpg")]
    said = err.splitlines()
    assert len(said) == 4
    assert said.pop(0).startswith(f"facemotion: {address}: no such file; of addresses only clips are read")
    assert said[0] == f"facemotion: {photos / '*.none'}: no file has a name like this"
    assert said[1] == f"facemotion: {photos / 'absent.jpg'}: no such file"
    assert said[2].startswith(f"facemotion: {photos / 'torn.jpg'}: the picture ")


def test_a_clip_and_a_phone_s_picture_are_told_where_to_go(photos: Path, weights: Path, capsys: Captured) -> None:
    for name, brand in (("a.heic", b"heic"), ("b.HEIF", b"mif1"), ("c.avif", b"avif"), ("party.mp4", b"isom")):
        (photos / "below" / name).write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(40))
    assert run(photos, photos / "below" / "party.mp4", "--weights", weights) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4, "a folder's clips are passed over"
    said = err.splitlines()
    assert [line.split(": ")[1] for line in said] == [
        str(photos / "below" / name) for name in ("a.heic", "b.HEIF", "c.avif", "party.mp4")
    ]
    assert all(line.endswith("save it as JPEG or PNG first") for line in said[:3])
    assert said[3].endswith("got a clip; clips are for `facemotion video` and stream()")


def test_every_name_of_a_jpeg_is_found_and_stays_one(photos: Path, weights: Path, tmp_path: Path) -> None:
    for name in ("b.jfif", "c.JPE", "d.jpeg"):
        shutil.copy(photos / "a.jpg", photos / "below" / name)
    assert run(photos / "below", "--weights", weights, "--annotate", tmp_path / "out") == 0
    jpegs = {path.name: path.read_bytes().startswith(b"\xff\xd8") for path in (tmp_path / "out").iterdir()}
    assert jpegs == {"a.png": False, "b.jfif": True, "c.JPE": True, "d.jpeg": True}


def test_what_can_t_be_searched_is_reported_and_the_rest_is_done(photos: Path) -> None:
    """Without a right of anybody's, since the tests may run as root: a path too long, and a link that goes round."""
    start, deep = Path.cwd(), photos / "deep"
    deep.mkdir()
    os.chdir(deep)
    try:
        for _ in range(25):
            Path("x" * 180).mkdir()
            os.chdir("x" * 180)
    finally:
        os.chdir(start)
    (photos / "round.jpg").symlink_to("round.jpg")
    pictures, faults = find_pictures([str(photos)], [])
    assert [picture.name for picture in pictures] == ["a", "below/a", "empty"]
    assert len(faults) == 2
    assert str(faults[0]).startswith(f"{deep / 'xxx'}")
    assert str(faults[0]).endswith("it can't be opened: got File name too long")
    assert str(faults[1]).startswith(f"{photos / 'round.jpg'}: it can't be opened: got ")


def test_a_folder_with_signs_in_its_name_is_no_pattern(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trip = Path("[2023] trip", "day [1]")
    shutil.copytree(photos / "below", photos / trip / "below")
    for name in ("b.jpg", "below/c.jpg"):
        shutil.copy(photos / "a.jpg", photos / trip / name)
    monkeypatch.chdir(photos)
    wanted = {
        "*.jpg": ["b.jpg"],
        "**/*.jpg": ["b.jpg", "below/c.jpg"],
        "**.jpg": ["b.jpg"],
        "[a-b]elow/*": ["below/a.png", "below/c.jpg"],
        "../*/b*.jpg": ["../day [1]/b.jpg"],
    }
    for top in (trip, photos / trip):
        for given, names in wanted.items():
            pictures, faults = find_pictures([str(top / given)], [])
            assert ([picture.path for picture in pictures], faults) == ([top / name for name in names], [])
    for given in ("[[]2023] trip/*/*.jpg", "*/day [[]1]/b.*"):
        assert [picture.path for picture in find_pictures([given], [])[0]] == [trip / "b.jpg"]
    [absent], _ = find_pictures([str(trip / "absent.jpg")], [])
    with pytest.raises(ImageError, match="no such file"):
        read_image(absent.path)
    with locked(trip / "locked"):
        _, [fault] = find_pictures([str(trip / "locked" / "*.jpg")], [])
    assert str(fault).startswith(str(trip / "locked"))
    assert str(fault).endswith("it can't be opened: got Permission denied")


@pytest.mark.parametrize("given", ["**/*.jpg", "*/*/*.jpg", "**", "**/b.jpg", "*/locked/b.jpg", "below/locked/*"])
def test_a_pattern_reports_what_it_can_t_search_and_finds_the_rest(
    photos: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    (photos / "below" / "open").mkdir()
    shutil.copy(photos / "a.jpg", photos / "below" / "open" / "b.jpg")
    monkeypatch.chdir(photos)
    with locked(Path("below", "locked")):
        pictures, faults = find_pictures([given, "empty.png"], [])
    found = [picture.path for picture in pictures]
    assert (Path("below", "open", "b.jpg") in found) == ("locked" not in given)
    assert Path("empty.png") in found
    [fault] = faults
    assert str(fault).startswith(str(Path("below", "locked")))
    assert str(fault).endswith("it can't be opened: got Permission denied")


def test_hidden_and_linked_folders_are_not_entered(photos: Path, tmp_path: Path) -> None:
    (photos / "below").rename(photos / ".below")
    (tmp_path / "else").mkdir()
    shutil.copy(photos / "a.jpg", tmp_path / "else")
    (photos / "link").symlink_to(tmp_path / "else")
    pictures, faults = find_pictures([str(photos)], [])
    assert ([picture.name for picture in pictures], faults) == (["a", "empty"], [])
    assert len(find_pictures([str(photos / "link")], [])[0]) == 1, "but one that is named is"


def test_an_empty_folder_is_reported(tmp_path: Path, weights: Path, capsys: Captured) -> None:
    assert run(tmp_path, "--weights", weights) == 1
    assert capsys.readouterr().err == f"facemotion: {tmp_path}: there is no picture in this folder\n"


def test_a_picture_is_never_written_over(photos: Path, weights: Path, capsys: Captured) -> None:
    picture, table = photos / "a.jpg", photos / "table.csv"
    before = picture.read_bytes()
    table.hardlink_to(picture)
    for option, place in (("--annotate", photos), ("--csv", table)):
        assert run(photos / "empty.png", picture, "--weights", weights, option, place) == 1
        assert f"{option} would write over {photos}" in capsys.readouterr().err
    assert picture.read_bytes() == before


def test_a_picture_is_no_table(photos: Path, weights: Path, capsys: Captured) -> None:
    """`--csv *.jpg` of a shell: the first picture stands where the table's name was forgotten."""
    before = (photos / "a.jpg").read_bytes()
    assert run("--weights", weights, "--csv", photos / "a.jpg", photos / "empty.png") == 2
    assert f"expected the name of a table, got '{photos / 'a.jpg'}'" in capsys.readouterr().err
    assert (photos / "a.jpg").read_bytes() == before


def test_a_folder_is_not_called_like_a_picture(photos: Path, weights: Path, capsys: Captured, tmp_path: Path) -> None:
    for option in ("--annotate", "--crops"):
        assert run("--weights", weights, option, tmp_path / "out.png", photos / "a.jpg") == 2
        assert f"expected a folder for the pictures, got '{tmp_path / 'out.png'}'" in capsys.readouterr().err
        assert not (tmp_path / "out.png").exists()
    (tmp_path / "2026.jpg").mkdir()
    assert run("--weights", weights, "--annotate", tmp_path / "2026.jpg", photos / "a.jpg") == 0


@pytest.mark.parametrize("given", ["~/a.jpg", "~/a*"])
def test_a_tilde_in_quotes_is_a_home_whose_pictures_are_not_written_over(
    photos: Path, weights: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("HOME", str(photos))
    monkeypatch.setenv("USERPROFILE", str(photos))
    before = (photos / "a.jpg").read_bytes()
    assert run(given, "--weights", weights, "--annotate", photos) == 1
    assert f"--annotate would write over {photos / 'a.jpg'}" in capsys.readouterr().err
    assert (photos / "a.jpg").read_bytes() == before
    assert run(given, "--weights", weights) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith(str(photos / "a.jpg"))


def test_a_tilde_that_begins_a_result_s_name_is_no_home(
    photos: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder ~ in the one that one stands in, as programs make that know no home."""
    monkeypatch.setenv("HOME", str(photos / "home"))
    monkeypatch.setenv("USERPROFILE", str(photos / "home"))
    (photos / "below").rename(photos / "~")
    Image.open(photos / "~" / "a.png").save(photos / "~" / "b.bmp")
    monkeypatch.chdir(photos)
    assert run("~/b.bmp", ".", "--weights", weights, "--crops", ".") == 0
    assert len(list((photos / "~").glob("b-1-*.png"))) == 1
    assert not (photos / "home").exists()


def test_a_crop_is_never_written_over_a_picture(photos: Path, weights: Path, capsys: Captured) -> None:
    recognizer = EmotionRecognizer.from_pretrained(weights)
    [face] = recognizer.predict(photos / "a.jpg")
    other = photos / f"a-1-{face.label}.png"
    shutil.copy(photos / "below" / "a.png", other)
    before = other.read_bytes()
    assert run(photos / "a.jpg", other, "--weights", weights, "--crops", photos) == 1
    assert f"--crops would write over {other}, which is to be read" in capsys.readouterr().err
    assert other.read_bytes() == before


def test_somebody_s_picture_of_the_same_name_is_not_annotated_over(
    photos: Path, weights: Path, tmp_path: Path, capsys: Captured, astronaut: np.ndarray
) -> None:
    out = tmp_path / "out"
    arguments = (photos, "--weights", weights, "--annotate", out)
    assert run(*arguments) == 0
    for name in ("a.jpg", "below/a.png"):
        Image.fromarray(astronaut).save(out / name)  # of another year; or a result that an editor saved
        before = {path: path.read_bytes() for path in out.rglob("*.*")}
        (out / "empty.png").unlink()
        capsys.readouterr()
        assert run(*arguments) == 1
        printed, err = capsys.readouterr()
        said = f"would write over {out / name}, which is no result of an earlier run; name another place"
        assert (printed, err) == ("", f"facemotion: --annotate {said}\n")
        assert not (out / "empty.png").exists(), "no work has begun"
        assert all(path.read_bytes() == before[path] for path in out.rglob("*.*"))
        (out / name).unlink()
        assert run(*arguments) == 0


def test_what_is_called_as_a_crop_may_be_is_not_written_over(
    photos: Path, weights: Path, tmp_path: Path, capsys: Captured, astronaut: np.ndarray
) -> None:
    [face] = EmotionRecognizer.from_pretrained(weights).predict(photos / "a.jpg")
    crops = tmp_path / "crops"
    arguments = (photos / "a.jpg", "--weights", weights, "--crops", crops, "--annotate", tmp_path / "out")
    assert run(*arguments) == 0
    own = crops / f"a-1-{face.label}.png"
    own.rename(crops / "a-1-judged.png")
    shutil.copy(crops / "a-1-judged.png", crops / f"a-b-1-{face.label}.png")  # of a picture a-b
    others = [crops / f"a-12-{face.label}.png", own]
    shutil.copy(crops / "a-1-judged.png", others[0])  # given this name by somebody who judged it
    Image.fromarray(astronaut).save(own)
    shutil.rmtree(tmp_path / "out")
    for other in others:
        before = other.read_bytes()
        assert run(*arguments) == 1
        assert "--crops would write over" in capsys.readouterr().err
        assert not (tmp_path / "out").exists(), "no work has begun"
        assert other.read_bytes() == before
        other.rename(tmp_path / other.name)
    assert run(*arguments) == 0
    assert len(list(crops.iterdir())) == 3
    save_picture(own, astronaut)  # annotated by an earlier run
    assert run(*arguments) == 0
    assert own.stat().st_size < 10_000, "a crop again"


@pytest.mark.parametrize("linked", [False, True])
def test_a_crop_is_never_written_over_an_annotated_picture(
    photos: Path, weights: Path, tmp_path: Path, capsys: Captured, linked: bool
) -> None:
    [face] = EmotionRecognizer.from_pretrained(weights).predict(photos / "a.jpg")
    other = photos / f"a-1-{face.label}.png"
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(other)
    out, crops = tmp_path / "out", tmp_path / "crops"
    out.mkdir()
    if linked:
        crops.symlink_to(out)
    folders = ["--annotate", out, "--crops", crops if linked else out]
    assert run(photos / "a.jpg", other, "--weights", weights, *folders) == 1
    assert f"-1-{face.label}.png, as --annotate does; name another place" in capsys.readouterr().err
    other.unlink()
    assert run(photos / "a.jpg", photos / "empty.png", "--weights", weights, *folders) == 0
    assert sorted(path.name for path in out.iterdir()) == [other.name, "a.jpg", "empty.png"]


@pytest.fixture
def moods(tmp_path: Path) -> Path:
    """Weights that take faces for something else."""
    config = plan_network("fast", LabelSet(["calm", "bored"]), InputSpec(size=32))
    EmotionRecognizer(Classifier(build_network(config).eval(), config)).save_pretrained(tmp_path / "moods")
    return tmp_path / "moods"


def test_crops_of_an_earlier_run_go_where_their_faces_are_others_now(
    photos: Path, weights: Path, moods: Path, tmp_path: Path
) -> None:
    crops = tmp_path / "crops"
    given = (photos / "a.jpg", photos / "a.jpg", photos / "below")
    for each, others in ((weights, False), (moods, True), (moods, True)):
        assert run(*given, "--weights", each, "--crops", crops) == 0
        found = sorted(path.name.rpartition("-") for path in crops.glob("*.png"))
        assert [name for name, _, _ in found] == ["a-1", "a-2-1", "a-3-1"]
        assert all((label in ("calm.png", "bored.png")) == others for _, _, label in found)
    shutil.copy(photos / "empty.png", photos / "a.jpg")
    assert run(photos / "a.jpg", "--weights", weights, "--crops", crops) == 0
    assert [path.name[:6] for path in crops.iterdir()] == ["a-3-1-"], "no face is left in it"


def test_crops_of_other_pictures_are_not_opened(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: np.ndarray
) -> None:
    crops = tmp_path / "crops"
    mine, others = ["a-1-happy.png", "a-2-1-so-so.png"], ["ab-1-happy.png", "b-1-happy.png", "b-a-1-sad.png"]
    for name in (*mine, *others):
        save_picture(crops / name, astronaut, crop_comment(name, "whose"))
    opened: list[str] = []
    comment = pictures.picture_comment
    monkeypatch.setattr(pictures, "picture_comment", lambda path: opened.append(path.name) or comment(path))
    [picture], _ = find_pictures([str(photos / "a.jpg")], [])
    older, _ = older_crops(crops, [picture], ["happy"])
    assert sorted(opened) == sorted(path.name for path in older["whose"]) == mine


def test_what_is_no_older_crop_of_a_picture_stays_beside_its_crops(
    photos: Path, weights: Path, moods: Path, tmp_path: Path, astronaut: np.ndarray
) -> None:
    crops = tmp_path / "crops"
    # of another picture that is called so too, and one that somebody has judged
    assert run(photos / "below" / "a.png", "--weights", moods, "--crops", crops) == 0
    shutil.copy(photos / "a.jpg", photos / "b.jpg")
    assert run(photos / "b.jpg", "--weights", moods, "--crops", crops) == 0
    [crop] = crops.glob("b-*")
    shutil.copy(crop, crops / "b-1-tired.png")
    # a picture of somebody's, and an annotated one
    Image.fromarray(astronaut).save(crops / "b-1-mine.png")
    save_picture(crops / "b-1-annotated.png", astronaut)
    before = set(crops.iterdir())
    assert len(before) == 5
    inputs = (photos / "a.jpg", photos / "b.jpg")
    assert run(*inputs, crop, "--weights", weights, "--crops", crops) == 0
    assert before < set(crops.iterdir()), "the crop itself is to be read"
    assert run(*inputs, "--weights", weights, "--crops", crops) == 0
    assert before - set(crops.iterdir()) == {crop}


def test_without_a_picture_an_older_table_stays(photos: Path, weights: Path) -> None:
    table = photos / "faces.csv"
    table.write_text("source,face,label\nan earlier one\n")
    assert run(photos / "notes.txt", "--weights", weights, "--csv", table) == 1
    assert table.read_text() == "source,face,label\nan earlier one\n"


def test_a_file_that_is_no_table_of_ours_is_not_written_over(photos: Path, weights: Path, capsys: Captured) -> None:
    table = photos / "labels.csv"
    table.write_text("path,label\na.jpg,happy\n")
    assert run(photos / "a.jpg", "--weights", weights, "--csv", table) == 1
    assert table.read_text() == "path,label\na.jpg,happy\n"
    assert "would write over" in capsys.readouterr().err
    # a file that a program made for it, and earlier tables of whatever labels
    for earlier in ("", "source,face,label,score,other\n", "frame,time,track_id,label\n"):
        table.write_text(earlier)
        assert run(photos / "a.jpg", "--weights", weights, "--csv", table) == 0
        assert len(table.read_text().splitlines()) > 1


@pytest.mark.parametrize("given", ["*", "**/*.*", "as a shell expands *"])
def test_a_second_run_leaves_out_what_the_first_one_left(
    photos: Path, weights: Path, capsys: Captured, given: str
) -> None:
    (photos / "notes.txt").unlink()
    (photos / ".hidden.jpg").unlink()

    def starts() -> list[str]:
        expanded = sorted(str(path) for path in photos.iterdir() if not path.name.startswith("."))
        return expanded if given.startswith("as") else [str(photos / given)]

    first, lines = [], []
    for _ in range(2):
        options = ["--weights", weights, "--annotate", photos / "annotated", "--crops", photos / "crops"]
        assert run(*starts(), *options) == 0
        lines.append(capsys.readouterr().out.splitlines())
        first.append(sorted(path.name for name in ("annotated", "crops") for path in (photos / name).rglob("*.*")))
    assert lines[0] == lines[1]
    assert first[0] == first[1]


def test_results_of_an_earlier_run_below_a_folder_are_left_out_with_a_line(
    photos: Path, astronaut: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    def found(*given: str) -> list[str]:
        caplog.clear()
        pictures, faults = find_pictures([str(photos / each) for each in given], [])
        assert not faults
        return [picture.path.relative_to(photos).as_posix() for picture in pictures]

    results = ["annotated/a.jpg", "annotated/below/a.png", "annotated/empty.png"]
    for name in results:
        save_picture(photos / name, astronaut)
    save_picture(photos / "crops" / "a-1-happy.png", astronaut, crop_comment("a-1-happy.png", "whose"))
    (photos / "notes.txt").unlink()
    (photos / ".hidden.jpg").unlink()
    shutil.copy(photos / "below" / "a.png", photos / "annotated" / "below" / "own.png")
    for given in (".", "*", "**/*.*"):
        assert sorted(found(given)) == ["a.jpg", "annotated/below/own.png", "below/a.png", "empty.png"]
        assert caplog.messages == ["left out as results of facemotion: 4 pictures; name their folder to read them"]
    assert found("below", "annotated/below") == ["below/a.png", "annotated/below/a.png", "annotated/below/own.png"]
    assert caplog.messages == [], "what is named itself is read"
    assert found(results[0], "annotated/*.png", "a.jpg") == [results[0], results[2], "a.jpg"]
    (photos / "annotated" / "below" / "own.png").unlink()
    assert found("annotated") == results
    assert found("**/annotated/**/a*") == ["annotated/a.jpg", "annotated/below/a.png"]
    assert caplog.messages == [], "there is nothing else"
    save_picture(photos / "annotated" / "new.png", astronaut, "somebody's")
    assert found("annotated") == ["annotated/a.jpg", "annotated/empty.png", "annotated/new.png"]
    assert caplog.messages == ["left out as results of facemotion: 1 picture; name their folder to read them"]


def test_a_pattern_works_in_the_folder_of_the_results(photos: Path, weights: Path, capsys: Captured) -> None:
    assert run(photos / "a*.jpg", "--weights", weights, "--crops", photos) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_what_no_file_can_be_called_stops_nobody(photos: Path, weights: Path, capsys: Captured) -> None:
    inputs = [photos / "a.jpg", photos / ("x" * 300 + ".jpg")]
    code = run(*inputs, "--weights", weights)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert f"{'x' * 300}.jpg: no file can have this name" in err
    assert code == 1


def test_a_folder_that_can_t_be_written_is_one_line(photos: Path, weights: Path, capsys: Captured) -> None:
    for option, place in (("--annotate", photos / "notes.txt" / "b"), ("--csv", photos / "notes.txt" / "x.csv")):
        assert run(photos / "a.jpg", "--weights", weights, option, place) == 1
        assert capsys.readouterr().err.startswith(f"facemotion: {place}")


@pytest.mark.parametrize(
    ("option", "says"), [("--weights", "nonesuch"), ("--detector", "no detector is named 'nonesuch'")]
)
def test_a_wrong_name_is_said_before_the_work(
    photos: Path, weights: Path, capsys: Captured, option: str, says: str
) -> None:
    assert run(photos / "a.jpg", "--weights", weights, option, "nonesuch") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err


def test_many_pictures_are_all_done_in_order(photos: Path, weights: Path, capsys: Captured) -> None:
    names = [f"copy{number:02}.jpg" for number in range(40)]
    for name in names:
        shutil.copy(photos / "a.jpg", photos / name)
    assert run(*(photos / name for name in names), "--weights", weights) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [str(photos / name) for name in names]
    assert len({tuple(line.split()[1:]) for line in lines}) == 1
