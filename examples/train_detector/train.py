"""Train the network on composed frames.

python train.py --cache CACHE --out OUT --minutes 60
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from loss import Cells, loss
from network import MiniNet, fold
from torch import Tensor

BATCH = 32
PEAK_RATE = 2.5e-3
DECAY = 0.02
SEED = 20261120
MIRRORED = [1, 0, 2, 4, 3]


def augment(rng: np.random.Generator, frames: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
    """What costs nothing at training time: mirror, brightness, contrast, negative film, a box blacked out."""
    images, faces = torch.from_numpy(frames.copy()), torch.from_numpy(labels.copy())
    if rng.random() < 0.5:
        width = images.shape[2]
        images = images.flip(2)
        faces[..., [0, 2]] = width - faces[..., [2, 0]]
        points = faces[..., 4:14].view(*faces.shape[:2], 5, 2)[:, :, MIRRORED].clone()
        points[..., 0] = width - points[..., 0]
        faces[..., 4:14] = points.flatten(2)
        # Empty rows of the table stay empty: their last column is still 0.
    count = len(images)
    gain = torch.from_numpy(rng.uniform(0.7, 1.3, (count, 1, 1)).astype(np.float32))
    shift = torch.from_numpy(rng.uniform(-25, 25, (count, 1, 1)).astype(np.float32))
    chosen = torch.from_numpy(rng.random((count, 1, 1)) < 0.6)
    changed = (images.float() * gain + shift * (images > 0)).clamp(0, 255).to(torch.uint8)
    return torch.where(chosen, changed, images), faces


def rate(passed: float) -> float:
    """One cycle: up over the first twentieth, then a cosine down."""
    if passed < 0.05:
        return 0.02 + passed / 0.05 * 0.98
    return 0.002 + 0.5 * (1 + math.cos(math.pi * (passed - 0.05) / 0.95))


class Average:
    """A running mean of the weights, which is what gets exported."""

    def __init__(self, net: MiniNet, keep: float) -> None:
        self.net, self.keep, self.steps = copy.deepcopy(net).eval(), keep, 0

    @torch.no_grad()
    def update(self, net: MiniNet) -> None:
        self.steps += 1
        keep = min(self.keep, self.steps / (self.steps + 10))
        for mean, now in zip(self.net.state_dict().values(), net.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(now, 1 - keep)
            else:
                mean.copy_(now)


class Frames:
    """All composed frames of the cache, in shuffled batches without end."""

    def __init__(self, cache: Path, seed: int) -> None:
        folders = sorted(cache.glob("train*"))
        self.images = [np.load(folder / "frames.npy", mmap_mode="r") for folder in folders]
        self.labels = [np.load(folder / "labels.npy") for folder in folders]
        self.ends = np.cumsum([0] + [len(images) for images in self.images])
        self.rng = np.random.default_rng(seed)
        self.order = np.zeros(0, np.int64)

    def batch(self) -> tuple[Tensor, Tensor]:
        if len(self.order) < BATCH:
            self.order = self.rng.permutation(self.ends[-1])
        rows, self.order = np.sort(self.order[:BATCH]), self.order[BATCH:]
        part = np.searchsorted(self.ends, rows, side="right") - 1
        within = list(zip(part, rows - self.ends[part], strict=True))
        images = np.stack([self.images[p][row] for p, row in within])
        return augment(self.rng, images, np.stack([self.labels[p][row] for p, row in within]))


def work(rank: int, net: MiniNet, plan: argparse.Namespace, begin: float) -> None:
    """One of the processes that train the same weights in shared memory; the first also averages and reports."""
    torch.set_num_threads(1)
    torch.manual_seed(plan.seed + rank)
    frames = Frames(plan.cache, plan.seed + rank)
    cells = Cells(*frames.images[0].shape[1:])
    average = Average(net, 0.998)
    decayed = [p for p in net.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=plan.rate)
    done, sums, losses = 0, np.zeros(3), ""
    while True:
        # A shared machine promises no steps a minute: by the clock the cycle ends when it should.
        passed = (time.time() - begin) / (60 * plan.minutes) if plan.minutes else done / plan.steps
        if passed >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * rate(passed)
        x, y = frames.batch()
        with torch.autocast("cpu", torch.bfloat16):
            outputs = net(fold(x).contiguous(memory_format=torch.channels_last))
        parts = loss(cells, outputs, y)
        optimizer.zero_grad(set_to_none=True)
        sum(parts).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        done += 1
        if rank:
            continue
        average.update(net)
        sums += [float(p.detach()) for p in parts]
        if done % 200 == 0:
            losses = " ".join(f"{n} {m:.4f}" for n, m in zip(("score", "box", "points"), sums / 200, strict=True))
            sums[:] = 0
            print(f"{time.time() - begin:.0f} s, step {done}: {losses}", flush=True)
            torch.save(average.net.state_dict(), plan.out / "last.pt")
    print(f"process {rank}: {done} steps of {BATCH} in {time.time() - begin:.0f} s", flush=True)
    if not rank:
        torch.save(average.net.state_dict(), plan.out / "last.pt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=0.0, help="train for so long; 0: for --steps")
    parser.add_argument("--steps", type=int, default=16000, help="steps of each process")
    parser.add_argument("--rate", type=float, default=PEAK_RATE)
    parser.add_argument("--workers", type=int, default=2, help="1: the same weights in every run")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--resume", type=Path, help="start from these weights")
    plan = parser.parse_args()
    plan.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    net = MiniNet()
    if plan.resume is not None:
        net.load_state_dict(torch.load(plan.resume, weights_only=True))
    net = net.to(memory_format=torch.channels_last)
    # Processes of one thread each, which write to the same weights without waiting for one another: on a busy
    # machine two threads that wait for each other at every layer are slower than one.
    net.share_memory()
    torch.multiprocessing.spawn(work, (net, plan, time.time()), nprocs=plan.workers)


if __name__ == "__main__":
    main()
