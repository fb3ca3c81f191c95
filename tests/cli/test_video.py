"""`facemotion video` as a shell sees it, on clips of real faces on known paths."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from clips import FPS, across, write_clip
from PIL import Image

from facemotion import Box, EmotionRecognizer
from facemotion.cli.main import _run
from facemotion.crops import cut
from facemotion.opencv import cv2
from facemotion.video.frames import clip_info, read_frames
from facemotion.video.writing import SLOWEST

Captured = pytest.CaptureFixture[str]
SECONDS = 1.6
FRAMES = 40


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, astronaut_path: Path) -> tuple[Path, list[list[Box | None]]]:
    """One who stands, and one who comes in from the right after a while; with where their faces are."""
    path = tmp_path_factory.mktemp("clip") / "two.mp4"
    portrait = np.array(Image.open(astronaut_path).convert("RGB"))
    return path, write_clip(path, portrait, [across(30, 0, 90), across(900, -350, 100)], SECONDS)


def run(*arguments: object) -> int:
    return _run(["video", *map(str, arguments)])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_every_face_of_every_frame_at_its_time(
    clip: tuple[Path, list[list[Box | None]]], weights: Path, tmp_path: Path, capsys: Captured
) -> None:
    path, places = clip
    assert run(path, "--weights", weights, "--csv", tmp_path / "new" / "faces.csv") == 0
    rows = rows_of(tmp_path / "new" / "faces.csv")
    labels = EmotionRecognizer.from_pretrained(weights).labels
    assert list(rows[0]) == ["frame", "time", "track_id", "label", "score", "x1", "y1", "x2", "y2", *labels]
    assert [int(row["frame"]) for row in rows] == sorted(int(row["frame"]) for row in rows)
    assert {int(row["frame"]) for row in rows} == set(range(FRAMES))
    by_track: dict[str, int] = {}
    for row in rows:
        assert float(row["time"]) == pytest.approx(int(row["frame"]) / FPS, abs=1e-6)
        assert sum(float(row[label]) for label in labels) == pytest.approx(1, abs=1e-4)
        assert float(row["score"]) == float(row[row["label"]])
        by_track[row["track_id"]] = by_track.get(row["track_id"], 0) + 1
        box = Box(*(float(row[name]) for name in ("x1", "y1", "x2", "y2")))
        if int(row["track_id"]) <= 2:
            place = places[int(row["frame"])][int(row["track_id"]) - 1]
            assert place is None or box.iou(place) > 0.4
    # as many rows as faces: one who is there always, one in those frames where the whole face is in the picture
    whole = sum(place[1] is not None for place in places)
    assert by_track["1"] == FRAMES
    assert whole <= by_track["2"] <= whole + 12
    assert len(rows) == sum(by_track.values())
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"{path}: 40 frames up to 0:01.56, faces in 40 of them"
    assert out.splitlines()[2].split()[:4] == ["1", "0:00.00", "0:01.56", "40"]
    assert "40 of 40 frames" in err


def test_a_frame_without_faces_keeps_its_row(weights: Path, astronaut: np.ndarray, tmp_path: Path) -> None:
    write_clip(tmp_path / "none.mp4", astronaut, [], 0.4)
    assert run(tmp_path / "none.mp4", "--weights", weights, "--csv", tmp_path / "a.csv") == 0
    rows = rows_of(tmp_path / "a.csv")
    assert [row["frame"] for row in rows] == [str(index) for index in range(10)]
    assert [float(row["time"]) for row in rows] == pytest.approx([index / FPS for index in range(10)])
    assert {value for row in rows for name, value in row.items() if name not in ("frame", "time")} == {""}


def test_the_annotated_clip_has_the_size_the_rate_and_the_length(
    clip: tuple[Path, list[list[Box | None]]], weights: Path, tmp_path: Path
) -> None:
    path, places = clip
    assert run(path, "--weights", weights, "--annotate", tmp_path / "out.mp4") == 0
    assert clip_info(tmp_path / "out.mp4") == clip_info(path)
    for before, after in zip(read_frames(path), read_frames(tmp_path / "out.mp4"), strict=True):
        assert after.time == pytest.approx(before.time, abs=0.001)
        assert after.image.shape == before.image.shape
    place = places[-1][0]
    assert place is not None
    # a frame has been drawn about the face, and far from faces nothing has
    changed = np.abs(after.image.astype(int) - before.image).max(axis=2) > 60
    assert changed[round(place.y1) - 30 : round(place.y2) + 30, round(place.x1) - 30 : round(place.x2) + 30].sum() > 200
    assert changed[-80:].sum() == 0
    assert [each.name for each in tmp_path.iterdir()] == ["out.mp4"]


def test_a_frame_in_half_an_hour_is_annotated_at_the_slowest_rate_of_an_mp4(
    weights: Path, astronaut_path: Path, ffmpeg: str, tmp_path: Path
) -> None:
    slow, out = tmp_path / "slow.mov", tmp_path / "out.mp4"
    shots = ["-framerate", "1/1800", "-loop", "1", "-i", astronaut_path, "-frames:v", "3", "-c:v", "mjpeg"]
    subprocess.run([ffmpeg, "-v", "error", *shots, slow], check=True)
    assert 0 < clip_info(slow).fps < SLOWEST
    assert run(slow, "--weights", weights, "--annotate", out) == 0
    assert clip_info(out).fps == pytest.approx(SLOWEST)
    times = [frame.time for frame in read_frames(out)]
    assert times[-1] == pytest.approx(2 * 1800, abs=0.5 / SLOWEST), "it lasts as long as its source"


def test_every_third_frame_and_its_crops(
    clip: tuple[Path, list[list[Box | None]]], weights: Path, tmp_path: Path
) -> None:
    path, _ = clip
    crops, table = tmp_path / "crops", tmp_path / "a.csv"
    assert run(path, "--weights", weights, "--every", 3, "--crops", crops, "--csv", table) == 0
    rows = rows_of(table)
    assert {int(row["frame"]) for row in rows} == set(range(FRAMES))
    looked = [row for row in rows if int(row["frame"]) % 3 == 0]
    names = {f"{int(row['frame']):06}-{row['track_id']}-{row['label']}.png" for row in looked}
    assert {each.name for each in crops.iterdir()} == names
    recognizer = EmotionRecognizer.from_pretrained(weights)
    first = next(recognizer.stream(path))
    seen = np.array(Image.open(crops / f"000000-1-{first.faces[0].label}.png"))
    assert np.array_equal(seen, cut(first.image, first.faces, recognizer.classifier.config.input)[0, :, :, 0])


def test_crops_take_the_place_of_crops_and_of_nothing_else(
    weights: Path, tmp_path: Path, astronaut: np.ndarray, capsys: Captured
) -> None:
    write_clip(tmp_path / "short.mp4", astronaut, [across(30, 0, 90)], 0.1)
    arguments = (tmp_path / "short.mp4", "--weights", weights, "--crops", tmp_path / "crops")
    for _ in range(2):
        assert run(*arguments) == 0
    other, *_ = (tmp_path / "crops").iterdir()
    Image.fromarray(astronaut).save(other)
    before = other.read_bytes()
    assert run(*arguments) == 1
    assert f"--crops would write over {other}, which is no result of an earlier run" in capsys.readouterr().err
    assert other.read_bytes() == before


def test_a_tilde_in_quotes_is_a_home_for_all_that_is_written(
    weights: Path, tmp_path: Path, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, stands = tmp_path / "home", tmp_path / "here"
    stands.mkdir()
    monkeypatch.chdir(stands)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    write_clip(tmp_path / "short.mp4", astronaut, [across(30, 0, 90)], 0.1)
    options = ["--annotate=~/out.mp4", "--csv=~/t.csv", "--crops=~/crops"]
    assert run(tmp_path / "short.mp4", "--weights", weights, *options) == 0
    assert sorted(path.name for path in home.iterdir()) == ["crops", "out.mp4", "t.csv"]
    assert list((home / "crops").iterdir())
    assert list(stands.iterdir()) == []


def test_of_a_clip_that_breaks_off_what_was_read_is_kept(
    weights: Path, tmp_path: Path, astronaut: np.ndarray, capsys: Captured
) -> None:
    torn = tmp_path / "torn.avi"
    write_clip(torn, astronaut, [across(30, 0, 90)], SECONDS, code="MJPG")
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    out = tmp_path / "out.mp4"
    assert run(torn, "--weights", weights, "--csv", tmp_path / "a.csv", "--annotate", out) == 1
    count = len(rows_of(tmp_path / "a.csv"))
    assert 10 < count < 30
    assert len(list(read_frames(out))) == count
    said = capsys.readouterr()
    assert said.out.startswith(f"{torn}: {count} frames up to")
    assert said.err.splitlines()[-1] == (
        f"facemotion: {torn}: it breaks off after {count} of {FRAMES} frames; those were read"
    )


def test_a_clip_without_a_frame_replaces_no_table(
    weights: Path, tmp_path: Path, astronaut: np.ndarray, capsys: Captured
) -> None:
    hollow, table = tmp_path / "hollow.avi", tmp_path / "faces.csv"
    write_clip(hollow, astronaut, [across(30, 0, 90)], SECONDS, code="MJPG")
    whole = hollow.read_bytes()
    hollow.write_bytes(whole[: whole.index(b"movi") + 4])  # the header, which promises frames, and none of them
    table.write_text("frame,time,track_id\nan earlier clip's\n")
    assert run(hollow, "--weights", weights, "--csv", table, "--annotate", tmp_path / "out.mp4") == 1
    assert table.read_text() == "frame,time,track_id\nan earlier clip's\n"
    assert not (tmp_path / "out.mp4").exists()
    assert f"facemotion: {hollow}: there is no frame in it that can be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"), [("absent.mp4", None), ("notes.mp4", b"no video"), ("empty.mp4", b""), (".", None)]
)
def test_what_is_no_clip_is_one_line_from_a_shell(tmp_path: Path, name: str, content: bytes | None) -> None:
    """OpenCV and FFmpeg would write lines of their own."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-m", "facemotion", "video", str(tmp_path / name), "--annotate", str(tmp_path / "a.mp4")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"facemotion: {tmp_path / name}: ")
    assert not (tmp_path / "a.mp4").exists()


def test_two_outputs_are_two_files(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "a.mp4").write_bytes(b"read first")
    (tmp_path / "b.csv").symlink_to(tmp_path / "b.mp4")
    assert run(tmp_path / "a.mp4", "--csv", tmp_path / "b.csv", "--annotate", tmp_path / "b.mp4") == 1
    assert "--annotate would write over" in capsys.readouterr().err
    assert not (tmp_path / "b.mp4").exists()


@pytest.mark.parametrize("option", ["--csv", "--annotate"])
def test_the_clip_itself_is_never_written_over(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    clip, link = tmp_path / "a.mp4", tmp_path / ("link.csv" if option == "--csv" else "link.mp4")
    clip.write_bytes(b"read first")
    link.hardlink_to(clip)
    if option == "--csv":  # whichever clip it is
        assert run(clip, option, clip) == 2
        assert f"expected the name of a table, got '{clip}'" in capsys.readouterr().err
    for name in (clip, link) if option == "--annotate" else (link,):
        assert run(clip, option, name) == 1
        assert capsys.readouterr().err == (
            f"facemotion: {option} would write over {name}, which is to be read; name another place\n"
        )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in (f"file://{clip}", "~/a.mp4"):
        assert run(name, option, link) == 1
        assert f"{option} would write over {link}, which is to be read" in capsys.readouterr().err
    assert clip.read_bytes() == b"read first"


def test_nobody_is_told_of_more_frames_than_there_are(weights: Path, tmp_path: Path, capsys: Captured) -> None:
    """A browser's recording tells the ticks of its clock for its rate, so how many frames it has is a guess."""
    clip = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 1000, (32, 32))
    for number in range(100):
        writer.write(np.full((32, 32, 3), 2 * number, np.uint8))
    writer.release()
    assert run(clip, "--weights", weights) == 0
    told = capsys.readouterr()
    assert "100 frames" in told.out
    assert told.err.splitlines() == ["1 of 3 frames", "2 of 3 frames", "3 of 3 frames"]


def test_wrong_usage(clip: tuple[Path, list[list[Box | None]]], capsys: Captured) -> None:
    assert run(clip[0], "--annotate", "out.avi") == 2
    assert "expected a file that ends in .mp4" in capsys.readouterr().err
    assert run(clip[0], "--every", 0) == 2


def test_an_interruption_leaves_whole_files(
    weights: Path, astronaut: np.ndarray, tmp_path: Path, in_the_foreground: None
) -> None:
    write_clip(tmp_path / "long.mp4", astronaut, [across(30, 10, 90)], 30)
    table, out = tmp_path / "a.csv", tmp_path / "out.mp4"
    options = ["--weights", weights, "--csv", table, "--annotate", out]
    command = [sys.executable, "-m", "facemotion", "video", tmp_path / "long.mp4", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    deadline = time.monotonic() + 120
    while not (table.exists() and table.stat().st_size > 2000):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "facemotion: interrupted"
    rows = rows_of(table)
    # stopped between the row and the picture of a frame, one of them is missing
    assert 0 <= len(rows) - len(list(read_frames(out))) <= 1
    assert len(rows) < 750
