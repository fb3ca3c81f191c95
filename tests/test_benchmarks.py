"""The benchmarks run, and their figures are of what they say; how large these are depends on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


def run(script: str, target: Path, *options: str) -> list[dict[str, object]]:
    command = [sys.executable, str(FOLDER / script), "--rounds", "1", "--threads", "1", "--json", str(target), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(target.read_text())
    assert {"title", "processor", "threads", "python", "facemotion", "load", "rows"} <= set(report)
    # the table says the same
    assert report["title"] in done.stdout and done.stdout.count("\n| ") == len(report["rows"]) + 1
    rows: list[dict[str, object]] = report["rows"]
    return rows


def test_frames(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    rows = run("frame.py", tmp_path / "frame.json", "--frames", "2", "--without", "facemotion, yunet")
    assert [(row["frame"], row["faces"]) for row in rows[::2]] == [
        ("640 x 480", 1),
        ("640 x 480", 4),
        ("640 x 480", 16),
        ("1280 x 720", 1),
    ]
    for ours, slower in zip(rows[::2], rows[1::2], strict=True):
        assert (ours["by"], slower["by"]) == ("facemotion", "facemotion without onnxruntime")
        assert ours["faces found"] == slower["faces found"] >= ours["faces"] / 2
        assert ours["frames/s"] == pytest.approx(1000 / ours["ms"])


def test_growth(tmp_path: Path) -> None:
    rows = run("growth.py", tmp_path / "growth.json", "--of", "frames", "images", "--most", "100")
    assert [(row["growing"], row["count"]) for row in rows] == [
        ("frames of a clip", "100"),
        ("images in a folder", "100"),
    ]
    assert all(row["s"] > 0 for row in rows)
    if sys.platform == "linux":
        assert all(40 < row["peak memory, MB"] < 1000 for row in rows)
