"""What a training starts with: the data it may use, the network, and how numbers are kept."""

from __future__ import annotations

import copy
import dataclasses
import logging
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from facemotion.backbones.network import EmotionNet, build_network, plan_network
from facemotion.classifier import Classifier
from facemotion.data.copies import has_copy_in
from facemotion.data.parts import as_one_split, own_split, part_of
from facemotion.data.reading import read_data
from facemotion.data.samples import Samples
from facemotion.data.splits import split_samples
from facemotion.errors import DataError, RecipeError, TrainingError, UnknownNameError
from facemotion.evaluation.leak import splits_that_chose
from facemotion.labels import LabelSet
from facemotion.training.losses import Objective
from facemotion.weights.spec import Head, Packing, WeightsConfig

if TYPE_CHECKING:
    import os

    from facemotion.data.loaders import Batch
    from facemotion.recipes.recipe import Recipe

logger = logging.getLogger(__name__)

_TEST = "PrivateTest"


def training_data(
    train: Samples | str | os.PathLike[str], val: Samples | str | os.PathLike[str] | None, recipe: Recipe
) -> tuple[Samples, Samples]:
    """The samples to train on and those to choose on, with the recipe's labels.

    Without `val` it is the data's own validation split (PublicTest, for FER-2013), else a share of the training part,
    with copies on one side. The test part is never touched.
    """
    for part, given in (("training", train), ("validation", val)):
        if isinstance(given, Samples):
            _refuse_nothing(given, part)
    whole = read_samples(train, recipe)
    training = _part(whole, "train", "train on")
    _refuse_the_test(training, "train on")
    if val is not None:
        validation = _part(read_samples(val, recipe), "val", "choose the epoch on")
        _refuse_nothing(validation, "validation")
    elif (own := own_split(whole, "val")) and len(training) < len(whole):
        validation = whole.select(own)
    else:
        divided = split_samples(training, recipe.val_share, recipe.seed)
        if "val" not in divided.split_counts():
            wanted = "enough faces that are no copies of each other, or validation data (--val)"
            raise DataError("the validation part is empty", training.source, wanted, f"{len(training)} faces")
        rest = divided.splits == "train"
        # under the data's own name an evaluation knows the faces again
        names = np.where(training.splits == "", "train", training.splits)[rest]
        training, validation = divided.subset(rest).with_splits(names), divided.select("val")
    _refuse_the_test(validation, "choose the epoch on")
    missing = [label for label, count in training.counts().items() if not count]
    if missing:
        have = "a face of every label of the recipe"
        raise DataError("the training part lacks a class", training.source, have, f"none of {', '.join(missing)}")
    seen = int(has_copy_in(validation, training).sum())
    if seen > len(validation) / 2:
        logger.warning(
            "%d of the %d faces to choose the epoch on are among those to train on: their accuracy means nothing",
            seen,
            len(validation),
        )
    return training, validation


def _refuse_nothing(samples: Samples, part: str) -> None:
    if not len(samples):
        raise DataError(f"the {part} part is empty", samples.source, "at least one face of the recipe's labels", "none")


def _refuse_the_test(samples: Samples, purpose: str) -> None:
    if any(_TEST in name.split("/") for name in samples.split_counts()):
        raise TrainingError(f"{samples.source}: {_TEST} is the test part: name another split to {purpose}")


def _part(samples: Samples, name: str, purpose: str) -> Samples:
    """`part_of`; where it finds none an error: a network would be judged on what it has seen."""
    others = ", ".join(each for each in samples.split_counts() if each)
    option = {"train": "--split", "val": "--val-split"}[name]
    try:
        part = part_of(samples, name)
    except UnknownNameError:
        wanted = f"one that is called {name}; name another: {option}, or read_data(..., split=...)"
        raise DataError(f"which split to {purpose}?", samples.source, wanted, others) from None
    if len(part.split_counts()) > 1:
        logger.warning("%s: all its splits are there to %s (%s); %s names one", samples.source, purpose, others, option)
    return part


def read_samples(source: Samples | str | os.PathLike[str], recipe: Recipe, split: str | None = None) -> Samples:
    """The samples numbered as the network will be. Known emotions may be left out; one's own labels must fit.

    Several splits that are named together are one.
    """
    wanted = recipe.label_set
    if wanted.emotions:
        samples = read_data(source, numbers=wanted, label_rule=recipe.label_rule, split=split).restrict(wanted)
    else:
        samples = read_data(source, labels=wanted, label_rule=recipe.label_rule, split=split)
    return as_one_split(samples) if split else samples


def starting_network(recipe: Recipe, labels: LabelSet) -> tuple[EmotionNet, WeightsConfig]:
    """The network that a recipe begins with, and what is known of it."""
    torch.manual_seed(recipe.seed)
    if recipe.init in ("none", "imagenet"):
        config = plan_network(recipe.backbone, labels, recipe.input, args=recipe.backbone_args)
        if recipe.dropout is not None:
            config = dataclasses.replace(config, head=Head(config.head.hidden, recipe.dropout))
        net = build_network(config, pretrained=recipe.init == "imagenet")
        _refuse_crops_that_do_not_fit(net, config)
    else:
        known = Classifier.load(recipe.init, device="cpu")
        _tell_what_is_taken(recipe, known.config)
        config = dataclasses.replace(
            known.config,
            labels=labels.labels,
            temperature=1.0,
            packing=Packing(ranks=known.config.packing.ranks),
            chosen_on=None,
            chosen_before=splits_that_chose(known.config),
        )
        net = known.net
        net.temperature = 1.0
        if known.labels != labels:  # only the last layer is new
            net.head[-1] = nn.Linear(last_layer(net).in_features, len(labels))
    _set_dropout(net, recipe)
    prefixes = [
        prefix for prefix in recipe.freeze if not any(name.startswith(prefix) for name, _ in net.named_modules())
    ]
    if prefixes:
        raise RecipeError("no layer begins so", "freeze", "the beginning of a layer's name", ", ".join(prefixes))
    if recipe.init == "none":
        _tell_what_stays_random(net, recipe)
    return net, config


def _tell_what_stays_random(net: EmotionNet, recipe: Recipe) -> None:
    """Layers that stand still are of use in a network that has learnt already; in one that has not it learns less."""
    still = [name for name, each in net.named_parameters() if not each.requires_grad or name.startswith(recipe.freeze)]
    if still:
        logger.warning(
            "%d tensors are not trained (%s ...) and stay as they are drawn at random, since init is none: see freeze "
            "and backbone_args, or begin with weights",
            len(still),
            still[0],
        )


def same_network(told: str, recipe: Recipe, place: str) -> tuple[EmotionNet, WeightsConfig]:
    """The network of a training that goes on, without its values; told: the config that it began with.

    What it began with besides is not asked: it may be gone, or be another by now.
    """
    config = WeightsConfig.from_json(told, place)
    net = build_network(config)
    _set_dropout(net, recipe)
    return net, config


def _set_dropout(net: EmotionNet, recipe: Recipe) -> None:
    for module in net.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd) and recipe.dropout is not None:
            module.p = recipe.dropout


def _refuse_crops_that_do_not_fit(net: EmotionNet, config: WeightsConfig) -> None:
    """Not every network says what it needs when it is built: some pool small crops away, in the middle of a step."""
    spec = config.input
    net.eval()
    try:
        with torch.no_grad():  # and not inference mode: what a backbone keeps of this must be fit for training
            net(torch.zeros(1, spec.channels, spec.size, spec.size))
    except Exception as error:  # it may be anybody's backbone, which raises what it likes; the cause is kept
        if is_out_of_memory(error):
            raise
        wanted, got = f"crops that {config.backbone} can take", f"{spec.colour} {spec.size} x {spec.size} ({error})"
        raise RecipeError("the crops do not fit the network", "input.size", wanted, got) from error
    net.train()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is about memory: torch has no error of its own for that on a processor."""
    said = ("can't allocate memory", "not enough memory", "out of memory")  # on Linux, on Windows, on a Mac's GPU
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(each in str(error) for each in said)


def _tell_what_is_taken(recipe: Recipe, config: WeightsConfig) -> None:
    """Weights bring their own network and input: what a recipe says beside them is not what will be trained."""
    own = {"backbone": config.backbone, "backbone_args": config.backbone_args, "input": config.input}
    for key, value in own.items():
        if getattr(recipe, key) != value:
            logger.warning("%s: its own %s is taken, %s, and not the recipe's", recipe.init, key, value)


def last_layer(net: EmotionNet) -> nn.Linear:
    """The layer whose outputs are the classes."""
    last = net.head[-1]
    if not isinstance(last, nn.Linear):
        raise TrainingError("the last layer of these weights is packed: it can't take other labels")
    return last


def choose_precision(net: EmotionNet, objective: Objective, batch: Batch, device: torch.device) -> str:
    """ "bf16" where it is measured to be faster by a tenth on this device with this network, else "fp32"."""
    whole = _step_seconds(net, objective, batch, device, half=False)
    try:
        half = _step_seconds(net, objective, batch, device, half=True)
    except RuntimeError as error:  # it may be anybody's backbone, and not every operation of torch's mixes precisions
        if is_out_of_memory(error):
            raise
        logger.info("precision fp32: this network can't work in bf16 (%s)", error)
        return "fp32"
    chosen = "bf16" if half < 0.9 * whole else "fp32"
    logger.info("precision %s: a step takes %.0f ms in fp32, %.0f in bf16", chosen, 1000 * whole, 1000 * half)
    return chosen


def _step_seconds(net: EmotionNet, objective: Objective, batch: Batch, device: torch.device, half: bool) -> float:
    trial = copy.deepcopy(net).train()
    trial.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch knows it
    images = batch.images.to(device, memory_format=torch.channels_last)
    shown = {size: crops.to(device, memory_format=torch.channels_last) for size, crops in batch.shown.items()}
    targets, objective = batch.targets.to(device), objective.to(device)
    times = []
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        for _ in range(4):
            start = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss = objective(trial(images), targets, shown)
            loss.backward()
            if device.type != "cpu":
                torch.accelerator.synchronize()
            times.append(time.perf_counter() - start)
    return min(times[1:])
