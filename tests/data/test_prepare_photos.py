"""What `prepare` makes of photos and clips, by a detector."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facemotion import Box, DataError, Face, FaceDetector, InputSpec, LabelSet, read_data
from facemotion.data.clips import pick_frames
from facemotion.data.prepare import find_photos, prepare
from facemotion.video.frames import read_frames


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


def test_labels_of_photos_are_named_as_those_of_faces_are(photos: Path) -> None:
    for labels in (["sad", "happy"], LabelSet(("sad", "happy")), "basic5"):
        found = find_photos(photos, labels=labels)
        assert found.labels == LabelSet.of(labels)
        assert [found.labels[target] for target in found.targets] == ["happy", "happy", "sad", "sad", "sad"]


def test_another_detector_does_not_go_on_with_what_the_first_one_found(photos: Path, tmp_path: Path) -> None:
    source = find_photos(photos)
    prepare(source, tmp_path / "out", detect=detect_bright_squares, detector="bright")
    with pytest.raises(DataError, match=r"begun with other settings.* expected detector bright, got .* haar"):
        prepare(source, tmp_path / "out", detect=lambda _: [], detector="haar")
    assert prepare(source, tmp_path / "out", detect=detect_bright_squares, detector="bright").done_before == 4


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
    spec = InputSpec(size=64, colour="rgb", align=True, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
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
    with pytest.raises(DataError, match="no such file or folder"):
        find_photos(photos / "absent.mp4")
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


def test_a_gap_in_a_clip_is_not_made_up_for() -> None:
    """A camera that fell silent for a minute: what comes after it is no denser than what came before."""
    times = [0.0, *(60 + at / 25 for at in range(101))]
    frames = [(seconds, np.full((1, 1, 3), at, np.uint8)) for at, seconds in enumerate(times)]
    picked = [times[picture[0, 0, 0]] for picture in pick_frames(frames, 1.0)]
    assert picked == [0.0, 60.0, 61.0, 62.0, 63.0, 64.0]
    assert len(list(pick_frames(frames, 0.0))) == len(frames)


def test_clips_need_a_way_to_read_them(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.avi", [scene()] * 3, 10)
    done = prepare(find_photos(clip), tmp_path / "out", detect=detect_bright_squares)
    assert [line.split(":")[0] for line in done.unreadable] == ["a.avi"]
