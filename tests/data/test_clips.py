"""Which files of a folder are clips, by real clips of every kind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from facemotion.data.clips import is_clip
from facemotion.data.prepare import find_photos
from facemotion.video.frames import read_frames

MPEG4 = [".mp4", ".m4v", ".mov", ".3gp", ".3g2"]
OTHERS = [".avi", ".mkv", ".webm", ".ogv", ".flv", ".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts", ".wmv", ".asf"]


@pytest.mark.parametrize("suffix", [*MPEG4, *OTHERS])
def test_clips_of_every_kind_are_found_by_their_names_and_read(tmp_path: Path, ffmpeg: str, suffix: str) -> None:
    clip = tmp_path / f"party{suffix}"
    # ffmpeg chooses what is inside by the name, as it usually is
    drawn = ["-f", "lavfi", "-i", "testsrc=size=176x144:duration=0.2:rate=25"]
    subprocess.run([ffmpeg, "-v", "error", *drawn, clip], check=True)
    shouted = clip.rename(tmp_path / f"PARTY{suffix.upper()}")
    assert is_clip(clip) and is_clip(shouted)
    assert find_photos(tmp_path).paths == [shouted]
    assert len(list(read_frames(shouted))) == 5


@pytest.mark.parametrize("name", ["party.jpg", "party.mp4.txt", "mp4", ".mp4", "party.mp3"])
def test_other_files_are_no_clips(name: str) -> None:
    assert not is_clip(Path(name))
