"""How long does the network alone take for a face, alone and in batches of 32, and how near is that to the least?

    python benchmarks/face.py [--fer-python PATH] [--rounds 15] [--threads 1] [--backbones cnn cnn4] [--json FILE]

Each of our weights by the engine that it has here, by torch, and (those that can) by OpenCV, against fer's network by
tflite and by keras. The floor is the network's multiplications at the rate of a large matrix product on as many
threads, measured in the same rounds. --backbones: these besides, untrained.
"""

from __future__ import annotations

import statistics
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import Worker, in_turn, machine, options, report
from worker import GREY

from facemotion.backbones.fast_onnx import is_plain_fast
from facemotion.backbones.torch_runner import TorchRunner
from facemotion.classifier import Classifier
from facemotion.weights.listing import list_weights

BATCHES = (1, 32)
# so many faces a round and contestant
FACES = 96
SIDE = 2048


def main() -> None:
    arguments = options(__doc__, rounds=15, other=True, backbones={"nargs": "*", "default": []})
    work: dict[str, int] = {}
    contestants: dict[str, tuple[str, tuple[int, ...], Path | None]] = {}
    for weights in list_weights("emotion"):
        classifier = Classifier.load(weights.name, device="cpu")
        spec = classifier.config.input
        runner = TorchRunner(classifier.net, spec, torch.device("cpu"), torch.float32)
        kinds = {"": "faces_by_us", ", torch": "faces_by_torch"}
        kinds |= {", OpenCV": "faces_by_opencv"} if is_plain_fast(classifier.config) else {}
        for suffix, kind in kinds.items():
            work[weights.name + suffix] = runner.work
            shape = (spec.size, spec.size, spec.channels)
            contestants[weights.name + suffix] = f"{kind}:{weights.name}", shape, None
    for name in arguments.backbones:
        shape = (48, 48, 1) if name in GREY else (224, 224, 3)
        contestants[f"{name}, untrained"] = f"faces_by_backbone:{name}", shape, None
    if arguments.fer_python:
        for engine in ("tflite", "keras"):
            contestants[f"fer, {engine}"] = f"faces_by_fer:{engine}", (64, 64, 1), arguments.fer_python
    rows, rates = measured(contestants, work, arguments)
    about = machine(arguments.threads) | {"matrix product": f"{statistics.median(rates):.1f} G multiplications/s"}
    title = f"Milliseconds a face, the network alone, {arguments.rounds} rounds of {FACES} faces in turn"
    report(title, about, rows, arguments.json)


def measured(
    contestants: dict[str, tuple[str, tuple[int, ...], Path | None]], work: dict[str, int], arguments: Any
) -> tuple[list[dict[str, Any]], list[float]]:
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        pair = Path(folder) / "product.npy"
        np.save(pair, random.random((1, 2, SIDE, SIDE), np.float32))
        workers = {("product", 0): stack.enter_context(closing(Worker("product", pair, arguments.threads)))}
        for name, (kind, shape, python) in contestants.items():
            for batch in BATCHES:
                path = Path(folder) / "x".join(map(str, (batch, *shape)))
                path = path.with_suffix(".npy")
                np.save(path, random.integers(0, 256, (FACES // batch, batch, *shape), np.uint8))
                worker = Worker(kind, path, arguments.threads, python)
                workers[name, batch] = stack.enter_context(closing(worker))
        taken = in_turn(workers, arguments.rounds)
    rates = [SIDE**3 / each / 1e9 for each in taken["product", 0]]
    rows = []
    for name in contestants:
        row: dict[str, Any] = {"network": name}
        for batch in BATCHES:
            row[f"ms, batch {batch}"] = 1000 * statistics.median(taken[name, batch]) / FACES
        floors = [work[name] / (rate * 1e6) for rate in rates] if name in work else []
        row["million multiplications"] = work[name] / 1e6 if floors else None
        row["floor, ms"] = statistics.median(floors) if floors else None
        pairs = zip(taken[name, BATCHES[-1]], floors, strict=False)
        # of one round each, since a machine's pace changes
        times = [1000 * each / FACES / floor for each, floor in pairs]
        row[f"times the floor, batch {BATCHES[-1]}"] = statistics.median(times) if times else None
        rows.append(row)
    return rows, rates


if __name__ == "__main__":
    main()
