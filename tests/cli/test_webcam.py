"""`facemotion webcam`: a clip is the camera, and where Xvfb is installed, the window is a real one."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import across, write_clip
from PIL import Image
from screen import Screen, open_screen

from facemotion import EmotionRecognizer
from facemotion.cli.webcam import _open
from facemotion.drawing import label_colour
from facemotion.video.frames import clip_info, read_frames
from facemotion.video.writing import SLOWEST

PRIVATE = "nothing is sent: the pictures stay on this machine."


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, astronaut_path: Path) -> Path:
    """One who stands at the left of the picture."""
    path = tmp_path_factory.mktemp("camera") / "camera.mp4"
    portrait = np.array(Image.open(astronaut_path).convert("RGB"))
    write_clip(path, portrait, [across(30, 0, 90)], 2)
    return path


def webcam(*arguments: object, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """A run of its own, as it would be from a shell; None takes a variable away."""
    env = {name: value for name, value in (os.environ | environment).items() if value is not None}
    command = [sys.executable, "-m", "facemotion", "webcam", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)


def test_headless_prints_a_line_at_every_change(clip: Path, weights: Path) -> None:
    done = webcam("--weights", weights, "--source", clip, "--headless", DISPLAY=None)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert 1 <= len(lines) <= 5, "somebody comes, and no more happens"
    assert re.fullmatch(r" +\d+\.\d\d s  1: \w+ \d+%", lines[0])
    assert done.stderr == f"Nothing is stored, and {PRIVATE}\n"


def test_headless_writes_what_is_asked_for_and_says_so(clip: Path, weights: Path, tmp_path: Path) -> None:
    table, film = tmp_path / "a.csv", tmp_path / "a.mp4"
    done = webcam("--weights", weights, "--source", clip, "--headless", "--csv", table, "--record", film)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == f"Nothing is stored but what you asked for, {film} and {table}, and {PRIVATE}\n"
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    labels = EmotionRecognizer.from_pretrained(weights).labels
    assert list(rows[0]) == ["frame", "time", "track_id", "label", "score", "x1", "y1", "x2", "y2", *labels]
    assert all(30 < float(row["x1"]) < float(row["x2"]) < 220 for row in rows), "not mirrored: the camera's own pixels"
    times = [float(row["time"]) for row in rows]
    assert times == sorted(times)
    frames = list(read_frames(film))
    # as long as it took, whatever frames a slow machine left out
    assert frames[-1].time == pytest.approx(times[-1] - times[0], abs=0.05)
    assert frames[-1].image.shape == (480, 640, 3)


def test_a_frame_in_half_an_hour_is_recorded(weights: Path, astronaut_path: Path, ffmpeg: str, tmp_path: Path) -> None:
    """Of one frame, since it is played at its own pace."""
    slow, film = tmp_path / "slow.mov", tmp_path / "a.mp4"
    shot = ["-framerate", "1/1800", "-i", astronaut_path, "-c:v", "mjpeg"]
    subprocess.run([ffmpeg, "-v", "error", *shot, slow], check=True)
    assert 0 < clip_info(slow).fps < SLOWEST
    done = webcam("--weights", weights, "--source", slow, "--headless", "--record", film)
    assert done.returncode == 0, done.stderr
    assert len(list(read_frames(film))) == 1


def test_without_a_camera_one_line_says_which_were_tried(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("frame,time,track_id\nan earlier one\n")
    done = webcam("--weights", weights, "--source", "77", "--headless", "--csv", tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "frame,time,track_id\nan earlier one\n"
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("facemotion: no camera at index 77: ")
    assert "(tried 0, 1, 2, 3, 77)" in line


@pytest.mark.skipif(sys.platform != "linux", reason="there is always a display")
@pytest.mark.parametrize(
    ("display", "why"), [(None, "DISPLAY is not set"), (":4711", "nothing answers at DISPLAY=:4711")]
)
def test_without_a_display_one_line_says_what_works(clip: Path, weights: Path, display: str | None, why: str) -> None:
    """Qt would end the process with an abort."""
    done = webcam("--weights", weights, "--source", clip, DISPLAY=display, WAYLAND_DISPLAY=None)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"facemotion: no window can be opened: no display ({why}). `facemotion webcam --headless`")


def test_a_headless_opencv_is_named(clip: Path, weights: Path) -> None:
    code = f"""
from facemotion.opencv import cv2
cv2.getBuildInformation = lambda: "  GUI:                           NONE"
from facemotion.cli.main import main
main(["webcam", "--source", {str(clip)!r}, "--weights", {str(weights)!r}])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "this OpenCV is a headless build, which has no windows: pip install opencv-python" in line


@pytest.mark.parametrize("option", ["--csv", "--record"])
def test_the_clip_that_is_played_is_never_written_over(tmp_path: Path, option: str) -> None:
    (tmp_path / "a.mp4").write_bytes(b"played first")
    (tmp_path / "a.csv").hardlink_to(tmp_path / "a.mp4")
    place = tmp_path / ("a.csv" if option == "--csv" else "a.mp4")
    done = webcam("--source", tmp_path / "a.mp4", "--headless", option, place)
    assert done.returncode == 1
    assert done.stderr.startswith(f"facemotion: {option} would write over {place}, which is to be read")
    assert (tmp_path / "a.mp4").read_bytes() == b"played first"


@pytest.mark.skipif(os.name == "nt", reason="cameras are no files")
def test_a_camera_s_own_file_is_no_clip_that_is_played() -> None:
    frames, rate = _open(os.devnull)
    frames.close()
    assert rate == 30, "a clip would have been asked for its own"


def test_a_source_that_is_no_clip_is_one_line(weights: Path, tmp_path: Path) -> None:
    done = webcam("--weights", weights, "--source", tmp_path / "absent.mp4", "--headless")
    assert (done.returncode, done.stderr) == (1, f"facemotion: {tmp_path / 'absent.mp4'}: no such file\n")


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    with open_screen() as screen:
        yield screen


@pytest.fixture
def film(tmp_path: Path, astronaut: np.ndarray) -> Path:
    """Long enough for a slow machine to press all keys."""
    write_clip(tmp_path / "film.mp4", astronaut, [across(30, 0, 90)], 60)
    return tmp_path / "film.mp4"


@pytest.fixture
def window(screen: Screen, film: Path, weights: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "facemotion", "webcam", "--weights", str(weights), "--source", str(film)]
    environment = os.environ | {"DISPLAY": screen.name}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def boxes(picture: np.ndarray) -> np.ndarray:
    """The columns of the screen in which a label's colour stands: boxes, tags and bars."""
    colours = [label_colour(label) for label in ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear")]
    same = [(np.abs(picture.astype(int) - colour).max(axis=2) <= 2) for colour in colours]
    return np.flatnonzero(np.any(same, axis=0).sum(axis=0) > 10)


def test_the_window_shows_a_mirror_and_its_keys_work(
    window: subprocess.Popen[str], screen: Screen, tmp_path: Path
) -> None:
    # the face stands at the left of the clip, so at the right of the mirror
    seen = screen.wait_for(lambda picture: len(boxes(picture)) > 0 and boxes(picture).min() > 320)
    assert 400 < np.median(boxes(seen)) < 640
    screen.point_at(300, 200)
    dark = (seen[90:330, :420].max(axis=2) < 60).mean()
    screen.press("b")
    # bars are drawn on a dark panel beside the face
    screen.wait_for(lambda picture: (picture[90:330, :420].max(axis=2) < 60).mean() > dark + 0.1)
    screen.press("s")
    deadline = time.monotonic() + 60
    while not (found := list(tmp_path.glob("facemotion-*.png"))):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    snapshot = np.array(Image.open(found[0]))
    assert snapshot.shape == (480, 640, 3)
    assert (boxes(snapshot) > 320).any()
    screen.press("q")
    _, errors = window.communicate(timeout=60)
    assert window.returncode == 0
    assert errors.splitlines() == [f"Nothing is stored, and {PRIVATE}", f"snapshot: {found[0].name}"]


def test_closing_the_window_ends(window: subprocess.Popen[str], screen: Screen) -> None:
    screen.wait_for(lambda picture: len(boxes(picture)) > 0)
    screen.close_windows()
    _, errors = window.communicate(timeout=60)
    assert (window.returncode, errors) == (0, f"Nothing is stored, and {PRIVATE}\n")
