"""Several processes that train one network, as torchrun starts them; one process alone needs none of this."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from facemotion.devices import cpu_threads
from facemotion.errors import DeviceError

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together. Only the first one (rank 0) writes files."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def wrap(self, net: nn.Module, device: torch.device) -> nn.Module:
        """The network, whose gradients are averaged over all processes."""
        if self.count == 1:
            return net
        devices = [device] if device.type == "cuda" else None
        # batch statistics stay each process's own; those of rank 0 are the ones that are saved
        return nn.parallel.DistributedDataParallel(net, device_ids=devices)

    def total(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def agree(self, value: T) -> T:
        """What rank 0 says, on every rank."""
        if self.count == 1:
            return value
        said = [value]
        distributed.broadcast_object_list(said, src=0)
        return said[0]

    def gather(self, value: T) -> list[T]:
        """What every rank says, in their order."""
        if self.count == 1:
            return [value]
        said: list[Any] = [None] * self.count
        distributed.all_gather_object(said, value)
        return said

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Give rank 0's values to every rank, in place."""
        if self.count > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, src=0)

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether any process raised a flag: all of them then stop at the same step."""
        if self.count == 1:
            return flag
        return bool(self.total(torch.tensor(float(flag), device=device)).item() > 0)


def own_device(device: torch.device) -> torch.device:
    """Of several processes on a machine each has a GPU of its own."""
    local = os.environ.get("LOCAL_RANK")
    if device.type != "cuda" or local is None:
        return device
    if int(local) >= torch.cuda.device_count():
        there = torch.cuda.device_count()
        raise DeviceError(f"process {int(local) + 1} of this machine has no GPU of its own: --nproc-per-node {there}")
    return torch.device("cuda", int(local))


def own_threads() -> int:
    """The processors that are this process's own: several on a machine share them."""
    return max(cpu_threads() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun started, if it did; leave them at the end."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or distributed.is_initialized():
        yield Processes()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)  # else what is not a tensor would go through the first GPU for all of them
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), count)
    finally:
        # a wrapped network, which is part of circles, holds the group; gloo's threads would outlive the interpreter,
        # which then ends with "terminate called without an active exception"
        gc.collect()
        distributed.destroy_process_group()
