"""A second head, on faces with votes."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from training_patterns import Stopped, same, stop_in_second_epoch, weights

from facemotion import Recipe
from facemotion.classifier import Classifier
from facemotion.data.samples import Samples
from facemotion.data.votes import COLUMNS
from facemotion.errors import RecipeError, TrainingError
from facemotion.recipes.tables import Second
from facemotion.training.losses import Objective
from facemotion.training.second import add_head, first_head, second_targets
from facemotion.training.setup import read_samples, starting_network
from facemotion.training.trainer import Trainer

# the challenge's number of an emotion, and its column of votes
_OF_CHALLENGE = {0: "anger", 1: "disgust", 2: "fear", 3: "happiness", 4: "sadness", 5: "surprise", 6: "neutral"}


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """FER-2013 in small: seven emotions as bright stripes, and the votes on them; every ninth face is no face."""
    folder, random = tmp_path / "faces", np.random.default_rng(0)
    folder.mkdir()
    with (folder / "fer2013.csv").open("w", newline="") as pixels, (folder / "fer2013new.csv").open("w") as votes:
        table, counts = csv.writer(pixels), csv.writer(votes)
        table.writerow(["emotion", "pixels", "Usage"])
        counts.writerow(["Usage", "Image name", *COLUMNS])
        for number in range(126):
            emotion = number % 7
            face = random.integers(0, 60, (24, 24))
            face[3 * emotion : 3 * emotion + 4, :] += 180
            usage = "Training" if number < 84 else "PublicTest"
            table.writerow([emotion, " ".join(map(str, face.ravel())), usage])
            of_all = "NF" if number % 9 == 8 else _OF_CHALLENGE[emotion]
            cast = [7 * (name == of_all) + 3 * (name == "fear") for name in COLUMNS]
            counts.writerow([usage, f"{number}.png", *cast])
    return folder


@pytest.fixture
def learning(recipe: Recipe) -> Recipe:
    second = {"labels": "ferplus8", "label_rule": "soft", "share": 0.4}
    return recipe.override({"labels": "fer7", "second": second, "augment.mixup": 0.4})


def test_second_labels_are_those_of_the_same_rows(faces: Path, learning: Recipe) -> None:
    training = read_samples(faces, learning).select("train").subset(range(83, -1, -1))
    shares = second_targets(training, learning)
    assert shares.shape == (84, 8)
    for index, row in enumerate(shares):
        number = 83 - index
        labels = list(Recipe(labels="ferplus8").label_set)
        expected = np.zeros(8)
        if number % 9 != 8:
            expected[labels.index(training.label(index))] += 0.7
            expected[labels.index("fear")] += 0.3
        assert row == pytest.approx(expected, abs=1e-6)


def test_faces_from_elsewhere_have_no_second_labels(faces: Path, learning: Recipe, train: Samples) -> None:
    with pytest.raises(TrainingError, match=r"no second labels: .*patterns.*second\.labels=\[\]"):
        second_targets(train, learning)
    elsewhere = shutil.copytree(faces, faces / "elsewhere")
    moved = dataclasses.replace(read_samples(faces, learning), source=str(elsewhere))
    with pytest.raises(TrainingError, match="are of other faces"):
        second_targets(moved, learning)


def test_a_second_head_adds_its_share_of_the_loss(learning: Recipe, train: Samples) -> None:
    targets = torch.eye(3)[[0, 1, 2, 0]]
    logits = torch.randn((4, 5), generator=torch.Generator().manual_seed(0))
    # the third face is unknown to the second labels
    others = torch.tensor([[1.0, 0], [0, 1], [0, 0], [0.5, 0.5]])
    apart = learning.override({"labels": list(train.labels), "second.share": 0.25})
    both = Objective(apart, train)(logits, torch.cat([targets, others], dim=1), logits)
    first = Objective(apart, train)(logits[:, :3], targets, logits)
    second = -(others * torch.log_softmax(logits[:, 3:], dim=1)).sum()
    assert float(both) == pytest.approx(float(0.75 * first + 0.25 * second), rel=1e-6)


def test_the_first_head_is_what_is_kept_whole(learning: Recipe) -> None:
    net, _ = starting_network(learning, learning.label_set)
    pixels = torch.rand(2, 1, 24, 24)
    before = net.eval()(pixels)
    add_head(net, 8)
    assert net(pixels).shape == (2, 15)
    alone = first_head(net, 7)
    assert torch.allclose(alone(pixels), before) and net(pixels).shape == (2, 15)


def test_a_training_with_two_heads_goes_on_and_keeps_one(faces: Path, learning: Recipe, out: Path) -> None:
    whole = Trainer(learning, out=out / "whole").fit(faces)
    stopping = Trainer(learning, out=out / "parts")
    with pytest.raises(Stopped):
        stopping.fit(faces, progress=stop_in_second_epoch)
    resumed = stopping.fit(faces)
    assert same(out / "whole", out / "parts") and resumed.epochs[-1].val_loss == whole.epochs[-1].val_loss
    kept = Classifier.load(out / "parts" / "best", device="cpu")
    assert kept.labels.name == "fer7"
    judged = read_samples(faces, learning).select("val")
    said = kept.probabilities(judged.crops(kept.config.input)).argmax(axis=1)
    assert (said == judged.targets).mean() == pytest.approx(max(row.val_accuracy for row in resumed.epochs))
    [trained] = kept.config.trained_on
    assert trained["second_labels"] == "ferplus8" and trained["second_label_rule"] == "soft"


def test_other_votes_are_another_training(faces: Path, learning: Recipe, out: Path) -> None:
    training = Trainer(learning, out=out)
    with pytest.raises(Stopped):
        training.fit(faces, progress=stop_in_second_epoch)
    _change_votes(faces)
    with pytest.raises(TrainingError, match="the second data is another"):
        training.fit(faces)


def test_what_the_second_head_learns_is_in_the_weights_that_are_kept(faces: Path, learning: Recipe, out: Path) -> None:
    """Trainings that differ in nothing but the votes."""
    lasting = learning.override({"best": "last", "epochs": 1})
    Trainer(lasting, out=out / "a").fit(faces)
    Trainer(lasting, out=out / "b").fit(faces)
    _change_votes(faces)
    Trainer(lasting, out=out / "c").fit(faces)
    assert same(out / "a", out / "b")
    one, other = weights(out / "a"), weights(out / "c")
    assert not torch.equal(one["backbone.stem.0.weight"], other["backbone.stem.0.weight"])


def _change_votes(faces: Path) -> None:
    votes = faces / "fer2013new.csv"
    votes.write_text(votes.read_text().replace("0,7,", "7,0,"))


def test_second_labels_are_checked_like_the_first() -> None:
    with pytest.raises(RecipeError, match=r"second\.labels"):
        Recipe().override({"second.labels": "fer9"})
    with pytest.raises(RecipeError, match=r"second\.labels.*at least two"):
        Recipe().override({"second.labels": ["happy"]})
    with pytest.raises(RecipeError, match=r"second\.share"):
        Recipe().override({"second.share": 1.5})
    assert Recipe.from_toml(Recipe(second=Second("ferplus8")).to_toml()) == Recipe(second=Second("ferplus8"))


def test_without_votes_a_second_head_says_what_it_lacks(faces: Path, learning: Recipe, out: Path) -> None:
    (faces / "fer2013new.csv").unlink()
    with pytest.raises(TrainingError, match=r"needs the FER\+ votes"):
        Trainer(learning, out=out).fit(faces)
