"""How many faces a second does the trainer learn from, against a bare loop of PyTorch, and against the loader alone?

    python benchmarks/training.py [--faces 640] [--rounds 5] [--threads 2] [--device auto] [--json FILE]

The trainer and the bare loop train `fast` in fp32 with SGD on batches of 128; one is fed by the loader with all of the
recipe's augmentation, the other has its batches in memory before the clock starts. The loader alone makes the batches
and nothing is done with them: as long as it makes more than the trainer takes, data are not what is waited for. By the
processor's own time as well, which on a machine that is shared says more of the loader than the clock does.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from measuring import in_turn, machine, options, report, seconds
from torch.nn import functional

from facemotion import InputSpec, LabelSet, Recipe, Samples
from facemotion.data.loaders import Loader
from facemotion.devices import resolve_device
from facemotion.recipes.recipe import Augment
from facemotion.training.distributed import Processes
from facemotion.training.loop import Loop
from facemotion.training.losses import Objective
from facemotion.training.setup import starting_network

TRAINER, BARE, READY = "trainer, fed by the loader", "bare loop, batches in memory", "trainer, batches in memory"
COLOUR = InputSpec(size=224, colour="rgb", mean=(0.5,) * 3, std=(0.5,) * 3)
MIXED = Augment(crop=0.8, flip=0.5, rotation=15, brightness=0.2, contrast=0.2, erasing=0.5, mixup=0.2, cutmix=1.0)


def main() -> None:
    arguments = options(
        __doc__,
        rounds=5,
        faces={"type": int, "default": 640},
        device={"default": "auto"},
    )
    torch.set_num_threads(arguments.threads)
    device = resolve_device(arguments.device)
    recipe = replace(Recipe.load("fast-7class"), ema=0.0, precision="fp32", loss=Recipe().loss)
    samples = noise(arguments.faces, recipe.input.size)
    loader = Loader(samples, recipe.input, batch_size=recipe.batch_size, augment=recipe.augment, device=device)
    batches = list(loader.epoch(0))
    labels = LabelSet.named("fer7")
    net, _ = starting_network(recipe, labels)
    loop = Loop(net, Objective(recipe.loss, recipe.distill, samples), recipe, device, Processes())

    def fed() -> None:
        for batch in loader.epoch(1):
            loop.step(batch, 0.01)

    def ready() -> None:
        for batch in batches:
            loop.step(batch, 0.01)

    work: dict[str, Callable[[], None]] = {
        TRAINER: fed,
        READY: ready,
        BARE: bare_loop(starting_network(recipe, labels)[0].to(device), batches),
        "loader alone": drawn(loader),
        "loader alone, mixup and cutmix": drawn(of_noise(arguments.faces, recipe.input, MIXED)),
        "loader alone, 224 x 224 in RGB": drawn(of_noise(arguments.faces // 5, COLOUR, recipe.augment)),
    }
    used: dict[str, list[float]] = {name: [] for name in work}
    for each in work.values():
        each()
    taken = in_turn({name: counted(call, used[name]) for name, call in work.items()}, arguments.rounds)
    rows = []
    for name in work:
        faces = arguments.faces // 5 if "224" in name else arguments.faces
        row = {"what": name, "faces/s": faces / statistics.median(taken[name])}
        row["faces/s of processor time"] = faces / statistics.median(used[name])
        pairs = zip(taken[name], taken[BARE], strict=True)
        share = statistics.median(own / bare for own, bare in pairs)
        row["of the bare loop's time"] = share if faces == arguments.faces else None
        rows.append(row)
    about = machine(arguments.threads) | {"device": str(device)}
    report(f"Training, {arguments.rounds} rounds of {arguments.faces} faces in turn", about, rows, arguments.json)


def noise(count: int, size: int) -> Samples:
    """What is done to a pixel does not depend on its value."""
    random = np.random.default_rng(0)
    return Samples.from_arrays(random.integers(0, 256, (count, size, size), np.uint8), np.arange(count) % 7, "fer7")


def of_noise(count: int, spec: InputSpec, augment: Augment) -> Loader:
    return Loader(noise(count, 48), spec, batch_size=128, augment=augment)


def drawn(loader: Loader) -> Callable[[], None]:
    def work() -> None:
        for _ in loader.epoch(1):
            pass

    return work


def bare_loop(net: torch.nn.Module, batches: list) -> Callable[[], None]:
    net = net.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(net.parameters(), 0.01, 0.9, nesterov=True, weight_decay=5e-4)

    def work() -> None:
        for batch in batches:
            loss = functional.cross_entropy(net(batch.images.to(memory_format=torch.channels_last)), batch.targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss.item()

    return work


def counted(call: Callable[[], None], used: list[float]) -> Callable[[], float]:
    """Seconds by the clock; the processor's go to `used`."""

    def measure() -> float:
        start = time.process_time()
        taken = seconds(call)
        used.append(time.process_time() - start)
        return taken

    return measure


if __name__ == "__main__":
    main()
