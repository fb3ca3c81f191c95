"""`facemotion data` as a shell sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facemotion import InputSpec, read_data


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "facemotion", "data", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Thirty pictures of noise in three classes, one of them a copy, one of them text."""
    random = np.random.default_rng(0)
    for at in range(30):
        folder = tmp_path / "in" / ("train" if at < 20 else "val") / ("happy", "Sadness", "angry")[at % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40, 40), np.uint8)).save(folder / f"{at:02d}.png")
    first = tmp_path / "in" / "train" / "happy" / "00.png"
    (tmp_path / "in" / "val" / "angry" / "copy.png").write_bytes(first.read_bytes())
    return tmp_path / "in"


def test_an_audit_becomes_no_class(folders: Path) -> None:
    done = run("inspect", folders, "--out", folders / "audit")
    assert (done.returncode, done.stdout) == (1, "")
    assert "lies in the class folders" in done.stderr
    assert not (folders / "audit").exists()


def test_labels_that_would_share_a_sheet_have_one_each(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "faces.csv").write_text(
        "path,label\n" + "".join(f"{at}.png,{'a_b' if at % 2 else 'a/b'}\n" for at in range(4))
    )
    for at in range(4):
        Image.fromarray(random.integers(0, 256, (40, 40), np.uint8)).save(tmp_path / f"{at}.png")
    done = run("inspect", tmp_path / "faces.csv", "--labels", "a/b,a_b", "--out", tmp_path / "audit")
    assert done.returncode == 0, done.stderr
    sheets = [path.name for path in sorted((tmp_path / "audit").glob("sheet-*"))]
    assert sheets == ["sheet-0-a_b.png", "sheet-1-a_b.png"]


def test_inspect_says_what_is_there_in_text_json_and_pictures(folders: Path, tmp_path: Path) -> None:
    done = run("inspect", folders, "--out", tmp_path / "audit")
    assert done.returncode == 0, done.stderr
    assert "31 faces" in done.stdout
    assert "disagree about the label: 1" in done.stdout
    names = {path.name for path in (tmp_path / "audit").iterdir()}
    assert names == {"classes.png", "sheet-happy.png", "sheet-sad.png", "sheet-angry.png", "audit.json"}
    found = json.loads(run("inspect", folders, "--json").stdout)
    assert found == json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert found["counts"]["val"]["angry"] == 5
    assert found["copies"]["exact"]["in_training"] == 1
    assert found["sizes"] == {"40 x 40": 31}


def test_a_tilde_in_quotes_is_a_home(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    for command in (["inspect", folders, "--out=~/audit"], ["prepare", folders, "~/faces", "--detector=whole"]):
        assert run(*command).returncode == 0
    folders.rename(tmp_path / "home" / "in")
    table = tmp_path / "home" / "table.csv"
    table.write_text("path,label\nin/train/happy/00.png,happy\nin/train/angry/02.png,angry\n")
    done = run("prepare", "~/table.csv", tmp_path / "out", "--detector=whole")
    assert "2 faces of 2 pictures" in done.stdout, done.stderr
    assert (tmp_path / "home" / "audit" / "classes.png").exists()
    assert (tmp_path / "home" / "faces" / "train").is_dir()


@pytest.mark.parametrize(
    ("name", "content"),
    [("audit.json", "[1]"), ("audit.json", '{"total": 3}'), ("classes.png", ""), ("sheet-sad.png", "")],
)
def test_inspect_replaces_nothing_but_an_earlier_audit(folders: Path, tmp_path: Path, name: str, content: str) -> None:
    out = tmp_path / "audit"
    out.mkdir()
    (out / name).write_text(content)
    refused = run("inspect", folders, "--out", out)
    assert refused.returncode == 1
    assert refused.stderr == f"facemotion: {out} holds {name}, which `inspect` did not write: name another folder\n"
    assert [(path.name, path.read_text()) for path in out.iterdir()] == [(name, content)]
    (out / name).unlink()
    (out / "notes.txt").write_text("mine")
    for _ in range(2):
        assert run("inspect", folders, "--out", out).returncode == 0
    assert (out / "notes.txt").read_text() == "mine"


def test_a_fault_is_one_line_and_exit_1_unless_it_is_to_be_skipped(folders: Path, tmp_path: Path) -> None:
    (folders / "train" / "happy" / "03.png").write_text("text", "utf-8")
    for command in (["inspect", folders], ["prepare", folders, tmp_path / "out"]):
        done = run(*command)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert "03.png: not a picture: expected a JPEG" in done.stderr
        skipped = run(*command, "--skip-bad")
        assert skipped.returncode == 0, skipped.stderr
        assert "left out: 1" in skipped.stdout
        assert "03.png" in skipped.stdout
    assert len(read_data(tmp_path / "out")) == 30


def test_a_picture_that_breaks_while_it_is_decoded_is_reported_and_the_rest_is_done(
    folders: Path, tmp_path: Path
) -> None:
    picture = folders / "train" / "happy" / "03.png"
    picture.write_bytes(picture.read_bytes()[:300])
    done = run("prepare", folders, tmp_path / "out")
    assert done.returncode == 1
    assert "could not be read: 1" in done.stdout
    assert len(read_data(tmp_path / "out")) == 30
    assert run("prepare", folders, tmp_path / "out2", "--skip-bad").returncode == 0


def test_prepare_divides_the_training_part_alone(folders: Path, tmp_path: Path) -> None:
    (folders / "val").rename(folders / "test")
    done = run("prepare", folders, tmp_path / "out", "--as", "npy", "--val-share", "0.3", "--size", "32", "--json")
    report = json.loads(done.stdout)
    assert report["faces"] == 31
    samples = read_data(tmp_path / "out")
    assert samples.split_counts() == {"test": 11, "train": 14, "val": 6}
    test = {samples.read(at).tobytes() for at in np.flatnonzero(samples.splits == "test")}
    assert test == {picture.tobytes() for picture in read_data(folders, split="test").crops(InputSpec(32))[..., 0]}
    assert set(map(tuple, samples.sizes.tolist())) == {(32, 32)}
    assert "31 of 31 pictures" in done.stderr
    again = run("prepare", folders, tmp_path / "out", "--as", "npy", "--val-share", "0.3", "--size", "32")
    assert "31 of them were done before" in again.stdout


def test_prepare_makes_no_second_validation_part(folders: Path, tmp_path: Path) -> None:
    refused = run("prepare", folders, tmp_path / "out", "--val-share", "0.3")
    assert refused.returncode == 2
    assert "the data has a validation split already, val: leave the option out" in refused.stderr
    assert not (tmp_path / "out").exists()
    assert run("prepare", folders, tmp_path / "out", "--val-share", "0.3", "--split", "train").returncode == 0
    assert read_data(tmp_path / "out").split_counts() == {"train": 14, "val": 6}


def test_prepare_divides_the_faces_without_a_split_where_others_have_one(folders: Path, tmp_path: Path) -> None:
    (folders / "val").rename(folders / "b")
    (folders / "train").rename(folders / "a")
    refused = run("prepare", folders, tmp_path / "out", "--val-share", "0.3")
    assert refused.returncode == 2
    assert "which of a, b is the training part? Name it with --split" in refused.stderr
    for folder in list((folders / "a").iterdir()):
        folder.rename(folders / folder.name)
    (folders / "a").rmdir()
    assert run("prepare", folders, tmp_path / "out", "--val-share", "0.3", "--as", "npy").returncode == 0
    assert read_data(tmp_path / "out").split_counts() == {"b": 11, "train": 14, "val": 6}


def test_a_part_that_would_be_empty_is_told(folders: Path, tmp_path: Path) -> None:
    for folder in (folders / "train").iterdir():
        for picture in sorted(folder.iterdir())[1:]:
            picture.unlink()
    done = run("prepare", folders / "train", tmp_path / "out", "--val-share", "0.3")
    assert done.returncode == 1
    assert "nothing could be put aside: expected more faces that are no copies of each other, got 3" in done.stderr


def test_photos_go_through_a_detector(folders: Path, tmp_path: Path) -> None:
    done = run("prepare", folders, tmp_path / "out", "--detector", "whole", "--as", "pack")
    assert done.returncode == 0, done.stderr
    samples = read_data(tmp_path / "out")
    assert samples.counts() == {"angry": 11, "happy": 10, "sad": 10}
    assert samples.split_counts() == {"train": 20, "val": 11}


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect"],
        ["inspect", "in", "--format", "nonesuch"],
        ["prepare", "in", "out", "--size", "4"],
        ["prepare", "in", "out", "--margin", "-1"],
        ["prepare", "in", "out", "--margin", "nan"],
        ["prepare", "in", "out", "--val-share", "nan"],
        ["prepare", "in", "out", "--detector", "whole", "--every", "inf"],
        ["prepare", "in", "out", "--seed", "-1"],
        ["prepare", "in", "out", "--detector", "whole", "--val-share", "0.2"],
    ],
)
def test_wrong_usage_is_exit_2(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "Usage:" in done.stderr


def test_a_label_with_a_slash_leads_nowhere_else(folders: Path, tmp_path: Path) -> None:
    rows = [f"train/happy/{name:02d}.png,{label}" for name, label in ((0, "../up"), (3, "a/b"))]
    (folders / "t.csv").write_text("\n".join(["path,label", *rows]), "utf-8")
    done = run("inspect", folders / "t.csv", "--labels", "../up,a/b", "--out", tmp_path / "audit")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "audit").glob("sheet*")) == ["sheet-_up.png", "sheet-a_b.png"]


@pytest.mark.parametrize("command", ["inspect", "prepare"])
def test_a_place_that_can_t_be_written_is_one_line(folders: Path, tmp_path: Path, command: str) -> None:
    place = tmp_path / "file" / "x"
    place.parent.write_text("in the way")
    done = run(command, folders, *(["--out", place] if command == "inspect" else [place]))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"facemotion: {place}: Not a directory"
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no name there has such signs in it")
def test_names_of_strangers_command_no_terminal(folders: Path, tmp_path: Path) -> None:
    odd = tmp_path / "\x1b[31mred"
    folders.rename(odd)
    (odd / "train" / "happy" / "\x1b[2J.png").write_text("no picture")
    for command in (["inspect", odd], ["prepare", odd, tmp_path / "out"]):
        done = run(*command, "--skip-bad")
        assert done.returncode == 0, done.stderr
        assert "left out: 1" in done.stdout and "\\x1b[2J.png" in done.stdout
        assert "\x1b" not in done.stdout + done.stderr
    np.save(odd / "X_train.npy", np.zeros((7, 48, 48), np.uint8))
    np.save(odd / "y_train.npy", np.arange(7))
    done = run("inspect", odd / "X_train.npy")
    assert "\\x1b[31mred/y_train.npy: the numbers are taken for angry, disgust" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
