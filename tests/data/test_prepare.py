from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_sets import CLASSES, Drawn, Export

from facemotion import DataError, InputSpec, UnknownNameError, read_data
from facemotion.data.prepare import prepare
from facemotion.data.samples import Samples
from facemotion.data.splits import split_samples

RGB = (0.5, 0.5, 0.5)


def bytes_of(folder: Path) -> dict[str, str]:
    """Every file that people read, by its hash."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "prepare.jsonl"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def as_set(samples: Samples) -> set[tuple[bytes, str, str]]:
    return {(samples.read(at).tobytes(), samples.label(at), str(samples.splits[at])) for at in range(len(samples))}


@pytest.mark.parametrize("layout", ["folders", "npy", "pack"])
def test_what_is_prepared_is_read_back_to_the_byte(fer_part: Export, tmp_path: Path, layout: str) -> None:
    source = read_data(fer_part.path("fer2013"))
    done = prepare(source, tmp_path / "out", layout=layout)
    assert (done.pictures, done.faces, done.done_before) == (450, 450, 0)
    assert as_set(read_data(tmp_path / "out")) == as_set(source)
    assert read_data(tmp_path / "out").labels == source.labels or layout == "folders"


def test_a_pack_keeps_everything_and_opens_at_once(fer_part: Export, tmp_path: Path) -> None:
    source = read_data(fer_part.path("fer2013"), label_rule="soft")
    source = Samples(**vars(source) | {"columns": {"site": np.array([str(at % 5) for at in range(len(source))])}})
    prepare(source, tmp_path / "out", layout="pack")
    read_data(tmp_path / "out")
    start = time.perf_counter()
    packed = read_data(tmp_path / "out")
    assert time.perf_counter() - start < 0.2
    assert packed.fingerprint == source.fingerprint
    np.testing.assert_array_equal(packed.columns["site"], source.columns["site"])
    np.testing.assert_array_equal(packed.splits, source.splits)
    assert packed.label_rule == "soft"
    # a recipe that names the rule trains on it too
    assert read_data(tmp_path / "out", label_rule="soft").fingerprint == source.fingerprint
    with pytest.raises(DataError, match="the samples have their labels already: expected rule 'majority', got soft"):
        read_data(tmp_path / "out", label_rule="majority")
    assert packed.place(0).endswith("faces.npz: fer2013.csv: row 2")
    # numpy alone reads it as well
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "faces.npz")["images"], source.crops(InputSpec())[..., 0])


@pytest.mark.parametrize("layout", ["folders", "npy"])
def test_what_a_layout_cannot_keep_is_said(
    drawn: Drawn, tmp_path: Path, layout: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = read_data(drawn.write_csv(tmp_path / "fer2013.csv"))
    shares = np.full((28, 7), 1 / 7, np.float32)
    soft = Samples(**vars(source) | {"soft": shares, "label_rule": "soft"})
    with pytest.raises(DataError, match=f"kept by a pack alone: expected a pack, or another rule, got {layout}"):
        prepare(soft, tmp_path / "soft", layout=layout)
    assert not (tmp_path / "soft").exists()
    sites = {"site": np.array([str(at % 5) for at in range(28)])}
    prepare(Samples(**vars(source) | {"label_rule": "majority", "columns": sites}), tmp_path / "out", layout=layout)
    assert f"the rule majority, the column site can't be kept in {layout}; a pack keeps all" in caplog.text


@pytest.mark.parametrize("first", ["[]", "3", '"folders"'])
def test_a_journal_that_is_none_is_named(drawn: Drawn, tmp_path: Path, first: str) -> None:
    source = read_data(drawn.write_csv(tmp_path / "fer2013.csv"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "prepare.jsonl").write_text(first + "\n", "utf-8")
    with pytest.raises(DataError, match=r"prepare\.jsonl: the journal can't be read"):
        prepare(source, tmp_path / "out")


@pytest.mark.parametrize("keep", [0, 60, 3000])
def test_a_pack_that_is_cut_is_refused(drawn: Drawn, tmp_path: Path, keep: int) -> None:
    prepare(read_data(drawn.write_csv(tmp_path / "fer2013.csv")), tmp_path / "out", layout="pack")
    pack = tmp_path / "out" / "faces.npz"
    pack.write_bytes(pack.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"faces\.npz: the pack can't be read"):
        read_data(pack)


def test_size_and_colour(drawn: Drawn, tmp_path: Path) -> None:
    source = read_data(drawn.write_folders(tmp_path / "in"))
    spec = InputSpec(size=32, colour="rgb", mean=RGB, std=RGB)
    prepare(source, tmp_path / "out", layout="npy", spec=spec)
    assert np.load(tmp_path / "out" / "X_train.npy").shape == (14, 32, 32, 3)
    train = source.select("train")
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "X_train.npy"), train.crops(spec))
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "y_train.npy"), train.targets)
    assert json.loads((tmp_path / "out" / "labels.json").read_text()) == CLASSES


@pytest.mark.parametrize(
    ("marks", "name"),
    [(("val", ""), "train"), (("", "PrivateTest"), "train"), (("", "fold1"), "all"), (("", "val", "Training"), "all")],
)
def test_arrays_of_faces_without_a_split_are_the_training_part_beside_others(
    drawn: Drawn, tmp_path: Path, marks: tuple[str, ...], name: str
) -> None:
    source = read_data(drawn.write_folders(tmp_path / "in", splits=False))
    marked = source.with_splits([marks[at % len(marks)] for at in range(28)])
    prepare(marked, tmp_path / "out", layout="npy")
    counts = marked.split_counts()
    counts[name] = counts.pop("")
    assert read_data(tmp_path / "out").split_counts() == counts
    # nothing is new
    assert prepare(marked, tmp_path / "out", layout="npy").done_before == 28


@pytest.mark.parametrize("layout", ["folders", "npy", "pack"])
def test_pictures_that_come_later_are_added_and_nothing_is_done_twice(
    drawn: Drawn, tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = drawn.write_folders(tmp_path / "in", splits=False)
    prepare(read_data(source), tmp_path / "out", layout=layout)
    before = bytes_of(tmp_path / "out")
    # the same data, named in another way
    monkeypatch.chdir(tmp_path)
    again = prepare(read_data("in"), Path("out"), layout=layout)
    assert (again.done_before, again.faces) == (28, 28)
    assert bytes_of(tmp_path / "out") == before
    Image.fromarray(255 - drawn.images[0]).save(source / "sad" / "new.png")
    more = prepare(read_data(source), tmp_path / "out", layout=layout)
    assert (more.done_before, more.faces) == (28, 29)
    assert {row[:2] for row in as_set(read_data(tmp_path / "out"))} == {row[:2] for row in as_set(read_data(source))}


def test_a_folder_of_other_settings_is_refused(drawn: Drawn, tmp_path: Path) -> None:
    source = read_data(drawn.write_csv(tmp_path / "fer2013.csv"))
    prepare(source, tmp_path / "out")
    with pytest.raises(DataError, match=r"expected size 48, got size 64"):
        prepare(source, tmp_path / "out", spec=InputSpec(size=64))
    other = read_data(drawn.write_csv(tmp_path / "other.csv"))
    with pytest.raises(DataError, match=r"expected source .*fer2013\.csv, got source .*other\.csv"):
        prepare(other, tmp_path / "out")


def test_a_folder_goes_on_with_the_same_splits_alone(drawn: Drawn, tmp_path: Path) -> None:
    source = read_data(drawn.write_folders(tmp_path / "in", splits=False))
    prepare(split_samples(source, 0.3, 0), tmp_path / "out")
    before = bytes_of(tmp_path / "out")
    with pytest.raises(
        DataError, match=r"another split or class for .*; delete it or name another: .*expected split (train|val)"
    ):
        prepare(split_samples(source, 0.3, 7), tmp_path / "out")
    assert bytes_of(tmp_path / "out") == before


def test_faces_of_one_place_are_all_written(tmp_path: Path) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (12, 48, 48), np.uint8)
    parts = [Samples.from_arrays(faces[:5], [0] * 5, "fer7"), Samples.from_arrays(faces[5:], [3] * 7, "fer7")]
    both = Samples.concat(parts)
    assert prepare(both, tmp_path / "out").faces == 12
    assert as_set(read_data(tmp_path / "out")) == as_set(both)
    assert prepare(both, tmp_path / "out").done_before == 12


def test_pictures_with_the_longest_names_are_written(tmp_path: Path) -> None:
    # letters of one byte and of three: a file system counts bytes, and allows 255
    names = {"a" * 251: "happy", "a" * 250 + "b": "happy", "\N{CJK UNIFIED IDEOGRAPH-5F20}" * 83: "sad"}
    for name, label in names.items():
        path = tmp_path / "source" / label / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (48, 48), len(name)).save(path)
    source = read_data(tmp_path / "source")
    assert prepare(source, tmp_path / "out").faces == 3
    assert as_set(read_data(tmp_path / "out")) == as_set(source)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names but Unicode")
@pytest.mark.parametrize("layout", ["folders", "npy", "pack"])
@pytest.mark.parametrize("length", [1, 251])
def test_pictures_whose_names_are_no_utf_8_are_written(tmp_path: Path, layout: str, length: int) -> None:
    name = os.fsdecode(b"\xe9" * length + b".png")
    for label in ("happy", "sad"):
        path = tmp_path / "source" / label / name
        path.parent.mkdir(parents=True)
        Image.new("L", (48, 48), len(label)).save(path)
    source = read_data(tmp_path / "source")
    assert prepare(source, tmp_path / "out", layout=layout).faces == 2
    assert prepare(source, tmp_path / "out", layout=layout).done_before == 2
    assert [read_data(tmp_path / "out").read(at)[0, 0] for at in range(2)] == [5, 3]


@pytest.mark.parametrize(("word", "meant"), [({"layout": "packed"}, "pack"), ({"several": "skipp"}, "skip")])
def test_a_choice_that_there_is_not(drawn: Drawn, tmp_path: Path, word: dict, meant: str) -> None:
    samples = Samples.from_arrays(drawn.images, drawn.targets, "fer7")
    with pytest.raises(UnknownNameError, match=f"did you mean '{meant}'"):
        prepare(samples, tmp_path / "out", **word)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("labels", [("yes?", "yes!"), ("a/b", "A_b")])
def test_labels_that_would_share_a_folder_are_refused(tmp_path: Path, labels: tuple[str, str]) -> None:
    """Also where the file system does not tell A from a."""
    faces = Samples.from_arrays(np.zeros((2, 48, 48), np.uint8), [0, 1], labels)
    with pytest.raises(DataError, match="two labels would share a folder"):
        prepare(faces, tmp_path / "out")


@pytest.mark.parametrize("layout", ["folders", "npy"])
def test_splits_that_would_become_one_are_refused(drawn: Drawn, tmp_path: Path, layout: str) -> None:
    faces = Samples.from_arrays(drawn.images, drawn.targets, "fer7", splits=["fold/1", "fold_1"] * 14)
    with pytest.raises(DataError, match=r"two splits would share a folder or file: .* got 'fold/1' and 'fold_1'"):
        prepare(faces, tmp_path / "out", layout=layout)
    prepare(faces, tmp_path / "packed", layout="pack")
    assert read_data(tmp_path / "packed").split_counts() == faces.split_counts()


def test_a_label_that_is_a_device_on_windows_has_a_folder_all_the_same(tmp_path: Path) -> None:
    faces = Samples.from_arrays(np.zeros((2, 48, 48), np.uint8), [0, 1], ["pro", "con"])
    prepare(faces, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["con_", "prepare.jsonl", "pro"]
    assert read_data(tmp_path / "out", labels=["pro", "con"]).counts() == {"pro": 1, "con": 1}


def test_nothing_is_written_outside_the_folder(drawn: Drawn, tmp_path: Path) -> None:
    splits = ["../../out" if at % 2 else "a/b" for at in range(28)]
    source = Samples.from_arrays(drawn.images, drawn.targets % 2, ["..", "/tmp/x"], splits=splits)
    for layout in ("folders", "npy", "pack"):
        prepare(source, tmp_path / "in" / layout, layout=layout)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert {path.name for path in (tmp_path / "in").iterdir()} == {"folders", "npy", "pack"}
    assert len(read_data(tmp_path / "in" / "npy", labels=["one", "two"])) == 28


def test_a_source_does_not_grow_by_what_is_made_of_it(drawn: Drawn, tmp_path: Path) -> None:
    source = read_data(drawn.write_folders(tmp_path))
    for out in (tmp_path, tmp_path / "faces"):
        with pytest.raises(DataError, match="the faces would become part of the source"):
            prepare(source, out)


@pytest.mark.parametrize(
    ("layout", "source"), [("npy", "X_train.npy"), ("npy", ""), ("pack", "faces.npz"), ("pack", "")]
)
def test_a_source_is_not_replaced_by_what_is_made_of_it(drawn: Drawn, tmp_path: Path, layout: str, source: str) -> None:
    train = Drawn(drawn.images[:14], drawn.targets[:14], ["train"] * 14)
    prepare(read_data(train.write_csv(tmp_path / "fer2013.csv")), tmp_path / "set", layout=layout)
    (tmp_path / "set" / "prepare.jsonl").unlink()
    before = bytes_of(tmp_path / "set")
    with pytest.raises(DataError, match="the source lies in the folder for its faces"):
        prepare(read_data(tmp_path / "set" / source), tmp_path / "set", layout=layout, spec=InputSpec(size=32))
    assert bytes_of(tmp_path / "set") == before
    assert not (tmp_path / "set" / "prepare.jsonl").exists()


@pytest.mark.parametrize(
    ("layout", "name"), [("npy", "X_all.npy"), ("npy", "y_test.npy"), ("npy", "labels.json"), ("pack", "faces.npz")]
)
def test_what_somebody_has_in_the_folder_is_not_replaced(drawn: Drawn, tmp_path: Path, layout: str, name: str) -> None:
    source = read_data(drawn.write_folders(tmp_path / "in", splits=False))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("somebody's", "utf-8")
    with pytest.raises(DataError, match=rf"the folder holds data that this did not write.*got {name}"):
        prepare(source, tmp_path / "out", layout=layout)
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["somebody's"]
    (tmp_path / "out" / name).rename(tmp_path / "out" / "notes.txt")
    assert prepare(source, tmp_path / "out", layout=layout).faces == 28


@pytest.mark.parametrize("layout", ["folders", "npy", "pack"])
def test_a_picture_that_was_mended_is_tried_again(drawn: Drawn, tmp_path: Path, layout: str) -> None:
    source = drawn.write_folders(tmp_path / "in", splits=False)
    broken = [source / "sad" / "004.png", source / "happy" / "003.png"]
    whole = [path.read_bytes() for path in broken]
    for path in broken:
        path.write_bytes(path.read_bytes()[:300])
    first = prepare(read_data(source), tmp_path / "out", layout=layout)
    assert (first.pictures, first.faces, len(first.unreadable)) == (28, 26, 2)
    journal = (tmp_path / "out" / "prepare.jsonl").read_bytes()
    prepare(read_data(source), tmp_path / "out", layout=layout)
    assert (tmp_path / "out" / "prepare.jsonl").read_bytes() == journal, "what is as it was needs no other line"
    # with a new picture before and behind
    for name in ("angry/new.png", "surprise/new.png"):
        Image.fromarray(255 - drawn.images[len(name)]).save(source / name)
    for path, data in zip(broken, whole, strict=True):
        path.write_bytes(data)
        done = prepare(read_data(source), tmp_path / "out", layout=layout)
    assert (done.pictures, done.faces, done.done_before, done.unreadable) == (30, 30, 29, [])
    assert prepare(read_data(source), tmp_path / "out", layout=layout).done_before == 30
    assert {row[:2] for row in as_set(read_data(tmp_path / "out"))} == {row[:2] for row in as_set(read_data(source))}


class Stopped(BaseException):
    pass


@pytest.mark.parametrize("layout", ["folders", "npy", "pack"])
@pytest.mark.parametrize("after", [1, 13, 28])
def test_a_run_that_is_stopped_goes_on(drawn: Drawn, tmp_path: Path, layout: str, after: int) -> None:
    source = read_data(drawn.write_csv(tmp_path / "fer2013.csv"))
    prepare(source, tmp_path / "whole", layout=layout)

    def stop(done: int, count: int) -> None:
        if done == after:
            raise Stopped

    with pytest.raises(Stopped):
        prepare(source, tmp_path / "out", layout=layout, progress=stop)
    # as a power cut would leave them: half a line, half a face
    with (tmp_path / "out" / "prepare.jsonl").open("a") as file:
        file.write('{"item": "fer20')
    for raw in (tmp_path / "out").rglob("*.raw"):
        with raw.open("ab") as file:
            file.write(b"half a face")
    done = prepare(source, tmp_path / "out", layout=layout)
    assert (done.done_before, done.faces) == (after, 28)
    assert prepare(source, tmp_path / "out", layout=layout).done_before == 28
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")


def test_two_at_once_do_not_write_one_folder(drawn: Drawn, tmp_path: Path) -> None:
    source = read_data(drawn.write_csv(tmp_path / "fer2013.csv"))
    refused = []

    def other(done: int, _: int) -> None:
        if done == 1:
            with pytest.raises(DataError, match="another `prepare` is at work in this folder") as error:
                prepare(source, tmp_path / "out", layout="npy")
            refused.append(error.value)

    prepare(source, tmp_path / "out", layout="npy", progress=other)
    assert refused
    assert as_set(read_data(tmp_path / "out")) == as_set(source)
    assert prepare(source, tmp_path / "out", layout="npy").done_before == len(source)


def test_killed_at_any_moment_it_goes_on(drawn: Drawn, tmp_path: Path) -> None:
    many = Drawn(np.tile(drawn.images, (12, 1, 1)), np.tile(drawn.targets, 12), drawn.usage * 12)
    csv = many.write_csv(tmp_path / "fer2013.csv")
    prepare(read_data(csv), tmp_path / "whole", layout="npy")
    random = np.random.default_rng(0)
    command = [sys.executable, "-m", "facemotion", "data", "prepare", str(csv), str(tmp_path / "out"), "--as", "npy"]
    journal = tmp_path / "out" / "prepare.jsonl"
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            limit = time.monotonic() + 30
            while not journal.exists() and time.monotonic() < limit and process.poll() is None:
                time.sleep(0.001)
            time.sleep(float(random.random()) * 0.02)
            os.kill(process.pid, signal.SIGKILL)
    subprocess.run(command, check=True, capture_output=True)
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")
