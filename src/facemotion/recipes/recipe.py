"""A recipe: everything that decides how a network is trained, in one TOML file. Unknown keys are refused."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from importlib.resources import files
from typing import Any, Literal, Self

from facemotion.errors import RecipeError, UnknownNameError
from facemotion.file_names import at_home
from facemotion.inputs import InputSpec
from facemotion.labels import LabelSet
from facemotion.recipes.tables import Augment, Distill, Loss, Optimizer, Schedule, Second, Stop
from facemotion.recipes.toml import check, check_text, given, parse_value, to_toml

# what a value of the right type must be besides, and for which keys
_RANGES: tuple[tuple[str, Callable[[float], bool], str], ...] = (
    ("at least 1", lambda value: value >= 1, "epochs batch_size"),
    ("above 0", lambda value: value > 0, "optimizer.lr distill.temperature"),
    ("above 0 and at most 1", lambda value: 0 < value <= 1, "schedule.factor"),
    ("0 to 1024", lambda value: 0 <= value <= 1024, "threads"),
    ("0 or more and below 2**63", lambda value: 0 <= value < 2**63, "seed"),
    ("above 0 and below 1", lambda value: 0 < value < 1, "val_share"),
    ("0 or more and below 1", lambda value: 0 <= value < 1, "ema dropout optimizer.momentum"),
    (
        "0 to 1",
        lambda value: 0 <= value <= 1,
        # beyond 1 the faces of an augmentation are black, inverted, out of sight or nothing but noise
        "loss.label_smoothing second.share distill.mix augment.crop augment.flip augment.erasing augment.shift "
        "augment.brightness augment.contrast augment.noise",
    ),
    (
        "at least 0",
        lambda value: value >= 0,
        "clip_grad optimizer.weight_decay schedule.warmup_epochs schedule.patience schedule.cooldown "
        "schedule.min_lr schedule.milestones loss.gamma augment.rotation augment.widen augment.sharpness augment.mixup "
        "augment.cutmix augment.plain_epochs stop.patience stop.min_delta",
    ),
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained. Every key has a default; a TOML file names what differs.

    description: what it is for, and the figure it answers to.
    backbone, backbone_args: the network and its own arguments.
    labels: a known label set or the labels themselves. label_rule: how votes become labels, where the data has votes.
    input: what the network is fed (see InputSpec).
    init: "none", "imagenet", or weights to start from (a name or a folder); a head is replaced where labels differ.
    freeze: layers that are not trained, by the beginning of their names.
    dropout: replaces the network's own.
    epochs: passes over the training part. batch_size: faces a step, over all processes together.
    sampling: "shuffle" or "balanced" (every class equally often).
    val_share: the share of the training part that is put aside where no validation data is given.
    ema: decay of the weights' moving average (0 is off). clip_grad: largest norm of a gradient (0 is off).
    precision: "auto" measures whether bfloat16 is faster (fewer than 100 steps are done in fp32), "fp32", "bf16".
    threads: of a process; 0 is its share of the processors.
    best: the validation metric that picks the epoch, or "last", for faces that cannot judge: the network has seen them
    before, in the training that it starts from. seed: decides everything that is drawn at random.
    """

    description: str = ""
    backbone: str = "fast"
    backbone_args: dict[str, Any] = field(default_factory=dict)
    labels: str | tuple[str, ...] = "fer7"
    label_rule: str | None = None
    init: str = "none"
    freeze: tuple[str, ...] = ()
    dropout: float | None = None
    epochs: int = 30
    batch_size: int = 128
    sampling: Literal["shuffle", "balanced"] = "shuffle"
    val_share: float = 0.2
    ema: float = 0.0
    clip_grad: float = 0.0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    threads: int = 0
    best: Literal["accuracy", "macro_f1", "loss", "last"] = "accuracy"
    seed: int = 0
    input: InputSpec = field(default_factory=InputSpec)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    loss: Loss = field(default_factory=Loss)
    second: Second = field(default_factory=Second)
    distill: Distill = field(default_factory=Distill)
    augment: Augment = field(default_factory=Augment)
    stop: Stop = field(default_factory=Stop)

    @staticmethod
    def names() -> list[str]:
        """The recipes in the package."""
        return sorted(path.name.removesuffix(".toml") for path in _folder().iterdir() if path.name.endswith(".toml"))

    @classmethod
    def load(cls, source: str | os.PathLike[str]) -> Self:
        """A recipe of the package by name, or one of your own by the path of its TOML file."""
        if str(source) in cls.names():
            return cls.from_toml((_folder() / f"{source}.toml").read_text("utf-8"), f"{source}.toml")
        path = at_home(source)
        try:
            text = path.read_text("utf-8-sig")
        except FileNotFoundError:
            hint = "Or give the path of a TOML file."
            raise UnknownNameError("recipe", str(source), cls.names(), hint) from None
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError("the recipe can't be read", str(path), "a text file in TOML", str(error)) from error
        return cls.from_toml(text, str(path))

    @classmethod
    def from_toml(cls, text: str, place: str = "recipe") -> Self:
        """A recipe from TOML. `place` is what errors call it."""
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError("not TOML", place, got=str(error)) from error
        return cls.from_dict(values, place)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], place: str = "recipe") -> Self:
        """A recipe from plain values, nested as in TOML."""
        recipe: Self = check(cls, _without_none(values), place)
        recipe._check_ranges(place)
        check_text(recipe.to_toml(), place)
        return recipe

    def override(self, changes: Mapping[str, Any]) -> Self:
        """The recipe with keys changed: {"epochs": 5, "optimizer.lr": "0.01"}; text is read as TOML if it can be.

        "none" takes `label_rule` or `dropout` away, as in a file. A whole table takes the place of the recipe's own.
        """
        values = self.to_dict()
        for key, value in changes.items():
            *tables, last = key.split(".")
            table = values
            for name in tables:
                table = table.setdefault(name, {})
                if not isinstance(table, dict):
                    raise RecipeError("not a table", f"override: {key}", got=repr(name))
            table[last] = parse_value(value) if isinstance(value, str) else value
        return self.from_dict(values, "override")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, nested as in TOML; keys that are None are left out."""
        values: dict[str, Any] = given(dataclasses.asdict(self) | {"input": self.input.to_dict()})
        return values

    def to_toml(self) -> str:
        """All keys with their values, as a training folder keeps them."""
        return to_toml(self.to_dict())

    @property
    def label_set(self) -> LabelSet:
        return LabelSet.of(self.labels)

    def _check_ranges(self, place: str) -> None:
        """The values that have the right type and still make no sense."""
        for expected, is_right, keys in _RANGES:
            for key in keys.split():
                value: Any = reduce(getattr, key.split("."), self)
                numbers = value if isinstance(value, tuple) else () if value is None else (value,)
                if not all(map(is_right, numbers)):
                    raise RecipeError("out of range", f"{place}: {key}", expected, repr(value))
        if self.best == "last" and self.stop.patience:
            raise RecipeError("the last epoch is always the best", f"{place}: stop.patience", "0 with best = 'last'")
        _check_labels(self.labels, f"{place}: labels")
        if self.second.labels:
            _check_labels(self.second.labels, f"{place}: second.labels")


def _check_labels(labels: str | tuple[str, ...], place: str) -> None:
    try:
        count = len(LabelSet.of(labels))
    except LookupError as error:
        raise RecipeError(f'{error} Labels of your own are a list: ["calm", "bored"]', place) from error
    except ValueError as error:
        raise RecipeError(str(error), place) from error
    if count < 2:
        raise RecipeError("too few labels", place, "at least two", repr(labels))


def _without_none(values: Any) -> Any:
    """The values without the rules and dropouts that are "none": TOML has no word for nothing."""
    if not isinstance(values, Mapping):
        return values
    unsaid = ("label_rule", "dropout")
    return {key: _without_none(each) for key, each in values.items() if key not in unsaid or each != "none"}


def _folder() -> Any:
    return files("facemotion.recipes")
