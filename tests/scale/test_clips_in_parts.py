"""Clips that are read in parts give the rows of a single run: the same frames, times, tracks and labels, to the bit."""

from __future__ import annotations

import logging
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from clips import FPS, across, write_clip
from PIL import Image
from scale_files import rows, sources

from facemotion import EmotionRecognizer
from facemotion.scale import Outcome, Progress, predict_dataset
from facemotion.scale.job import Layout
from facemotion.scale.places import Place
from facemotion.scale.plan import make_parts
from facemotion.video.frames import clip_info
from facemotion.video.segments import Segment
from facemotion.video.whole import ClipInfo

SECONDS = 2.4
ODD = {
    "few-whole-frames.mp4": ["-c:v", "libx264", "-bf", "3", "-g", "250"],
    "open.mkv": ["-c:v", "libx264", "-bf", "3", "-g", "12", "-x264-params", "open-gop=1"],
    "variable.mp4": ["-vf", "select='not(mod(n,3))+lt(mod(n,30),15)'", "-fps_mode", "vfr", "-c:v", "libx264"],
    "stream.mpg": ["-c:v", "mpeg2video"],
}


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory, astronaut_path: Path) -> Path:
    """A clip of two people who cross, so that it matters who is who where parts meet."""
    path = tmp_path_factory.mktemp("clips") / "moving.mp4"
    portrait = np.array(Image.open(astronaut_path).convert("RGB"))
    write_clip(path, portrait, [across(-10, 190, 80), across(450, -190, 95)], SECONDS)
    return path


class Stopped(Exception):
    """What a test stops a run with."""


def stop_after(parts: int) -> Callable[[Progress], None]:
    left = iter(range(parts - 1))

    def tell(_: Progress) -> None:
        if next(left, None) is None:
            raise Stopped

    return tell


def run(
    source: Path | list[str],
    out: Path,
    weights: Path,
    seconds: float,
    progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    settings = {"weights": weights, "engine": "local", "segment_seconds": seconds, "progress": progress}
    return predict_dataset(source, out, **settings)


def test_parts_are_joined_to_what_a_single_run_gives(moving: Path, weights: Path, tmp_path: Path) -> None:
    outcome = run(moving, tmp_path / "out", weights, 0.5)
    assert (outcome.inputs, outcome.parts, outcome.errors, outcome.done_before) == (1, 5, 0, 0)
    told: list[Progress] = []
    again = run(moving, tmp_path / "out", weights, 0.5, progress=told.append)
    assert (again.inputs, again.parts, again.done_before, told) == (1, 5, 5, [])
    found = rows(tmp_path / "out", "frames")
    number = 0
    tracks: set[int | None] = set()
    for frame in EmotionRecognizer.from_pretrained(weights).stream(moving):
        for face in frame.faces:
            row = found[number]
            number += 1
            assert (row["source"], row["frame"], row["time"]) == (str(moving), frame.index, frame.time)
            assert (row["track_id"], row["label"]) == (face.track_id, face.label)
            wanted = [face.score, *face.box, *face.scores.values()]
            got = [row[name] for name in ("score", "x1", "y1", "x2", "y2", *face.scores)]
            assert got == np.array(wanted, np.float32).tolist()
            tracks.add(face.track_id)
        if not frame.faces:
            assert (found[number]["frame"], found[number]["label"]) == (frame.index, None)
            number += 1
    assert number == len(found) > SECONDS * FPS
    assert {1, 2} <= tracks, "there was somebody to follow"


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are a Unix thing")
def test_a_clip_may_have_more_parts_than_a_process_open_files(moving: Path, weights: Path, tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    # the limit is one of numbers: what was open before may have high ones, with gaps below
    highest = max(int(each.name) for each in Path("/dev/fd").iterdir())
    gaps = []
    while not gaps or gaps[-1] < highest:
        gaps.append(os.open(os.devnull, os.O_RDONLY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (gaps[-1] + 32, before[1]))
    try:
        outcome = run(moving, tmp_path / "out", weights, SECONDS / 48)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for gap in gaps:
            os.close(gap)
    assert (outcome.parts, outcome.errors) == (48, 0)


@pytest.mark.parametrize("name", ODD)
def test_odd_clips_too(
    moving: Path, weights: Path, tmp_path: Path, ffmpeg: str, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    clip = tmp_path / name
    subprocess.run([ffmpeg, "-v", "error", "-i", str(moving), *ODD[name], str(clip)], check=True)
    with caplog.at_level(logging.WARNING, "facemotion"):
        assert run(clip, tmp_path / "parts", weights, 0.5).parts > 2
    assert caplog.messages == [], "no joint had to be given up"
    assert run(clip, tmp_path / "whole", weights, 1e6).parts == 1
    assert rows(tmp_path / "parts", "frames") == rows(tmp_path / "whole", "frames") != []


@pytest.mark.parametrize("seconds", [0.5, 1e6])
def test_an_interlaced_clip_is_read_or_refused_with_the_reason(
    moving: Path, weights: Path, tmp_path: Path, ffmpeg: str, seconds: float
) -> None:
    clip, fields = tmp_path / "a.mpg", ["-c:v", "mpeg2video", "-flags", "+ilme+ildct"]
    subprocess.run([ffmpeg, "-v", "error", "-i", moving, *fields, clip], check=True)
    run(clip, tmp_path / "out", weights, seconds)
    faults = [row["reason"] for row in rows(tmp_path / "out", "errors")]
    assert "it is interlaced" in faults[0] if faults else len(rows(tmp_path / "out", "frames")) > SECONDS * FPS


def test_neighbours_see_the_same_frame_where_they_meet(moving: Path) -> None:
    bounds = [-np.inf, 0.5, 1.01, 2.2, np.inf]
    segments = [Segment(moving, start, stop) for start, stop in pairwise(bounds)]
    times = [told for segment in segments for told, _ in segment.frames()]
    assert times == [told for told, _ in Segment(moving).frames()]
    for one, other in pairwise(segments):
        assert one.beyond == other.first is not None
    assert segments[-1].beyond is None
    # a picture's pixels are part of it: another frame of the same time would not fit
    assert segments[0].first is not None and segments[1].first is not None
    assert segments[0].first.pixels != segments[1].first.pixels


def test_parts_that_do_not_fit_are_read_in_one_go(
    moving: Path, weights: Path, tmp_path: Path, astronaut: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    """A clip that was replaced while its parts were being read."""
    clip, out = tmp_path / "clip.mp4", tmp_path / "out"
    shutil.copy(moving, clip)

    with pytest.raises(Stopped):
        run(clip, out, weights, 0.5, progress=stop_after(1))
    write_clip(clip, astronaut, [across(0, 150, 60)], SECONDS)
    with caplog.at_level(logging.WARNING, "facemotion"):
        run(clip, out, weights, 0.5)
    assert any("do not fit where they meet" in message for message in caplog.messages)
    run(clip, tmp_path / "whole", weights, 1e6)
    assert rows(out, "frames") == rows(tmp_path / "whole", "frames")


@pytest.mark.parametrize("rate", [FPS, 1e-6])
def test_a_length_that_cannot_be_is_not_believed(
    weights: Path, tmp_path: Path, astronaut: np.ndarray, rate: float
) -> None:
    """Two thousand million frames in some kilobytes, at a rate that can be or at one that can not."""
    clip = tmp_path / "liar.avi"
    write_clip(clip, astronaut, [across(0, 150, 60)], 0.4, code="MJPG")
    data = bytearray(clip.read_bytes())
    frames = 2**31 - 1
    struct.pack_into("<I", data, data.index(b"avih") + 24, frames)
    stream = data.index(b"strh") + 8
    struct.pack_into("<II", data, stream + 20, 1_000_000, round(rate * 1_000_000))
    struct.pack_into("<I", data, stream + 32, frames)
    clip.write_bytes(data)
    assert clip_info(clip) == ClipInfo(pytest.approx(rate), frames)
    [part] = islice(make_parts([str(clip)], 1, 60.0), 2)
    assert part.span is not None
    assert (part.span.count, part.span.images) == (1, 1)
    assert run(clip, tmp_path / "out", weights, 60.0).parts == 1
    [error] = rows(tmp_path / "out", "errors")
    assert error["reason"] == f"it breaks off after 10 of {frames} frames; those were read"


def test_a_clip_has_so_many_parts_at_most(moving: Path) -> None:
    parts = list(islice(make_parts([str(moving)], 1, 1e-5), 20_000))
    assert len(parts) == 10_000
    assert [part.span.index for part in parts if part.span] == list(range(10_000))


def test_bad_clips_are_errors_and_leave_no_rows(
    moving: Path, weights: Path, tmp_path: Path, astronaut_path: Path
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copy(moving, folder / "b.mp4")
    shutil.copy(astronaut_path, folder / "c.jpg")
    shutil.copy(astronaut_path, folder / "a.jpg")
    (folder / "text.mp4").write_text("no clip")
    names = [*map(str, sorted(folder.iterdir())), str(folder / "absent.mp4")]
    outcome = run(names, tmp_path / "out", weights, 0.5)
    assert (outcome.inputs, outcome.errors) == (5, 2)
    assert sources(tmp_path / "out", "faces") == [str(folder / "a.jpg"), str(folder / "c.jpg")]
    assert sources(tmp_path / "out", "frames") == [str(folder / "b.mp4")]
    reasons = {row["source"]: row["reason"] for row in rows(tmp_path / "out", "errors")}
    assert reasons[str(folder / "absent.mp4")] == "no such file"
    assert reasons[str(folder / "text.mp4")].startswith("OpenCV can't read this as video")


def test_a_clip_that_breaks_off_is_an_error(moving: Path, weights: Path, tmp_path: Path, ffmpeg: str) -> None:
    clip = tmp_path / "cut.avi"
    subprocess.run([ffmpeg, "-v", "error", "-i", str(moving), "-c:v", "mjpeg", str(clip)], check=True)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    run(clip, tmp_path / "out", weights, 0.5)
    [error] = rows(tmp_path / "out", "errors")
    assert "breaks off after" in error["reason"]
    assert rows(tmp_path / "out", "frames") == []


def test_a_clip_at_an_address_is_fetched_and_read(moving: Path, weights: Path, tmp_path: Path) -> None:
    assert run([f"file://{moving}"], tmp_path / "out", weights, 0.5).parts == 1
    run(moving, tmp_path / "here", weights, 1e6)
    found = rows(tmp_path / "out", "frames")
    assert [{**row, "source": str(moving)} for row in found] == rows(tmp_path / "here", "frames")


def test_a_part_of_a_clip_that_is_written_is_not_read_again(moving: Path, weights: Path, tmp_path: Path) -> None:
    """Killed between two parts of a clip, the first of them is kept for the join."""
    out = tmp_path / "out"
    layout, written = Layout(Place.of(str(out)), "parquet"), []
    for parts in (2, 3):
        with pytest.raises(Stopped):
            run(moving, out, weights, 0.5, progress=stop_after(parts))
        segments = [Path(layout.segment(number).path) for number in range(2)]
        written.append([path.stat().st_mtime_ns for path in segments])
    assert written[0] == written[1]
    run(moving, out, weights, 0.5)
    run(moving, tmp_path / "whole", weights, 1e6)
    assert rows(out, "frames") == rows(tmp_path / "whole", "frames")
