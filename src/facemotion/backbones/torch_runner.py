"""A network made quick for the machine that it runs on: a copy for inference, run by torch."""

from __future__ import annotations

import copy
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from facemotion.backbones.network import EmotionNet, normalise
from facemotion.devices import cpu_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.inputs import InputSpec
    from facemotion.results import Pixels

logger = logging.getLogger(__name__)

# multiplications that one thread does in some 20 milliseconds
_WORK_OF_ONE_THREAD = 500_000_000


class TorchRunner:
    """Crops through a copy of a network whose batch normalisation is folded. Changing the network changes nothing."""

    def __init__(self, net: EmotionNet, spec: InputSpec, device: torch.device, dtype: torch.dtype) -> None:
        self._spec, self._device, self._dtype = spec, device, dtype
        self.net = for_inference(net).to(device, dtype).to(memory_format=torch.channels_last)
        self.work = 0
        if device.type == "cpu":
            _limit_threads()
            # before anybody else can run the network
            self.work = _multiplications(self.net, spec, dtype)

    def __call__(self, crops: Pixels) -> NDArray[np.float32]:
        """(n, labels) probabilities of (n, size, size, channels) crops."""
        with torch.inference_mode(), self._threads(len(crops)):
            pixels = torch.from_numpy(np.ascontiguousarray(crops)).to(self._device)
            pixels = normalise(pixels, self._spec).to(self._dtype, memory_format=torch.channels_last)
            values: NDArray[np.float32] = self.net.probabilities(pixels).cpu().numpy()
        return values

    def _threads(self, count: int) -> AbstractContextManager[None]:
        """One thread for little work: others cost more than they save, and where a machine is busy, much more."""
        if self._device.type != "cpu" or count * self.work > _WORK_OF_ONE_THREAD:
            return nullcontext()
        return _one_thread()


def for_inference(net: EmotionNet) -> EmotionNet:
    """A copy with batch normalisation folded into the convolutions."""
    running = copy.deepcopy(net).eval()
    for before, after in _pairs_to_fold(running):
        convolution, norm = running.get_submodule(before), running.get_submodule(after)
        assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        running.set_submodule(before, nn.utils.fusion.fuse_conv_bn_eval(convolution, norm))
        running.set_submodule(after, nn.Identity())
    return running


def _pairs_to_fold(net: nn.Module) -> list[tuple[str, str]]:
    """The convolutions whose only reader is a batch normalisation, with it."""
    modules = dict(net.named_modules())
    if not any(isinstance(module, nn.BatchNorm2d) for module in modules.values()):
        return []
    try:
        graph = torch.fx.symbolic_trace(net).graph
    except Exception as error:  # a network whose way depends on its input: it runs as it is, only slower
        logger.debug("batch normalisation stays as it is: %s", error)
        return []
    calls = [node for node in graph.nodes if node.op == "call_module"]
    uses = [str(node.target) for node in calls]
    pairs = []
    for node in calls:
        before = node.args[0] if node.args else None
        if not isinstance(modules[str(node.target)], nn.BatchNorm2d) or not isinstance(before, torch.fx.Node):
            continue
        single = len(before.users) == 1 and uses.count(str(before.target)) == uses.count(str(node.target)) == 1
        if before.op == "call_module" and single and type(modules[str(before.target)]) is nn.Conv2d:
            pairs.append((str(before.target), str(node.target)))
    return pairs


def _multiplications(net: nn.Module, spec: InputSpec, dtype: torch.dtype) -> int:
    """Those in convolutions and linear layers for a face; what else there is costs little."""
    counts: list[int] = []

    def count(layer: nn.Module, _: Any, output: Tensor) -> None:
        # each output channel's value is a sum over one kernel
        weight = layer.weight  # not `get_parameter`: one that is made of others is none
        assert isinstance(weight, Tensor)
        counts.append(output.numel() * weight[0].numel())

    layers = [each for each in net.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    with torch.inference_mode(), _one_thread():
        net(torch.zeros((1, spec.channels, spec.size, spec.size), dtype=dtype))
    for handle in handles:
        handle.remove()
    return sum(counts)


class _OneThread:
    """Lets torch compute with one thread for a while, also where several of the program's threads ask for it at once.

    The number is each thread's own, but a thread that is new to torch starts with the one that was set last, by
    whichever. So what is put back is what was usual before the first of those who are inside now came.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._usual = threading.Lock(), 0, 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._inside:
                self._usual = torch.get_num_threads()
            self._inside += 1
            torch.set_num_threads(1)
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                torch.set_num_threads(self._usual)


_one_thread = _OneThread()


def _limit_threads() -> None:
    """No more threads than this process may use: in a container torch counts processors that it will not be given."""
    if torch.get_num_threads() > cpu_threads():
        torch.set_num_threads(cpu_threads())


# The threads of a process are not in its fork, which would wait for them for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
