"""Two processes on this machine, as torchrun starts them, against one."""

from __future__ import annotations

import csv
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_patterns import patterns

from facemotion import Recipe
from facemotion.classifier import Classifier
from facemotion.training import distributed
from facemotion.training.checkpoint import load_checkpoint
from facemotion.training.trainer import Trainer

HERE = Path(__file__).parent
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from facemotion import Recipe
from facemotion.training.checkpoint import load_checkpoint
from facemotion.training.trainer import Trainer
from training_patterns import patterns

history = Trainer(Recipe.load(sys.argv[2]), out=sys.argv[3], device="cpu").fit(patterns(160, 1), patterns(96, 2))
print(len(history))
"""


# the second process dies in the second epoch
DYING = SCRIPT.replace(
    "history =",
    """
import dataclasses
import os


def die(progress):
    if progress.epoch == 2 and os.environ["RANK"] == "1":
        os._exit(9)


Trainer.fit.__kwdefaults__["progress"] = die
history =""",
)


# a signal to one process stops all at the same step; what the program does about it is up to the program
STOP = """
import os
import signal

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
"""


def run(recipe: Recipe, out: Path, count: int, script: str = SCRIPT) -> subprocess.CompletedProcess[str]:
    (out.parent / "train.py").write_text(script)
    (out.parent / "recipe.toml").write_text(recipe.to_toml())
    # it finds a port by itself, which no other test can take meanwhile
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    command = [sys.executable, *(launch if count > 1 else []), str(out.parent / "train.py"), str(HERE)]
    command += [str(out.parent / "recipe.toml"), str(out)]
    # gloo would look for the name of this machine in the network
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def test_two_processes_take_the_same_steps_as_one(recipe: Recipe, tmp_path: Path) -> None:
    """20 steps of a network without batch norm or dropout, at the same global batch."""
    plain = recipe.override({"backbone": "cnn4", "epochs": 4, "ema": 0, "optimizer.lr": 0.01, "input.size": 48})
    plain = dataclasses.replace(plain.override({"dropout": 0.0}), backbone_args={})
    found = []
    for count in (1, 2):
        out = tmp_path / f"of {count}"
        done = run(plain, out, count)
        assert done.returncode == 0, done.stderr
        found.append(load_checkpoint(out)["loop"]["net"])
        assert len((out / "history.csv").read_text().splitlines()) == 5
    for name, values in found[0].items():
        assert torch.allclose(values, found[1][name], atol=1e-5), name


def test_two_processes_learn_what_one_learns(recipe: Recipe, tmp_path: Path) -> None:
    """With batch norm each process has statistics of its own, so the weights differ; what they can do does not."""
    recipe = recipe.override({"batch_size": 64, "augment.mixup": 0, "augment.erasing": 0, "epochs": 8, "ema": 0.8})
    accuracies = []
    for count in (1, 2):
        out = tmp_path / f"of {count}"
        done = run(recipe, out, count, SCRIPT.replace("160", "480").replace("96", "300"))
        assert done.returncode == 0, done.stderr
        rows = list(csv.DictReader((out / "history.csv").read_text().splitlines()))
        accuracies.append(float(rows[-1]["val_accuracy"]))
        # what is told is what the weights that are kept can do
        judged, val = Classifier.load(out / "best", device="cpu"), patterns(300, 2)
        found = (judged.probabilities(val.crops(recipe.input)).argmax(axis=1) == val.targets).mean()
        assert found == pytest.approx(judged.config.metrics[0]["accuracy"])
    assert min(accuracies) > 0.95
    assert abs(accuracies[0] - accuracies[1]) <= 0.02


def test_two_processes_that_were_stopped_end_with_the_weights_of_two_that_were_not(
    recipe: Recipe, tmp_path: Path
) -> None:
    """With dropout: each process draws its own, and goes on drawing it."""
    recipe = recipe.override({"epochs": 2})
    stopping = DYING.replace("os._exit(9)", "os.kill(os.getpid(), signal.SIGTERM)").replace("import os\n", STOP)
    for name, scripts in (("whole", [SCRIPT]), ("cut", [stopping, SCRIPT])):
        for script in scripts:
            done = run(recipe, tmp_path / name, 2, script)
    assert done.returncode == 0, done.stderr
    one, other = (load_file(tmp_path / name / "best" / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_process_that_dies_ends_the_run_and_leaves_a_checkpoint(recipe: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = run(recipe, out, 2, DYING)
    assert done.returncode != 0
    assert (out / "checkpoints" / "last.pt").exists()
    again = run(recipe, out, 2)
    assert again.returncode == 0, again.stderr
    assert len((out / "history.csv").read_text().splitlines()) == 4


def test_processes_whose_data_differ_do_not_begin_and_say_which_one_it_is(recipe: Recipe, tmp_path: Path) -> None:
    other = SCRIPT.replace("patterns(160, 1)", "patterns(160, 3 if os.environ['RANK'] == '1' else 1)")
    done = run(recipe, tmp_path / "run", 2, f"import os{other}")
    assert done.returncode != 0
    assert "TrainingError: not all processes learn from the same" in done.stderr
    assert "in process 2 of 2 the training data is another." in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("processors", "threads"), [(7, 2), (2, 1)])
def test_processes_share_the_processors_of_their_machine(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processors: int, threads: int
) -> None:
    monkeypatch.setattr(distributed, "cpu_threads", lambda: processors)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    Trainer(recipe, out=tmp_path / "run", device="cpu", epochs=1, threads=0).fit(patterns(32, 1), patterns(32, 2))
    assert Recipe.load(tmp_path / "run" / "recipe.toml").threads == threads


@pytest.fixture(autouse=True)
def _needs_gloo() -> None:
    if not torch.distributed.is_gloo_available():
        pytest.skip("this torch was built without gloo")
