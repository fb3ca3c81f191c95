from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facemotion import Recipe

RECIPE = """
backbone = "cnn4"
labels = ["bars", "rings"]
epochs = 2
batch_size = 16
precision = "fp32"
input = { size = 32 }
optimizer = { name = "adam", lr = 0.001 }
"""


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Two classes that a small network tells apart, as folders."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    for name, pattern in (("bars", np.sin(x)), ("rings", np.sin(np.hypot(x - 16, y - 16)))):
        folder = tmp_path / "faces" / name
        folder.mkdir(parents=True)
        for index in range(40):
            pixels = 128 + 60 * pattern + random.normal(0, 25, (32, 32))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{index}.png")
    (tmp_path / "mine.toml").write_text(RECIPE)
    return tmp_path / "faces"


def train(faces: Path, *more: str) -> list[str]:
    folder = faces.parent
    arguments = [str(faces), "--recipe", str(folder / "mine.toml"), "--out", str(folder / "run"), *more]
    return [sys.executable, "-m", "facemotion", "train", *arguments]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)


def test_a_folder_becomes_weights_with_plain_lines_for_a_log(faces: Path) -> None:
    done = run(*train(faces, "--set", "epochs=3", "--set", "optimizer.lr=0.002"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"weights: {faces.parent / 'run' / 'best'}"
    lines = [line for line in done.stderr.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 3
    assert "faces/s" in lines[0]
    assert "left" in lines[0]
    resolved = Recipe.load(faces.parent / "run" / "recipe.toml")
    assert (resolved.epochs, resolved.optimizer.lr) == (3, 0.002)


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--label-rule", "majority"], 1, "needs votes"),
        (["--split", "nonesuch"], 1, "nonesuch"),
        (["--device", "cuda:7"], 1, "device 'cuda:7' is not there"),
    ],
)
def test_a_wrong_argument_is_one_line(faces: Path, more: list[str], code: int, says: str) -> None:
    done = run(*train(faces, *more))
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--recipe", "nonesuch"], 1, "no recipe is named 'nonesuch'"),
        (["--set", "epoch=3"], 1, "no key is named 'epoch'; did you mean 'epochs'"),
        (["--set", "epochs"], 2, "expected KEY=VALUE"),
        (["--set", "batch_size=0"], 1, "batch_size: out of range: expected at least 1, got 0"),
    ],
)
def test_a_wrong_recipe_is_said_before_torch_is_imported(faces: Path, more: list[str], code: int, says: str) -> None:
    program = "import sys; sys.modules['torch'] = None; from facemotion.cli.main import main; main()"
    done = run(sys.executable, "-c", program, *train(faces, *more)[3:])
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
@pytest.mark.usefixtures("in_the_foreground")
def test_a_signal_saves_and_the_same_command_goes_on(faces: Path, number: signal.Signals, code: int) -> None:
    command = train(faces, "--set", "epochs=400")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if line.startswith("epoch 2/"))
        process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == code
    assert "the same command goes on" in rest
    with subprocess.Popen([*command[:3], "-v", *command[3:]], stderr=subprocess.PIPE, text=True) as again:
        assert again.stderr is not None
        first = next(line for line in again.stderr if "going on in epoch" in line or line.startswith("epoch "))
        again.kill()
    assert "going on in epoch" in first


def test_fresh_asks_nothing_and_keeps_the_old_one(faces: Path) -> None:
    assert run(*train(faces)).returncode == 0
    other = run(*train(faces, "--set", "seed=5"))
    assert other.returncode == 1
    assert "seed: 0 there, 5 here" in other.stderr
    assert run(*train(faces, "--set", "seed=5", "--fresh")).returncode == 0
    assert (faces.parent / "run.1" / "history.csv").exists()


def test_on_a_terminal_one_line_is_written_over_and_never_wider(faces: Path) -> None:
    master, slave = pty.openpty()
    command = train(faces, "--set", "epochs=3")
    environment = os.environ | {"COLUMNS": "50"}
    with subprocess.Popen(command, stdin=slave, stdout=subprocess.PIPE, stderr=slave, env=environment) as process:
        os.close(slave)
        shown = b""
        # the end of a terminal that nobody writes to any more is an error on Linux, and nothing elsewhere
        with suppress(OSError):
            while piece := os.read(master, 4096):
                shown += piece
    os.close(master)
    assert process.returncode == 0, shown.decode()
    lines = [line for line in shown.decode().replace("\n", "\r").split("\r") if line]
    assert lines[-1].startswith("epoch 3/3")
    assert "validation" in lines[-1]
    assert {len(line) for line in lines} == {49}
    assert shown.count(b"\n") == 1


def test_of_several_processes_one_speaks(faces: Path) -> None:
    command = train(faces)
    launch = [*command[:2], "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *command[1:]]
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(launch, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("epoch ")]
    assert [line[:9] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all("validation" in line for line in lines)


def test_a_training_never_becomes_a_class_of_its_data(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    val = faces.with_name("val")
    shutil.copytree(faces, val)
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(faces.parent))
    for source, named in ((faces, str(val)), (val, str(val)), (val, "~/val")):
        done = run(*train(faces, "--val", named, "--out", str(source / "run")))
        assert done.returncode == 1
        assert done.stderr.endswith(
            "lies in the class folders " + str(source) + " and would become one: name another place\n"
        )
        assert sorted(path.name for path in source.iterdir()) == ["bars", "rings"]


def test_a_rest_of_one_face_stops_no_training(faces: Path) -> None:
    shutil.copytree(faces, faces.parent / "val")
    for name, count in (("bars", 16), ("rings", 17)):  # two batches of 16 and a rest of one
        for path in sorted((faces / name).iterdir())[count:]:
            path.unlink()
    more = ["--val", str(faces.parent / "val"), "--set", "backbone=cnn", "--set", "input.size=48"]
    done = run(*train(faces, *more, "--set", "epochs=1"))
    assert done.returncode == 0, done.stderr
    done = run(*train(faces, *more, "--set", "batch_size=1", "--out", str(faces.parent / "one")))
    assert done.returncode == 1
    assert "batch_size: too small a batch: expected at least 2" in done.stderr


@pytest.mark.parametrize(("chosen", "counts"), [("fold2", [60, 20]), ("fold1/fold2", [40, 40])])
def test_what_chooses_is_not_trained_on_whatever_its_name(faces: Path, chosen: str, counts: list[int]) -> None:
    table = faces.parent / "folds.csv"
    rows = [
        f"faces/{name}/{index}.png,{name},fold{(index + 2) % 4}" for name in ("bars", "rings") for index in range(40)
    ]
    table.write_text("\n".join(["path,label,split", *rows]), "utf-8")
    command = train(faces, "--val-split", chosen, "--set", "epochs=1")
    command[command.index(str(faces))] = str(table)
    done = run(*command)
    assert done.returncode == 0, done.stderr
    config = json.loads((faces.parent / "run" / "best" / "config.json").read_text())
    assert [each["count"] for each in (*config["trained_on"], *config["metrics"])] == counts
