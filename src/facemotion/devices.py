"""Where networks run. torch is imported only when a device is asked for."""

from __future__ import annotations

import math
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facemotion.errors import DeviceError

if TYPE_CHECKING:
    import torch


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

    devices = available_devices()
    if name == "auto":
        return torch.device(devices[0])
    asked = "cuda:0" if name == "cuda" else name
    if asked not in devices:
        raise DeviceError(f"device {name!r} is not there; there is: auto, {', '.join(devices)}")
    return torch.device(asked)


def load_onnxruntime() -> Any:
    """The module onnxruntime; an ImportError where it is not installed.

    Its newer builds give each user a number, keep it in the home folder and send figures of use to their maker,
    unless they are told not to before they are loaded. Nobody who looks for faces has asked for that.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return import_module("onnxruntime")


def cpu_threads() -> int:
    """The processors this process may really use: a container often allows fewer than there are."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _container_quota()
    return max(min(allowed, math.ceil(quota)), 1) if quota else allowed


def _container_quota(cgroup: Path = Path("/sys/fs/cgroup")) -> float | None:
    """How many processors' time a container is given, where it is limited (cgroup 2)."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None
