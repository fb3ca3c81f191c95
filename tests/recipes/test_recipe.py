from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from facemotion import InputSpec, LabelSet, Recipe, RecipeError, UnknownNameError
from facemotion.recipes.tables import Augment

FULL = """
description = 'what "it" is for: äöü \\ and so on'
backbone = "vgg16"
labels = ["Tired", "wide awake"]
freeze = ["features.0", "features.2"]
dropout = 0.5
epochs = 10

[backbone_args]
trained_convolutions = 8

[input]
size = 224
colour = "rgb"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]

[optimizer]
name = "adam"
lr = 1
weight_decay = 0

[schedule]
name = "steps"
milestones = [3, 6]
"""


def test_a_recipe_is_its_toml_over_the_defaults() -> None:
    recipe = Recipe.from_toml(FULL)
    assert (recipe.backbone, recipe.backbone_args) == ("vgg16", {"trained_convolutions": 8})
    assert recipe.input == InputSpec(224, "rgb", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    assert (recipe.optimizer.name, recipe.optimizer.lr, recipe.optimizer.momentum) == ("adam", 1.0, 0.9)
    assert recipe.schedule.milestones == (3, 6)
    assert recipe.label_set == LabelSet.of(["Tired", "wide awake"])
    assert Recipe.from_toml("") == Recipe()


@pytest.mark.parametrize("text", ["", FULL])
def test_what_is_written_is_what_is_read(text: str) -> None:
    recipe = Recipe.from_toml(text)
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert tomllib.loads(recipe.to_toml()) == tomllib.loads(Recipe.from_toml(recipe.to_toml()).to_toml())


def test_lists_of_tables_in_a_backbone_s_arguments_are_written_as_toml() -> None:
    blocks = [{"width": 8, "kinds": ["a", {"a b": True}]}, {"width": 16, "pool": {"by": 0.5}}, {}]
    recipe = Recipe.from_dict({"backbone_args": {"blocks": blocks, "depth": 2}})
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    without = Recipe.from_dict({"backbone_args": {"blocks": [{"width": 8, "pool": None}, None], "depth": None}})
    assert Recipe.from_toml(without.to_toml()).backbone_args == {"blocks": [{"width": 8}]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("epoch = 3", "my.toml: no key is named 'epoch'; did you mean 'epochs'"),
        ("lr = 0.1", "augment, stop. Did you mean optimizer.lr?"),
        ("patience = 8", "augment, stop. Did you mean schedule.patience or stop.patience?"),
        ("labels = 'calm,bored'", 'mood5. Labels of your own are a list: ["calm", "bored"]'),
        ("[optimizer]\nlearning_rate = 1", "my.toml: optimizer: no key is named 'learning_rate'"),
        ("epochs = '3'", "my.toml: epochs: wrong value: expected a whole number, got '3'"),
        ("epochs = 3.5", "my.toml: epochs: wrong value: expected a whole number, got 3.5"),
        ("epochs = true", "expected a whole number, got True"),
        ("epochs = 0", "my.toml: epochs: out of range: expected at least 1, got 0"),
        ("optimizer = 3", "my.toml: optimizer: wrong value: expected a table, got 3"),
        ("[optimizer]\nname = 'lion'", "expected 'sgd' or 'adam' or 'adamw', got 'lion'"),
        ("[optimizer]\nlr = 0", "my.toml: optimizer.lr: out of range"),
        ("[optimizer]\nlr = nan", "my.toml: optimizer: lr: wrong value: expected a number, got nan"),
        ("[optimizer]\nlr = inf", "expected a number, got inf"),
        ("[schedule]\nmilestones = [1, 'x']", "expected a list, each a whole number"),
        ("[input]\nsize = 3", "my.toml: input: size: expected a whole number from 8 to 1024, got 3"),
        ("[augment]\nflip = 2", "my.toml: augment.flip: out of range: expected 0 to 1, got 2.0"),
        ("[augment]\nshift = 4", "my.toml: augment.shift: out of range: expected 0 to 1, got 4.0"),
        ("[augment]\nbrightness = 20", "my.toml: augment.brightness: out of range: expected 0 to 1, got 20.0"),
        ("[augment]\ncontrast = 1.5", "my.toml: augment.contrast: out of range: expected 0 to 1, got 1.5"),
        ("[augment]\nnoise = 5", "my.toml: augment.noise: out of range: expected 0 to 1, got 5.0"),
        ("[schedule]\nfactor = 10", "my.toml: schedule.factor: out of range: expected above 0 and at most 1, got 10.0"),
        ("ema = 1", "my.toml: ema: out of range: expected 0 or more and below 1, got 1.0"),
        ("val_share = 0", "my.toml: val_share: out of range: expected above 0 and below 1, got 0.0"),
        ("dropout = -0.1", "my.toml: dropout: out of range: expected 0 or more and below 1, got -0.1"),
        ("seed = -1", "my.toml: seed: out of range: expected 0 or more and below 2**63, got -1"),
        (f"seed = {10**20}", "my.toml: seed: out of range"),
        ("threads = 99999", "my.toml: threads: out of range: expected 0 to 1024, got 99999"),
        ("[schedule]\nmilestones = [3, -1]", "schedule.milestones: out of range: expected at least 0, got (3, -1)"),
        (
            'best = "last"\n[stop]\npatience = 3',
            "my.toml: stop.patience: the last epoch is always the best: expected 0 with best = 'last'",
        ),
        ("[stop]\npatience = -1", "my.toml: stop.patience: out of range: expected at least 0, got -1"),
        ("[distill]\ntemperature = 0", "my.toml: distill.temperature: out of range: expected above 0, got 0.0"),
        (
            "[backbone_args]\nblocks = [{since = 2024-01-02}]",
            "my.toml: backbone_args.blocks.since: wrong value: expected text, a number, true, false, a list or a "
            "table, got 2024-01-02 (text is in quotes)",
        ),
        ("labels = ['a']", "my.toml: labels: too few labels: expected at least two, got ('a',)"),
        ("labels = 'fer8'", "did you mean 'fer7'"),
        ("labels = ['a', 'A']", "expected each label once"),
        ("dropout = 'much'", "expected a number, got 'much'"),
        ("epochs = ", "my.toml: not TOML"),
    ],
)
def test_a_wrong_recipe_says_file_key_expected_and_got(text: str, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(text, "my.toml")
    assert says in str(caught.value)


def test_a_recipe_is_loaded_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epochs = 4", "utf-8")
    assert Recipe.load(path).epochs == Recipe.load(str(path)).epochs == 4
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match=r"mine\.toml: the recipe can't be read"):
        Recipe.load(path)
    with pytest.raises(RecipeError, match="can't be read"):
        Recipe.load(tmp_path)
    with pytest.raises(UnknownNameError, match="no recipe is named 'nonesuch'"):
        Recipe.load("nonesuch")


def test_overrides_reach_into_tables_and_read_text_as_toml() -> None:
    recipe = Recipe().override(
        {"epochs": 5, "optimizer.lr": "0.01", "labels": "basic5", "schedule.milestones": "[1, 2]"}
    )
    assert (recipe.epochs, recipe.optimizer.lr, recipe.labels) == (5, 0.01, "basic5")
    assert recipe.schedule.milestones == (1, 2)
    assert recipe.override({"init": "2026-11-21"}).init == "2026-11-21", "a folder may be called like a date"
    assert recipe.override({"backbone_args.depth": "3"}).backbone_args == {"depth": 3}
    assert (
        recipe.override({"label_rule": "soft"}).override({"label_rule": "none", "dropout": "none"}).label_rule is None
    )
    assert Recipe().epochs == 30, "an override changed the original"
    with pytest.raises(RecipeError, match="override: no key is named 'epoch'"):
        recipe.override({"epoch": 3})
    with pytest.raises(RecipeError, match=r"override: epochs\.x: not a table"):
        recipe.override({"epochs.x": 3})


def test_a_whole_table_takes_the_place_of_the_recipe_s() -> None:
    recipe = Recipe.load("fast-7class")
    assert recipe.augment.rotation and recipe.override({"augment.noise": 0.03}).augment.rotation
    for table in ("{ noise = 0.03 }", {"noise": 0.03}):
        assert recipe.override({"augment": table}).augment == Augment(noise=0.03)


def test_none_takes_a_rule_or_dropout_away_wherever_it_is_said() -> None:
    text = 'label_rule = "none"\ndropout = "none"\n[second]\nlabels = "basic5"\nlabel_rule = "none"'
    recipe = Recipe.from_toml(text)
    assert (recipe.label_rule, recipe.dropout, recipe.second.label_rule) == (None, None, None)
    soft = recipe.override({"label_rule": "soft", "second.label_rule": "soft"})
    assert soft.override({"label_rule": "none", "second.label_rule": "none"}) == recipe


def test_every_key_is_documented_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text("utf-8")
    block = page.partition("```toml\n")[2].partition("```")[0]
    assert tomllib.loads(block) == json.loads(json.dumps(Recipe().to_dict()))
    optional = {key for key, value in dataclasses.asdict(Recipe()).items() if value is None}
    assert optional == set(re.findall(r"^# (\w+) = ", block, re.MULTILINE))


def test_the_recipes_of_the_package_load() -> None:
    for name in Recipe.names():
        assert Recipe.load(name).description


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('\ufeffbackbone = "cnn4"\n', "utf-8")
    assert Recipe.load(tmp_path / "mine.toml").backbone == "cnn4"


def test_what_no_file_can_hold_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"override: backbone_args\.layer: wrong value: expected text.*got <class"):
        Recipe().override({"backbone_args": {"layer": Recipe}})


def test_what_programs_have_in_hand_is_taken(tmp_path: Path) -> None:
    changes = {"epochs": np.int64(3), "optimizer.lr": np.float32(0.5), "init": tmp_path, "input.mean": np.array([0.5])}
    recipe = Recipe.load("cnn-7class").override(
        {**changes, "labels": LabelSet.named("fer7"), "dropout": np.float64(0.25)}
    )
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert (recipe.epochs, recipe.optimizer.lr, recipe.init, recipe.dropout) == (3, 0.5, str(tmp_path), 0.25)


@pytest.mark.parametrize(("key", "value"), [("init", "runs/caf\udce9"), ("distill.teachers", ["fast", "caf\udce9"])])
def test_a_name_that_no_file_can_hold_is_told_before_the_training(key: str, value: object) -> None:
    with pytest.raises(RecipeError, match=rf"{key.rpartition('.')[2]}: a recipe can't keep .* got .*caf\\udce9"):
        Recipe().override({key: value})
