"""What a training finds in its folder: its own files are gone on with, those of others never written over."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from training_patterns import Stopped, same, stop_in_second_epoch

from facemotion import Recipe, RecipeError, TrainingError
from facemotion.classifier import Classifier
from facemotion.data.samples import Samples
from facemotion.training.progress import Progress
from facemotion.training.trainer import Trainer


def stop(now: Progress) -> None:
    raise Stopped


def test_the_recipe_that_the_folder_keeps_goes_on_with_its_training_and_so_does_the_first(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    open_recipe = recipe.override({"epochs": 1, "threads": 0})
    Trainer(open_recipe, out=out).fit(train, val)
    kept = Recipe.load(out / "recipe.toml")
    assert kept.threads and kept != open_recipe
    for each in (kept, open_recipe):
        assert len(Trainer(each, out=out).fit(train, val)) == 1
    # what is told is what was changed, and not what the folder decided for itself
    with pytest.raises(TrainingError, match=r"another training \(epochs: 1 there, 2 here\)") as refused:
        Trainer(kept, out=out, epochs=2).fit(train, val)
    assert f"--set init={out / 'best'}" in str(refused.value)
    assert len(Trainer(kept, out=out / "longer", epochs=2, init=str(out / "best")).fit(train, val)) == 2


@pytest.mark.parametrize("resume", ["auto", "never"])
def test_two_at_once_do_not_share_a_folder(
    recipe: Recipe, train: Samples, val: Samples, out: Path, resume: Literal["auto", "never"]
) -> None:
    refused = []

    def another(now: Progress) -> None:
        if not refused:
            with pytest.raises(TrainingError, match="another training is at work in it: wait for its end") as error:
                Trainer(recipe, out=out, epochs=1).fit(train, val, resume)
            refused.append(error.value)

    Trainer(recipe, out=out, epochs=1).fit(train, val, progress=another)
    assert refused
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert len(Trainer(recipe, out=out, epochs=1).fit(train, val)) == 1


def test_one_s_own_recipe_in_the_folder_is_not_written_over(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    out.mkdir()
    (out / "recipe.toml").write_text(text := f"# my notes\n{recipe.to_toml()}")
    own = Trainer(out / "recipe.toml", out=out, epochs=1)
    with pytest.raises(TrainingError, match=r"holds recipe\.toml, and no checkpoint .*--out, .*--fresh"):
        own.fit(train, val)
    assert (out / "recipe.toml").read_text() == text
    own.fit(train, val, "never")
    assert (out.with_name("run.1") / "recipe.toml").read_text() == text


def test_a_folder_called_best_that_no_training_made_is_kept(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    (out / "best").mkdir(parents=True)
    (out / "best" / "letters.txt").write_text("not ours")
    with pytest.raises(TrainingError, match="holds best, and no checkpoint"):
        Trainer(recipe, out=out, epochs=1).fit(train, val)
    Trainer(recipe, out=out, epochs=1).fit(train, val, "never")
    assert (out.with_name("run.1") / "best" / "letters.txt").read_text() == "not ours"


@pytest.mark.parametrize("with_folder", [False, True])
def test_a_training_that_lost_its_checkpoint_is_kept(
    recipe: Recipe, train: Samples, val: Samples, out: Path, with_folder: bool
) -> None:
    Trainer(recipe, out=out, epochs=1).fit(train, val)
    (out / "checkpoints" / "last.pt").unlink()
    if with_folder:
        shutil.rmtree(out / "checkpoints")
    before = (out / "history.csv").read_bytes()
    with pytest.raises(TrainingError, match=r"history\.csv.*, and no checkpoint"):
        Trainer(recipe, out=out, epochs=2).fit(train, val)
    assert (out / "history.csv").read_bytes() == before


def test_a_kill_before_the_first_checkpoint_asks_for_nothing(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    with pytest.raises(Stopped):
        Trainer(recipe, out=out, epochs=1).fit(train, val, progress=stop)
    assert (out / "recipe.toml").exists()
    assert len(Trainer(recipe, out=out, epochs=1).fit(train, val)) == 1


def test_threads_are_as_before_after_a_training_that_could_not_begin(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    before = torch.get_num_threads()
    frozen = recipe.override({"threads": before + 1, "freeze": ["backbone", "head"]})
    with pytest.raises(RecipeError, match="nothing is left to train"):
        Trainer(frozen, out=out).fit(train, val)
    assert torch.get_num_threads() == before


def test_what_others_call_checkpoints_is_no_training_of_ours(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    (out / "checkpoints").mkdir(parents=True)
    (out / "best").mkdir()
    (out / "best" / "model.pt").write_text("not ours")
    with pytest.raises(TrainingError, match="holds best, and no checkpoint"):
        Trainer(recipe, out=out, epochs=1).fit(train, val)
    torch.save({"model": torch.zeros(2)}, out / "checkpoints" / "last.pt")
    with pytest.raises(TrainingError, match="is no checkpoint of a training of ours"):
        Trainer(recipe, out=out, epochs=1).fit(train, val)
    assert (out / "best" / "model.pt").read_text() == "not ours"


def test_copies_beside_the_best_network_are_kept(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    for name in ("best.old", "best.new"):
        (out / name).mkdir(parents=True)
    Trainer(recipe, out=out, epochs=2).fit(train, val)
    assert {"best", "best.old", "best.new"} <= {each.name for each in out.iterdir()}


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_training_whose_best_network_was_taken_away_does_not_go_on_without_it(
    recipe: Recipe, train: Samples, val: Samples, out: Path, epochs: int
) -> None:
    again = Trainer(recipe, out=out, epochs=epochs)
    try:
        again.fit(train, val, progress=stop_in_second_epoch)
    except Stopped:
        assert epochs == 2
    shutil.move(out / "best", out.with_name("best"))
    with pytest.raises(TrainingError, match=r"best is gone.*that of epoch 1: put it back, or .*--fresh"):
        again.fit(train, val)
    shutil.move(out.with_name("best"), out / "best")
    assert len(again.fit(train, val)) == epochs


def test_numbers_of_numpy_are_written_as_numbers(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    numbers = {"input__mean": [train.targets.mean() / 4], "input__std": np.array([0.25]), "epochs": np.int64(1)}
    wanted = Trainer(recipe, out=out, dropout=np.float64(0.2), labels=recipe.label_set, **numbers)
    wanted.fit(train, val)
    assert Recipe.load(out / "recipe.toml").dropout == 0.2
    assert Recipe.load(out / "recipe.toml").input.std == (0.25,)


@pytest.mark.parametrize("now", ["gone", "another"])
def test_a_training_goes_on_without_the_weights_that_it_began_with(
    recipe: Recipe, train: Samples, val: Samples, out: Path, now: str
) -> None:
    begun, other = out / "begun", out / "other"
    Trainer(recipe, out=begun, epochs=1).fit(train, val)
    tuned = recipe.override({"init": str(begun / "best"), "dropout": 0.2, "epochs": 2})
    Trainer(tuned, out=out / "whole").fit(train, val)
    with pytest.raises(Stopped):
        Trainer(tuned, out=out / "cut").fit(train, val, progress=stop_in_second_epoch)
    shutil.rmtree(begun)
    if now == "another":
        Trainer(recipe, out=other, backbone_args={"width": 0.5}, epochs=1).fit(train, val)
        other.rename(begun)
    Trainer(tuned, out=out / "cut").fit(train, val)
    assert same(out / "whole", out / "cut")
    told = [Classifier.load(out / name / "best", device="cpu").config.trained_on for name in ("whole", "cut")]
    assert told[0] == told[1] and len(told[0]) == 2
