"""Two processes on this machine, as torchrun starts them, against one."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from facemotion import Recipe
from facemotion.training.checkpoint import load_checkpoint

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


def run(recipe: Recipe, out: Path, count: int, script: str = SCRIPT) -> subprocess.CompletedProcess[str]:
    (out.parent / "train.py").write_text(script)
    (out.parent / "recipe.toml").write_text(recipe.to_toml())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", str(count), "--master-port", str(port)]
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


def test_a_process_that_dies_ends_the_run_and_leaves_a_checkpoint(recipe: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = run(recipe, out, 2, DYING)
    assert done.returncode != 0
    assert (out / "checkpoints" / "last.pt").exists()
    again = run(recipe, out, 2)
    assert again.returncode == 0, again.stderr
    assert len((out / "history.csv").read_text().splitlines()) == 4


@pytest.fixture(autouse=True)
def _needs_gloo() -> None:
    if not torch.distributed.is_gloo_available():
        pytest.skip("this torch was built without gloo")
