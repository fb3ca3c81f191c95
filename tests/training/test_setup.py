from __future__ import annotations

import pytest
import torch

from facemotion import Recipe, RecipeError
from facemotion.data.loaders import Loader
from facemotion.data.samples import Samples
from facemotion.training.losses import Objective
from facemotion.training.setup import choose_precision, starting_network


def test_dropout_is_that_of_whole_maps_too() -> None:
    recipe = Recipe.load("cnn-7class").override({"dropout": 0.35})
    net, _ = starting_network(recipe, recipe.label_set)
    layers = [each for each in net.modules() if isinstance(each, torch.nn.Dropout | torch.nn.Dropout2d)]
    assert {type(each) for each in layers} == {torch.nn.Dropout, torch.nn.Dropout2d}
    assert {each.p for each in layers} == {0.35}


def test_layers_that_would_stay_random_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    fast, vgg = Recipe.load("fast-7class"), Recipe.load("vgg16-7class").override({"input.size": 32})
    for recipe in (fast, vgg):
        starting_network(recipe, recipe.label_set)
    assert not caplog.records
    starting_network(fast.override({"freeze": ["backbone.stem"]}), fast.label_set)
    assert "3 tensors are not trained (backbone.stem.0.weight ...) and stay as they are drawn" in caplog.text
    starting_network(vgg.override({"backbone_args": {"pool": 1}}), vgg.label_set)  # 8 of the 13
    assert "20 tensors are not trained (backbone.features.0.weight ...)" in caplog.text
    caplog.clear()
    frozen = {"init": "fast-7class", "freeze": ["backbone.stem"]}
    starting_network(fast.override(frozen), fast.label_set)
    assert not caplog.records


@pytest.mark.parametrize("backbone", ["torchvision:alexnet", "torchvision:inception_v3"])
def test_crops_that_a_backbone_pools_away_are_refused_before_the_training(backbone: str) -> None:
    recipe = Recipe.load("fast-7class").override({"backbone": backbone, "input.size": 20, "labels": ["happy", "sad"]})
    with pytest.raises(RecipeError, match=rf"input.size.* crops that {backbone} can take.* grey 20 x 20 .*too small"):
        starting_network(recipe, recipe.label_set)


def test_a_trial_without_enough_memory_does_not_blame_the_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(net: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("facemotion.backbones.network.EmotionNet.forward", forward)
    recipe = Recipe.load("fast-7class")
    with pytest.raises(RuntimeError, match="can't allocate memory") as told:
        starting_network(recipe, recipe.label_set)
    assert not isinstance(told.value, RecipeError)


def test_the_trial_leaves_nothing_in_a_fresh_network() -> None:
    recipe = Recipe.load("fast-7class")
    net, _ = starting_network(recipe, recipe.label_set)
    assert net.training
    norms = [each for each in net.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert {int(each.num_batches_tracked) for each in norms if each.num_batches_tracked is not None} == {0}


class Collecting(torch.nn.Module):
    """Adds what a convolution gives to numbers in fp32, which torch refuses in any other precision."""

    def __init__(self, says: str = "") -> None:
        super().__init__()
        self.layer, self.says = torch.nn.Conv2d(1, 3, 3), says

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        if self.says and torch.is_autocast_enabled("cpu"):
            raise RuntimeError(self.says)
        found = self.layer(pixels).mean(dim=(2, 3))
        return torch.zeros(found.shape).index_add_(0, torch.arange(len(found)), found)


def test_a_network_that_can_not_work_in_bfloat16_is_trained_in_fp32(
    recipe: Recipe, train: Samples, caplog: pytest.LogCaptureFixture
) -> None:
    batch = next(iter(Loader(train, recipe.input, batch_size=8).epoch(0)))
    objective, device = Objective(recipe, train), torch.device("cpu")
    with caplog.at_level("INFO", "facemotion"):
        assert choose_precision(Collecting(), objective, batch, device) == "fp32"
    assert "precision fp32: this network can't work in bf16 (" in caplog.text
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        choose_precision(Collecting("DefaultCPUAllocator: can't allocate memory"), objective, batch, device)
