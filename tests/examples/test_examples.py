"""Each example as somebody runs it: its script in a process of its own, on small inputs."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clips import across, head, paint, write_clip
from faces import read_faces
from PIL import Image
from small_sets import draw_face

from facemotion import EmotionRecognizer
from facemotion.opencv import cv2

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


def run(script: str, *arguments: object, expect: int = 0, plugins: Path | None = None) -> str:
    """Run examples/SCRIPT, or a command of facemotion; gives what it printed."""
    start = ["-m", "facemotion"] if script == "facemotion" else [str(EXAMPLES / script)]
    # a script is no part of the package: it must bring nothing but itself
    environment = os.environ | {"PYTHONPATH": str(plugins or ""), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-W", "error::DeprecationWarning:__main__", *start, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == expect, f"exit {done.returncode}: {done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds with a face, which is gone for the last half second."""
    path = tmp_path_factory.mktemp("clip") / "party.mp4"
    portrait = np.array(Image.open(EXAMPLES / "images" / "astronaut.jpg").convert("RGB"))
    write_clip(path, portrait, [lambda time: (100.0 if time < 1.5 else 900.0, 80.0)], 2.0)
    return path


@pytest.fixture(scope="module")
def turned_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes that no network of ours knows: faces upright, on their side and upside down."""
    root = tmp_path_factory.mktemp("faces")
    assets = os.environ.get("FACEMOTION_TEST_ASSETS")
    if assets:
        faces, _ = read_faces(Path(assets), ("happy", "neutral"), 60)
    else:
        faces = np.stack([draw_face(seed) for seed in range(60)])
    for index, face in enumerate(faces):
        folder = root / ("upright", "sideways", "upside_down")[index % 3]
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.rot90(face, index % 3)).save(folder / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both plug-ins, installed by pip into a folder of their own."""
    target = tmp_path_factory.mktemp("plugins")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    packages = [str(EXAMPLES / f"plugin_{kind}") for kind in ("backbone", "detector")]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(target), *packages], check=True, timeout=300)
    return target


def test_every_example_has_a_readme_that_names_its_script() -> None:
    folders = [folder for folder in sorted(EXAMPLES.iterdir()) if folder.is_dir() and folder.name != "images"]
    assert len(folders) >= 10
    for folder in folders:
        text = (folder / "README.md").read_text("utf-8")
        scripts = [path.name for path in folder.glob("*.py")]
        assert any(name in text for name in scripts), folder.name


def test_predict_image(astronaut_path: Path, astronaut: np.ndarray, tmp_path: Path) -> None:
    printed = run("predict_image/predict_image.py", astronaut_path, tmp_path / "out.jpg")
    [face] = EmotionRecognizer.from_pretrained().predict(astronaut_path)
    assert printed.startswith(f"{face.label} {face.score:.1%}, ")
    drawn = np.array(Image.open(tmp_path / "out.jpg")).astype(int)
    assert drawn.shape == astronaut.shape
    changed = np.abs(drawn - astronaut).max(axis=2) > 60
    top = round(face.box.y1)
    assert changed[top - 3 : top + 4, round(face.box.x1) : round(face.box.x2)].mean() > 0.3


def test_webcam(clip: Path) -> None:
    lines = run("webcam/webcam.py", clip).splitlines()
    assert "person 1 happy" in lines[0]
    assert lines[-1].endswith("nobody")


def test_video_to_csv(clip: Path, tmp_path: Path) -> None:
    run("video_to_csv/video_to_csv.py", clip, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["second"], row["person"], row["frames"]) for row in rows] == [("0", "1", "25"), ("1", "1", "25")]
    assert int(rows[0]["frames_with_face"]) == 25
    assert 8 <= int(rows[1]["frames_with_face"]) <= 14
    scores = [float(value) for name, value in rows[0].items() if name in EmotionRecognizer.from_pretrained().labels]
    assert sum(scores) == pytest.approx(1, abs=1e-3)


def test_video_to_csv_keeps_seconds_without_a_face(tmp_path: Path, astronaut: np.ndarray) -> None:
    write_clip(tmp_path / "empty.mp4", astronaut, [across(900, 0, 0)], 1.2, size=(320, 240))
    run("video_to_csv/video_to_csv.py", tmp_path / "empty.mp4", tmp_path / "table.csv")
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert [line.split(",")[:4] for line in lines[1:]] == [["0", "", "25", "0"], ["1", "", "5", "0"]]


def test_train_own_classes(turned_faces: Path, tmp_path: Path) -> None:
    printed = run("train_own_classes/train_own_classes.py", turned_faces, tmp_path, "--epochs", 5)
    assert "36 faces to train on, 12 to choose on, 12 to judge on: sideways, upright, upside_down" in printed
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["labels"] == ["sideways", "upright", "upside_down"]
    assert report["accuracy"] > 0.5  # a third by guessing
    assert (report["count"], report["leak"]["exact"]) == (12, 0)
    config = json.loads((tmp_path / "weights" / "config.json").read_text())
    assert ("not calibrated" in printed) == (config["temperature"] == 1.0)
    assert (tmp_path / "emotions.onnx").stat().st_size > 1e6


def test_evaluate_and_compare(assets: Path, tmp_path: Path) -> None:
    faces, targets = read_faces(assets, ("happy", "sad", "surprise"), 90)
    for index, (face, target) in enumerate(zip(faces, targets, strict=True)):
        folder = tmp_path / "data" / ("happy", "sad", "surprise")[target]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face).save(folder / f"{index}.png")
    script = "evaluate_and_compare/evaluate_and_compare.py"
    printed = run(script, tmp_path / "data", tmp_path / "out", "fast-8class", "fast-7class")
    assert "fast-8class - fast-7class: right alone" in printed
    for name in ("fast-8class", "fast-7class"):
        report = json.loads((tmp_path / "out" / name / "report.json").read_text())
        assert report["count"] == 90
        assert report["accuracy"] > 0.6


def test_export_onnx(astronaut_path: Path, tmp_path: Path) -> None:
    printed = run("export_onnx/export_onnx.py", "fast-8class", tmp_path / "emotions.onnx", astronaut_path)
    said = printed.splitlines()[-1].replace("torch ", "").replace("onnxruntime ", "").split(", ")
    assert said[0] == said[1]
    assert said[0].startswith("happy 9") or said[0].startswith("happy 100")


def test_plugin_backbone(plugins: Path, turned_faces: Path, tmp_path: Path) -> None:
    assert "keeps the contract" in run("plugin_backbone/check.py", plugins=plugins)
    recipe = EXAMPLES / "plugin_backbone" / "recipe.toml"
    own = ["--set", 'labels=["sideways", "upright", "upside_down"]', "--set", "epochs=1", "--set", "precision=fp32"]
    run("facemotion", "train", turned_faces, "--recipe", recipe, "--out", tmp_path / "run", *own, plugins=plugins)
    shown = run("facemotion", "weights", "show", tmp_path / "run" / "best", plugins=plugins)
    assert "`separable`" in shown


def test_plugin_detector(plugins: Path, astronaut_path: Path, astronaut: np.ndarray, tmp_path: Path) -> None:
    assert "keeps the contract" in run("plugin_detector/check.py", astronaut_path, plugins=plugins)
    pixels, share = (cv2.resize(each, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA) for each in head(astronaut))
    large = cv2.GaussianBlur(cv2.resize(astronaut[:60, 300:440], (1600, 1200)), (0, 0), 9)
    for number in range(12):
        paint(large, (pixels, share[..., None]), (70 + number % 4 * 380, 90 + number // 4 * 380))
    Image.fromarray(large).save(tmp_path / "crowd.png")
    found = {}
    for name in ("mini", "tiles"):
        printed = run("facemotion", "predict", tmp_path / "crowd.png", "--detector", name, "--json", plugins=plugins)
        found[name] = len(json.loads(printed)["faces"])
    assert found["tiles"] >= 10
    assert found["mini"] < found["tiles"]
