"""SIGKILL at random moments, twenty of them or a hundred: the weights are those of a training nobody disturbed."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from safetensors.torch import load_file
from training_patterns import patterns

from facemotion import Recipe
from facemotion.training import folder
from facemotion.training.trainer import Trainer


def train(recipe: Recipe, out: Path, steps: Connection) -> None:
    folder._CHECKPOINT_SECONDS = 0.05
    Trainer(recipe, out=out).fit(patterns(192, 1), patterns(96, 2), progress=lambda progress: steps.send(1))


def test_kills_cost_nothing_but_time(recipe: Recipe, tmp_path: Path, rounds: Callable[[int, int], int]) -> None:
    wanted = rounds(20, 100)
    # a server that has imported everything: each process is there at once
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__, "torch.utils.tensorboard", "matplotlib.backends.backend_agg"])
    recipe = recipe.override({"epochs": 30 * wanted // 20})

    def start(name: str) -> tuple[multiprocessing.process.BaseProcess, Connection]:
        ours, theirs = processes.Pipe(duplex=False)
        process = processes.Process(target=train, args=(recipe, tmp_path / name, theirs))
        process.start()
        theirs.close()
        return process, ours

    whole, steps = start("whole")
    while whole.is_alive() and steps.poll(60):
        try:
            steps.recv()
        except EOFError:
            break
    whole.join()
    assert whole.exitcode == 0

    random, kills = np.random.default_rng(0), 0
    while kills < wanted:
        process, steps = start("cut")
        for _ in range(int(random.integers(1, 6))):
            assert steps.poll(60)
            steps.recv()
        time.sleep(float(random.uniform(0, 0.1)))
        process.kill()
        process.join()
        assert process.exitcode != 0, "it was done before it was killed so often"
        kills += 1
    last, steps = start("cut")
    last.join()
    assert last.exitcode == 0
    one, other = (load_file(tmp_path / name / "best" / "model.safetensors") for name in ("whole", "cut"))
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)
