from __future__ import annotations

import json
from pathlib import Path

import pytest

from facemotion import FaceDetector
from facemotion.cli import benchmark as module
from facemotion.cli.benchmark import drawn_faces
from facemotion.cli.main import _run

STEPS = ("reading", "detection", "cropping", "classification", "drawing")


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROUNDS", 3)


def test_every_step_is_measured(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["benchmark", "--weights", str(weights), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = report["rows"]
    sizes = [(320, 240), (640, 480), (1280, 720)]
    assert [(row["width"], row["height"], row["faces"]) for row in rows] == [
        (*size, faces) for size in sizes for faces in (1, 4, 16)
    ]
    for row in rows:
        assert all(row[name] > 0 for name in (*STEPS, "fps"))
    # a process with torch in it takes hundreds of megabytes, and not hundreds of gigabytes
    assert report["peak_memory_mb"] is None or 100 < report["peak_memory_mb"] < 100_000
    assert report["detector"] == "mini"


def test_the_table_names_what_was_measured(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["benchmark", "--weights", str(weights), "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{weights} with mini on cpu" in lines[0]
    assert lines[2].split() == ["SIZE", "FACES", *(name.upper() for name in STEPS), "FRAMES/S"]
    assert len(lines) == 3 + 9 + 1
    assert lines[3].split()[:4] == ["320", "x", "240", "1"]


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1280, 720)])
@pytest.mark.parametrize("count", [1, 4, 16])
def test_the_drawn_faces_are_found(size: tuple[int, int], count: int) -> None:
    picture = drawn_faces(size, count)
    assert picture.shape == (size[1], size[0], 3)
    assert len(FaceDetector("mini").detect(picture)) == count
