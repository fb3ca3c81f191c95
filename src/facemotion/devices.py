"""Where networks run. torch is imported only when a device is asked for."""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from facemotion.errors import DeviceError

if TYPE_CHECKING:
    import torch


# what the drivers of NVIDIA's and AMD's processors leave behind, on a card, in WSL and on a Jetson
_DRIVERS = {
    "linux": ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-gpu", "/dev/nvmap", "/dev/kfd"),
    "win32": ("C:/Windows/System32/nvcuda.dll", "C:/Windows/System32/amdhip64.dll"),
}
# what `limited_cpu_threads` was told
_limit: int | None = None


def available_devices() -> list[str]:
    """The devices that networks can run on here, the fastest first: cuda:0 ..., mps, cpu."""
    import torch

    devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        devices.append("mps")
    return [*devices, "cpu"]


def resolve_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" is the fastest one here. One that is not there is an error, never a fall-back."""
    import torch

    name = str(name)  # torch's own devices, too
    devices = available_devices()
    if name == "auto":
        return torch.device(devices[0])
    asked = "cuda:0" if name == "cuda" else name
    if asked not in devices:
        raise DeviceError(f"device {name!r} is not there; there is: auto, {', '.join(devices)}")
    return torch.device(asked)


def is_processor(name: str = "auto") -> bool:
    """Whether this name means the processor here. torch is asked only where there may be anything else."""
    if str(name) != "auto":
        return str(name) == "cpu"
    return not _may_accelerate() or available_devices()[0] == "cpu"


def _may_accelerate() -> bool:
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    # a system that is not known may have anything
    return sys.platform not in _DRIVERS or any(Path(driver).exists() for driver in _DRIVERS[sys.platform])


def cpu_threads() -> int:
    """The processors this process may really use: a container often allows fewer than there are."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _container_quota()
    allowed = max(min(allowed, math.ceil(quota)), 1) if quota else allowed
    return min(allowed, _limit) if _limit else allowed


@contextmanager
def limited_cpu_threads(count: int | None) -> Iterator[None]:
    """Use no more than so many processors meanwhile, as one worker of several on a machine; None is no limit.

    It holds for the whole process, for networks and detectors that are made and used within.
    """
    global _limit
    before, torch = _limit, sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else None
    _limit = count or before
    if count and torch:
        torch.set_num_threads(min(torch.get_num_threads(), count))
    try:
        yield
    finally:
        _limit = before
        if count and "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads or cpu_threads())


def _container_quota(cgroup: Path = Path("/sys/fs/cgroup")) -> float | None:
    """How many processors' time a container is given, where it is limited (cgroup 2)."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None
