"""The detector's training, every step of it on a few pictures: it learns nothing, but whatever breaks breaks here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facemotion.engines import onnxruntime_engine

FOLDER = Path(__file__).resolve().parent.parent.parent / "examples" / "train_detector"
OUTPUTS = ["stride8", "stride16", "stride32"]


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, str(FOLDER / f"{script}.py"), *map(str, arguments)]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=400)
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers(model: Path, frame: np.ndarray) -> list[np.ndarray]:
    engine = onnxruntime_engine(model.read_bytes(), "image", OUTPUTS)
    assert engine is not None
    return engine(frame)


def test_from_pictures_to_a_detector_and_on_from_there(assets: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    cache, out = tmp_path / "cache", tmp_path / "out"
    printed = run("run", "--assets", assets, "--cache", cache, "--out", out, "--quick")
    # the last step is the table over all thresholds
    assert "composed 24+ px" in printed
    made, again = out / "second" / "mini.onnx", out / "again.onnx"
    run("restore", made, out / "start.pt", "--cache", cache)
    run("export", out / "start.pt", again)
    frame = np.random.default_rng(0).uniform(0, 255, (1, 16, 24, 32)).astype(np.float32)
    for before, after in zip(answers(made, frame), answers(again, frame), strict=True):
        assert np.abs(before - after).max() < 1e-4
        assert before.std() > 0
