from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from test_frames import write

from facemotion.video.mp4 import shown_seconds


def test_the_length_of_a_clip(tmp_path: Path) -> None:
    assert shown_seconds(str(write(tmp_path / "a.mp4", 40, code="mp4v"))) == pytest.approx(1.6)
    assert shown_seconds(str(write(tmp_path / "a.mov", 25, fps=12.5, code="mp4v"))) == pytest.approx(2.0)


def test_what_is_no_mp4_says_nothing(tmp_path: Path) -> None:
    assert shown_seconds(str(write(tmp_path / "a.avi", 10))) is None
    assert shown_seconds(str(tmp_path / "absent.mp4")) is None
    assert shown_seconds("http://127.0.0.1:9/a.mp4") is None
    (tmp_path / "empty.mp4").write_bytes(b"")
    assert shown_seconds(str(tmp_path / "empty.mp4")) is None


@pytest.mark.parametrize("size", [2**63 - 1, 2**63, 2**64 - 1])
def test_a_box_larger_than_any_file_ends_the_search(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.mp4").write_bytes(struct.pack(">I4sQ", 1, b"mdat", size) + b"pictures")
    assert shown_seconds(str(tmp_path / "a.mp4")) is None


def test_damage_never_ends_in_a_loop_or_an_error_of_another_kind(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.mp4", 10, code="mp4v").read_bytes()
    rng = np.random.default_rng(0)
    begins = whole.index(b"moov") - 4
    for _ in range(400):
        data = bytearray(whole[: rng.integers(len(whole))] if rng.random() < 0.3 else whole)
        for place in rng.integers(begins, len(whole), 4):
            data[min(place, len(data) - 1)] = rng.integers(256)
        (tmp_path / "b.mp4").write_bytes(data)
        shown = shown_seconds(str(tmp_path / "b.mp4"))
        assert shown is None or shown >= 0
