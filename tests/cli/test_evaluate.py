"""`facemotion evaluate` as a shell sees it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facemotion import Recipe, Trainer
from facemotion.cli.main import _run


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "facemotion", "evaluate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


def run_here(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """The same in this process, which is quicker: exit code, stdout, stderr."""
    code = _run(["evaluate", *map(str, arguments)])
    return code, *capsys.readouterr()


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three splits of two classes, as folders; one face of eight is labelled wrongly, so that nobody is perfect."""
    random = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("cli") / "faces"
    y, x = np.mgrid[:24, :24]
    patterns = {"happy": np.sin(x), "sad": np.sin(np.hypot(x - 12, y - 12))}
    other = {"happy": "sad", "sad": "happy"}
    for split, count in (("train", 60), ("val", 40), ("test", 40)):
        for name in patterns:
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                pattern = patterns[other[name] if index % 8 == 7 else name]
                pixels = 128 + 22 * pattern + random.normal(0, 45, (24, 24))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{index:02}.png")
    # a copy of a face that was trained on
    (root / "test" / "sad" / "copy.png").write_bytes((root / "train" / "happy" / "03.png").read_bytes())
    return root


@pytest.fixture(scope="module")
def weights(faces: Path) -> Path:
    recipe = Recipe.from_dict(
        {
            "backbone": "fast",
            "labels": ["happy", "sad"],
            "epochs": 6,
            "batch_size": 20,
            "precision": "fp32",
            "input": {"size": 24},
            "optimizer": {"lr": 0.05},
        }
    )
    Trainer(recipe, out=faces.parent / "run", device="cpu").fit(faces)
    return faces.parent / "run" / "best"


def test_the_same_command_twice_writes_the_same_bytes_and_text(faces: Path, weights: Path, tmp_path: Path) -> None:
    first = run(weights, faces, "--training-data", faces, "--tta", "flip", "--out", tmp_path / "a")
    assert first.returncode == 0, first.stderr
    second = run(weights, faces, "--training-data", faces, "--tta", "flip", "--out", tmp_path / "b")
    assert first.stdout == second.stdout
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert {"report.json", "report.md", "confusion.png", "reliability.png"} <= set(contents(tmp_path / "a"))
    for line in (
        "precision    recall  f1-score   support",
        "exact copies: 1; accuracy without them",
        "split:        test",
    ):
        assert line in first.stdout
    found = json.loads((tmp_path / "a" / "report.json").read_text())
    assert (found["count"], found["split"], found["tta"]) == (81, "test", "flip")
    assert found["leak"]["places"] == [str(faces / "test" / "sad" / "copy.png")]
    # speed is no result
    assert "a second" not in first.stdout


def test_without_out_nothing_is_written(faces: Path, weights: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "facemotion", "-v", "evaluate", str(weights), str(faces)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=240)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
    assert "a second" in done.stderr
    assert "81 of 81 pictures" in done.stderr
    assert "not looked for: name the training data" in done.stdout


def test_calibrate_writes_a_copy_and_leaves_its_input(
    capsys: pytest.CaptureFixture[str], faces: Path, weights: Path, tmp_path: Path
) -> None:
    before = contents(weights)
    done = run(weights, faces, "--calibrate", "--out", tmp_path / "copy")
    assert done.returncode == 0, done.stderr
    assert contents(weights) == before
    assert contents(tmp_path / "copy")["model.safetensors"] == before["model.safetensors"]
    assert f"fitted on: {faces} val, 80 faces" in done.stdout
    assert "expected calibration error there:" in done.stdout
    assert done.stdout.splitlines()[-1] == f"weights: {tmp_path / 'copy'}"
    config = json.loads((tmp_path / "copy" / "config.json").read_text())
    assert config["temperature"] != 1
    assert f"temperature: 1.0000 before, {config['temperature']:.4f} after" in done.stdout
    code, judged, _ = run_here(capsys, tmp_path / "copy", faces)
    assert code == 0
    assert f"temperature {config['temperature']:.3g}" in judged


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--split", "val"], 1, "the epoch of these weights was chosen on this split"),
        (["--split", "nonesuch"], 1, "no split of"),
        (["--label-rule", "majority"], 1, "needs votes"),
        (["--training-data", "nowhere"], 1, "nowhere: no such file or folder"),
        (["--device", "cuda:7"], 1, "device 'cuda:7' is not there"),
        (["--tta", "fivecrop"], 2, "'fivecrop' is not one of 'flip', 'ten-crop'"),
        (["--calibrate"], 2, "name its folder with --out"),
        (["--calibrate", "--out", "x", "--tta", "flip"], 2, "goes with neither --tta nor --training-data"),
        (["--calibrate", "--out", "x", "--split", "test"], 1, "this is the test part"),
    ],
)
def test_a_wrong_argument_is_one_line(
    capsys: pytest.CaptureFixture[str], faces: Path, weights: Path, more: list[str], code: int, says: str
) -> None:
    found, out, told = run_here(capsys, weights, faces, *more)
    assert found == code
    assert says in told
    assert out == ""


def test_weights_and_data_that_are_not_there(capsys: pytest.CaptureFixture[str], faces: Path, weights: Path) -> None:
    for arguments, says in (((faces.parent / "none", faces), "no such folder"), ((weights, "none"), "no such file")):
        code, _, told = run_here(capsys, *arguments)
        assert code == 1
        assert says in told
        assert told.count("\n") == 1


def test_a_report_never_becomes_a_class_of_what_was_read(
    faces: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained_on = tmp_path / "train"
    shutil.copytree(faces / "train", trained_on)
    for source in (faces, trained_on):
        code, _, told = run_here(capsys, weights, faces, "--training-data", trained_on, "--out", source / "report")
        assert code == 1
        assert f"lies in the class folders {source} and would become one" in told
        assert not (source / "report").exists()


def test_names_of_strangers_command_no_terminal(
    weights: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "\x1b[31mred"
    shutil.copytree(faces, odd)
    code, out, _ = run_here(capsys, weights, odd)
    assert code == 0
    assert "\\x1b[31mred" in out and "\x1b" not in out
