"""How long a backbone takes for one face on one thread of the CPU.

    python benchmarks/backbone_speed.py            # all of ours
    python benchmarks/backbone_speed.py fast cnn   # these

One crop goes through `Classifier.probabilities`: normalisation, network with its batch normalisation folded, softmax.
Other work on the machine disturbs the least of many calls least, so that is given beside the median.
"""

from __future__ import annotations

import argparse
import platform
import time

import numpy as np
import torch

from facemotion import InputSpec, list_backbones
from facemotion.backbones.network import build_network, plan_network
from facemotion.classifier import Classifier

GREY = {"cnn": (48,), "cnn4": (48,), "fast": (44, 48)}


def times(classifier: Classifier, crops: np.ndarray, calls: int) -> np.ndarray:
    """Milliseconds of so many calls, after a quarter as many to warm up."""
    taken = []
    for _ in range(calls + max(calls // 4, 2)):
        start = time.perf_counter()
        classifier.probabilities(crops)
        taken.append(time.perf_counter() - start)
    return np.array(taken[-calls:]) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list_backbones())
    parser.add_argument("--calls", type=int, default=400)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{platform.machine()}, torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, one thread")
    print("| backbone | input | weights, 7 labels | ms a face, alone: least | median | ms a face, of 16 |")
    print("|---|---|---|---|---|---|")
    for name in options.names:
        for size in GREY.get(name, (224,)):
            half = (0.5,) * 3
            spec = InputSpec(size=size) if name in GREY else InputSpec(size=size, colour="rgb", mean=half, std=half)
            config = plan_network(name, "fer7", spec)
            net = build_network(config)
            count = sum(parameter.numel() for parameter in net.parameters())
            classifier = Classifier(net, config, device="cpu")
            crops = np.random.default_rng(0).integers(0, 256, (16, size, size, spec.channels), np.uint8)
            calls = options.calls if name in GREY else max(options.calls // 40, 3)
            alone = times(classifier, crops[:1], calls)
            together = times(classifier, crops, max(calls // 20, 1)).min() / len(crops)
            figures = f"{alone.min():.2f} | {np.median(alone):.2f} | {together:.2f}"
            print(f"| `{name}` | {size} x {size}, {spec.colour} | {count / 1e6:.2f} M | {figures} |", flush=True)


if __name__ == "__main__":
    main()
