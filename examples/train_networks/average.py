"""The mean of weights that went on from the same ones: `python average.py OUT runs/one/best runs/other/best`.

Trainings from one start stay so near to each other that the mean of their weights is a network too: about as good as
the better one on faces as they are, and nearly as steady as the steadier one on faces that are noisy. Where the labels
differ, or layers were made thin, each has a head of its own: the first one's is kept, and the rest is the mean.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from typing import Any

import torch

from facemotion.classifier import Classifier, save_network
from facemotion.evaluation.leak import splits_that_chose
from facemotion.weights.spec import Packing, WeightsConfig


def main() -> None:
    out, *folders = sys.argv[1:]
    first, *others = (Classifier.load(folder, device="cpu") for folder in folders)
    for folder, other in zip(folders[1:], others, strict=True):
        if kind(other.config) != kind(first.config):
            raise SystemExit(f"{folder} is another network than {folders[0]}, or for other faces")
    alike = {(each.labels, bool(each.config.packing.ranks)) for each in (first, *others)} == {(first.labels, False)}
    states = [each.net.state_dict() for each in (first, *others)]
    shared = [
        name
        for name, tensor in states[0].items()
        if tensor.is_floating_point() and (alike or not name.startswith("head."))
    ]
    mean = {name: torch.stack([each[name] for each in states]).mean(0) for name in shared}
    first.net.load_state_dict(states[0] | mean)
    first.net.temperature = 1.0
    config = dataclasses.replace(first.config, packing=Packing(ranks=first.config.packing.ranks), metrics=())
    # what any of them has seen the mean has seen too; the first one's own faces last, whose labels the mean has
    configs = [each.config for each in (*others, first)]
    config = dataclasses.replace(
        config,
        trained_on=once(told for each in configs for told in each.trained_on),
        chosen_on=None,
        chosen_before=once(told for each in configs for told in splits_that_chose(each)),
    )
    save_network(first.net, config, out)


def once(told: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Each of them in its last place."""
    every = list(told)
    return tuple(each for place, each in enumerate(every, start=1) if each not in every[place:])


def kind(config: WeightsConfig) -> tuple[object, ...]:
    return config.backbone, config.backbone_args, config.input


if __name__ == "__main__":
    main()
