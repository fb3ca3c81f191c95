from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from small_sets import CLASSES, Drawn, Export

from facemotion import Box, DataError, Face, FaceDetector, InputSpec, read_data
from facemotion.data.prepare import find_photos, prepare
from facemotion.data.samples import Samples
from facemotion.video.frames import read_frames

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
    assert packed.place(0).endswith("faces.npz: fer2013.csv: row 2")
    # numpy alone reads it as well
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "faces.npz")["images"], source.crops(InputSpec())[..., 0])


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


# photos and clips


def detect_bright_squares(image: np.ndarray) -> list[Face]:
    """A real search, if a simple one: every bright square is a face."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((image[:, :, 0] > 200).astype(np.uint8))
    boxes = [stats[at, :4] for at in range(1, count)]
    return [Face(Box(float(x), float(y), float(x + w), float(y + h)), 1.0) for x, y, w, h in boxes]


def scene(*squares: tuple[int, int, int]) -> np.ndarray:
    image = np.full((120, 160, 3), 20, np.uint8)
    for x, y, side in squares:
        image[y : y + side, x : x + side] = 190 + side  # the larger, the brighter
    return image


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    pictures = {
        "happy/one.png": scene((10, 10, 40)),
        "happy/two.jpg": scene((10, 10, 40), (80, 20, 60)),
        "sad/none.png": scene(),
        "sad/other.png": scene((70, 40, 50)),
    }
    for name, pixels in pictures.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / name, quality=95)
    (root / "sad" / "text.png").write_text("no picture", "utf-8")
    return root


@pytest.mark.parametrize(("several", "count"), [("largest", 3), ("all", 4), ("skip", 2)])
def test_photos_become_the_faces_in_them(photos: Path, tmp_path: Path, several: str, count: int) -> None:
    done = prepare(find_photos(photos), tmp_path / "out", detect=detect_bright_squares, several=several)
    assert (done.pictures, done.faces) == (5, count)
    assert done.no_face == ["sad/none.png"]
    assert done.several == ["happy/two.jpg"]
    assert len(done.unreadable) == 1
    assert done.unreadable[0].startswith("sad/text.png: not a picture")
    faces = read_data(tmp_path / "out")
    assert faces.counts() == {"happy": count - 1, "sad": 1}
    # a face that is cut out fills its crop
    assert all(faces.read(at).min() > 220 for at in range(len(faces)))
    assert (max(faces.read(at).mean() for at in range(len(faces))) > 245) == (several != "skip")


def test_a_photograph_goes_through_a_real_detector(yunet_in_cache: Path, astronaut_path: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "happy").mkdir(parents=True)
    shutil.copy(astronaut_path, tmp_path / "in" / "happy")
    spec = InputSpec(size=64, colour="rgb", align=True, mean=RGB, std=RGB)
    prepare(find_photos(tmp_path / "in"), tmp_path / "out", spec=spec, detect=FaceDetector("yunet").detect)
    face = read_data(tmp_path / "out", labels="fer7")
    assert len(face) == 1
    # what is cut out is a face: the detector says so again, and it fills the crop
    [again] = FaceDetector("yunet").detect(np.pad(face.read(0), ((64, 64), (64, 64), (0, 0))))
    assert again.box.iou(Box(64, 64, 128, 128)) > 0.5


def test_a_table_of_photos_keeps_its_columns(photos: Path, tmp_path: Path) -> None:
    table = photos / "photos.csv"
    table.write_text("path,label,site\nhappy/one.png,happy,a\nsad/other.png,sad,b\n", "utf-8")
    prepare(read_data(table), tmp_path / "out", layout="pack", detect=detect_bright_squares)
    assert read_data(tmp_path / "out").columns["site"].tolist() == ["a", "b"]


def test_photos_without_classes_go_into_one_folder(photos: Path, tmp_path: Path) -> None:
    for source in (photos / "happy", photos / "happy" / "one.png"):
        done = prepare(find_photos(source), tmp_path / source.name, detect=detect_bright_squares)
        assert len(list((tmp_path / source.name).glob("*.png"))) == done.faces > 0
    with pytest.raises(DataError, match="faces without labels go into folders alone"):
        prepare(find_photos(photos / "happy"), tmp_path / "no", layout="npy", detect=detect_bright_squares)
    with pytest.raises(DataError, match="photos need a detector"):
        prepare(find_photos(photos / "happy"), tmp_path / "no")


def frames_of(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    return ((frame.time, frame.image) for frame in read_frames(path))


def write_clip(path: Path, frames: list[np.ndarray], fps: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, frames[0].shape[1::-1])
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame[:, :, ::-1])
    writer.release()
    return path


def test_a_clip_gives_a_frame_for_every_so_many_seconds(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    write_clip(clips / "happy" / "a.avi", [scene((2 * at, 10, 40)) for at in range(30)], 10)
    write_clip(clips / "sad" / "b.avi", [scene((20, 10, 40)) if at < 5 else scene() for at in range(20)], 10)
    (clips / "sad" / "c.mp4").write_bytes(b"no clip at all")
    done = prepare(find_photos(clips), tmp_path / "out", detect=detect_bright_squares, read_clip=frames_of, every=0.5)
    # three seconds give six frames; of the other clip only the frame at its beginning has a face
    assert read_data(tmp_path / "out").counts() == {"happy": 6, "sad": 1}
    assert done.pictures == 3
    assert len(done.unreadable) == 1
    assert done.unreadable[0].startswith("sad/c.mp4: ")


def test_clips_need_a_way_to_read_them(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.avi", [scene()] * 3, 10)
    done = prepare(find_photos(clip), tmp_path / "out", detect=detect_bright_squares)
    assert [line.split(":")[0] for line in done.unreadable] == ["a.avi"]
