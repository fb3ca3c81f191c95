"""The tables of a recipe, each with its keys and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Optimizer:
    """name: "sgd", "adam" or "adamw". lr: the largest learning rate. weight_decay: pull of the weights towards zero.

    momentum and nesterov are for "sgd" alone.
    """

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = 0.1
    weight_decay: float = 5e-4
    momentum: float = 0.9
    nesterov: bool = True


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the learning rate goes.

    name: "cosine" (with warmup_epochs before it), "one-cycle", "plateau" (times factor when the validation loss was not
    lower for more than patience epochs, then cooldown epochs of rest, never below min_lr), "steps" (times factor at
    each of the epochs in milestones) or "constant".
    """

    name: Literal["cosine", "one-cycle", "plateau", "steps", "constant"] = "cosine"
    warmup_epochs: float = 1.0
    factor: float = 0.1
    patience: int = 10
    cooldown: int = 0
    min_lr: float = 0.0
    milestones: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Loss:
    """name: "cross-entropy" (soft targets where the data has votes and label_rule is "soft") or "focal" (with gamma).

    label_smoothing: the share of every target that is spread over all classes.
    class_weights: "none" or "balanced" (inverse to a class's share).
    """

    name: Literal["cross-entropy", "focal"] = "cross-entropy"
    label_smoothing: float = 0.0
    gamma: float = 2.0
    class_weights: Literal["none", "balanced"] = "none"


@dataclass(frozen=True, slots=True)
class Second:
    """labels: other labels of the same faces, read from the same data, that a second head learns; none without them.

    label_rule: how votes become these labels. share: of the loss, what this head has of it. The head is left out of the
    weights: it is there for what the network learns with it.
    """

    labels: str | tuple[str, ...] = ()
    label_rule: str | None = None
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class Distill:
    """teachers: weights (names or folders) whose probabilities, averaged, are learnt beside the labels.

    They may know more labels and see larger or smaller crops, changed like the network's.
    mix: the teachers' share of the loss; temperature: softens both sides.
    """

    teachers: tuple[str, ...] = ()
    temperature: float = 2.0
    mix: float = 0.5


@dataclass(frozen=True, slots=True)
class Augment:
    """What is done to a batch of crops while training; 0 turns a thing off.

    crop: smallest side of a random resized crop, as a share of the whole (1 is off). widen: how much larger than the
    whole it may be, its border going on. flip: chance of mirroring. rotation: degrees. shift: share of the side.
    brightness, contrast: largest relative change. sharpness: largest change, down to blurred and up to sharpened.
    noise: largest standard deviation of a pixel, white being 1. erasing: chance of a blank rectangle. mixup, cutmix:
    alpha of the Beta distribution. plain_epochs: the last epochs, without mixing.
    """

    crop: float = 1.0
    widen: float = 0.0
    flip: float = 0.5
    rotation: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    sharpness: float = 0.0
    noise: float = 0.0
    erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    plain_epochs: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """Early stopping: after patience epochs whose score is not min_delta better than the best; 0 never stops."""

    patience: int = 0
    min_delta: float = 0.0
