from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from training_patterns import Stopped, stop_in_second_epoch

from facemotion import Evaluator, Recipe, TrainingError
from facemotion.classifier import Classifier
from facemotion.data.samples import Samples
from facemotion.training.teachers import Teacher
from facemotion.training.trainer import Trainer


class Recorder(nn.Module):
    """Says of every crop what it is, and notes what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, pixels: Tensor) -> Tensor:
        self.seen.append(pixels)
        return torch.tensor([[10.0, 11.0, 12.0]]).expand(len(pixels), -1)


def test_a_teacher_sees_its_own_size_and_is_asked_for_the_labels_of_its_student() -> None:
    net, shown = Recorder(), {size: torch.zeros(2, 1, size, size) for size in (8, 16, 24)}
    assert Teacher(net, 16, [2, 0])(shown).tolist() == [[12, 10], [12, 10]]
    [seen] = net.seen
    assert seen is shown[16]


def test_teachers_of_several_sizes_are_shown_their_own(
    recipe: Recipe, train: Samples, val: Samples, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    for size in (20, 32):
        names.append(str(out / str(size) / "best"))
        Trainer(recipe.override({"input.size": size}), out=out / str(size), epochs=1).fit(train, val)
    shown = set()
    forward = Teacher.forward

    def noting(self: Teacher, crops: dict[int, Tensor]) -> Tensor:
        shown.add((self.size, crops[self.size].shape[-1], *crops))
        return forward(self, crops)

    monkeypatch.setattr(Teacher, "forward", noting)
    Trainer(recipe.override({"distill.teachers": names, "epochs": 1}), out=out / "b").fit(train, val)
    assert shown == {(20, 20, 20, 32), (32, 32, 20, 32)}


@pytest.mark.parametrize(("precision", "half"), [("fp32", False), ("bf16", True)])
def test_teachers_work_in_the_precision_of_the_training(
    recipe: Recipe, train: Samples, val: Samples, out: Path, monkeypatch: pytest.MonkeyPatch, precision: str, half: bool
) -> None:
    Trainer(recipe, out=out / "a", epochs=1).fit(train, val)
    asked: list[bool] = []
    forward = Teacher.forward

    def noting(self: Teacher, pixels: Tensor) -> Tensor:
        asked.append(torch.is_autocast_enabled("cpu"))
        return forward(self, pixels)

    monkeypatch.setattr(Teacher, "forward", noting)
    learning = recipe.override({"distill.teachers": [str(out / "a" / "best")], "precision": precision, "epochs": 1})
    Trainer(learning, out=out / "b").fit(train, val)
    assert asked and set(asked) == {half}


def test_faces_that_teachers_were_trained_on_are_told_of(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    test, teachers = train.subset(range(0, len(train), 2)), [str(out / each / "best") for each in "ab"]
    for name, faces in zip("ab", (train, test), strict=True):
        Trainer(recipe, out=out / name, epochs=1).fit(faces, val)
    student = Trainer(recipe.override({"distill.teachers": teachers}), out=out / "c", epochs=1)
    student.fit(train, val)
    told = Classifier.load(out / "c" / "best").config.trained_on
    assert [each.get("teacher") for each in told] == [teachers[1], None]
    assert [each["fingerprint"] for each in told] == [test.fingerprint, train.fingerprint]
    report = Evaluator(out / "c" / "best").evaluate(test)
    assert "the weights were trained on these very faces" in str(report)


def test_a_training_whose_teacher_became_another_does_not_go_on(
    recipe: Recipe, train: Samples, val: Samples, out: Path
) -> None:
    teacher = out / "teacher"
    for seed in (0, 1):
        Trainer(recipe, out=out / str(seed), epochs=1, seed=seed).fit(train, val)

    def put(seed: int, description: str) -> None:
        known = Classifier.load(out / str(seed) / "best", device="cpu")
        Classifier(known.net, replace(known.config, description=description)).save(teacher)

    learning = Trainer(recipe.override({"distill.teachers": [str(teacher)]}), out=out / "b", epochs=2)
    put(0, "what it learnt from")
    with pytest.raises(Stopped):
        learning.fit(train, val, progress=stop_in_second_epoch)
    put(1, "what it learnt from")
    with pytest.raises(TrainingError, match=r"another training \(the teachers have other weights\): .*--fresh"):
        learning.fit(train, val)
    put(0, "the same with other words")
    assert len(learning.fit(train, val)) == 2
