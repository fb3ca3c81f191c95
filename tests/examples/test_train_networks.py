"""The trainings of the package's networks: that their options are understood, and that each waits for what it needs."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import re
import runpy
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from small_sets import draw_face

from facemotion import Recipe
from facemotion.backbones.network import build_network, plan_network
from facemotion.classifier import Classifier
from facemotion.evaluation.leak import splits_that_chose
from facemotion.inputs import InputSpec
from facemotion.weights.folder import read_config
from facemotion.weights.pack import make_low_rank
from facemotion.weights.spec import Head, Packing

SCRIPT = Path(__file__).resolve().parent.parent.parent / "examples" / "train_networks" / "train.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_networks", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("jobs", "shipped"),
    [
        ("fast", {"fast-7class-first", "fast-8class-first", "resnet50-5class"}),
        ("vgg", {"vgg16-5class", "vgg16-7class"}),
    ],
)
def test_every_training_is_understood_and_comes_after_those_it_learns_from(
    script: ModuleType, jobs: str, shipped: set[str]
) -> None:
    earlier: dict[str, set[str]] = {}
    for job in script.JOBS[jobs]:
        command = job.command(Path("FER2013"), Path("runs"), None)
        recipe = Recipe.load(command[command.index("--recipe") + 1]).override(
            dict(change.split("=", 1) for option, change in pairwise(command) if option == "--set")
        )
        assert recipe.epochs == job.epochs
        earlier[job.name] = set(job.after).union(*(earlier[name] for name in job.after))
        needed = set(re.findall(r"runs/([\w-]+)/best", " ".join(command)))
        assert needed <= earlier[job.name]
        assert len(recipe.distill.teachers) in (0, 3)
    assert shipped <= earlier.keys()


def arrays(folder: Path) -> dict[str, np.ndarray]:
    state = Classifier.load(folder, device="cpu").net.state_dict()
    return {name: tensor.numpy() for name, tensor in state.items()}


@pytest.fixture
def mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, np.ndarray]]:
    average = runpy.run_path(str(SCRIPT.with_name("average.py")))["main"]

    def of(*folders: Path | str) -> dict[str, np.ndarray]:
        monkeypatch.setattr(sys, "argv", ["average.py", str(tmp_path / "mean"), *map(str, folders)])
        average()
        return arrays(tmp_path / "mean")

    return of


def test_the_mean_of_weights_lies_between_them_and_is_of_one_kind(
    weights: Path, tmp_path: Path, mean: Callable[..., dict[str, np.ndarray]]
) -> None:
    one = Classifier.load(weights, device="cpu")
    with torch.no_grad():
        for parameter in one.net.parameters():
            parameter += 1
    own = {"data": "mine.csv", "split": "train", "fingerprint": "beef"}
    chose = {"data": "mine.csv", "split": "val", "fingerprint": "cafe"}
    one.config = dataclasses.replace(one.config, trained_on=(own,), metrics=(chose,), chosen_on="mine.csv val")
    one.save(tmp_path / "moved")
    first = read_config(weights)
    for name, array in mean(weights, tmp_path / "moved", tmp_path / "moved").items():
        before, moved = arrays(weights)[name], arrays(tmp_path / "moved")[name]
        np.testing.assert_allclose(array, (before + 2 * moved) / 3, rtol=1e-5, atol=1e-6)
    # what the others have seen is told, once
    config = read_config(tmp_path / "mean")
    assert config.trained_on == (own, *first.trained_on)
    chosen = [{**chose, "labels": list(one.labels)}, *splits_that_chose(first)]
    assert (config.chosen_on, list(config.chosen_before)) == (None, chosen)
    with pytest.raises(SystemExit, match="fast-8class is another network"):
        mean(weights, "fast-8class")


@pytest.mark.parametrize("why", ["other labels", "made thin"])
def test_where_heads_are_of_two_kinds_the_first_ones_stays(
    tmp_path: Path, mean: Callable[..., dict[str, np.ndarray]], why: str
) -> None:
    config = plan_network("fast", ("happy", "sad"), InputSpec(size=24), head=Head((32,)))
    for name in ("first", "other"):
        net = build_network(config).eval()
        if name == "first" and why == "made thin":
            ranks = {"head.0": 4}
            make_low_rank(net, ranks, keep_weights=True)
            saved = dataclasses.replace(config, packing=Packing(ranks=ranks))
        else:
            saved = dataclasses.replace(config, labels=(name, "sad")) if why == "other labels" else config
        Classifier(net, saved).save(tmp_path / name)
    first, other = arrays(tmp_path / "first"), arrays(tmp_path / "other")
    together = mean(tmp_path / "first", tmp_path / "other")
    assert together.keys() == first.keys()
    for name, array in together.items():
        expected = first[name] if name.startswith("head.") else (first[name] + other[name]) / 2
        np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-6)


def test_one_learns_from_another_and_what_fails_takes_only_its_own_along(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(40):
        folder = tmp_path / "faces" / ("upright", "upside_down")[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rot90(draw_face(index), 2 * (index % 2))).save(folder / f"{index}.png")
    small = """--recipe fast-7class --set 'labels=["upright", "upside_down"]' --set input.size=24 --set threads=1"""
    jobs = [
        script.Job("student", 1, f"{small} --set init=RUNS/teacher/best", ("teacher",)),
        script.Job("wrong", 1, f"{small} --set optimizer.lr=-1"),
        script.Job("behind-it", 1, small, ("wrong",)),
        script.Job("teacher", 1, small),
    ]
    runs = tmp_path / "runs"
    runs.mkdir()
    options = argparse.Namespace(data=tmp_path / "faces", runs=runs, epochs=None, at_once=2)
    assert script.run(jobs, options) == 1
    told = capsys.readouterr().out
    assert "wrong: exit 1: facemotion: override: optimizer.lr" in told and "behind-it" not in told
    assert Classifier.load(runs / "student" / "best", device="cpu").config.trained_on[0]["count"] == 32
    assert told.index("teacher: exit 0") < told.index("student: facemotion train") < told.index("student: exit 0")
