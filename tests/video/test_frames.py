"""Real clips, written here; cameras are clips or pipes that behave like one."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from facemotion import ImageError, VideoError
from facemotion.opencv import cv2
from facemotion.video import frames as module
from facemotion.video.frames import read_frames

SIZE = (160, 48)


def picture(index: int) -> np.ndarray:
    """The place of a bar tells its index, so that a lost or doubled frame shows after compression too."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    image[:, 4 * (index % 40) : 4 * (index % 40) + 4] = 250
    return image


def write(path: Path, count: int, fps: float = 25.0, code: str = "MJPG", size: tuple[int, int] = SIZE) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), fps, size)
    assert writer.isOpened()
    for index in range(count):
        writer.write(cv2.resize(picture(index), size))
    writer.release()
    return path


def indices(images: list[np.ndarray]) -> list[int]:
    return [int(image.mean(axis=(0, 2)).reshape(-1, 4).sum(axis=1).argmax()) for image in images]


@pytest.mark.parametrize(("name", "code"), [("a.avi", "MJPG"), ("a.mp4", "mp4v"), ("ü 1.mp4", "mp4v")])
@pytest.mark.parametrize("fps", [25.0, 29.97])
def test_a_clip_loses_no_frame_and_its_times_are_exact(tmp_path: Path, name: str, code: str, fps: float) -> None:
    path = write(tmp_path / name, 40, fps, code)
    frames = list(read_frames(path))
    assert [frame.index for frame in frames] == list(range(40))
    assert indices([frame.image for frame in frames]) == list(range(40))
    assert [frame.time for frame in frames] == pytest.approx([index / fps for index in range(40)], abs=0.002)
    assert frames[0].image.shape == (SIZE[1], SIZE[0], 3)
    assert list(frame.time for frame in read_frames(str(path), fps=10)) == [index / 10 for index in range(40)]


def test_a_slow_reader_of_a_clip_loses_no_frame(tmp_path: Path) -> None:
    found = []
    for frame in read_frames(write(tmp_path / "a.avi", 20)):
        time.sleep(0.01)
        found.append(frame.index)
    assert found == list(range(20))


def test_colours_are_rgb(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 25, SIZE)
    writer.write(np.full((SIZE[1], SIZE[0], 3), (0, 0, 250), np.uint8))
    writer.release()
    [frame] = read_frames(tmp_path / "a.avi")
    assert frame.image[20, 20].tolist() == pytest.approx([250, 0, 0], abs=6)


def test_an_iterable_of_arrays_gets_times_from_the_rate() -> None:
    images = [picture(index) for index in range(4)] + [picture(4)[..., 0]]
    frames = list(read_frames(iter(images), fps=10))
    assert [(frame.index, frame.time) for frame in frames] == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)]
    assert all(frame.image.shape == (48, 160, 3) for frame in frames)
    assert [frame.time for frame in read_frames(images)][3] == pytest.approx(3 / 30)
    with pytest.raises(ImageError, match="float64"):
        list(read_frames([picture(0) / 255]))


def test_an_endless_iterable_is_read_one_frame_at_a_time() -> None:
    def endless() -> Iterator[np.ndarray]:
        while True:
            yield picture(0)

    frames = read_frames(endless())
    assert [next(frames).index for _ in range(5)] == [0, 1, 2, 3, 4]


def test_a_clip_that_breaks_off_gives_what_there_is_and_then_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", 40)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    found = []
    with pytest.raises(VideoError, match=r"a\.avi: it breaks off after \d+ of 40 frames; those were read"):
        for frame in read_frames(path):
            found.append(frame.index)
    assert found == list(range(len(found)))
    assert 5 < len(found) < 35


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("absent.mp4", None, "absent.mp4: no such file"),
        ("notes.mp4", b"no video at all", r"can't read this as video \(15 bytes\)"),
        ("empty.mp4", b"", r"\(0 bytes\)"),
        (".", None, "this is a folder"),
    ],
)
def test_what_is_no_clip_is_named(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoError, match=says):
        list(read_frames(tmp_path / name))


def test_a_url_that_does_not_answer() -> None:
    with pytest.raises(VideoError, match="no video can be read there"):
        list(read_frames("http://127.0.0.1:9/nothing.mp4"))


def test_no_camera_says_which_were_tried() -> None:
    with pytest.raises(VideoError, match=r"no camera at index 77: .* \(tried 0, 1, 2, 3, 77\)"):
        next(read_frames(77))


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = write(tmp_path / f"{count}.avi", count, size=(320, 240))
        tracemalloc.start()
        for _ in read_frames(path):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(400) < 1.2 * peak(50) + 300_000


def test_a_reader_that_stops_early_leaves_no_thread_behind(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", 100)
    for _ in range(3):
        frames = read_frames(path)
        next(frames)
        frames.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("facemotion")]


class Camera:
    """What OpenCV shows of a camera at 50 frames a second; it is gone between two of its frames if told so."""

    made: ClassVar[list[Camera]] = []
    frames = 0
    gone_until = 0.0

    def __init__(self, source: int) -> None:
        self.open = source == 0 and time.monotonic() >= Camera.gone_until
        Camera.made.append(self)

    def isOpened(self) -> bool:
        return self.open

    def read(self) -> tuple[bool, np.ndarray | None]:
        time.sleep(0.02)
        if not self.open or time.monotonic() < Camera.gone_until:
            return False, None
        Camera.frames += 1
        return True, picture(Camera.frames % 100)

    def release(self) -> None:
        self.open = False


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Camera]]:
    Camera.made, Camera.frames, Camera.gone_until = [], 0, 0.0
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    yield Camera
    assert not [each for each in Camera.made if each.open], "a camera was left open"


def test_a_slow_reader_of_a_camera_sees_the_newest_frame(camera: type[Camera]) -> None:
    frames = read_frames(0)
    first = next(frames)
    time.sleep(0.5)
    second = next(frames)
    assert second.index - first.index > 10
    assert second.index >= camera.frames - 3
    assert second.time - first.time == pytest.approx(0.5, abs=0.2)
    frames.close()


def test_a_camera_that_comes_back_is_picked_up_again(camera: type[Camera]) -> None:
    frames = read_frames(0)
    first = next(frames)
    camera.gone_until = time.monotonic() + 0.6
    later = [next(frames) for _ in range(10)]
    assert later[-1].time - first.time > 0.6
    assert len(camera.made) > 1
    frames.close()


def test_a_camera_that_stays_away_is_an_error(camera: type[Camera], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RECONNECT_SECONDS", 0.5)
    frames = read_frames(0)
    next(frames)
    camera.gone_until = time.monotonic() + 60
    with pytest.raises(VideoError, match=r"camera 0 went away and did not come back within 0\.5 seconds"):
        for _ in frames:
            pass


def test_another_camera_is_suggested(camera: type[Camera]) -> None:
    with pytest.raises(VideoError, match="no camera at index 2: there is one at 0"):
        next(read_frames(2))
