from __future__ import annotations

import csv
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_patterns import Stopped, same, weights

from facemotion import DataError, InputSpec, LabelSet, Recipe, RecipeError, TrainingError
from facemotion.classifier import Classifier
from facemotion.data.loaders import Loader
from facemotion.data.pictures import ArrayPictures
from facemotion.data.samples import Samples
from facemotion.training.checkpoint import save_checkpoint
from facemotion.training.distributed import Processes
from facemotion.training.loop import Loop
from facemotion.training.losses import Objective
from facemotion.training.progress import Progress
from facemotion.training.run import Run
from facemotion.training.setup import starting_network
from facemotion.training.trainer import Trainer


def table(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / "history.csv").read_text().splitlines()))


def test_a_training_learns_and_leaves_what_people_read(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    seen: list[Progress] = []
    history = Trainer(recipe, out=out, epochs=6, description="It reaches 99%").fit(train, val, progress=seen.append)
    assert len(history) == 6
    assert history.best_score == max(row.val_accuracy for row in history.epochs) > 0.7
    assert Recipe.load(out / "recipe.toml").epochs == 6
    rows = table(out)
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert float(rows[-1]["val_accuracy"]) == pytest.approx(history.epochs[-1].val_accuracy, abs=1e-5)
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(seen) == 6 * (6 + 1)
    assert (seen[6].epoch, seen[6].faces, seen[6].total) == (1, 192, 192)
    assert [each.validation for each in seen if each.judged] == [row.val_accuracy for row in history.epochs]

    judged = Classifier.load(out / "best", device="cpu")
    accuracy = (judged.probabilities(val.crops(recipe.input)).argmax(axis=1) == val.targets).mean()
    assert accuracy == pytest.approx(history.best_score)
    config = judged.config
    assert config.trained_on[0]["fingerprint"] == train.fingerprint
    assert config.chosen_on == "patterns 2"
    assert config.metrics[0]["accuracy"] == pytest.approx(history.best_score)
    card = (out / "best" / "README.md").read_text("utf-8")
    assert 'from_pretrained("run/best")' in card
    assert "None" not in card
    assert "\nRecipe: It reaches 99%\n" in card, "which nobody takes for what these weights reach"


class Counted(ArrayPictures):
    """Pictures that know how many crops were made of them."""

    cut = 0

    def crops(self, rows: np.ndarray, spec: InputSpec) -> np.ndarray:
        self.cut += len(rows)
        return super().crops(rows, spec)


def test_each_picture_is_cut_once_also_where_the_precision_is_tried(
    recipe: Recipe, train: Samples, val: Samples, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = Counted(train.pictures.array, train.source)
    long = recipe.override({"precision": "auto", "epochs": 100, "stop.patience": 1, "stop.min_delta": 0.9})
    with caplog.at_level("INFO", "facemotion.training"):
        Trainer(long, out=out).fit(replace(train, pictures=pictures), val)
    assert "a step takes" in caplog.text
    assert pictures.cut == len(train)


def test_a_training_of_a_few_steps_is_over_before_a_trial_of_precisions_would_be(
    recipe: Recipe, train: Samples, val: Samples, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facemotion.training.run.choose_precision", lambda *_: pytest.fail("it was tried"))
    Trainer(recipe.override({"precision": "auto"}), out=out).fit(train, val)
    assert Recipe.load(out / "recipe.toml").precision == "fp32"


def test_quick_epochs_are_not_held_up_by_slow_writing(
    recipe: Recipe, train: Samples, val: Samples, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def slowly(folder: Path, state: dict[str, Any]) -> None:
        time.sleep(1)
        written.append(len(state["history"]["epochs"]))
        save_checkpoint(folder, state)

    monkeypatch.setattr("facemotion.training.folder.save_checkpoint", slowly)
    Trainer(recipe, out=out / "slow", epochs=6).fit(train, val)
    assert written == [1, 6]
    monkeypatch.undo()
    Trainer(recipe, out=out / "quick", epochs=6).fit(train, val)
    # what was best meanwhile was kept, and every epoch is told of
    assert same(out / "slow", out / "quick")
    assert [row["epoch"] for row in table(out / "slow")] == ["1", "2", "3", "4", "5", "6"]


def test_the_same_command_twice_gives_the_same_bytes(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    for name in ("a", "b"):
        Trainer(recipe, out=out / name).fit(train, val)
    assert same(out / "a", out / "b")
    Trainer(recipe, out=out / "c", seed=1).fit(train, val)
    assert not same(out / "a", out / "c")


@pytest.mark.parametrize("after", [1, 6, 9, 12, 17])
def test_stopped_anywhere_and_gone_on_with_it_is_the_same_training(
    recipe: Recipe, train: Samples, val: Samples, out: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Trainer(recipe, out=out / "whole").fit(train, val)
    monkeypatch.setattr("facemotion.training.folder._CHECKPOINT_SECONDS", 0.0)
    steps = iter(range(1, 1000))

    def stop(progress: Progress) -> None:
        if next(steps) == after:
            raise Stopped

    with pytest.raises(Stopped):
        Trainer(recipe, out=out / "cut").fit(train, val, progress=stop)
    gone_on = Trainer(recipe, out=out / "cut").fit(train, val)
    assert same(out / "whole", out / "cut")
    figures = [(row.train_loss, row.train_accuracy, row.val_loss, row.lr) for row in gone_on.epochs]
    assert figures == [(row.train_loss, row.train_accuracy, row.val_loss, row.lr) for row in whole.epochs]


def test_a_finished_training_is_not_done_again(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    Trainer(recipe, out=out).fit(train, val)
    before = (out / "best" / "model.safetensors").stat().st_mtime_ns
    history = Trainer(recipe, out=out).fit(train, val, progress=lambda progress: pytest.fail("it trained again"))
    assert len(history) == 3
    assert (out / "best" / "model.safetensors").stat().st_mtime_ns == before


def test_fresh_starts_over_and_keeps_the_old_one_aside(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    Trainer(recipe, out=out).fit(train, val)
    Trainer(recipe, out=out, epochs=1).fit(train, val, resume="never")
    assert len(table(out)) == 1
    assert len(table(out.with_name("run.1"))) == 3


def test_another_recipe_or_other_data_are_refused_with_the_difference(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    Trainer(recipe, out=out).fit(train, val)
    with pytest.raises(TrainingError, match=r'lr: 0\.05 there, 0\.01 here.*--fresh \(in Python resume="never"\)'):
        Trainer(recipe, out=out, optimizer__lr=0.01).fit(train, val)
    with pytest.raises(TrainingError, match="the training data is another"):
        Trainer(recipe, out=out).fit(train.subset(np.arange(90)), val)


def test_a_damaged_checkpoint_is_named(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    Trainer(recipe, out=out, epochs=1).fit(train, val)
    path = out / "checkpoints" / "last.pt"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(TrainingError, match=r"last\.pt is damaged.*--fresh"):
        Trainer(recipe, out=out, epochs=1).fit(train, val)


def test_what_steps_gave_may_be_read_when_more_have_been_done(
    recipe: Recipe, train: Samples, val: Samples, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is on a graphics card, which is not asked after each."""
    at_once = Trainer(recipe, out=out / "at_once").fit(train, val)
    monkeypatch.setattr(Run, "_is_time_to_read", lambda run: False)
    told: list[Progress] = []
    for seconds in (120.0, 0.0):
        monkeypatch.setattr("facemotion.training.folder._CHECKPOINT_SECONDS", seconds)
        late = Trainer(recipe, out=out / f"late{seconds}").fit(train, val, progress=told.append)
        assert same(out / "at_once", out / f"late{seconds}")
        figures = [(row.train_loss, row.train_accuracy, row.val_loss) for row in late.epochs]
        assert figures == [(row.train_loss, row.train_accuracy, row.val_loss) for row in at_once.epochs]
    assert [each.judged for each in told] == [True] * 2 * recipe.epochs
    assert {each.faces for each in told} == {len(train)}


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(
    recipe: Recipe, train: Samples, val: Samples, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for _ in ("read at once", "and later"):
        with pytest.raises(TrainingError, match=r"the loss is (nan|inf) in epoch \d, batch \d.*optimizer\.lr") as error:
            Trainer(recipe, out=out, optimizer__lr=1e30).fit(train, val)
        said.append(str(error.value))
        assert not (out / "checkpoints" / "last.pt").exists()
        monkeypatch.setattr(Run, "_is_time_to_read", lambda run: False)
    assert said[0] == said[1]


@pytest.mark.parametrize(("seconds", "says"), [(0.0, "a weight is no number"), (120.0, "the validation loss is nan")])
def test_weights_that_a_step_has_broken_are_never_kept(
    recipe: Recipe, train: Samples, val: Samples, out: Path, seconds: float, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only step of the epoch breaks them, so its own loss does not tell yet."""
    Trainer(recipe, out=out).fit(train, val)
    kept = (out / "checkpoints" / "last.pt").read_bytes()
    monkeypatch.setattr("facemotion.training.folder._CHECKPOINT_SECONDS", seconds)
    breaking = recipe.override({"batch_size": 192, "optimizer.lr": 3e38, "optimizer.weight_decay": 1e5})
    breaking = breaking.override({"schedule.name": "constant"})
    with pytest.raises(TrainingError, match=f"{says}.*The last checkpoint is kept"):
        Trainer(breaking, out=out / "broken").fit(train, val)
    assert not (out / "broken" / "best").exists()
    assert not (out / "broken" / "checkpoints" / "last.pt").exists()
    assert (out / "checkpoints" / "last.pt").read_bytes() == kept


def test_a_class_without_faces_is_named(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    with pytest.raises(DataError, match="none of happy"):
        Trainer(recipe, out=out).fit(train.subset(train.targets != 1), val)


def test_a_folder_that_can_t_be_made_is_said_so(recipe: Recipe, train: Samples, val: Samples, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here first")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(TrainingError, match=r"can't be made .*another --out"):
            Trainer(recipe, out=out).fit(train, val)


def test_a_home_is_spelt_out(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Trainer(recipe, out="~/runs/a").out == tmp_path / "runs" / "a"


def test_fresh_moves_nothing_but_a_training(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    out.mkdir()
    (out / "letters.txt").write_text("not ours")
    Trainer(recipe, out=out, epochs=1).fit(train, val, resume="never")
    assert (out / "letters.txt").exists()
    assert (out / "best").is_dir()
    assert not out.with_name("run.1").exists()


def test_the_folder_one_stands_in_will_do(
    recipe: Recipe, train: Samples, val: Samples, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out.mkdir()
    monkeypatch.chdir(out)
    for _ in range(2):
        Trainer(recipe, out=".", epochs=1).fit(train, val, "never")
    assert len(table(out)) == len(table(out.with_name("run.1"))) == 1


def test_resume_is_auto_or_never(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    with pytest.raises(ValueError, match="resume: expected 'auto' or 'never', got False"):
        Trainer(recipe, out=out).fit(train, val, False)  # type: ignore[arg-type]  # wrong on purpose


def test_a_kill_before_the_table_was_written_costs_no_row(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    Trainer(recipe, out=out).fit(train, val)
    (out / "history.csv").unlink()
    Trainer(recipe, out=out).fit(train, val)
    assert len(table(out)) == 3


def test_threads_are_as_before_afterwards(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    before, tries = torch.get_num_threads(), torch.backends.cudnn.benchmark
    inside = []
    Trainer(recipe, out=out, threads=before + 1, epochs=1).fit(
        train, val, progress=lambda progress: inside.append(torch.get_num_threads())
    )
    assert set(inside) == {before + 1}
    assert (torch.get_num_threads(), torch.backends.cudnn.benchmark) == (before, tries)


def test_an_empty_validation_set(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    with pytest.raises(DataError, match="the validation part is empty"):
        Trainer(recipe, out=out).fit(train, val.subset([]))


def test_validation_faces_of_other_labels_alone_are_none(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    others = replace(val, labels=LabelSet(("fear", "surprise", "disgust")))
    with pytest.raises(DataError, match=r"the validation part is empty: .* of the recipe's labels"):
        Trainer(recipe, out=out).fit(train, others)
    assert not out.exists()


def test_the_weights_tell_the_rule_of_the_labels_they_learnt(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    Trainer(recipe, out=out, epochs=1).fit(replace(train, label_rule="majority"), val)
    config = Classifier.load(out / "best", device="cpu").config
    assert (config.trained_on[0]["label_rule"], config.metrics[0]["label_rule"]) == ("majority", None)


def test_without_validation_data_a_share_is_put_aside(recipe: Recipe, train: Samples, out: Path) -> None:
    Trainer(recipe, out=out, epochs=1, val_share=0.25).fit(train)
    config = Classifier.load(out / "best", device="cpu").config
    assert (config.trained_on[0]["count"], config.metrics[0]["count"]) == (144, 48)


def test_the_data_s_own_splits_are_used_and_the_test_part_never(recipe: Recipe, train: Samples, out: Path) -> None:
    names = np.array(["Training", "PublicTest", "PrivateTest"])
    divided = train.with_splits(names[np.arange(192) // 3 % 3])
    Trainer(recipe, out=out, epochs=1).fit(divided)
    config = Classifier.load(out / "best", device="cpu").config
    assert config.trained_on[0]["split"] == "Training"
    assert config.chosen_on == "patterns 1 PublicTest"
    with pytest.raises(TrainingError, match="PrivateTest is the test part"):
        Trainer(recipe, out=out / "x").fit(divided, divided.select("PrivateTest"))
    with pytest.raises(TrainingError, match="PrivateTest is the test part"):
        Trainer(recipe, out=out / "x").fit(divided.select("PrivateTest"))


def test_early_stopping_counts_epochs_without_clear_progress(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    stopping = recipe.override({"stop.patience": 2, "stop.min_delta": 1.0, "epochs": 20})
    history = Trainer(stopping, out=out).fit(train, val)
    assert len(history) == 3
    assert history.best_score == max(row.val_accuracy for row in history.epochs)


def test_one_starts_from_weights_with_a_new_head_for_other_labels(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    Trainer(recipe, out=out / "a").fit(train, val)
    two = [samples.restrict(["happy", "sad"]) for samples in (train, val)]
    tuned = recipe.override(
        {"init": str(out / "a" / "best"), "labels": ["happy", "sad"], "epochs": 1, "freeze": ["backbone"]}
    )
    Trainer(tuned, out=out / "b").fit(*two)
    before, after = weights(out / "a"), weights(out / "b")
    for name in before:
        assert torch.equal(before[name], after[name]) == name.startswith("backbone"), name
    assert Classifier.load(out / "b" / "best", device="cpu").labels.labels == ("happy", "sad")


def test_what_weights_bring_is_taken_and_told_of(
    recipe: Recipe, train: Samples, val: Samples, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Trainer(recipe, out=out / "a", epochs=1).fit(train, val)
    tuned = recipe.override({"init": str(out / "a" / "best"), "epochs": 1})
    other = tuned.override({"backbone": "cnn4", "backbone_args": {}, "input.size": 32})
    Trainer(tuned, out=out / "b").fit(val, train)
    assert "is taken" not in caplog.text
    Trainer(other, out=out / "c").fit(val, train)
    assert "its own backbone is taken, fast" in caplog.text
    resolved = Recipe.load(out / "c" / "recipe.toml")
    assert (resolved.backbone, resolved.backbone_args, resolved.input.size) == ("fast", {"dropout": 0.3}, 24)
    told = Classifier.load(out / "c" / "best", device="cpu").config.trained_on
    assert [each["fingerprint"] for each in told] == [train.fingerprint, val.fingerprint]


def test_freezing_everything_is_an_error(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    with pytest.raises(RecipeError, match="nothing is left to train: expected fewer layers, got backbone, head"):
        Trainer(recipe.override({"freeze": ["backbone", "head"]}), out=out).fit(train, val)


def test_layers_that_a_backbone_keeps_still_stand_still(recipe: Recipe, train: Samples) -> None:
    net, _ = starting_network(recipe, train.labels)
    net.backbone.stem.requires_grad_(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    loop = Loop(net, Objective(recipe, train), recipe, torch.device("cpu"), Processes())
    loop.step(next(iter(Loader(train, recipe.input, batch_size=32).epoch(0))), 0.1)
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert not [name for name in changed if name.startswith("backbone.stem.")]


def test_freezing_nothing_that_is_there_is_an_error(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    with pytest.raises(RecipeError, match=r"no layer begins so.*bakbone"):
        Trainer(recipe.override({"freeze": ["bakbone"]}), out=out).fit(train, val)


def test_a_teacher_is_learnt_from_and_must_fit(recipe: Recipe, train: Samples, val: Samples, out: Path) -> None:
    recipe = recipe.override({"epochs": 10, "augment.mixup": 0, "best": "accuracy"})
    assert Trainer(recipe, out=out / "a").fit(train, val).best_score > 0.7
    teacher = str(out / "a" / "best")
    # the labels alone teach it to be wrong
    wrong = replace(train, targets=np.roll(train.targets, 1))
    learning = recipe.override({"distill.teachers": [teacher], "distill.mix": 1.0})
    assert Trainer(learning, out=out / "b").fit(wrong, val).best_score > 0.7
    assert Trainer(recipe, out=out / "c").fit(wrong, val).epochs[-1].val_accuracy < 0.4
    with pytest.raises(RecipeError, match="does not fit: expected all of the recipe's labels, and its input but for"):
        Trainer(learning.override({"input.margin": 0.1}), out=out / "d").fit(train, val)


def test_a_teacher_may_know_more_labels_and_see_larger_crops(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    recipe = recipe.override({"epochs": 10, "augment.mixup": 0, "best": "accuracy"})
    Trainer(recipe, out=out / "a").fit(train, val)
    fewer = recipe.override({"labels": list(reversed(train.labels.labels[1:])), "input.size": recipe.input.size - 8})
    learning = fewer.override({"distill.teachers": [str(out / "a" / "best")], "distill.mix": 1.0})
    # the labels alone teach it to be wrong, so what it knows it has from a teacher whose outputs are in another order
    part = train.restrict(fewer.label_set)
    wrong = replace(part, targets=(part.targets + 1) % len(part.labels))
    assert Trainer(learning, out=out / "b").fit(wrong, val.restrict(fewer.label_set)).best_score > 0.7


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", "plateau", "steps", "constant"])
def test_every_optimiser_and_schedule_trains(
    recipe: Recipe, train: Samples, val: Samples, out: Path, name: str, schedule: str
) -> None:
    changed = {"optimizer.name": name, "schedule.name": schedule, "schedule.milestones": [1], "optimizer.lr": 0.003}
    part = train.subset(np.arange(96))
    history = Trainer(recipe.override(changed), out=out, epochs=2).fit(part, val)
    assert history.epochs[1].train_loss < 1.2 * history.epochs[0].train_loss


@pytest.mark.parametrize(
    "loss",
    [{"name": "focal"}, {"name": "focal", "gamma": 0.5}, {"class_weights": "balanced"}, {"label_smoothing": 0.2}],
)
def test_every_loss_learns(recipe: Recipe, train: Samples, val: Samples, out: Path, loss: dict[str, object]) -> None:
    changed = recipe.override({f"loss.{key}": value for key, value in loss.items()}).override({"epochs": 5})
    assert Trainer(changed, out=out).fit(train, val).best_score > 0.6


def limited(recipe: Recipe, out: Path, *, at_first: str = "", in_epoch_2: str = "pass") -> str:
    """What a training says in a process that from some moment on may not take more of something."""
    code = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from facemotion import Recipe, Trainer, TrainingError
from training_patterns import patterns

def progress(progress):
    if progress.epoch == 2:
        {in_epoch_2}

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
{at_first}
trainer = Trainer(Recipe.load(sys.argv[1]), out=sys.argv[2], device="cpu")
try:
    trainer.fit(patterns(192, 1), patterns(96, 2), progress=progress)
except TrainingError as error:
    print(error)
"""
    (out.parent / "recipe.toml").write_text(recipe.to_toml())
    command = [sys.executable, "-c", code, str(out.parent / "recipe.toml"), str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_disk_that_fills_leaves_the_last_checkpoint_whole(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    said = limited(recipe, out, in_epoch_2="resource.setrlimit(resource.RLIMIT_FSIZE, (100_000,) * 2)")
    assert "can't be written" in said
    assert "free some space and run the same command again" in said
    assert not [path for path in out.rglob("*") if path.suffix in (".partial", ".new")]
    assert len(Trainer(recipe, out=out, device="cpu").fit(train, val)) == 3
    Trainer(recipe, out=out.with_name("whole"), device="cpu").fit(train, val)
    assert same(out, out.with_name("whole"))


def test_too_little_memory_says_which_batch_to_try(recipe: Recipe, out: Path) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_AS, (6 << 30,) * 2)"
    large = recipe.override({"batch_size": 192, "input.size": 1000})
    assert "a batch of 192 does not fit into memory: try --set batch_size=96" in limited(large, out, at_first=limit)
