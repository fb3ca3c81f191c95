"""Interlaced clips: OpenCV reads them right, or nobody is given what it makes of them."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import numpy as np
import pytest

from facemotion import VideoError
from facemotion.video.frames import read_frames
from facemotion.video.segments import Segment

FIELDS = ["-c:v", "mpeg2video", "-flags", "+ilme+ildct"]
KINDS = {
    "film.mpg": FIELDS,
    "camcorder.mp4": ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-x264-params", "tff=1"],
    "tape.dv": ["-s", "720x576", "-pix_fmt", "yuv420p"],
}


def moving(ffmpeg: str, clip: Path, *options: str) -> Path:
    pattern = "testsrc=size=320x240:rate=25:duration=1"
    subprocess.run([ffmpeg, "-v", "error", "-f", "lavfi", "-i", pattern, *options, clip], check=True)
    return clip


def still(ffmpeg: str, clip: Path, picture: Path, *options: str) -> Path:
    source = ["-loop", "1", "-i", picture, "-t", "1", "-r", "25"]
    subprocess.run([ffmpeg, "-v", "error", *source, "-pix_fmt", "yuv420p", *options, clip], check=True)
    return clip


def pictures(clip: Path) -> list[np.ndarray]:
    return [frame.image for frame in read_frames(clip)]


@pytest.mark.parametrize("name", KINDS)
def test_an_interlaced_clip_is_read_or_refused_before_its_first_picture(tmp_path: Path, ffmpeg: str, name: str) -> None:
    clip, seen = moving(ffmpeg, tmp_path / name, *KINDS[name]), []
    for frames in (read_frames(clip), Segment(clip).frames()):
        try:
            seen += list(frames)
        except VideoError as error:
            assert str(error).startswith(f"{clip}: it is interlaced") and "-vf yadif" in str(error)
            assert not seen
    if seen:
        assert len({image.tobytes() for image in pictures(clip)}) > 20
    # what the message says to do
    mended = tmp_path / "mended.mp4"
    subprocess.run([ffmpeg, "-v", "error", "-i", clip, "-vf", "yadif", mended], check=True)
    assert len({image.tobytes() for image in pictures(mended)}) > 20


def test_a_clip_that_stands_still_is_read(
    tmp_path: Path, ffmpeg: str, astronaut_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = still(ffmpeg, tmp_path / "a.mp4", astronaut_path, "-c:v", "libx264")
    images = pictures(clip)
    assert len(images) == 25 and len({image.tobytes() for image in images}) < 25
    assert len(list(Segment(clip, 0.2, 0.6).frames())) == 10
    assert not caplog.records


def test_without_ffprobe_a_clip_of_one_picture_is_told_of(
    tmp_path: Path, ffmpeg: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clip, other = moving(ffmpeg, tmp_path / "a.mpg", *FIELDS), moving(ffmpeg, tmp_path / "b.mpg", "-c:v", "mpeg2video")
    monkeypatch.setenv("PATH", str(tmp_path))
    with caplog.at_level(logging.WARNING, "facemotion"):
        assert len(pictures(other)) == 25
        assert not caplog.records
        images = pictures(clip)
    assert len(images) == 25
    read = len({image.tobytes() for image in images}) > 20
    assert read or "all its pictures are the same" in caplog.text
