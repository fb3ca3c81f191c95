"""Batches for a network: the same ones for the same seed, whatever the number of threads, processes and stops."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch

from facemotion.data.augment import Draws, Mixing, draw, draw_mixing, mix, tensor_on, transform
from facemotion.data.samples import Samples, shares
from facemotion.errors import UnknownNameError
from facemotion.recipes.tables import Augment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.inputs import InputSpec
    from facemotion.results import Pixels

Sampling = Literal["order", "shuffle", "balanced"]

# crops are kept in memory up to this many bytes; beyond, each is made anew every time it is asked for
_IN_MEMORY = 2 << 30
_AT_ONCE = 1024
# of random crops that are closer than this the pixels grow: kept any larger, whole faces would be sampled with gaps
_CLOSEST = 0.5
# keys of the two streams of random numbers, so that order and augmentation are drawn apart
_ORDER, _AUGMENT = 0, 1


@dataclass(frozen=True)
class Batch:
    """What a network is fed.

    images: (n, C, S, S) float32, normalised. targets: (n, K) float32, each row a share of every label, summing to 1;
    those of second labels follow, where the loader has any.
    labels: (n,) int64, the samples' own labels before any mixing. indices: (n,) their positions in the samples.
    size: how many samples the batch has over all processes.
    shown: what teachers see of the same faces, (n, C, side, side) for each side of the loader's `shown_sizes`.
    """

    images: torch.Tensor
    targets: torch.Tensor
    labels: torch.Tensor
    indices: NDArray[np.int64]
    size: int
    shown: dict[int, torch.Tensor]


class Loader:
    """The batches of samples, an epoch at a time: `for batch in loader.epoch(3): ...`.

    second: (samples, K) shares of other labels, for a second head.
    shown_sizes: sides of further crops of every face, changed like the first, for teachers: the network's own, scaled
    to their size, lack what they look for.
    augment: a recipe's augmentation; without it pictures are only fitted, exactly as inference does it.
    sampling: "order", "shuffle", or "balanced", which takes every class equally often.
    workers: threads that prepare batches ahead; 0 prepares each when it is asked for.
    rank, world_size: this process's part of every batch, where several train together.
    drop_last: leave out a last batch that is not full.
    device: where batches are augmented, and where they are given.
    """

    def __init__(
        self,
        samples: Samples,
        spec: InputSpec,
        *,
        batch_size: int,
        seed: int = 0,
        second: NDArray[np.float32] | None = None,
        shown_sizes: Iterable[int] = (),
        augment: Augment | None = None,
        sampling: Sampling = "shuffle",
        workers: int = 1,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        if batch_size < 1 or workers < 0 or not 0 <= rank < world_size:
            raise ValueError(f"batch_size {batch_size}, workers {workers}, rank {rank} of {world_size} make no sense")
        if sampling not in (choices := get_args(Sampling)):
            raise UnknownNameError("sampling", str(sampling), choices)
        self.samples, self.spec, self.second, self.augment = samples, spec, second, augment
        self.shown_sizes = tuple(shown_sizes)
        self.batch_size, self.seed, self.sampling, self.workers = batch_size, seed, sampling, workers
        self.rank, self.world_size, self.drop_last = rank, world_size, drop_last
        self.device = torch.device(device)

    def __len__(self) -> int:
        """How many batches an epoch has."""
        full, rest = divmod(len(self.samples), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def epoch(self, number: int, start: int = 0, *, mixing: bool = True) -> Iterator[Batch]:
        """The batches of an epoch from step `start` on. Without `mixing` neither mixup nor cutmix is done."""
        order = self.order(number)
        # made here, once, before several threads would make it
        _ = self._kept
        steps = iter(range(start, len(self)))

        def make(step: int) -> Batch:
            chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
            return self._batch(chosen, np.random.default_rng([self.seed, _AUGMENT, number, step]), mixing)

        if not self.workers:
            yield from map(make, steps)
            return
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="facemotion-loader")
        try:
            ahead: deque[Future[Batch]] = deque()
            for step in steps:
                ahead.append(pool.submit(make, step))
                if len(ahead) > self.workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The positions of the samples in the order in which an epoch takes them."""
        count = len(self.samples)
        if self.sampling == "order":
            return np.arange(count)
        random = np.random.default_rng([self.seed, _ORDER, epoch])
        if self.sampling == "shuffle":
            return random.permutation(count)
        return _balanced(self.samples.targets, count, random)

    def _batch(self, chosen: NDArray[np.int64], random: np.random.Generator, mixing: bool) -> Batch:
        count = len(chosen)
        # drawn for the whole batch, also where this process makes but a part of it
        draws = draw(self.augment, count, random, self.spec) if self.augment else None
        pairs = draw_mixing(self.augment, count, random) if self.augment and mixing else None
        mine = np.array_split(np.arange(count), self.world_size)[self.rank]
        needed = mine if pairs is None else np.unique(np.concatenate([mine, pairs.partner[mine]]))
        draws = draws.take(needed) if draws else None
        sizes = (self.spec.size, *self.shown_sizes)
        crops = [self._fed(chosen[needed], draws, replace(self.spec, size=size)) for size in sizes]
        targets = self._tensor(self._targets[chosen[needed]])
        if pairs is not None:
            own = self._tensor(np.searchsorted(needed, mine))
            partner = self._tensor(np.searchsorted(needed, pairs.partner[mine]))
            part = Mixing(pairs.partner[mine], pairs.kept[mine], None if pairs.box is None else pairs.box[mine])
            mixed = [mix(each[own], each[partner], targets[own], targets[partner], part) for each in crops]
            crops, targets = [each for each, _ in mixed], mixed[0][1]
        labels = self._tensor(self.samples.targets[chosen[mine]])
        shown = dict(zip(self.shown_sizes, crops[1:], strict=True))
        return Batch(crops[0], targets, labels, chosen[mine], count, shown)

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        return tensor_on(self.device, array)

    def _fed(self, indices: NDArray[np.int64], draws: Draws | None, spec: InputSpec) -> torch.Tensor:
        stored = self._stored(spec)
        kept = self._kept.get(stored)
        crops = self.samples.crops(stored, indices) if kept is None else kept[indices]
        return transform(self._tensor(crops).permute(0, 3, 1, 2), draws, spec)

    def _stored(self, spec: InputSpec) -> InputSpec:
        """How crops are kept: as small and as grey as nothing is lost by; they grow while they are augmented.

        The closest part that is cut out of one is to have the pixels that the network takes. Those for teachers are
        kept beside the network's own: to shrink one to the other would not be as inference cuts.
        """
        if self.augment is None:
            return spec
        detailed = math.ceil(spec.size / max(self.augment.crop, _CLOSEST))
        size = max(min(detailed, self._largest), 8)
        if self.samples.grey and spec.colour == "rgb":
            return replace(spec, size=size, colour="grey", mean=(0.5,), std=(0.5,))
        return replace(spec, size=size)

    @cached_property
    def _largest(self) -> int:
        """The longest side of all pictures."""
        return int(self.samples.sizes.max(initial=0))

    @cached_property
    def _kept(self) -> dict[InputSpec, Pixels]:
        """All crops as they are stored; none where they are too many."""
        count = len(self.samples)
        sizes = (self.spec.size, *self.shown_sizes)
        shapes = {
            stored: (count, stored.size, stored.size, stored.channels)
            for stored in (self._stored(replace(self.spec, size=size)) for size in sizes)
        }
        if sum(np.prod(shape, dtype=np.int64) for shape in shapes.values()) > _IN_MEMORY:
            return {}
        kept = {stored: np.empty(shape, np.uint8) for stored, shape in shapes.items()}
        for start in range(0, count, _AT_ONCE):
            part = np.arange(start, min(start + _AT_ONCE, count))
            for stored, crops in kept.items():
                crops[part] = self.samples.crops(stored, part)
        return kept

    @cached_property
    def _targets(self) -> NDArray[np.float32]:
        first = shares(self.samples)
        return first if self.second is None else np.concatenate([first, self.second], axis=1)


def class_weights(samples: Samples) -> NDArray[np.float32]:
    """(K,): weights inverse to a class's share, 1 on average over the samples; 0 for a class without any."""
    counts = np.bincount(samples.targets, minlength=len(samples.labels))
    present = counts > 0
    weights = np.zeros(len(counts), np.float32)
    weights[present] = len(samples) / (present.sum() * counts[present])
    return weights


def _balanced(targets: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """As many positions as samples, every class equally often; each class is gone through before it repeats."""
    classes = random.permutation(np.unique(targets))
    chosen: list[NDArray[np.int64]] = []
    for rank, label in enumerate(classes):
        members = np.flatnonzero(targets == label)
        quota = count // len(classes) + (rank < count % len(classes))
        rounds = [random.permutation(members) for _ in range(-(-quota // len(members)))]
        chosen.append(np.concatenate(rounds)[:quota] if rounds else members[:0])
    return random.permutation(np.concatenate(chosen))
